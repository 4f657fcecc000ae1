"""`sbgen flash`: load a bitstream into a board."""

import argparse
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import tools
from ..arguments import add_serial
from ..built import Built, MissingError
from ..console import Console
from ..errors import BoardError, ModelError, ToolError, printable

if TYPE_CHECKING:
    from ..boards.board_spec import BoardSpec

__all__ = ["Way", "add_arguments", "programmer", "run", "ways"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sbgen flash`."""
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="a bitstream, or the output folder of `sbgen build`"
    )
    parser.add_argument(
        "--board", metavar="NAME", help="a board of `sbgen boards` (default: the board of the folder)"
    )
    add_serial(parser)
    memory = parser.add_mutually_exclusive_group()
    memory.add_argument(
        "--volatile",
        dest="memory",
        action="store_const",
        const="sram",
        help="configure the FPGA until power is lost (default: as `sbgen boards --json` has it)",
    )
    memory.add_argument(
        "--persistent",
        dest="memory",
        action="store_const",
        const="flash",
        help="write the board's flash memory, which outlasts power",
    )
    parser.add_argument("--dry-run", action="store_true", help="print the command without running it")


@dataclass(frozen=True)
class Way:
    """Commands of one program that load a bitstream, in order."""

    program: str
    commands: tuple[tuple[str, ...], ...]

    def text(self, argv: Sequence[str] = ()) -> str:
        """What a person would type; `argv` is how the program is started."""
        return " && ".join(shlex.join([*(argv or [self.program]), *arguments]) for arguments in self.commands)


def run(arguments: argparse.Namespace) -> None:
    """Find the programmer and the board, and load the bitstream."""
    from ..boards import get

    bitstream, built_for = _bitstream(arguments.file)
    name = arguments.board or built_for
    if name is None:
        raise BoardError(f"the board must be known, but {arguments.file} does not name it; give --board NAME")
    board = get(name)
    _require_its_own(board, bitstream, built_for)
    found = ways(board, bitstream, memory=arguments.memory, serial=arguments.serial)
    if arguments.dry_run:
        print(printable(_dry(found)))
        return
    way, tool = programmer(board, found)
    _require_plugged_in(board, arguments.serial)
    console = Console()
    with console.step(f"load {bitstream.name} into {board.name}") as step, tools.temporary() as folder:
        try:
            for command in way.commands:
                tools.run(
                    tool,
                    command,
                    cwd=folder,
                    log=folder / "programmer.log",
                    on_line=lambda line: step.note(line.strip()[:60]),
                )
        except ToolError as error:
            reason = error.what.rstrip(".")
            raise ToolError(
                f"{reason}; check the cable and that no other program uses the board, "
                f"or try by hand: {way.text(tool.argv)}"
            ) from error
    if images := _tested_images(arguments.file):
        console.line(
            f"the board tests itself: its LED lights when {images} stored images were right, and blinks if"
            " one was not"
        )


def _tested_images(path: Path) -> int:
    """How many images a built folder's self-test has; 0 of anything else."""
    try:
        return int(Built(path).report["self_test"]["images"]) if path.is_dir() else 0
    except (ModelError, KeyError):
        return 0


def ways(
    board: "BoardSpec", bitstream: Path, *, memory: str | None = None, serial: str | None = None
) -> list[Way]:
    """Every way to load a bitstream into a board, the best first.

    Parameters
    ----------
    memory : str or None
        ``"flash"`` or ``"sram"``; None is what the board has by default.
    serial : str or None
        The USB serial number of the board.

    Raises
    ------
    BoardError
        When there is none.
    """
    from ..boards import platform_programmer

    path = str(bitstream.resolve())
    wanted = [f"--{'volatile' if memory == 'sram' else 'persistent'}"] * (memory is not None)
    wanted += ["--serial"] * (serial is not None)
    if board.programmers:
        found = [
            Way(each.tool, ((*args, path),))
            for each in board.programmers
            if (args := each.arguments(memory=memory, serial=serial)) is not None
        ]
        if not found:
            raise BoardError(
                f"board {board.name!r}: a programmer must be able to do {' and '.join(wanted)}, but none of"
                f" {', '.join(each.tool for each in board.programmers)} is known to; leave it out"
            )
        return found
    if wanted:
        raise BoardError(
            f"board {board.name!r}: its platform's own programmer loads it, which has no"
            f" {' or '.join(wanted)}; leave it out"
        )
    commands = platform_programmer.commands(board.new_platform(), Path(path))
    if not commands:
        raise BoardError(
            f"board {board.name!r}: no programmer is known for it; load {bitstream} with its own tool"
        )
    return [Way(commands[0][0], tuple(tuple(command[1:]) for command in commands))]


def programmer(board: "BoardSpec", found: Sequence[Way]) -> tuple[Way, tools.Tool]:
    """The first way whose program is installed, and the program."""
    missing = []
    for way in found:
        try:
            return way, _tool(way.program)
        except ToolError as error:
            missing.append(str(error))
    raise ToolError(f"board {board.name!r} needs a programmer: " + ", or ".join(missing))


def _tool(program: str) -> tools.Tool:
    """A program by its name in `sbgen.tools.KNOWN` or, of a platform of amaranth-boards, on PATH."""
    if program in tools.KNOWN:
        return tools.find(program)
    path = shutil.which(program)
    if path is None:
        raise ToolError(f"{program} is not installed; install it with your system's packages")
    return tools.Tool(name=Path(program).name, argv=(path,), version="", origin="PATH")


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
    except MissingError as error:
        raise BoardError(
            f"the folder must hold top.bin, top.bit or top.fs, but {path} does not ({error}); "
            "build it with: sbgen build --model FILE --board NAME --out DIR"
        ) from None
    try:
        return bitstream, built.report["board"]
    except ModelError:
        return bitstream, None


def _require_its_own(board: "BoardSpec", bitstream: Path, built_for: str | None) -> None:
    """Raise a `BoardError` when the bitstream is for another device than the board's."""
    from ..boards import get

    suffix = board.family.bitstream_suffix
    if bitstream.suffix != suffix:
        raise BoardError(
            f"a bitstream for {board.name} ({board.device.name}) must be a {suffix} file, but it is"
            f" {bitstream.name}; build for this board: sbgen build --board {board.reference}"
        )
    if built_for is not None and (device := get(built_for).device) != board.device:
        raise BoardError(
            f"the bitstream must be for {board.device.name}, which is on {board.name}, but {bitstream} was"
            f" built for {device.name} ({built_for}); build for this board: sbgen build --board"
            f" {board.reference}"
        )


def _dry(found: Sequence[Way]) -> str:
    """The command that would run, with a comment if its program is not installed."""
    missing = []
    for way in found:
        try:
            return way.text(_tool(way.program).argv)
        except ToolError as error:
            missing.append(str(error))
    return f"{found[0].text()}   # {', or '.join(missing)}"


def _require_plugged_in(board: "BoardSpec", serial: str | None) -> None:
    """Raise a `BoardError` unless the board, or one with this serial number, is there and may be opened."""
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
    numbers = [device.serial for device in found if device.serial]
    if serial is not None:
        found = [device for device in found if device.serial == serial]
        if not found:
            raise BoardError(
                f"{board.name} with the serial number {serial} must be plugged in, but those that are have"
                f" {', '.join(numbers) or 'none'}"
            )
    elif len(found) > 1 and len(set(numbers)) == len(found):
        raise BoardError(
            f"one {board.name} must be chosen, but {len(found)} USB devices {ids} are plugged in; give"
            f" --serial {' or --serial '.join(numbers)}"
        )
    if not any(device.accessible for device in found):
        raise BoardError(
            f"{board.name} must be accessible, but this user may not open {found[0].node} "
            f"({found[0].name}, {ids}); put this into /etc/udev/rules.d/70-sbgen.rules, run `sudo udevadm "
            f"control --reload` and plug it in again: {usb.udev_rule(board.usb)}"
        )
