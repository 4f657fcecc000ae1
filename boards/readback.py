"""Weights and thresholds read back from a bitstream, each at its place in the network. ::

bitstream ─▶ block RAMs ─▶ words of each memory ─▶ weights[output, input], thresholds[output] ═══ network
flash after it ─▶ SPRAMs ─┘
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..compiler.pipeline import memory_path, stages
from ..errors import BoardError
from ..hw import mvtu_parameters
from . import memories, word_order

if TYPE_CHECKING:
    from ..compiler.design import Design
    from .family import Family
    from .netlist import Netlist

__all__ = ["Difference", "Part", "describe", "read"]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One number that is not what it should be.

    Parameters
    ----------
    index : tuple of int
        Its place in the network's array; empty for padding.
    address, bit : int
        In the words of the memory; the lowest bit of a number of several.
    where : str
        Block RAM of the bitstream, and the bit in it.
    expected, found : int
    """

    index: tuple[int, ...]
    address: int
    bit: int
    where: str
    expected: int
    found: int


@dataclass(frozen=True, kw_only=True)
class Part:
    """The numbers of one kind of one layer, read back.

    Parameters
    ----------
    layer : str
    what : str
        ``"weights"``, ``"thresholds"``, ``"offsets"`` or, of counts, ``"starts"``.
    bits : int
        Bits of the memory; 0 if it is not in block RAM.
    constant : int
        How many of them are the same in every word and therefore logic, which the bitstream does not show.
    difference : Difference or None
        The first.
    differences : int
    """

    layer: str
    what: str
    bits: int = 0
    constant: int = 0
    difference: Difference | None = None
    differences: int = 0


@dataclass(frozen=True, kw_only=True)
class _Contents:
    """The bits of a memory's words as they were found and as they should be, and where each of them is.

    Parameters
    ----------
    words, meant : uint8 arrays, shape (depth, width), values 0 and 1
    where : function
        Of an address and a column, the place of the bit in words.
    constant : int
        How many of the bits are logic.
    """

    words: np.ndarray
    meant: np.ndarray
    where: Callable[[int, int], str]
    constant: int = 0


def read(
    *,
    design: Design,
    verilog: str,
    netlist: Netlist,
    rams: Mapping[str, np.ndarray],
    family: Family,
    flash: bytes = b"",
) -> list[Part]:
    """Compare the numbers in a bitstream with those of a network, part by part.

    Parameters
    ----------
    design : Design
    verilog : str
        The top level that the bitstream was built from.
    netlist : dict
        As `netlist.load` returns it, after place and route.
    rams : dict
        As `Layout.block_rams` returns it.
    family : Family
    flash : bytes
        Contents of the flash from `flash_image.OFFSET` on: the weights of layers in SPRAM.

    Returns
    -------
    list of Part
        In the order of the layers, one for each kind of numbers that a layer has. Those that synthesis turned
        into logic have no bits.
    """
    cells = memories.cells(netlist, family=family)
    contents = {
        memory.path: _in_block_ram(memory, cells, rams, family)
        for memory in memories.memories(verilog)
        if memory.block
    }
    contents |= _in_flash(design, flash, contents)
    return [
        _compare(numbers, contents[numbers.path])
        if numbers.path in contents
        else Part(layer=numbers.layer, what=numbers.what)
        for numbers in word_order.numbers(design)
    ]


def _compare(numbers: word_order.Numbers, memory: _Contents) -> Part:
    """The numbers in a memory compared with the network's, and its other bits with what they should be."""
    words = memory.words

    def difference(place: int, index: Sequence[int], expected: int, found: int) -> Difference:
        address, column = divmod(int(place), words.shape[1])
        return Difference(
            index=tuple(map(int, index)),
            address=address,
            bit=column,
            where=memory.where(address, column),
            expected=int(expected),
            found=int(found),
        )

    # Where the bits of each number are, the lowest first, and what the number should be.
    place, expected = numbers.lay_out(words.shape)
    bits = numbers.decode(words).ravel()[place]
    found = _signed(bits) if place.ndim > expected.ndim else bits
    wrong, first = np.argwhere(found != expected), None
    if len(wrong):
        index = tuple(wrong[0])
        first = difference(np.ravel(place[index])[0], index, expected[index], found[index])
    else:
        wrong = np.argwhere(words != memory.meant)
        if len(wrong):
            index = tuple(wrong[0])
            at = int(np.ravel_multi_index(index, words.shape))
            first = difference(at, (), memory.meant[index], words[index])
    return Part(
        layer=numbers.layer,
        what=numbers.what,
        bits=words.size,
        constant=memory.constant,
        difference=first,
        differences=len(wrong),
    )


