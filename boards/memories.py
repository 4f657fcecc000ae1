"""The read-only memories of a top level, and where synthesis and place and route put each of their bits. ::

    top.v ──▶ Memory: path, words ──┐
                                    ├─▶ places: word, bit ─▶ block RAM, bit in it ─▶ words read back out of a
                                    bitstream
    placed netlist ──▶ Cell ────────┘

yosys (``memory_libmap``) drops the columns that are the same in every word, cuts the words into banks as deep
as a block RAM at the width that it chose, puts the banks' columns side by side and fills one block RAM after
the other with them.
"""

import re
from dataclasses import dataclass, field

import numpy as np

from ..compiler.constants import number
from ..errors import BoardError
from .bitstream import RAM_BITS

__all__ = ["Cell", "Memory", "cells", "memories", "places", "read"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Memory:
    """A read-only memory of the Verilog.

    Parameters
    ----------
    path : str
        Its instances and its name, joined by dots, without the top module's.
    words : uint8 array, shape (depth, width), values 0 and 1
        The contents, the lowest bit of a word first.
    block : bool
        Whether it is to live in block RAM.
    """

    path: str
    words: np.ndarray = field(repr=False)
    block: bool


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A block RAM that holds a part of a memory.

    Parameters
    ----------
    name : str
        The netlist's.
    memory : str
        Path of its memory.
    index : int
        Which of the memory's block RAMs.
    width : int
        Bits of a word that it gives at once.
    location : str
        As in `bitstream.block_rams`.
    """

    name: str
    memory: str
    index: int
    width: int
    location: str


_MODULE = re.compile(r"^module \\?(\S+)\s*\(.*?^endmodule", re.MULTILINE | re.DOTALL)
_MEMORY = re.compile(
    r"^  (?:\(\* ram_style = \"(\w+)\" \*\)\n  )?reg (?:\[(\d+):0\] )?(\w+) \[(\d+):0\];", re.MULTILINE
)


def memories(verilog):
    """The memories of a text of `sbgen.compiler.verilog.convert` that nothing is written into, in its order."""
    found = []
    for module in _MODULE.finditer(verilog):
        text = module[0]
        for style, high, name, last in _MEMORY.findall(text):
            if re.search(rf"^\s+{name}\[.*\] <= ", text, re.MULTILINE):
                continue
            words = np.zeros((int(last) + 1, int(high or 0) + 1), np.uint8)
            for address, constant in re.findall(rf"^    {name}\[(\d+)\] = ([^;]+);", text, re.MULTILINE):
                words[int(address)] = _bits(number(constant), words.shape[1])
            words.setflags(write=False)
            found.append(
                Memory(path=f"{module[1]}.{name}".partition(".")[2], words=words, block=style == "block")
            )
    return found


def _bits(word, width):
    packed = np.frombuffer(word.to_bytes(-(-width // 8), "little"), np.uint8)
    return np.unpackbits(packed, bitorder="little")[:width]


def cells(netlist, *, family):
    """The block RAMs of a placed netlist that belong to a memory.

    Parameters
    ----------
    netlist : dict
        The top module of what nextpnr writes with ``--write``.
    family : str
    """
    found = []
    for name, cell in netlist["cells"].items():
        if cell["type"] not in ("ICESTORM_RAM", "DP16KD"):
            continue
        memory, index = re.fullmatch(r"(.+)\.\d+\.(\d+)(?:_RAM)?", name).groups()
        parameters, attributes = cell["parameters"], cell["attributes"]
        if family == "ice40":
            width = 16 >> int(parameters["READ_MODE"], 2)
            location = attributes["NEXTPNR_BEL"].rpartition("/")[0]
        else:
            width = min(
                int(parameters[f"DATA_WIDTH_{port}"], 2) for port in "AB"
            )  # the port that is not used has the greatest
            location = f"WID {int(attributes['WID'], 2)}"
        found.append(Cell(name=name, memory=memory, index=int(index), width=width, location=location))
    return found


def _varying(words):
    """Columns of a memory that are not the same in every word: only those are in block RAM."""
    return np.flatnonzero((words != words[0]).any(axis=0))


def _usable(width, family):
    """The bits of a block RAM at that width: the ninth bit of an ECP5's bytes is no use to narrow words."""
    return np.flatnonzero((np.arange(RAM_BITS[family]) % 9 != 8) | (family != "ecp5") | (width >= 9))


def places(memory, cells, *, family):
    """Where each bit of a memory is.

    Parameters
    ----------
    memory : Memory
    cells : sequence of Cell
        Those of the netlist; the others' are ignored.
    family : str

    Returns
    -------
    ram, bit : int arrays, shape (depth, width)
        Index of the block RAM among `cells`, and the bit in it, as in `bitstream.block_rams`; -1 where the
        column is the same in every word and so is a constant of the logic.

    Raises
    ------
    BoardError
        When the netlist's block RAMs cannot be those of the memory.
    """
    depth, columns = len(memory.words), _varying(memory.words)
    ram, bit = np.full((2, *memory.words.shape), -1)
    mine = sorted((cell.index, n) for n, cell in enumerate(cells) if cell.memory == memory.path)
    if not len(columns) and not mine:
        return ram, bit
    widths = {cells[n].width for _, n in mine}
    if len(widths) != 1:
        raise BoardError(
            f"the memory {memory.path} must be in block RAMs of one width, but the netlist has "
            f"{len(mine)} of the widths {sorted(widths)}"
        )
    width = widths.pop()
    usable = _usable(width, family)
    rows = len(usable) // width
    address, column = np.arange(depth)[:, None], np.arange(len(columns))
    number = column + len(columns) * (address // rows)  # of a column, among those of all banks
    if [index for index, _ in mine] != list(range(int(number.max()) // width + 1)):
        raise BoardError(
            f"the memory {memory.path} of {depth} words with {len(columns)} bits that vary must be in "
            f"{int(number.max()) // width + 1} block RAMs {width} bits wide, but the netlist has {len(mine)}"
        )
    ram[:, columns] = np.array([n for _, n in mine])[number // width]
    bit[:, columns] = usable[address % rows * width + number % width]
    return ram, bit


def read(memory, cells, rams, *, family):
    """The words of a memory as a bitstream has them.

    Parameters
    ----------
    memory : Memory
        What it should hold; only the columns that are constants are taken from it.
    cells : sequence of Cell
    rams : dict
        As `bitstream.block_rams` gives it.
    family : str

    Returns
    -------
    uint8 array, shape (depth, width), values 0 and 1
    """
    ram, bit = places(memory, cells, family=family)
    blank = np.zeros(RAM_BITS[family], np.uint8)  # what a bitstream leaves out is zero
    contents = np.array([rams.get(cell.location, blank) for cell in cells] or [blank])
    return np.where(ram < 0, memory.words, contents[ram, bit])
