"""The SPRAMs of an unpacked iCE40UP5K bitstream, which icebox_vlog leaves out of its Verilog."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

__all__ = ["instances", "nets"]

#: A wire of a tile: column, row and name.
Wire = tuple[int, int, str]

#: Columns of the tiles that the SPRAMs are behind.
_COLUMNS = (0, 25)


def _inputs(row: int, of: int, first: int, last: int) -> tuple[tuple[int, str], ...]:
    """The input `of` of the places first ... last of a tile."""
    return tuple((row, f"lutff_{place}/in_{of}") for place in range(first, last + 1))


def _outputs(row: int) -> tuple[tuple[int, str], ...]:
    return tuple((row, f"slf_op_{place}") for place in range(8))


@dataclass(frozen=True, kw_only=True)
class _Pins:
    """Row and wire of each pin of one of the two SPRAMs of a column, in the order of the bits.

    Source: Project IceStorm, `spram_db` in icebox.py.
    """

    enable: tuple[int, int]  #: row and column of its bit in the first tile
    clk: tuple[int, str]
    addr: tuple[tuple[int, str], ...]
    din: tuple[tuple[int, str], ...]
    mask: tuple[tuple[int, str], ...]
    dout: tuple[tuple[int, str], ...]
    we: tuple[int, str]
    chip_select: tuple[int, str]
    standby: tuple[int, str]
    sleep: tuple[int, str]
    power: tuple[int, str]


_PINS = (
    _Pins(
        enable=(1, 7),
        clk=(1, "clk"),
        addr=_inputs(2, 1, 0, 7) + _inputs(2, 0, 0, 5),
        din=_inputs(1, 3, 0, 7) + _inputs(1, 1, 0, 7),
        mask=_inputs(3, 0, 0, 3),
        dout=_outputs(1) + _outputs(2),
        we=(3, "lutff_4/in_1"),
        chip_select=(3, "lutff_6/in_1"),
        standby=(4, "lutff_0/in_3"),
        sleep=(4, "lutff_2/in_3"),
        power=(4, "lutff_4/in_3"),
    ),
    _Pins(
        enable=(0, 7),
        clk=(2, "clk"),
        addr=_inputs(2, 0, 6, 7) + _inputs(3, 3, 0, 7) + _inputs(3, 1, 0, 3),
        din=_inputs(1, 0, 0, 7) + _inputs(2, 3, 0, 7),
        mask=_inputs(3, 0, 4, 7),
        dout=_outputs(3) + _outputs(4),
        we=(3, "lutff_5/in_1"),
        chip_select=(3, "lutff_7/in_1"),
        standby=(4, "lutff_1/in_3"),
        sleep=(4, "lutff_3/in_3"),
        power=(4, "lutff_5/in_3"),
    ),
)


def nets(converted: str) -> dict[Wire, str]:
    """The net of each wire, by the comments of icebox_vlog."""
    found: dict[Wire, str] = {}
    net = None
    for line in converted.splitlines():
        if declared := re.fullmatch(r"(?:wire|reg) ([\w\\]+)(?: = .*)?;", line):
            net = declared[1]
        elif net and (wire := re.fullmatch(r"// \((\d+), (\d+), '(.+)'\)", line)):
            found[int(wire[1]), int(wire[2]), wire[3]] = net
    return found


def instances(unpacked: str, wires: Mapping[Wire, str]) -> Iterator[str]:
    """An instance of ``ice40_spram`` for each SPRAM that the bitstream enables.

    Parameters
    ----------
    unpacked : str
        As `bitstream.unpack` returns it.
    wires : mapping
        As `nets` returns it. An input without a net is 0; an output without one is open.
    """
    for column in _COLUMNS:
        tile = re.search(rf"^\.ipcon_tile {column} 1\n((?:[01]+\n)+)", unpacked, re.MULTILINE)
        rows = tile[1].split() if tile else []
        for number, pins in enumerate(_PINS):
            row, bit = pins.enable
            if rows and rows[row][bit] == "1":
                yield _instance(f"spram_{column}_{number}", pins, column, wires)


def _instance(name: str, pins: _Pins, column: int, wires: Mapping[Wire, str]) -> str:
    def net(pin: tuple[int, str]) -> str:
        return wires.get((column, *pin), "1'b0")

    def bus(bits: tuple[tuple[int, str], ...]) -> str:
        return "{" + ", ".join(map(net, reversed(bits))) + "}"

    outputs = [wires.get((column, *pin), f"{name}_open_{bit}") for bit, pin in enumerate(pins.dout)]
    opens = "".join(f"wire {net};\n" for net in outputs if net.startswith(f"{name}_open"))
    # POWEROFF is on where it is low.
    selected = f"{net(pins.chip_select)} & {net(pins.power)} & ~{net(pins.standby)} & ~{net(pins.sleep)}"
    return (
        f"{opens}ice40_spram {name} (.clk({net(pins.clk)}), .cs({selected}), .we({net(pins.we)}),"
        f" .addr({bus(pins.addr)}), .din({bus(pins.din)}), .mask({bus(pins.mask)}),"
        f" .dout({{{', '.join(reversed(outputs))}}}));\n"
    )
