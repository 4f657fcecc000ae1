"""`sbgen flash`: load a bitstream into a board."""

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from .. import tools
from ..built import Built, MissingError
from ..console import Console
from ..errors import BoardError, ModelError, ToolError, printable

if TYPE_CHECKING:
    from ..boards.board_spec import BoardSpec, Programmer

__all__ = ["add_arguments", "programmer", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sbgen flash`."""
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="a bitstream, or the output folder of `sbgen build`"
    )
    parser.add_argument(
        "--board", metavar="NAME", help="a board of `sbgen boards` (default: the board of the folder)"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the command without running it")


def run(arguments: argparse.Namespace) -> None:
    """Find the programmer and the board, and load the bitstream."""
    from ..boards import get

    bitstream, name = _bitstream(arguments.file)
    name = arguments.board or name
    if name is None:
        raise BoardError(f"the board must be known, but {arguments.file} does not name it; give --board NAME")
    board = get(name)
    if not board.programmers:
        raise BoardError(
            f"board {board.name!r}: no programmer is known for it; load {bitstream} with its own tool"
        )
    if arguments.dry_run:
        print(printable(_dry(board, bitstream)))
        return
    chosen, tool = programmer(board)
    _require_plugged_in(board)
    console = Console()
    with console.step(f"load {bitstream.name} into {board.name}") as step, tools.temporary() as folder:
        try:
            tools.run(
                tool,
                [*chosen.args, str(bitstream.resolve())],
                cwd=folder,
                log=folder / "programmer.log",
                on_line=lambda line: step.note(line.strip()[:60]),
            )
        except ToolError as error:
            reason = error.what
            raise ToolError(
                f"{reason}; check the cable and that no other program uses the board, "
                f"or try by hand: {shlex.join([*tool.argv, *chosen.args, str(bitstream)])}"
            ) from error


def programmer(board: "BoardSpec") -> tuple["Programmer", tools.Tool]:
    """The first `Programmer` of the board that is installed, and its `Tool`."""
    missing = []
    for candidate in board.programmers:
        try:
            return candidate, tools.find(candidate.tool)
        except ToolError as error:
            missing.append(str(error))
    raise ToolError(f"board {board.name!r} needs a programmer: " + ", or ".join(missing))


def _bitstream(path: Path) -> tuple[Path, str | None]:
    """The bitstream that `path` means, and the name of its board if a report has it."""
    if not path.is_dir():
        if not path.is_file():
            raise BoardError(
                f"the bitstream must be a file, but {path} is not there; "
                "build it with: sbgen build --model FILE --board NAME"
            )
        return path, None
    built = Built(path)
    try:
        bitstream = built.bitstream
    except MissingError:
        raise BoardError(
            f"the folder must hold top.bin or top.bit, but {path} does not; "
            "build it with: sbgen build --model FILE --board NAME --out DIR"
        ) from None
    try:
        return bitstream, built.report["board"]
    except ModelError:
        return bitstream, None


def _command(chosen: "Programmer", bitstream: Path) -> str:
    return shlex.join([chosen.tool, *chosen.args, str(bitstream)])


def _dry(board: "BoardSpec", bitstream: Path) -> str:
    """The command that would run, with a comment if its program is not installed."""
    try:
        chosen, tool = programmer(board)
    except ToolError as error:
        return f"{_command(board.programmers[0], bitstream)}   # {error}"
    return shlex.join([*tool.argv, *chosen.args, str(bitstream)])


def _require_plugged_in(board: "BoardSpec") -> None:
    from ..boards import usb

    if not board.usb or not usb.can_probe():
        return
    ids = " or ".join(f"{vendor:04x}:{product:04x}" for vendor, product in board.usb)
    found = usb.find(board.usb)
    if not found:
        raise BoardError(
            f"{board.name} must be plugged in, but no USB device {ids} is there; use a cable that carries "
            "data, look for it with lsusb, or see the command with --dry-run"
        )
    if not any(device.accessible for device in found):
        raise BoardError(
            f"{board.name} must be accessible, but this user may not open {found[0].node} "
            f"({found[0].name}, {ids}); put this into /etc/udev/rules.d/70-sbgen.rules, run `sudo udevadm "
            f"control --reload` and plug it in again: {usb.udev_rule(board.usb)}"
        )
