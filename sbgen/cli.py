"""The `sbgen` command: a table of commands, each imported from `sbgen.commands` only when it runs."""

import argparse
import difflib
import importlib
import os
import signal
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

from . import __version__
from .errors import SbgenError, printable

__all__ = ["COMMANDS", "Command", "main", "nearest", "parser_of"]


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command: its name and one line of help.

    Its `add_arguments` and `run` are in the module of its name in `sbgen.commands`.
    """

    name: str
    help: str

    @property
    def module(self) -> str:
        """Name of its module in `sbgen.commands`."""
        return self.name.replace("-", "_")


#: Every command, in the order in which a user meets them. Its module is imported only when it runs, so help
#: is fast and a missing extra affects only the command that needs it.
COMMANDS = (
    Command(name="doctor", help="check that the tools are installed and work"),
    Command(name="boards", help="list the supported boards"),
    Command(name="data", help="write a real data set as the file that a person has"),
    Command(name="plan", help="propose networks for your own data that fit a board"),
    Command(name="search", help="search for networks for your own data by evolution"),
    Command(name="train", help="train a self-binarizing network"),
    Command(name="build", help="build a bitstream and a report from a trained network"),
    Command(name="estimate", help="estimate size and speed without building"),
    Command(name="sweep", help="estimate or build many models on many boards, in one table"),
    Command(name="verify", help="check a built design against its model, level by level"),
    Command(name="run", help="predict with a built design, without a board"),
    Command(name="export", help="convert a network to QONNX or JSON"),
    Command(name="patch", help="replace the weights in a bitstream, in seconds"),
    Command(name="flash", help="load a bitstream into a board"),
    Command(name="identify", help="report which network a board runs"),
    Command(name="classify", help="classify images on a board"),
    Command(name="check-board", help="classify the test set on a board and record it"),
    Command(name="client", help="copy the host's end of the link for a microcontroller"),
    Command(name="emulate", help="run a built board in a simulator, for hosts without the board"),
    Command(name="play", help="open a page to draw on, answered by the reference or a board"),
    Command(name="prove", help="prove the parts of a built design correct for every input"),
    Command(name="fuzz", help="compare random networks with their hardware"),
    Command(name="version", help="print the versions of sbgen and its dependencies"),
)


def nearest(name: str, names: Iterable[str]) -> str:
    """The end of an error message: "did you mean ...?" with the most similar of `names`, or nothing."""
    bare = {known.lstrip("-"): known for known in names}  # common dashes do not make options similar
    close = difflib.get_close_matches(name.lstrip("-"), bare, n=2, cutoff=0.6)
    return f"; did you mean {' or '.join(bare[match] for match in close)}?" if close else ""


class _Parser(argparse.ArgumentParser):
    """Reports usage errors in one line, with the most similar option or command."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {printable(message)}\n       try: {self.prog} --help\n")

    def refuse(self, rest: list[str]) -> NoReturn:
        """Report the first unknown argument."""
        options = [option for option in self._option_string_actions if option.startswith("--")]
        unknown = next((word for word in rest if word.startswith("-")), rest[0])
        self.error(f"unknown argument {unknown!r}" + nearest(unknown.split("=")[0], options))


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = _Parser(
        prog="sbgen",
        description="Build FPGA bitstreams from self-binarizing networks.",
        epilog=(
            "`sbgen COMMAND --help` describes a command. Start with: "
            "sbgen build --model digits --board icebreaker"
        ),
    )
    parser.add_argument(
        "--version", action="version", version=f"sbgen {__version__}", help="print the version of sbgen"
    )
    chosen = next((word for word in argv if not word.startswith("-")), None)
    if chosen is not None and chosen not in [command.name for command in COMMANDS]:
        names = [command.name for command in COMMANDS]
        parser.error(
            f"unknown command {chosen!r}"
            + (nearest(chosen, names) or f"; the commands are {', '.join(names)}")
        )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    used = parser
    for command in COMMANDS:
        adder = commands.add_parser(command.name, help=command.help, description=_sentence(command.help))
        if command.name == chosen:
            used = adder
            _fill(adder, command)
    arguments, rest = parser.parse_known_args(argv)
    if rest:
        used.refuse(rest)
    return arguments


def _fill(parser: argparse.ArgumentParser, command: Command) -> None:
    """Add the arguments of a command, and what runs it."""
    module = importlib.import_module(f".commands.{command.module}", __package__)
    module.add_arguments(parser)
    parser.set_defaults(run=module.run)


def parser_of(command: Command) -> argparse.ArgumentParser:
    """The parser of one command, for its page in the reference."""
    parser = _Parser(prog=f"sbgen {command.name}", description=_sentence(command.help))
    _fill(parser, command)
    return parser


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def main(argv: list[str] | None = None, *, begin: Callable[[], None] = lambda: None) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    argv : list of str, optional
        The arguments after ``sbgen``; by default those of the process.
    begin : callable
        Called just before the command runs: until then there is nothing to clean up.

    Returns
    -------
    int
        0: done; 1: an error that the user can fix, or an error of the system about a file, in one line on
        standard error; 130: interrupted. A usage error raises ``SystemExit(2)``. Any other exception is a
        defect of sbgen and keeps its trace.
    """
    # A plain kill cleans up like Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        os.getcwd()  # without a current folder some libraries end the process with their own message
        arguments = _parse(sys.argv[1:] if argv is None else argv)
        begin()
        code = arguments.run(arguments) or 0
        sys.stdout.flush()
        return code
    except SbgenError as error:
        return _report(error)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output has ended, as in `sbgen boards | head -1`; what is still buffered must not
        # fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        from .system import of_system

        if (reported := of_system(error)) is None:
            raise
        return _report(reported)


def _report(error: SbgenError) -> int:
    print("error:", printable(" ".join(str(error).split())), file=sys.stderr)
    return 1