def _in_block_ram(
    memory: memories.Memory, cells: Sequence[memories.Cell], rams: Mapping[str, np.ndarray], family: Family
) -> _Contents:
    ram, bit = memories.places(memory, cells, family=family)

    def where(address: int, column: int) -> str:
        if ram[address, column] < 0:
            return "logic"
        return f"{cells[ram[address, column]].location}, bit {bit[address, column]}"

    return _Contents(
        words=memories.read(memory, cells, rams, family=family),
        meant=memory.words,
        where=where,
        constant=int((ram < 0).sum()),
    )


def _in_flash(design: Design, flash: bytes, block_rams: Mapping[str, _Contents]) -> dict[str, _Contents]:
    """The contents of each weight memory in SPRAM by its path: columns of 16 bits one after the other in the
    flash, and the rest of each word in block RAM.
    """
    words, found = np.frombuffer(flash[: len(flash) // 2 * 2], "<u2"), {}
    stored = [
        (n, stage.unit)
        for n, stage in enumerate(stages(design))
        if isinstance(stage.unit, mvtu_parameters.Parameters) and stage.unit.weight_blocks
    ]
    needed = sum(unit.weight_depth * unit.weight_blocks for _, unit in stored)
    if len(words) < needed:
        raise BoardError(
            f"the flash must hold {2 * needed:,} bytes of weights after the bitstream, not {len(flash):,};"
            " give the top.bin of the build"
        )
    first = 0
    for n, unit in stored:
        path, depth = f"core.{memory_path(unit, 'weight_rom', n)}", unit.weight_depth
        rest = block_rams[f"{path}.rest.memory"] if unit.rest_width else None
        found[f"{path}.memory"] = _columns(
            words[first : first + depth * unit.weight_blocks].reshape(-1, depth),
            np.asarray(unit.ram_contents),
            width=unit.pe * unit.simd - unit.rest_width,
            first=first,
            rest=rest,
        )
        first += depth * unit.weight_blocks
    return found


def _columns(
    columns: np.ndarray, meant: np.ndarray, *, width: int, first: int, rest: _Contents | None
) -> _Contents:
    """A memory of `width` bits in columns of 16, shape (columns, depth), followed by those of `rest`.

    `first` is the number of the first 16-bit word in the flash's weights.
    """
    depth = columns.shape[1]

    def bits(columns: np.ndarray) -> np.ndarray:
        unpacked = (columns.T[..., None] >> np.arange(16) & 1).astype(np.uint8)
        return unpacked.reshape(depth, -1)[:, :width]

    def where(address: int, column: int) -> str:
        if rest is not None and column >= width:
            return rest.where(address, column - width)
        byte = 2 * (first + column // 16 * depth + address) + column % 16 // 8
        return f"byte {byte} of weights.bin, bit {column % 8}"

    parts = [_Contents(words=bits(columns), meant=bits(meant), where=where), *([rest] if rest else [])]
    return _Contents(
        words=np.hstack([part.words for part in parts]),
        meant=np.hstack([part.meant for part in parts]),
        where=where,
        constant=sum(part.constant for part in parts),
    )


def _signed(bits: np.ndarray) -> np.ndarray:
    """Numbers in two's complement, the lowest bit first on the last axis."""
    weights = 1 << np.arange(bits.shape[-1], dtype=np.int64)
    weights[-1] = -weights[-1]
    return bits @ weights


def describe(part: Part) -> str:
    """The first difference of a part, for a person."""
    first = part.difference
    assert first is not None
    index = "".join(f"[{n}]" for n in first.index)
    what = f"{part.what}{index}" if first.index else f"the padding of {part.what}"
    return (
        f"{what} (word {first.address}, bit {first.bit}; {first.where}): expected {first.expected}, found"
        f" {first.found}; {part.differences} of its numbers differ"
    )
