"""The iCE40's block RAM in a placed netlist: 256 words of 16 bits, or more and narrower ones."""

import numpy as np

from ..memories import BlockRams
from ..netlist import NetlistCell

__all__ = ["BLOCK_RAMS"]

_BITS = 4096


def _width(cell: NetlistCell) -> int:
    return 16 >> int(cell["parameters"]["READ_MODE"], 2)


def _location(cell: NetlistCell) -> str:
    return cell["attributes"]["NEXTPNR_BEL"].rpartition("/")[0]


BLOCK_RAMS = BlockRams(
    cell="ICESTORM_RAM", bits=_BITS, width=_width, location=_location, usable=lambda width: np.arange(_BITS)
)
