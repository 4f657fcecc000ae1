"""`sbgen identify`: report which network a board runs."""

import argparse

from ..arguments import add_port
from ..console import Console

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sbgen identify`."""
    add_port(parser)


def run(arguments: argparse.Namespace) -> None:
    """Print the identity of the board's network."""
    from ..boards import host

    with host.open_link(arguments) as link:
        identity = link.identify()
    console = Console()
    console.line(f"network  {identity.digest.hex()}... (first 8 bytes of the SHA-256 in its report)")
    console.line(f"pixels   {identity.pixels}, {identity.lanes} per beat")
    if identity.multi_label:
        console.line(f"outputs  {identity.outputs}, each a bit by its sign")
    else:
        console.line(
            f"classes  {identity.classes}" + (", by the sign of one score" if identity.signs else "")
        )
    if identity.weights:
        console.line(f"weights  {identity.weights}")
