"""`sbgen search`: evolutionary search for networks for a person's own samples on a board. ::

start ─▶ change, cross ─▶ fold, estimate: fits? ─▶ short training ─▶ front ─▶ the best in full
             ▲                                                        │
             └────────────────────────────────────────────────────────┘
"""

import argparse
from pathlib import Path

from .. import cluster, own_data
from ..arguments import add_target, at_least, positive
from ..errors import DataError
from ..train.methods import DEFAULT, METHODS

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sbgen search`; torch is not needed."""
    add_target(parser)
    parser.add_argument(
        "--budget",
        metavar="LIMITS",
        help="limits of fps (samples/s), cycles, lut, bram and spram, such as fps=1000,lut=4000,bram=20",
    )
    parser.add_argument(
        "--count", type=at_least(1), default=60, metavar="N", help="networks to train (default: %(default)s)"
    )
    parser.add_argument(
        "--population",
        type=at_least(2),
        default=12,
        metavar="N",
        help="networks of a generation (default: %(default)s)",
    )
    parser.add_argument(
        "--epochs", type=at_least(1), metavar="N", help="epochs of a short training (default: an eighth)"
    )
    parser.add_argument(
        "--subset",
        type=at_least(16),
        metavar="N",
        help="samples of a short training and of its validation, each (default: all)",
    )
    parser.add_argument(
        "--best",
        type=at_least(0),
        default=1,
        metavar="N",
        help="how many of the most accurate are trained in full (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=at_least(0),
        default=0,
        metavar="N",
        help="seed of the search and of all trainings (default: %(default)s)",
    )
    parser.add_argument(
        "--method", choices=list(METHODS), default=DEFAULT, help="training method (default: %(default)s)"
    )
    parser.add_argument(
        "--clock", type=positive, metavar="MHZ", help="core clock (default: the board's usual; of a part 100)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("build/search"),
        metavar="DIR",
        help="folder of the results, where the same command continues (default: %(default)s)",
    )
    own_data.add_arguments(parser)
    own_data.add_topology(parser)
    cluster.add_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    """Search, and write the front, its plot and the best networks."""
    from ..searching import search

    if arguments.samples is None:
        raise DataError(
            "--samples FILE, your own data, must be given; `sbgen data` writes data sets as files"
        )
    search.run(arguments)
