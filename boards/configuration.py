"""Every configuration bit of a bitstream compared with the layout that place and route wrote. ::

    placed layout ─▶ sections ═══ bit for bit ═══ sections ◀─ unpacked bitstream

If unpacker and place and route name settings differently, the layout is packed and unpacked first.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .family import Family

__all__ = ["Difference", "compare", "presence", "summary"]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A configuration bit or setting that differs.

    Parameters
    ----------
    kind : str
        What it configures, such as ``"routing"`` or ``"flip-flop"``.
    where : str
        Tile and bit, such as ``"logic_tile 3 5, B2[17]"``.
    expected, found : str
        ``"0"`` or ``"1"``, or the setting; ``"nothing"`` where it is absent.
    """

    kind: str
    where: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.kind} at {self.where}: expected {self.expected}, found {self.found}"


def compare(expected: str, found: str, *, family: Family) -> tuple[list[Difference], int]:
    """The differences between two layouts, and how many bits or settings were compared.

    Parameters
    ----------
    expected, found : str
        Layouts as the family's unpacker writes them.
    family : Family
    """
    before, after = (family.layout(text).sections() for text in (expected, found))
    differences, count = [], 0
    for header in dict.fromkeys((*before, *after)):
        new, compared = family.differences(header, before.get(header), after.get(header))
        differences += new
        count += compared
    return differences, count


def presence(
    header: str, expected: list[str] | None, found: list[str] | None, *, kind: str
) -> list[Difference]:
    """The difference between a section without lines that is present, a list, and one that is None."""
    if (expected is None) == (found is None):
        return []
    said = ["nothing" if lines is None else "present" for lines in (expected, found)]
    return [Difference(kind=kind, where=header, expected=said[0], found=said[1])]


def summary(differences: list[Difference]) -> str:
    """The first difference, and how many there are of each kind."""
    kinds = Counter(each.kind for each in differences)
    return (
        f"{differences[0]}; {len(differences):,} differ"
        f" ({', '.join(f'{kind} {count:,}' for kind, count in kinds.items())})"
    )
