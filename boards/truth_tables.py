"""The truth tables of an iCE40's bitstream beside those of the placed netlist: what synthesis made logic of.
::

    bitstream ─▶ .logic_tile X Y ─▶ 16 bits of each logic cell ═══ LUT_INIT ◀─ placed netlist

Routing may take a LUT's inputs in any order, and its table then stands in that order. Whether the wires run
accordingly is not seen here, but where the bitstream is turned back into Verilog.
"""

import re
from dataclasses import dataclass
from itertools import permutations

from ..compiler.contents import permuted
from . import layout

__all__ = ["Difference", "compare"]

_ORDERS = tuple(permutations(range(4)))


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A table that is another in the bitstream.

    Parameters
    ----------
    cell : str
        The netlist's name.
    where : str
        As nextpnr names a logic cell.
    expected, found : int
        Sixteen bits each.
    """

    cell: str
    where: str
    expected: int
    found: int


def compare(text, netlist):
    """The tables that differ, and how many were compared.

    Parameters
    ----------
    text : str
        The bitstream, as `bitstream.unpack` gives it for an iCE40.
    netlist : dict
        As `netlist.load` gives it, after place and route.

    Returns
    -------
    list of Difference, int
    """
    found, differences, count = layout.Ice40Layout(text), [], 0
    for name, cell in netlist["cells"].items():
        if cell["type"] != "ICESTORM_LC":
            continue
        count += 1
        where = cell["attributes"]["NEXTPNR_BEL"]
        table = found.lut(*map(int, re.fullmatch(r"X(\d+)/Y(\d+)/lc(\d+)", where).groups()))
        expected = int(cell["parameters"]["LUT_INIT"].replace("x", "0"), 2)
        if table != expected and all(permuted(expected, order) != table for order in _ORDERS):
            differences.append(Difference(cell=name, where=where, expected=expected, found=table))
    return differences, count
