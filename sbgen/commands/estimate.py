"""`sbgen estimate`: size and speed of a network on a board, without building."""

import argparse

from .. import folding
from ..arguments import add_board, add_model, add_reading, positive

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sbgen estimate`."""
    add_model(parser)
    add_board(parser)
    folding.add_arguments(parser)
    parser.add_argument(
        "--clock", type=positive, metavar="MHZ", help="core clock (default: the board's usual clock)"
    )
    add_reading(parser)


def run(arguments: argparse.Namespace) -> None:
    """Print the estimate of one design, or with ``--fit`` of several."""
    from .. import sizing

    sizing.show(arguments)
