"""A netlist of yosys or nextpnr as Verilog that any simulator runs, with the meaning of each of its cells.

Logic cells become expressions and registers, with a name for each net; only memories are modules. Each family
says what its cells mean, as its vendor documents them and yosys and nextpnr use them. A PLL outputs its
input: the clock at the pin is the one that the core is built for. An oscillator in the FPGA outputs a port
``clk`` that the netlist does not have.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BoardError

if TYPE_CHECKING:
    from .family import Family
    from .netlist import Netlist, NetlistCell

__all__ = [
    "ONE",
    "ZERO",
    "Cell",
    "CellLibrary",
    "Module",
    "UnknownCellError",
    "lookup",
    "tristate",
    "verilog",
]

#: The constants of one bit.
ZERO, ONE = "1'b0", "1'b1"


class UnknownCellError(BoardError):
    """A cell whose meaning is not written here."""


@dataclass(frozen=True, kw_only=True)
class CellLibrary:
    """What a family's cells mean.

    Parameters
    ----------
    meanings : dict of str to function
        For each type of cell a function of the `Module` and the `Cell` that adds the cell to the module.
    patterns : tuple of (str, function)
        The same for types that match a regular expression.
    modules, plls : Path
        Verilog of the memories that `meanings` instantiates, and of the PLLs of a top level that was not
        synthesised yet.
    """

    meanings: Mapping[str, Callable[[Module, Cell], None]]
    patterns: tuple[tuple[str, Callable[[Module, Cell], None]], ...] = field(default=())
    modules: Path
    plls: Path

    def meaning(self, kind: str) -> Callable[[Module, Cell], None] | None:
        """The function for a type of cell, or None when the type is unknown."""
        return self.meanings.get(kind) or next(
            (each for pattern, each in self.patterns if re.fullmatch(pattern, kind)), None
        )


def verilog(netlist: Netlist, *, family: Family, names: bool = False) -> str:
    """The module ``top`` of a netlist, and the modules it needs.

    Parameters
    ----------
    netlist : Netlist
        After synthesis or after place and route.
    family : Family
    names : bool
        Whether public nets appear under their names too, for a waveform.

    Raises
    ------
    UnknownCellError
        When a cell has no meaning here.
    """
    module = Module(netlist)
    for name, cell in netlist["cells"].items():
        meaning = family.cells.meaning(cell["type"])
        if meaning is None:
            raise UnknownCellError(
                f"a netlist of {family} can be simulated when all its cells are known, but {name} is a"
                f" {cell['type']}"
            )
        meaning(module, Cell(name, cell))
    return module.text(names) + family.cells.modules.read_text(encoding="ascii")


class Cell:
    """A cell of a netlist, with the Verilog of what is at its pins."""

    def __init__(self, name: str, cell: NetlistCell):
        self.name, self.type = name, cell["type"]
        self.parameters, self._connections = cell["parameters"], cell["connections"]

    def number(self, parameter: str, default: int = 0) -> int:
        """A parameter as an integer; bits that do not matter are 0."""
        text = self.parameters.get(parameter)
        return default if text is None else int(text.replace("x", "0"), 2)

    def pin(self, name: str, default: str = ZERO) -> str:
        """The net at an input of one bit."""
        bits = self._connections.get(name) or []
        return _net(bits[0]) if bits else default

    def bus(self, name: str, width: int, default: str = ZERO) -> str:
        """Inputs as a concatenation: a pin of several bits, or pins with numbers after their name."""
        bits = self._connections.get(name)
        if bits is None or width > 1 and len(bits) <= 1 and f"{name}_0" in self._connections:
            return "{" + ", ".join(self.pin(f"{name}_{n}", default) for n in reversed(range(width))) + "}"
        padded = [_net(bit) for bit in bits] + [default] * (width - len(bits))
        return "{" + ", ".join(reversed(padded)) + "}"

    def outputs(self, name: str, width: int = 1) -> list[str | None]:
        """The nets at an output, the lowest first; None where nothing is connected."""
        bits = self._connections.get(name)
        if bits:
            return [_net(bit) for bit in bits]
        parts = [self._connections.get(f"{name}_{n}") for n in range(width)]
        return [_net(part[0]) if part else None for part in parts]

    def output(self, name: str) -> str | None:
        """The net at an output of one bit; None where nothing is connected."""
        return self.outputs(name)[0]


def _net(bit: int | str) -> str:
    return f"n{bit}" if isinstance(bit, int) else ONE if bit == "1" else ZERO


class Module:
    """The text of the module ``top``, to which cells are added."""

    def __init__(self, netlist: Netlist):
        self._netlist = netlist
        self._nets: set[tuple[str, str]] = set()
        self._lines: list[str] = []
        self._instances = 0
        #: Ports in both directions by their nets.
        self._both_ways = {
            _net(port["bits"][0]): name
            for name, port in netlist["ports"].items()
            if port["direction"] == "inout"
        }

    def assign(self, net: str | None, expression: str) -> None:
        """Drive a net, unless it is None, by an expression."""
        if net is not None:
            self._nets.add((net, "wire"))
            self._lines.append(f"  assign {net} = {expression};")

    def drive(self, net: str | None, expression: str, *, enable: str) -> None:
        """Drive the net of a port in both directions by an expression while `enable` is high."""
        assert net is not None
        self._lines.append(f"  assign {self._both_ways[net]} = {enable} ? {expression} : 1'bz;")

    def register(
        self, net: str | None, *, clock: str, negative: bool, value: str, enable: str = ONE, start: int = 0
    ) -> None:
        """Drive a net by a flip-flop.

        Parameters
        ----------
        negative : bool
            Whether the falling edge of `clock` counts.
        value, enable : str
            Expressions of one bit.
        start : int
            The value after configuration.
        """
        assert net is not None
        self._nets.add((net, f"reg = {start}"))
        edge = "negedge" if negative else "posedge"
        condition = "" if enable == ONE else f"if ({enable}) "
        self._lines.append(f"  always @({edge} {clock}) {condition}{net} <= {value};")

    def instance(self, module: str, connections: Mapping[str, str], parameters: str = "") -> None:
        """Add an instance of a module of `CellLibrary.modules`."""
        self._instances += 1
        pins = ", ".join(f".{pin}({expression})" for pin, expression in connections.items())
        self._lines.append(f"  {module} #({parameters}) cell_{self._instances} ({pins});")

    def spare(self) -> str:
        """The name of a new net."""
        self._instances += 1
        return f"spare_{self._instances}"

    def open(self, nets: Iterable[str | None]) -> str:
        """Outputs of an instance as a concatenation, the lowest first in `nets`."""
        named = []
        for net in nets:
            if net is None:
                net = self.spare()
            self._nets.add((net, "wire"))
            named.append(net)
        return "{" + ", ".join(reversed(named)) + "}"

    def text(self, names: bool) -> str:
        """The module; with `names`, public nets are declared under their names too."""
        declared = dict(sorted(self._nets))
        header, body = [], []
        for name, port in self._netlist["ports"].items():
            (bit,) = port["bits"]
            header.append(f"{port['direction']} {name}")
            if port["direction"] != "output":
                declared[_net(bit)] = "wire"
                body.append(f"  assign {_net(bit)} = {name};")
            else:
                body.append(f"  assign {name} = {_net(bit)};")
        if "clk" not in self._netlist["ports"]:
            header.append("input clk")  # for the oscillator in the FPGA, which no simulator has
        lines = [f"module top({', '.join(header)});"]
        for net, kind in declared.items():
            lines.append(f"  wire {net};" if kind == "wire" else f"  reg {net}{kind[3:]};")
        lines += self._lines + body
        if names:
            for name, bits in self._netlist["netnames"].items():
                if all(not isinstance(bit, int) or _net(bit) in declared for bit in bits):
                    lines.append(
                        f"  wire [{len(bits) - 1}:0] \\{name}$ ="
                        f" {{{', '.join(_net(bit) for bit in reversed(bits))}}};"
                    )
        return "\n".join([*lines, "endmodule", ""])


def tristate(m: Module, cell: Cell) -> None:
    """A pin's buffer, as yosys has it before place and route."""
    m.drive(cell.output("Y"), cell.pin("A"), enable=cell.pin("E"))


def lookup(table: int, inputs: Sequence[str]) -> str:
    """A truth table of four inputs, the first lowest; those that it does not depend on are left out.

    One of them may be the cell's own output, where a carry uses it at the same pin: in text that is a loop,
    whose value would never be defined.
    """
    needed = [n for n in range(4) if any((table >> at ^ table >> (at | 1 << n)) & 1 for at in range(16))]
    if not needed:
        return f"1'b{table & 1}"
    values = [
        table >> sum((at >> m & 1) << n for m, n in enumerate(needed)) & 1 for at in range(1 << len(needed))
    ]
    table = sum(value << at for at, value in enumerate(values))
    return f"{len(values)}'h{table:x} >> {{{', '.join(inputs[n] for n in reversed(needed))}}}"
