"""The meaning of the iCE40's cells (Lattice: iCE40 Technology Library), as yosys and nextpnr use them."""

import re
from pathlib import Path

from ..netlist_verilog import ONE, ZERO, Cell, CellLibrary, Module, UnknownCellError, lookup, tristate

__all__ = ["CELLS"]


def _sb_lut4(m: Module, cell: Cell) -> None:
    m.assign(cell.output("O"), lookup(cell.number("LUT_INIT"), [cell.pin(f"I{n}") for n in range(4)]))


def _majority(a: str, b: str, c: str) -> str:
    return f"{a} & {b} | ({a} | {b}) & {c}"


def _sb_carry(m: Module, cell: Cell) -> None:
    m.assign(cell.output("CO"), _majority(cell.pin("I0"), cell.pin("I1"), cell.pin("CI")))


def _sb_dff(m: Module, cell: Cell) -> None:
    match = re.fullmatch(r"SB_DFF(N?)(E?)(SR|SS)?", cell.type)
    assert match, cell.type
    negative, enabled, reset = match.groups()
    value = cell.pin("D")
    if reset:
        value = f"{cell.pin(reset[1])} ? 1'b{int(reset == 'SS')} : {value}"
    m.register(
        cell.output("Q"),
        clock=cell.pin("C"),
        negative=bool(negative),
        value=value,
        enable=cell.pin("E", ONE) if enabled else ONE,
    )


def _icestorm_lc(m: Module, cell: Cell) -> None:
    inputs = [cell.pin(f"I{n}") for n in range(4)]
    looked_up = lookup(cell.number("LUT_INIT"), inputs)
    if cell.output("COUT"):
        carry = f"1'b{cell.number('CIN_SET')}" if cell.number("CIN_CONST") else cell.pin("CIN")
        m.assign(cell.output("COUT"), _majority(inputs[1], inputs[2], carry))
    m.assign(cell.output("LO"), looked_up)
    if cell.output("O") is None:
        return
    if not cell.number("DFF_ENABLE"):
        m.assign(cell.output("O"), looked_up)
        return
    if cell.number("ASYNC_SR") and cell.pin("SR") != ZERO:
        raise UnknownCellError(f"{cell.name}: an asynchronous reset is not known here")
    # The table is one bit wide only after its shift: a conditional would use all sixteen.
    value = f"({looked_up}) & 1'b1"
    if cell.pin("SR") != ZERO:
        value = f"{cell.pin('SR')} ? 1'b{cell.number('SET_NORESET')} : {value}"
    m.register(
        cell.output("O"),
        clock=cell.pin("CLK"),
        negative=bool(cell.number("NEG_CLK")),
        value=value,
        enable=cell.pin("CEN", ONE),
    )


def _sb_gb(m: Module, cell: Cell) -> None:
    # nextpnr does not write the wire from the PLL to its buffer.
    m.assign(cell.output("GLOBAL_BUFFER_OUTPUT"), cell.pin("USER_SIGNAL_TO_GLOBAL_BUFFER", "clk"))


def _sb_io(m: Module, cell: Cell) -> None:
    m.assign(cell.output("D_IN_0"), cell.pin("PACKAGE_PIN"))
    output = cell.number("PIN_TYPE") >> 2 & 15
    if output == 0b1010:
        m.drive(cell.output("PACKAGE_PIN"), cell.pin("D_OUT_0"), enable=cell.pin("OUTPUT_ENABLE"))
    elif output:
        m.assign(cell.output("PACKAGE_PIN"), cell.pin("D_OUT_0"))


def _pll(m: Module, cell: Cell) -> None:
    for pin in "PLLOUTGLOBAL", "PLLOUTCORE", "PLLOUT_A", "PLLOUT_B":
        m.assign(cell.output(pin), "clk")
    m.assign(cell.output("LOCK"), ONE)


def _oscillator(m: Module, cell: Cell) -> None:
    m.assign(cell.output("CLKHF"), "clk")


def _ram(m: Module, cell: Cell) -> None:
    init = "".join(
        cell.parameters.get(f"INIT_{n:X}", "0" * 256).replace("x", "0") for n in reversed(range(16))
    )
    negative = cell.number("NEG_CLK_R"), cell.number("NEG_CLK_W")
    if any(negative) or cell.type.endswith(("NR", "NW")):
        raise UnknownCellError(f"{cell.name}: a falling clock is not known here")
    m.instance(
        "ice40_ram",
        {
            "rclk": cell.pin("RCLK"),
            "re": f"{cell.pin('RE', ONE)} & {cell.pin('RCLKE', ONE)}",
            "raddr": cell.bus("RADDR", 11),
            "rdata": m.open(cell.outputs("RDATA", 16)),
            "wclk": cell.pin("WCLK"),
            "we": f"{cell.pin('WE')} & {cell.pin('WCLKE', ONE)}",
            "waddr": cell.bus("WADDR", 11),
            "wdata": cell.bus("WDATA", 16),
            "mask": cell.bus("MASK", 16),
        },
        f".INIT(4096'h{int(init, 2):x}), .READ_MODE({cell.number('READ_MODE')}),"
        f" .WRITE_MODE({cell.number('WRITE_MODE')})",
    )


def _spram(m: Module, cell: Cell) -> None:
    # POWEROFF is on where it is low.
    selected = " & ".join(
        [
            cell.pin("CHIPSELECT"),
            cell.pin("POWEROFF", ONE),
            f"~{cell.pin('STANDBY')}",
            f"~{cell.pin('SLEEP')}",
        ]
    )
    m.instance(
        "ice40_spram",
        {
            "clk": cell.pin("CLOCK"),
            "cs": selected,
            "we": cell.pin("WREN"),
            "addr": cell.bus("ADDRESS", 14),
            "din": cell.bus("DATAIN", 16),
            "mask": cell.bus("MASKWREN", 4),
            "dout": m.open(cell.outputs("DATAOUT", 16)),
        },
    )


CELLS = CellLibrary(
    meanings={
        "SB_LUT4": _sb_lut4,
        "SB_CARRY": _sb_carry,
        "ICESTORM_LC": _icestorm_lc,
        "SB_GB": _sb_gb,
        "SB_IO": _sb_io,
        "$_TBUF_": tristate,
        "ICESTORM_PLL": _pll,
        "SB_HFOSC": _oscillator,
        "ICESTORM_HFOSC": _oscillator,
        "ICESTORM_RAM": _ram,
        "SB_SPRAM256KA": _spram,
        "ICESTORM_SPRAM": _spram,
    },
    patterns=((r"SB_DFFN?E?(SR|SS)?", _sb_dff), (r"SB_PLL40_\w+", _pll), (r"SB_RAM40_4K", _ram)),
    modules=Path(__file__).with_name("cells.v"),
    plls=Path(__file__).with_name("plls.v"),
)
