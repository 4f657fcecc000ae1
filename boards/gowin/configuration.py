"""The bits of Gowin's bitstream, frame by frame."""

from ..configuration import Difference, presence

__all__ = ["differences"]

#: What the sections of the text hold.
_KINDS = {"header": "command", "grid": "grid", "ram": "RAM contents", "end": "command"}


def differences(
    header: str, expected: list[str] | None, found: list[str] | None
) -> tuple[list[Difference], int]:
    """The bits of a section that differ, and how many it has."""
    kind = _KINDS[header]
    if not (expected or found):
        return presence(header, expected, found, kind=kind), 1
    lines = [list(each or ()) for each in (expected, found)]
    size = max(map(len, lines))
    differ, count = [], 0
    for n, (before, after) in enumerate(
        zip(*(each + [""] * (size - len(each)) for each in lines), strict=True)
    ):
        bits = 4 * max(len(before), len(after))
        count += bits
        if before != after:
            a, b = (f"{int(line or '0', 16):0{bits}b}" for line in (before, after))
            differ += [
                Difference(kind=kind, where=f"{header}, line {n}, bit {bit}", expected=x, found=y)
                for bit, (x, y) in enumerate(zip(a, b, strict=True))
                if x != y
            ]
    return differ, count
