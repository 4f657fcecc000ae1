"""What a device family is: all that is needed to build for it, read its bitstreams and simulate its netlists.

Each family is one value of `Family` in a folder of its own; `families` is the table of them. Nothing else
knows a family. Numbers that folding and estimates need are data of `sbgen.compiler.device`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from amaranth.hdl import Instance

    from .board_spec import BoardSpec, Pin
    from .configuration import Difference
    from .converter import Converter
    from .layout import Layout
    from .memories import BlockRams
    from .netlist import Netlist
    from .netlist_verilog import CellLibrary
    from .oscillator import Oscillator
    from .plan import Plan
    from .pll import Pll
    from .power import Currents
    from .rom_places import Lut

__all__ = ["Family", "TableDifference"]


class PlanFunction(Protocol):
    """The type of `Family.plan`."""

    def __call__(
        self,
        verilog: str,
        board: BoardSpec,
        *,
        clock_mhz: float,
        margin: float,
        seeds: Sequence[int],
        pins: Sequence[Pin] | None,
        patchable: bool,
    ) -> Plan: ...


class ConstraintFunction(Protocol):
    """The type of `Family.constraints`."""

    def __call__(
        self, board: BoardSpec, pins: Sequence[Pin] | None = None, *, margin: float = 0.0
    ) -> str: ...


@dataclass(frozen=True, kw_only=True)
class TableDifference:
    """A truth table that differs between bitstream and netlist.

    Parameters
    ----------
    cell : str
        The netlist's name.
    where : str
        As place and route names a logic cell.
    expected, found : int
        Sixteen bits each.
    """

    cell: str
    where: str
    expected: int
    found: int


@dataclass(frozen=True, kw_only=True)
class Family:
    """A device family.

    Parameters
    ----------
    name : str
        As in `Device.family`.
    title : str
        As its vendor writes it.
    plan : function
        The plan for Verilog with the module ``top``. Place and route aims at `clock_mhz` and `margin`; `pins`
        are those of the top level, the board's when None. A `ToolError` when a tool is missing.
    constraints : function
        The constraint file for `pins`, the board's when None, and a clock faster by `margin`.
    layout_file, bitstream_file : str
        Names of the layout and the bitstream in a build.
    packer, unpacker : Converter
        What makes the bitstream of a layout, and a layout of a bitstream. Where place and route writes no
        layout, the packing step of a plan makes the bitstream, and the layout is what that unpacks to.
    placement_mib : int
        Memory that one place and route takes at most, in MiB.
    resource_cells : dict of str to tuple of str
        For each resource of a report the cells that place and route counts, which share its places.
    flip_flops : str
        Beginning of the type of flip-flops in the synthesised netlist, which counts them where place and
        route does not; empty where it does.
    pll : class
        Of its PLL.
    pll_pads : dict of (device, package) to tuple of str
        Pads from which a PLL is fed directly.
    without_pll : frozenset of (device, package)
        Packages whose pins do not power a PLL.
    oscillators : dict of str to class
        Oscillators in the FPGA, by the names that the platforms of amaranth-boards have for them.
    usb : bool
        Whether its cells and constraints have pins in both directions, for USB.
    clock_buffer : function or None
        An instance of the buffer that feeds a global network, from signal `i` to signal `o`. None where a
        clock cannot be stopped before its network.
    currents : dict of str to Currents
        Of the core, for devices of which they were measured.
    differential_clock : bool
        Whether a clock may come in at a pair of pins: the first of them is then constrained.
    adapter_attrs : dict
        Attributes of the two pins of a USB serial adapter, as in a platform of amaranth-boards.
    layout : class
        Of its layouts.
    differences : function
        Compares a section of two layouts: those that differ, and how many bits or settings the section has.
        Lines are None where a layout lacks the section.
    compared : str
        What `differences` compares, in the plural.
    compared_with : str
        What they are compared with, where place and route writes no layout.
    unpacked_alike : bool
        Whether the unpacker writes the same words as place and route; else a layout is packed and unpacked
        before it is compared.
    block_rams : BlockRams
    cells : CellLibrary
        The simulation of its netlists.
    patchable_luts : function
        Where place and route put the LUTs of patchable ROMs.
    truth_tables : function or None
        Compares the LUTs of a layout with those of the placed netlist: those that differ, and how many there
        are. None where its LUTs are not read.
    to_verilog : function or None
        The Verilog of a layout; None where no open tool writes one that can be simulated.
    """

    name: str
    title: str
    plan: PlanFunction
    constraints: ConstraintFunction
    layout_file: str
    bitstream_file: str
    packer: Converter
    unpacker: Converter
    placement_mib: int
    resource_cells: Mapping[str, tuple[str, ...]]
    flip_flops: str = ""
    pll: type[Pll]
    pll_pads: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    without_pll: frozenset[tuple[str, str]] = frozenset()
    oscillators: Mapping[str, type[Oscillator]] = field(default_factory=dict)
    usb: bool = False
    clock_buffer: Callable[..., Instance] | None = None
    currents: Mapping[str, Currents] = field(default_factory=dict)
    differential_clock: bool = False
    adapter_attrs: Mapping[str, str | int] = field(default_factory=dict)
    layout: type[Layout]
    differences: Callable[[str, list[str] | None, list[str] | None], tuple[list[Difference], int]]
    compared: str
    compared_with: str = "the placed layout"
    unpacked_alike: bool
    block_rams: BlockRams
    cells: CellLibrary
    patchable_luts: Callable[[Netlist], Iterable[Lut]] = lambda netlist: ()
    truth_tables: Callable[[str, Netlist], tuple[list[TableDifference], int]] | None = None
    to_verilog: Callable[[str, BoardSpec], str] | None = None

    def __str__(self) -> str:
        return self.name

    @property
    def bitstream_suffix(self) -> str:
        """How the name of a bitstream ends, such as ``".bin"``."""
        return self.bitstream_file[self.bitstream_file.rindex(".") :]
