"""`sbgen plan`: networks for a person's own samples that fit a board, before anything is trained."""

import argparse

from .. import own_data
from ..arguments import add_target, positive
from ..errors import DataError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sbgen plan`; torch is not needed."""
    add_target(parser)
    own_data.add_arguments(parser)
    own_data.add_topology(parser)
    parser.add_argument(
        "--fps", type=positive, metavar="N", help="the smallest design of each network that takes N samples/s"
    )
    parser.add_argument(
        "--clock",
        type=positive,
        metavar="MHZ",
        help="core clock (default: the board's usual clock; of a part 100)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Print the networks, each with its size, its rate and the command that trains it."""
    from .. import planning

    if arguments.samples is None:
        raise DataError(
            "--samples FILE, your own data, must be given; sbgen estimate is for a network that exists"
        )
    planning.show(arguments)
