"""The truth tables of an iCE40's bitstream compared with those of the placed netlist: what became logic. ::

    bitstream ─▶ .logic_tile X Y ─▶ 16 bits of each logic cell ═══ LUT_INIT ◀─ placed netlist

Routing may permute a LUT's inputs, and its table is then permuted too. Whether the wires run accordingly is
not checked here, but where the bitstream is turned back into Verilog.
"""

import re
from collections.abc import Iterator
from itertools import permutations

from ...compiler.contents import permuted
from ..family import TableDifference
from ..netlist import Netlist
from ..rom_places import Lut
from .layout import Ice40Layout

__all__ = ["compare", "patchable_luts"]

_ORDERS = tuple(permutations(range(4)))


def _logic_cell(bel: str) -> tuple[int, int, int]:
    """Tile and number of a logic cell from nextpnr's name for it."""
    match = re.fullmatch(r"X(\d+)/Y(\d+)/lc(\d+)", bel)
    assert match, bel
    x, y, z = map(int, match.groups())
    return x, y, z


def compare(text: str, netlist: Netlist) -> tuple[list[TableDifference], int]:
    """The tables that differ, and how many were compared.

    Parameters
    ----------
    text : str
        The bitstream, as `bitstream.unpack` returns it.
    netlist : Netlist
        After place and route.
    """
    layout, differences, count = Ice40Layout(text), [], 0
    for name, cell in netlist["cells"].items():
        if cell["type"] != "ICESTORM_LC":
            continue
        count += 1
        where = cell["attributes"]["NEXTPNR_BEL"]
        table = layout.lut(*_logic_cell(where))
        expected = int(cell["parameters"]["LUT_INIT"].replace("x", "0"), 2)
        if table != expected and all(permuted(expected, order) != table for order in _ORDERS):
            differences.append(TableDifference(cell=name, where=where, expected=expected, found=table))
    return differences, count


def patchable_luts(netlist: Netlist) -> Iterator[Lut]:
    """Where place and route put the LUTs of patchable ROMs, by the names that the Verilog has for them."""
    for name, cell in netlist["cells"].items():
        if match := re.fullmatch(r"(.+)\.lut_(\d+)_(\d+)\.lut_LC", name):
            x, y, z = _logic_cell(cell["attributes"]["NEXTPNR_BEL"])
            yield Lut(memory=f"top.{match[1]}", chunk=int(match[2]), bit=int(match[3]), x=x, y=y, z=z)
