"""`sbgen estimate`: size and speed of a network on a board, without building."""

import argparse
from pathlib import Path

from .. import folding
from ..arguments import positive

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sbgen estimate`."""
    parser.add_argument("--model", required=True, type=Path, metavar="FILE", help="as for `sbgen build`")
    parser.add_argument("--board", required=True, metavar="NAME", help="a board of `sbgen boards`")
    folding.add_arguments(parser)
    parser.add_argument(
        "--clock", type=positive, metavar="MHZ", help="clock of the core (the board's usual one)"
    )
    parser.add_argument("--pixels", choices=("unit", "fixed", "raw", "signed"), help="as for `sbgen build`")
    parser.add_argument("--force", action="store_true", help="accept a network that is not hardened enough")


def run(arguments: argparse.Namespace) -> None:
    """Print the estimate of one design, or with ``--fit`` of several."""
    from .. import sizing

    sizing.show(arguments)
