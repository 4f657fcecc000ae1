"""`sbgen estimate`: size and speed of a network on a board or another FPGA, without building."""

import argparse

from .. import folding
from ..arguments import add_model, add_reading, add_target, positive

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sbgen estimate`."""
    add_model(parser)
    add_target(parser)
    folding.add_arguments(parser)
    parser.add_argument(
        "--clock",
        type=positive,
        metavar="MHZ",
        help="core clock (default: the board's usual clock; of a part 100)",
    )
    add_reading(parser)
    parser.add_argument("--json", action="store_true", help="print the estimate as JSON")


def run(arguments: argparse.Namespace) -> None:
    """Print the estimate of one design, or with ``--fit`` of several."""
    from .. import estimate_cache

    estimate_cache.show(arguments)
