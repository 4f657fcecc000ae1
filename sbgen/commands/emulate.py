"""`sbgen emulate`: run a built board in a simulator, for hosts without the board."""

import argparse
import contextlib
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from ..console import Console

if TYPE_CHECKING:
    from ..built import Built
    from ..emulator import EmulatedBoard

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sbgen emulate`."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="output folder of `sbgen build`")
    parser.add_argument(
        "--netlist",
        action="store_true",
        help="emulate the netlist of place and route instead of top.v (slower)",
    )
    parser.add_argument(
        "--tcp",
        type=_address,
        metavar="[HOST:]PORT",
        help=(
            "also listen on a TCP port, for --port socket://HOST:PORT; 0 is any that is free (default host:"
            " 127.0.0.1, this machine alone)"
        ),
    )


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"must be a port of 0 ... 65535, or HOST:PORT, not {text!r}")
    return host or "127.0.0.1", int(port)


def run(arguments: argparse.Namespace) -> None:
    """Compile the emulator and serve hosts until Ctrl-C."""
    import warnings

    from amaranth.hdl import UnusedElaboratable

    from .. import tools
    from ..built import Built
    from ..emulator import EmulatedBoard, compiled

    # A component is only created to read its widths.
    warnings.simplefilter("ignore", UnusedElaboratable)
    console = Console()
    built = Built(arguments.folder)
    with tools.temporary() as folder:
        with console.step("compile the board") as step:
            program = compiled(built, folder=folder, netlist=arguments.netlist)
            step.note("as compiled before" if program.from_cache else "by Verilator")
        with console.step("start it"):
            board = EmulatedBoard(
                program, terminal=os.name == "posix" or not arguments.tcp, tcp=arguments.tcp
            )
        with contextlib.closing(board):
            _introduce(console, built, board, netlist=arguments.netlist)
            # Ctrl-C is the way to end it, not a failure.
            with contextlib.suppress(KeyboardInterrupt):
                board.serve()
        console.line(f"stopped after {board.received:,} bytes to the board and {board.sent:,} from it")


def _introduce(console: Console, built: "Built", board: "EmulatedBoard", *, netlist: bool) -> None:
    """Print what is emulated, where it is and what to try."""
    what = "placed netlist" if netlist else "top.v"
    console.line(
        f"board    {built.network.name} on {built.report['board']}: its {what}, cycle by cycle; the PLL is a"
        " wire" + (", the SPI flash a model" if built.spram_weights else "")
    )
    for port in board.port, board.url:
        if port is not None:
            console.line(f"port     {port}")
    folder, port = shlex.quote(str(built.folder)), shlex.quote(board.port or board.url or "")
    console.line(f"try      sbgen check-board {folder} --port {port}")
    console.line("stop     Ctrl-C")
