"""The meaning of Gowin's cells, as yosys and nextpnr use them (Gowin SUG283, UG285, UG288)."""

import re
from collections.abc import Callable
from pathlib import Path

from ..netlist_verilog import ONE, ZERO, Cell, CellLibrary, Module, UnknownCellError, lookup

__all__ = ["CELLS"]

#: The table of an adder that adds, or subtracts where its fourth input is 0: the only mode that yosys uses.
#: Its lowest four bits are the carry that is generated, by the first two inputs. The table of all four, of
#: which the third is 1, says whether the carry is passed on instead.
_ADDER = 0b0110_0000_1001_1010

#: What nextpnr adds at the ends of a chain: a carry of 0, which is also a sum without inputs, and one of 1.
_ENDS = {"C2L": 0, "ONE2C": 0b1111}

_WIDTHS = (1, 2, 4, 9, 18, 36)


def _lut(m: Module, cell: Cell) -> None:
    inputs = int(cell.type[-1])
    table = cell.number("INIT") & ((1 << (1 << inputs)) - 1)
    for n in range(inputs, 4):  # inputs that it does not have change nothing
        table |= table << (1 << n)
    m.assign(cell.output("F"), lookup(table, [cell.pin(f"I{n}") for n in range(4)]))


def _alu(m: Module, cell: Cell) -> None:
    mode = cell.parameters.get("ALU_MODE", "").strip()
    if "RAW_ALU_LUT" in cell.parameters:  # where nextpnr knows an input
        table = cell.number("RAW_ALU_LUT") & 0xFFFF
    elif mode in _ENDS:
        table = _ENDS[mode]
    elif cell.number("ALU_MODE") == 2:
        table = _ADDER
    else:
        raise UnknownCellError(f"{cell.name}: an adder of the mode {mode} is not known here")
    inputs = [cell.pin("I0"), cell.pin("I1"), cell.pin("I2", ONE), cell.pin("I3")]
    passed, carry_in = f"(({lookup(table, inputs)}) & 1'b1)", cell.pin("CIN")
    generated = f"((4'h{table & 15:x} >> {{{inputs[1]}, {inputs[0]}}}) & 1'b1)"
    m.assign(cell.output("SUM"), f"{passed} ^ {carry_in}")
    m.assign(cell.output("COUT"), f"{passed} ? {carry_in} : {generated}")


def _dff(m: Module, cell: Cell) -> None:
    match = re.fullmatch(r"DFF(N?)([SR]?)(E?)", cell.type)
    assert match is not None
    negative, reset, enabled = match.groups()
    start = int(reset == "S")
    value, enable = cell.pin("D"), cell.pin("CE") if enabled else ONE
    if reset:
        pin = cell.pin({"S": "SET", "R": "RESET"}[reset])
        value = f"{pin} ? 1'b{start} : {value}"
        enable = ONE if enable == ONE else f"{pin} | {enable}"
    m.register(
        cell.output("Q"),
        clock=cell.pin("CLK"),
        negative=bool(negative),
        value=value,
        enable=enable,
        start=start,
    )


def _init(cell: Cell, ninth: bool) -> int:
    """The contents of a block RAM as 2,048 bytes of nine bits."""
    init = 0
    for n in range(64):
        row = cell.number(f"INIT_RAM_{n:02X}")
        if ninth:
            init |= row << 288 * n
        else:
            for byte in range(32):
                init |= (row >> 8 * byte & 0xFF) << 9 * (32 * n + byte)
    return init


def _sdp(m: Module, cell: Cell) -> None:
    """A block RAM with a port that writes, A, and one that reads, B."""
    width, other = cell.number("BIT_WIDTH_1", 32), cell.number("BIT_WIDTH_0", 32)
    if width != other or width not in _WIDTHS:
        raise UnknownCellError(
            f"{cell.name}: a block RAM of the widths {other} and {width} is not known here"
        )
    if cell.number("READ_MODE"):
        raise UnknownCellError(f"{cell.name}: a block RAM with an output register is not known here")
    placed = cell.type == "SDP"

    def bus(name: str, bits: int) -> str:
        if not placed:
            return cell.bus(name, bits)
        return "{" + ", ".join(cell.pin(f"{name}{n}") for n in reversed(range(bits))) + "}"

    # After placement pins have numbers, and narrow words are read at the upper half of the data.
    first = 18 if placed and width < 36 else 0
    read = [cell.output(f"DO{n}") for n in range(36)] if placed else cell.outputs("DO", 36)
    m.instance(
        "gowin_ram",
        {
            "clk_w": cell.pin("CLKA"),
            "ce_w": cell.pin("CEA"),
            "select_w": bus("BLKSELA", 3),
            "ad_w": bus("ADA", 14),
            "di": bus("DI", 36),
            "clk_r": cell.pin("CLKB"),
            "ce_r": cell.pin("CEB"),
            "reset_r": cell.pin("RESETB"),
            "select_r": bus("BLKSELB", 3),
            "ad_r": bus("ADB", 14),
            "q": m.open(read[first : first + width]),
        },
        f".INIT(18432'h{_init(cell, width >= 9):x}), .WIDTH({width}),"
        f" .SELECT_W({cell.number('BLK_SEL_0')}), .SELECT_R({cell.number('BLK_SEL_1')})",
    )


def _buffer(m: Module, cell: Cell) -> None:
    m.assign(cell.output("O"), cell.pin("I"))


def _rpll(m: Module, cell: Cell) -> None:
    m.assign(cell.output("CLKOUT"), "clk")
    m.assign(cell.output("LOCK"), ONE)


def _constant(pin: str, value: str) -> Callable[[Module, Cell], None]:
    def meaning(m: Module, cell: Cell) -> None:
        m.assign(cell.output(pin), value)

    return meaning


def _nothing(m: Module, cell: Cell) -> None:
    """A cell that no design reads: the global reset, which is released after configuration."""


CELLS = CellLibrary(
    meanings={
        "ALU": _alu,
        "SDP": _sdp,
        "SDPX9B": _sdp,
        "SDPB": _sdp,
        "IBUF": _buffer,
        "OBUF": _buffer,
        "rPLL": _rpll,
        "VCC": _constant("V", ONE),
        "GND": _constant("G", ZERO),
        "GOWIN_VCC": _constant("V", ONE),
        "GOWIN_GND": _constant("G", ZERO),
        "GSR": _nothing,
    },
    patterns=(("LUT[1-4]", _lut), ("DFFN?[SR]?E?", _dff)),
    modules=Path(__file__).with_name("cells.v"),
    plls=Path(__file__).with_name("plls.v"),
)
