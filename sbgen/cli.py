"""The `sbgen` command: a table of commands, each imported from `sbgen.commands` only when it runs."""

import argparse
import difflib
import importlib
import os
import signal
import sys
from dataclasses import dataclass

from . import __version__
from .errors import SbgenError, printable

__all__ = ["COMMANDS", "Command", "main"]


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command: its name and one line of help.

    Its `add_arguments` and `run` are in the module of its name in `sbgen.commands`.
    """

    name: str
    help: str


#: Every command, in the order of a user's day. A module is imported when its command is the one that runs, so
#: that help is instant and a missing extra disturbs only the command that needs it.
COMMANDS = (
    Command(name="doctor", help="check that every tool is there and works"),
    Command(name="boards", help="list the boards and what they have"),
    Command(name="train", help="train a self-binarizing network"),
    Command(name="build", help="turn a trained network into a bitstream, a verdict and a report"),
    Command(name="estimate", help="tell size and speed on a board before anything is built"),
    Command(name="verify", help="show a built design equal to its model, level by level"),
    Command(name="export", help="write a network as QONNX or JSON for other tools"),
    Command(name="patch", help="put other weights into a bitstream, in seconds"),
    Command(name="flash", help="load a bitstream into a board"),
    Command(name="identify", help="ask a board which network runs on it"),
    Command(name="classify", help="classify images on a board"),
    Command(name="prove", help="prove the parts of a built design, for every input"),
    Command(name="fuzz", help="compare random networks in random foldings with their hardware"),
    Command(name="version", help="show the versions of sbgen and what it stands on"),
)


def nearest(name, names):
    """A hint that ends a message: the names most like `name`, or nothing."""
    bare = {known.lstrip("-"): known for known in names}  # the dashes of options are no likeness
    close = difflib.get_close_matches(name.lstrip("-"), bare, n=2, cutoff=0.6)
    return f"; did you mean {' or '.join(bare[match] for match in close)}?" if close else ""


class _Parser(argparse.ArgumentParser):
    """Usage errors in one line, with the nearest option or command."""

    def __init__(self, **settings):
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message):
        self.exit(2, f"error: {printable(message)}\n       try: {self.prog} --help\n")

    def refuse(self, rest):
        """End with the first argument that nobody knows."""
        options = [option for option in self._option_string_actions if option.startswith("--")]
        unknown = next((word for word in rest if word.startswith("-")), rest[0])
        self.error(f"unknown argument {unknown!r}" + nearest(unknown.split("=")[0], options))


def _parse(argv):
    parser = _Parser(
        prog="sbgen",
        description="Self-binarizing networks to FPGA bitstreams.",
        epilog=(
            "`sbgen COMMAND --help` tells more of each. Start with: "
            "sbgen build --model digits --board icebreaker"
        ),
    )
    parser.add_argument("--version", action="version", version=f"sbgen {__version__}")
    chosen = next((word for word in argv if not word.startswith("-")), None)
    if chosen is not None and chosen not in [command.name for command in COMMANDS]:
        names = [command.name for command in COMMANDS]
        parser.error(
            f"unknown command {chosen!r}" + (nearest(chosen, names) or f"; known are {', '.join(names)}")
        )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    used = parser
    for command in COMMANDS:
        adder = commands.add_parser(command.name, help=command.help, description=_sentence(command.help))
        if command.name == chosen:
            used = adder
            module = importlib.import_module(f".commands.{command.name}", __package__)
            module.add_arguments(adder)
            adder.set_defaults(run=module.run)
    arguments, rest = parser.parse_known_args(argv)
    if rest:
        used.refuse(rest)
    return arguments


def _sentence(text):
    return text[0].upper() + text[1:] + "."


def main(argv=None, *, begin=lambda: None):
    """Run one command and give its exit code.

    Parameters
    ----------
    argv : list of str, optional
        The arguments after the command's name; those of the process when left out.
    begin : callable
        Called before the command itself begins: up to then there is nothing to clean up.

    Returns
    -------
    int
        0: done; 1: an error that the user can mend, or that the system reports of a file, in one line on
        standard error; 130: interrupted. A usage error leaves by ``SystemExit(2)``. Every other exception is
        a defect of sbgen and keeps its trace.
    """
    # A plain kill cleans up as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        os.getcwd()  # without a current folder some libraries end the process in words of their own
        arguments = _parse(sys.argv[1:] if argv is None else argv)
        begin()
        code = arguments.run(arguments) or 0
        sys.stdout.flush()
        return code
    except SbgenError as error:
        return _refused(error)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone, as in `sbgen boards | head -1`; what is still buffered must not
        # fail at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        from .system import of_system

        if (told := of_system(error)) is None:
            raise
        return _refused(told)


def _refused(error):
    print("error:", printable(" ".join(str(error).split())), file=sys.stderr)
    return 1
