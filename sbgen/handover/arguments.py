"""The options of `sbgen build --core`."""

import argparse

from ..arguments import at_least
from ..errors import SbgenError

__all__ = ["add_arguments", "check"]

#: Options that mean something only with `--core`, by their default.
_DEFAULTS = {
    "shell": None,
    "shell_width": None,
    "packed": False,
    "label_only": False,
    "roms": None,
    "vectors": None,
}

#: Options of a whole board, by what they are when they are not given.
_OF_BOARDS = {
    "selftest": False,
    "patchable": False,
    "baud": None,
    "seeds": None,
    "seed": None,
    "no_sim": False,
    "uart": None,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add them."""
    core = parser.add_argument_group(
        "core",
        "The core for somebody else's design, as a folder that stands on its own, in place of a board.",
    )
    core.add_argument(
        "--core", metavar="NAME", help="name of the top module; all other modules begin with it"
    )
    core.add_argument(
        "--shell",
        choices=("none", "stream", "axi", "wishbone"),
        help=(
            "the core's own streams, AXI4-Stream, or registers on AXI4-Lite or Wishbone with a driver in C"
            " (default: stream)"
        ),
    )
    core.add_argument(
        "--shell-width",
        type=at_least(8),
        metavar="BITS",
        help="of a word of AXI4-Stream (default: what is needed)",
    )
    core.add_argument(
        "--packed", action="store_true", help="pixels take only the bits that the network can tell apart"
    )
    core.add_argument(
        "--label-only",
        action="store_true",
        help=(
            "one result per image, its class and the maximum score, so that an image takes no cycle per class"
        ),
    )
    core.add_argument(
        "--roms",
        choices=("initial", "readmemh"),
        help="weights in initial blocks, or in files that are read by $readmemh (default: initial)",
    )
    core.add_argument(
        "--vectors", type=at_least(1), metavar="N", help="images in the folder's bench (default: 10)"
    )


def check(arguments: argparse.Namespace) -> None:
    """Refuse options that exclude each other.

    Raises
    ------
    SbgenError
    """
    if arguments.core is None:
        if arguments.part is not None:
            raise SbgenError("a bitstream is built for a --board; of a --part, --core NAME writes a core")
        given = [name for name, default in _DEFAULTS.items() if getattr(arguments, name) != default]
        if given:
            raise SbgenError(f"{_words(given)} must be given with --core NAME")
        return
    given = [name for name, default in _OF_BOARDS.items() if getattr(arguments, name, default) != default]
    if arguments.clock == "best":
        given.append("clock best")
    if given:
        raise SbgenError(
            f"{_words(given)} must not be given with --core, which builds no bitstream of a board"
        )


def _words(names: list[str]) -> str:
    return " and ".join(f"--{name.replace('_', '-')}" for name in names)
