"""The configuration bits of an iCE40's layout, one by one: icepack and nextpnr write the same text."""

from ..configuration import Difference, presence

__all__ = ["differences", "kind"]

#: In a logic tile each cell has ten columns of two rows, from this column on.
_CELL = 36

#: Those bits of a cell that are not its truth table (Project IceStorm's documentation of the logic tile).
_CELL_BITS = {8: "carry chain", 9: "flip-flop", 18: "flip-flop", 19: "flip-flop"}

#: What the other tiles hold.
_KINDS = {
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


def kind(header: str, row: int, column: int) -> str:
    """What a bit of a section configures, such as ``"routing"`` or ``"flip-flop"``."""
    tile = header.split()[0]
    if tile != "logic_tile":
        return _KINDS.get(tile, tile)
    if not _CELL <= column < _CELL + 10:
        return "routing"
    return _CELL_BITS.get(10 * (row % 2) + column - _CELL, "truth table")


def differences(
    header: str, expected: list[str] | None, found: list[str] | None
) -> tuple[list[Difference], int]:
    """The bits of one section that differ, and how many it has; a section of zeros may be absent."""
    if not (expected or found):  # a setting without bits
        return presence(header, expected, found, kind=_KINDS.get(header.split()[0], "global setting")), 1
    if expected == found:
        return [], sum(map(len, found or ())) * (4 if header.startswith("ram_data") else 1)
    size = max(len(expected or ()), len(found or ()))
    rows = [[*(lines or ()), *[""] * (size - len(lines or ()))] for lines in (expected, found)]
    differ, count = [], 0
    for n, (before, after) in enumerate(zip(*rows, strict=True)):
        if header.startswith("ram_data"):
            before, after = (f"{int(row or '0', 16):0256b}"[::-1] for row in (before, after))
        width = max(len(before), len(after))
        before, after = before.ljust(width, "0"), after.ljust(width, "0")
        count += width
        if before != after:
            differ += [
                Difference(
                    kind=kind(header, n, column), where=f"{header}, B{n}[{column}]", expected=a, found=b
                )
                for column, (a, b) in enumerate(zip(before, after, strict=True))
                if a != b
            ]
    return differ, count
