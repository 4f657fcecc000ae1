"""`sbgen identify`: report which network a board runs."""

import argparse

from ..arguments import add_port, add_serial
from ..console import Console

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sbgen identify`."""
    add_port(parser)
    add_serial(parser)


def run(arguments: argparse.Namespace) -> None:
    """Print the identity of the board's network, and what its link takes and can report."""
    from ..device import Board

    with Board(arguments.board, port=arguments.port, baud=arguments.baud, serial=arguments.serial) as board:
        identity = board.identify()
    console = Console()
    console.line(f"network  {identity.digest.hex()}... (first 8 bytes of the SHA-256 in its report)")
    console.line(
        f"pixels   {identity.pixels:,}, {identity.lanes} per beat, {identity.pixel_bits} bit on the line"
        + (f" (boundaries {', '.join(map(str, identity.levels))})" if identity.levels else "")
    )
    if identity.multi_label:
        console.line(f"outputs  {identity.outputs}, each a bit by its sign")
    else:
        console.line(
            f"classes  {identity.classes}" + (", by the sign of one score" if identity.signs else "")
        )
    if identity.top_k > 1:
        console.line(f"best     {identity.top_k} classes of an image with their scores")
    console.line(f"link     at most {identity.frame_images:,} images in a request")
    if identity.weights:
        console.line(f"weights  {identity.weights}")
