"""Every configuration bit of a bitstream compared with the layout that place and route wrote. ::

    placed layout ─▶ sections ═══ bit for bit ═══ sections ◀─ unpacked bitstream

On iCE40 both are the same text format, and each bit is compared. On ECP5 the unpacker names settings by other
words than nextpnr, so the layout is packed and unpacked first; then each setting is compared. Bits that have
no name in its database are ``unknown:`` settings.
"""

import re
from collections import Counter
from dataclasses import dataclass

__all__ = ["Difference", "compare", "summary"]

#: In an iCE40's logic tile each cell has ten columns of two rows, from this column on.
_CELL = 36

#: Those bits of a cell that are not its truth table (Project IceStorm's documentation of the logic tile).
_CELL_BITS = {8: "carry chain", 9: "flip-flop", 18: "flip-flop", 19: "flip-flop"}

#: What the other tiles of an iCE40 hold.
_ICE40_KINDS = {
    "io_tile": "IO",
    "ramb_tile": "block RAM",
    "ramt_tile": "block RAM",
    "ram_data": "RAM contents",
    "ipcon_tile": "hard block",
    "dsp0_tile": "DSP",
    "dsp1_tile": "DSP",
    "dsp2_tile": "DSP",
    "dsp3_tile": "DSP",
    "extra_bit": "global setting",
}


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A configuration bit (iCE40) or setting (ECP5) that differs.

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

    def __str__(self):
        return f"{self.kind} at {self.where}: expected {self.expected}, found {self.found}"


def compare(expected, found, *, family):
    """The differences between two layouts, and how many bits or settings were compared.

    Parameters
    ----------
    expected, found : str
        Layouts: for ``"ice40"`` icepack's format, of place and route or unpacked; for ``"ecp5"`` both as
        ecpunpack writes them.
    family : str

    Returns
    -------
    list of Difference, int
    """
    sections = [_sections(text) for text in (expected, found)]
    differ = _ice40 if family == "ice40" else _ecp5
    differences, count = [], 0
    for header in dict.fromkeys((*sections[0], *sections[1])):
        new, compared = differ(header, *(each.get(header) for each in sections))
        differences += new
        count += compared
    return differences, count


def summary(differences):
    """The first difference, and how many there are of each kind."""
    kinds = Counter(each.kind for each in differences)
    return (
        f"{differences[0]}; {len(differences):,} differ"
        f" ({', '.join(f'{kind} {count:,}' for kind, count in kinds.items())})"
    )


def _sections(text):
    """Lines of a layout by the line with a dot that they follow; comments and net names are no configuration."""
    sections, lines = {}, []
    for line in text.splitlines():
        if line.startswith("."):
            lines = [] if line.startswith((".comment", ".sym")) else sections.setdefault(line[1:], [])
        elif line:
            lines.append(line)
    return sections


def _presence(header, expected, found):
    return [
        Difference(
            kind=_ICE40_KINDS.get(header.split()[0], "global setting"),
            where=header,
            expected=_there(expected),
            found=_there(found),
        )
    ]


def _there(lines):
    return "nothing" if lines is None else "present"


def _ice40(header, expected, found):
    """The bits of one section that differ, and how many it has; a section of zeros may be absent."""
    if not (expected or found):  # a setting without bits
        return ([] if expected is not None and found is not None else _presence(header, expected, found)), 1
    if expected == found:
        return [], sum(map(len, found)) * (4 if header.startswith("ram_data") else 1)
    size = max(len(expected or ()), len(found or ()))
    rows = [[*(lines or ()), *[""] * (size - len(lines or ()))] for lines in (expected, found)]
    differences, count = [], 0
    for n, (before, after) in enumerate(zip(*rows, strict=True)):
        if header.startswith("ram_data"):
            before, after = (f"{int(row or '0', 16):0256b}"[::-1] for row in (before, after))
        width = max(len(before), len(after))
        before, after = before.ljust(width, "0"), after.ljust(width, "0")
        count += width
        if before != after:
            differences += [
                Difference(
                    kind=_ice40_kind(header, n, column),
                    where=f"{header}, B{n}[{column}]",
                    expected=a,
                    found=b,
                )
                for column, (a, b) in enumerate(zip(before, after, strict=True))
                if a != b
            ]
    return differences, count


def _ice40_kind(header, row, column):
    tile = header.split()[0]
    if tile != "logic_tile":
        return _ICE40_KINDS.get(tile, tile)
    if not _CELL <= column < _CELL + 10:
        return "routing"
    return _CELL_BITS.get(10 * (row % 2) + column - _CELL, "truth table")


def _ecp5(header, expected, found):
    """The settings of one section that differ, and how many there are; words of a block RAM count one by one."""
    if header.startswith("bram_init"):
        words = [" ".join(lines or ()).split() for lines in (expected, found)]
        size = max(map(len, words))
        words = [each + ["000"] * (size - len(each)) for each in words]
        return [
            Difference(kind="RAM contents", where=f"{header}, byte {n}", expected=a, found=b)
            for n, (a, b) in enumerate(zip(*words, strict=True))
            if a != b
        ], size
    if not (expected or found):
        return ([] if expected is not None and found is not None else _presence(header, expected, found)), 1
    expected, found = Counter(expected), Counter(found)
    return (
        [
            Difference(kind=_ecp5_kind(header, line), where=header, expected=line, found="nothing")
            for line in expected - found
        ]
        + [
            Difference(kind=_ecp5_kind(header, line), where=header, expected="nothing", found=line)
            for line in found - expected
        ],
        max(expected.total(), found.total()),
    )


def _ecp5_kind(header, line):
    name = line.split(maxsplit=2)[1] if " " in line else ""
    if line.startswith("unknown:"):
        return "unnamed bit"
    if line.startswith("arc:") or re.search(r"\bJ?[A-D]\dMUX$", name):
        return "routing"
    if re.search(r"\.K\d\.INIT$", name):
        return "truth table"
    if re.search(r"\.REG\d\.|\.(CEMUX|LSRMUX|SRMODE|GSR)$|^(CLK|LSR|CE)\d", name):
        return "flip-flop"
    if "CCU2" in line or ".INJECT" in name:
        return "carry chain"
    if name.startswith("PIO") or re.search(r":(PIO|PIC|MIB_CIB_LR)", header):
        return "IO"
    return "block RAM" if name.startswith("EBR") else "setting"
