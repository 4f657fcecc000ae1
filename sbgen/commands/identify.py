"""`sbgen identify`: ask a board which network runs on it."""

from ..boards.host import add_port_arguments, open_link
from ..console import Console

__all__ = ["add_arguments", "run"]


def add_arguments(parser):
    """Add the options of `sbgen identify`."""
    add_port_arguments(parser)


def run(arguments):
    """Print what the board tells of itself."""
    with open_link(arguments) as link:
        identity = link.identify()
    console = Console()
    console.line(f"network  {identity.digest.hex()}... (first 8 bytes of the SHA-256 in its report)")
    console.line(f"pixels   {identity.pixels}, {identity.lanes} a beat")
    if identity.multi_label:
        console.line(f"outputs  {identity.outputs}, each a bit by its sign")
    else:
        console.line(
            f"classes  {identity.classes}" + (", by the sign of one score" if identity.signs else "")
        )
    if identity.weights:
        console.line(f"weights  {identity.weights}")
