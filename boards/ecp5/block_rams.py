"""The ECP5's block RAM in a placed netlist: 2,048 bytes of 9 bits, and words of more or fewer bits."""

import numpy as np

from ..memories import BlockRams
from ..netlist import NetlistCell

__all__ = ["BLOCK_RAMS"]

_BITS = 18432


def _width(cell: NetlistCell) -> int:
    # The port that is not used has the maximum.
    return min(int(cell["parameters"][f"DATA_WIDTH_{port}"], 2) for port in "AB")


def _location(cell: NetlistCell) -> str:
    return f"WID {int(cell['attributes']['WID'], 2)}"


def _usable(width: int) -> np.ndarray:
    """Narrow words leave out the ninth bit of each byte."""
    bits = np.arange(_BITS)
    return bits if width >= 9 else bits[bits % 9 != 8]


BLOCK_RAMS = BlockRams(cell="DP16KD", bits=_BITS, width=_width, location=_location, usable=_usable)
