"""The board of a build in a Verilog simulator, through the pins of its serial line."""

from pathlib import Path

from . import tools
from .boards.pins import Pins
from .built import Built
from .errors import ToolError

__all__ = ["board_pins", "simulator"]


def board_pins(built: Built, verilog: str, *, folder: Path, waves: bool = False) -> Pins:
    """The compiled simulation of a top level of a build.

    Parameters
    ----------
    built : Built
    verilog : str
        Of ``top``: the emitted one, a netlist, or that of a bitstream.
    folder : Path
        Where to build.
    waves : bool
        Whether a run leaves ``waves.vcd`` there.

    Raises
    ------
    ToolError
        When neither Verilator nor Icarus is installed.
    """
    return Pins(
        verilog,
        built.network,
        simulator=simulator(),
        divisor=built.top.divisor,
        usb=built.board.usb_link,
        reset_cycles=built.top.reset_cycles + built.top.load_cycles + 100,
        flash=built.spram_weights,
        folder=folder,
        waves=waves,
    )


def simulator() -> str:
    """The simulator for many cells: Verilator if it is installed."""
    try:
        tools.find("verilator")
    except ToolError:
        tools.find("iverilog")
        return "icarus"
    return "verilator"
