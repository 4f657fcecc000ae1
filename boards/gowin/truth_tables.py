"""The look-up tables of a bitstream, as gowin_unpack reads them, compared with the placed netlist's."""

import re

from ... import tools
from ..family import TableDifference
from ..netlist import Netlist
from . import frames

__all__ = ["compare"]

#: What a table holds that no bit is set for.
_UNSET = 0xFFFF

_TABLE = re.compile(r"defparam R(\d+)C(\d+)_LUT4_(\d)\.INIT = 16'h([0-9a-f]+);")


def _found(layout: str) -> dict[str, int]:
    """The tables of a bitstream by their places, such as ``"X4Y9/LUT3"``."""
    packed = frames.pack(layout.encode("ascii"))
    chip = frames.chip_of_text(layout)
    unpacker = tools.find("gowin_unpack")
    with tools.temporary() as folder:
        (folder / "top.fs").write_bytes(packed)
        tools.run(unpacker, ("-d", chip.name, "-o", "top.v", "top.fs"), cwd=folder, log=folder / "log")
        text = (folder / "top.v").read_text(encoding="ascii")
    return {
        f"X{int(column) - 1}Y{int(row) - 1}/LUT{n}": int(table, 16)
        for row, column, n, table in _TABLE.findall(text)
    }


def compare(layout: str, netlist: Netlist) -> tuple[list[TableDifference], int]:
    """The LUTs of a placed netlist whose table in a layout is another one, and how many it has.

    The table of an adder is not among them.
    """
    found, differ, count = _found(layout), [], 0
    for name, cell in netlist["cells"].items():
        if not re.fullmatch("LUT[1-4]", cell["type"]):
            continue
        where, inputs = cell["attributes"]["NEXTPNR_BEL"], int(cell["type"][-1])
        table = int(cell["parameters"]["INIT"], 2) & ((1 << (1 << inputs)) - 1)
        for n in range(inputs, 4):  # inputs that it does not have change nothing
            table |= table << (1 << n)
        count += 1
        if (read := found.get(where, _UNSET)) != table:
            differ.append(TableDifference(cell=name, where=where, expected=table, found=read))
    return differ, count
