"""`sbgen sweep`: many models on many boards, estimated or built, in one table."""

import argparse
from pathlib import Path

from .. import cluster
from ..arguments import positive

__all__ = ["add_arguments", "run"]


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _rates(text: str) -> tuple[float, ...]:
    return tuple(positive(part) for part in text.split(","))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sbgen sweep`."""
    parser.add_argument(
        "models", nargs="+", type=Path, metavar="MODEL", help="model files or names, as for `sbgen build`"
    )
    parser.add_argument(
        "--boards", type=_names, default=(), metavar="A,B", help="boards of `sbgen boards`, or all"
    )
    parser.add_argument(
        "--parts", type=_names, default=(), metavar="A,B", help="FPGAs without a board, as for --part"
    )
    parser.add_argument(
        "--fps",
        type=_rates,
        metavar="N,N",
        help="the smallest design for each of these images/s (default: that of `sbgen build`)",
    )
    parser.add_argument("--clock", type=positive, metavar="MHZ", help="core clock (default: the board's)")
    parser.add_argument(
        "--build", action="store_true", help="build bitstreams, instead of estimates; takes minutes each"
    )
    parser.add_argument("--force", action="store_true", help="accept networks that are not hardened enough")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("build/sweep"),
        metavar="DIR",
        help="folder of the tables and builds, where the same command continues (default: %(default)s)",
    )
    cluster.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Sweep; returns 1 if a job failed."""
    from .. import sweeping

    return sweeping.show(arguments)
