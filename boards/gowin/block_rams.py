"""Gowin's block RAM in a placed netlist: 2,048 bytes of 9 bits, and words of more or fewer bits."""

import numpy as np

from ..memories import BlockRams
from ..netlist import NetlistCell

__all__ = ["BLOCK_RAMS"]

_BITS = 18432

#: Words of 8, 16 and 32 bits are those of 9, 18 and 36 without every ninth.
_WIDTHS = {8: 9, 16: 18, 32: 36}


def _width(cell: NetlistCell) -> int:
    width = int(cell["parameters"]["BIT_WIDTH_1"], 2)  # of the port that reads
    return _WIDTHS.get(width, width)


def _location(cell: NetlistCell) -> str:
    return cell["attributes"]["NEXTPNR_BEL"].partition("/")[0]


def _usable(width: int) -> np.ndarray:
    """Narrow words leave out the ninth bit of each byte."""
    bits = np.arange(_BITS)
    return bits if width >= 9 else bits[bits % 9 != 8]


BLOCK_RAMS = BlockRams(cell="SDP", bits=_BITS, width=_width, location=_location, usable=_usable)
