"""The meaning of the ECP5's cells, as yosys and nextpnr use them (Lattice: ECP5 Memory Usage Guide)."""

from collections.abc import Sequence
from pathlib import Path

from ..netlist_verilog import ONE, ZERO, Cell, CellLibrary, Module, UnknownCellError, lookup, tristate

__all__ = ["CELLS"]


def _pin(cell: Cell, name: str) -> str:
    """The net at an input of a placed cell: 1 when it is not connected, inverted or replaced by a constant
    when the cell says so.
    """
    value, mux = cell.pin(name, ONE), cell.parameters.get(f"{name}MUX", name).strip()
    return {"INV": f"~{value}", "0": ZERO, "1": ONE}.get(mux, value)


def _lut4(m: Module, cell: Cell) -> None:
    m.assign(cell.output("Z"), lookup(cell.number("INIT"), [cell.pin(pin) for pin in "ABCD"]))


def _carry_half(
    m: Module,
    table: int,
    inputs: Sequence[str],
    carry_in: str,
    inject: bool,
    sum_net: str | None,
    carry_net: str | None,
) -> None:
    """Add half of a CCU2C, as yosys' cells_sim.v has it: the sum, and the carry by the table of its first two
    inputs.
    """
    looked_up = f"(({lookup(table, inputs)}) & 1'b1)"
    generate = ZERO if inject else f"((4'h{table & 15:x} >> {{{inputs[1]}, {inputs[0]}}}) & 1'b1)"
    m.assign(sum_net, f"{looked_up} ^ {ZERO if inject else carry_in}")
    m.assign(carry_net, f"{looked_up} ? {carry_in} : {generate}")


def _ccu2c(m: Module, cell: Cell) -> None:
    between = m.spare()
    halves = ((cell.pin("CIN"), between), (between, cell.output("COUT")))
    for n, (carry_in, carry_out) in enumerate(halves):
        _carry_half(
            m,
            cell.number(f"INIT{n}"),
            [cell.pin(f"{pin}{n}") for pin in "ABCD"],
            carry_in,
            cell.parameters.get(f"INJECT1_{n}") == "YES",
            cell.output(f"S{n}"),
            carry_out,
        )


def _trellis_comb(m: Module, cell: Cell) -> None:
    table, inputs = cell.number("INITVAL"), [_pin(cell, pin) for pin in "ABCD"]
    if cell.parameters.get("MODE") == "CCU2":
        _carry_half(
            m,
            table,
            inputs,
            cell.pin("FCI"),
            cell.parameters.get("CCU2_INJECT1") == "YES",
            cell.output("F"),
            cell.output("FCO"),
        )
    elif cell.parameters.get("MODE", "LOGIC") == "LOGIC" and not cell.output("OFX"):
        m.assign(cell.output("F"), lookup(table, inputs))
    else:
        raise UnknownCellError(f"{cell.name}: only logic and carry chains are known here")


def _trellis_ff(m: Module, cell: Cell) -> None:
    start = int(cell.parameters.get("REGSET", "RESET").strip() == "SET")
    value = cell.pin("M", ONE) if cell.parameters.get("SD", "1").strip() == "0" else cell.pin("DI", ONE)
    enable, reset = _pin(cell, "CE"), _pin(cell, "LSR") if cell.output("LSR") else ZERO
    if (
        cell.parameters.get("SRMODE", "LSR_OVER_CE") != "LSR_OVER_CE"
        or cell.parameters.get("CLKMUX", "CLK") != "CLK"
    ):
        raise UnknownCellError(f"{cell.name}: an asynchronous reset or falling clock is not known here")
    if reset != ZERO:
        value, enable = f"{reset} ? 1'b{start} : {value}", ONE if enable == ONE else f"{reset} | {enable}"
    m.register(
        cell.output("Q"), clock=cell.pin("CLK"), negative=False, value=value, enable=enable, start=start
    )


def _dp16kd(m: Module, cell: Cell) -> None:
    init = 0
    for n in range(64):
        # 16 words of 18 bits, each in 20.
        part = cell.parameters.get(f"INITVAL_{n:02X}", "0")
        part = int(part, 16) if part.startswith("0x") else int(part.replace("x", "0"), 2)
        for word in range(16):
            init |= (part >> 20 * word & 0x3FFFF) << 18 * (16 * n + word)
    connections: dict[str, str] = {}
    parameters = [f".INIT(18432'h{init:x})"]
    for port in "AB":
        if (
            _pin(cell, f"RST{port}") not in (ZERO, f"~{ONE}")
            or cell.parameters.get(f"REGMODE_{port}", "NOREG") != "NOREG"
        ):
            raise UnknownCellError(
                f"{cell.name}: a block RAM with a reset or an output register is not known here"
            )
        small = port.lower()
        connections |= {
            f"clk_{small}": _pin(cell, f"CLK{port}"),
            f"ce_{small}": _pin(cell, f"CE{port}"),
            f"we_{small}": _pin(cell, f"WE{port}"),
            f"ad_{small}": "{" + ", ".join(_pin(cell, f"AD{port}{n}") for n in reversed(range(14))) + "}",
            f"di_{small}": "{" + ", ".join(_pin(cell, f"DI{port}{n}") for n in reversed(range(18))) + "}",
            f"do_{small}": m.open([cell.output(f"DO{port}{n}") for n in range(18)]),
        }
        mode = cell.parameters.get(f"WRITEMODE_{port}", "NORMAL")
        parameters += [
            f".WIDTH_{port}({cell.number(f'DATA_WIDTH_{port}', 18)})",
            f".MODE_{port}({('NORMAL', 'READBEFOREWRITE', 'WRITETHROUGH').index(mode)})",
        ]
    m.instance("ecp5_ram", connections, ", ".join(parameters))


def _trellis_io(m: Module, cell: Cell) -> None:
    if cell.parameters.get("DIR") == "BIDIR":
        m.drive(cell.output("B"), cell.pin("I", ONE), enable=f"~{cell.pin('T', ZERO)}")
        m.assign(cell.output("O"), cell.pin("B"))
    elif cell.parameters.get("DIR") == "INPUT":
        m.assign(cell.output("O"), cell.pin("B"))
    else:
        m.assign(cell.output("B"), cell.pin("I", ONE))


def _ehxplll(m: Module, cell: Cell) -> None:
    for pin in "CLKOP", "CLKOS":
        m.assign(cell.output(pin), "clk")
    m.assign(cell.output("LOCK"), ONE)


def _dcca(m: Module, cell: Cell) -> None:
    m.assign(cell.output("CLKO"), cell.pin("CLKI"))


CELLS = CellLibrary(
    meanings={
        "LUT4": _lut4,
        "CCU2C": _ccu2c,
        "TRELLIS_FF": _trellis_ff,
        "DP16KD": _dp16kd,
        "EHXPLLL": _ehxplll,
        "TRELLIS_COMB": _trellis_comb,
        "TRELLIS_IO": _trellis_io,
        "$_TBUF_": tristate,
        "DCCA": _dcca,
    },
    modules=Path(__file__).with_name("cells.v"),
    plls=Path(__file__).with_name("plls.v"),
)
