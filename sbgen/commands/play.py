"""`sbgen play`: a page to draw on, answered by the reference or a board."""

import argparse
import contextlib
import secrets
import socket
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..arguments import add_port, add_serial
from ..console import Console
from ..errors import LinkError, ToolError

if TYPE_CHECKING:
    from ..built import Built
    from ..play.answerers import Answerer

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sbgen play`."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="output folder of `sbgen build`")
    parser.add_argument(
        "--emulate", action="store_true", help="also ask the board in a simulator, as `sbgen emulate` runs it"
    )
    parser.add_argument(
        "--http",
        type=_port,
        default=0,
        metavar="PORT",
        help="port of the page on this machine (default: any that is free)",
    )
    parser.add_argument("--no-browser", action="store_true", help="print the address, but do not open it")
    add_port(parser)
    add_serial(parser)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"must be a port of 0 ... 65535, not {text!r}")
    return int(text)


def run(arguments: argparse.Namespace) -> None:
    """Serve the page until Ctrl-C."""
    try:
        import uvicorn

        from ..play import page, server
    except ImportError as error:
        raise ToolError(
            f"the page needs {error.name}, which is not installed; try: pip install 'sbgen[play]'"
        ) from None
    from ..built import Built
    from ..play import answerers

    console = Console()
    built = Built(arguments.folder)
    network = built.network
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(_listen(arguments.http))
        asked = [answerers.reference(network)]
        if arguments.emulate:
            asked.append(stack.enter_context(_emulated(built, console)))
        if arguments.board is not None or arguments.port is not None:
            asked.append(stack.enter_context(_plugged(built, arguments)))
        token = secrets.token_urlsafe(24)
        played = server.Played(
            network=network,
            page=page.render(built, answerers=[each.name for each in asked], token=token),
            answerers=asked,
            token=token,
        )
        address = f"http://{server.HOST}:{listener.getsockname()[1]}/?token={token}"
        console.line(f"page     {address}")
        console.line("stop     Ctrl-C")
        if not arguments.no_browser:
            webbrowser.open(address)
        uvicorn.Server(
            uvicorn.Config(server.application(played), log_level="error", lifespan="off", access_log=False)
        ).run(sockets=[listener])


def _listen(port: int) -> socket.socket:
    """A socket that only this machine reaches."""
    from ..play import server

    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((server.HOST, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise LinkError(
            f"the port {port} of this machine must be free, but: {error.strerror}; give another --http"
        ) from None
    return listener


@contextlib.contextmanager
def _plugged(built: "Built", arguments: argparse.Namespace) -> "Iterator[Answerer]":
    """The board that the options name."""
    from ..boards.connect import connect
    from ..play import answerers

    baud = arguments.baud or built.baud
    with connect(name=arguments.board, port=arguments.port, baud=baud, serial=arguments.serial) as link:
        yield answerers.board(link, built.network, name=f"the board at {arguments.port or arguments.board}")


@contextlib.contextmanager
def _emulated(built: "Built", console: Console) -> "Iterator[Answerer]":
    """The board of the build in a simulator."""
    from .. import tools
    from ..boards.connect import connect
    from ..emulator import EmulatedBoard, compiled
    from ..play import answerers

    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tools.temporary())
        with console.step("compile the board") as step:
            program = compiled(built, folder=folder)
            step.note("as compiled before" if program.from_cache else "by Verilator")
        board = stack.enter_context(EmulatedBoard(program, terminal=False, tcp=("127.0.0.1", 0)))
        link = stack.enter_context(connect(port=board.url))
        yield answerers.board(link, built.network, name="the emulated board")
