"""The read-only memories of a top level, and where synthesis and place and route put each of their bits. ::

    top.v ──▶ Memory: path, words ──┐
                                    ├─▶ places: word, bit ─▶ block RAM, bit in it ─▶ words in a bitstream
    placed netlist ──▶ Cell ────────┘

yosys (``memory_libmap``) drops the columns that are the same in every word and cuts the words into banks as
deep as a block RAM of the chosen width. It puts the banks' columns next to each other and fills one block RAM
after the other with them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..compiler.constants import number
from ..errors import BoardError

if TYPE_CHECKING:
    from .family import Family
    from .netlist import Netlist, NetlistCell

__all__ = ["BlockRams", "Cell", "Memory", "cells", "memories", "places", "read"]


@dataclass(frozen=True, kw_only=True)
class BlockRams:
    """A family's block RAMs, as the netlist after place and route has them.

    Parameters
    ----------
    cell : str
        Type of the cell.
    bits : int
        Bits of one block RAM.
    width : function
        Bits of a word that a cell reads at once.
    location : function
        Where a cell is, as `Layout.block_rams` names it.
    usable : function
        Indices of the bits that words of a width use, in the order of addresses.
    """

    cell: str
    bits: int
    width: Callable[[NetlistCell], int]
    location: Callable[[NetlistCell], str]
    usable: Callable[[int], np.ndarray]


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
        Whether it is meant to be in block RAM.
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
        Its name in the netlist.
    memory : str
        Path of its memory.
    index : int
        Which of the memory's block RAMs.
    width : int
        Bits of a word that it reads at once.
    location : str
        As in `Layout.block_rams`.
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


def memories(verilog: str) -> list[Memory]:
    """The memories of a text of `sbgen.compiler.verilog.convert` that are never written, in its order."""
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


def _bits(word: int, width: int) -> np.ndarray:
    packed = np.frombuffer(word.to_bytes(-(-width // 8), "little"), np.uint8)
    return np.unpackbits(packed, bitorder="little")[:width]


def cells(netlist: Netlist, *, family: Family) -> list[Cell]:
    """The block RAMs of a netlist after place and route that belong to a memory."""
    rams, found = family.block_rams, []
    for name, cell in netlist["cells"].items():
        if cell["type"] != rams.cell:
            continue
        match = re.fullmatch(r"(.+)\.\d+\.(\d+)(?:_RAM)?", name)
        assert match, name
        found.append(
            Cell(
                name=name,
                memory=match[1],
                index=int(match[2]),
                width=rams.width(cell),
                location=rams.location(cell),
            )
        )
    return found


def _varying(words: np.ndarray) -> np.ndarray:
    """Columns of a memory that are not the same in every word: only those are in block RAM."""
    return np.flatnonzero((words != words[0]).any(axis=0))


def places(memory: Memory, cells: Sequence[Cell], *, family: Family) -> tuple[np.ndarray, np.ndarray]:
    """Where each bit of a memory is.

    Parameters
    ----------
    memory : Memory
    cells : sequence of Cell
        Those of the netlist; those of other memories are ignored.
    family : Family

    Returns
    -------
    ram, bit : int arrays, shape (depth, width)
        Index of the block RAM among `cells`, and the bit in it, as in `Layout.block_rams`; -1 where the
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
    usable = family.block_rams.usable(width)
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


def read(
    memory: Memory, cells: Sequence[Cell], rams: Mapping[str, np.ndarray], *, family: Family
) -> np.ndarray:
    """The words of a memory in a bitstream.

    Parameters
    ----------
    memory : Memory
        What it should hold; only the columns that are constants are taken from it.
    cells : sequence of Cell
    rams : dict
        As `Layout.block_rams` returns it.
    family : Family

    Returns
    -------
    uint8 array, shape (depth, width), values 0 and 1
    """
    ram, bit = places(memory, cells, family=family)
    blank = np.zeros(family.block_rams.bits, np.uint8)  # what a bitstream leaves out is zero
    contents = np.array([rams.get(cell.location, blank) for cell in cells] or [blank])
    return np.where(ram < 0, memory.words, contents[ram, bit])
