"""The ROMs in a layout: found once by their contents, then read and replaced.

In a layout a block RAM is an array of rows and lanes, of which a ROM's bit takes a column: a lane in every
row, or in every second or fourth one if a word takes several rows, or the reverse if several words share one.
The tools are not asked which it is: with random fill in the ROM, a column is in one place only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import permutations
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from ..compiler.contents import Memory, permuted
from ..errors import ToolError

if TYPE_CHECKING:
    from .layout import Layout

__all__ = ["Column", "Lut", "Places", "locate"]

#: Bits of a column by which it is first searched: with so many, none is found by chance.
_KEY = 48

#: Words in a row, or rows in a word.
_STRIDES = (1, 2, 4, 8)

#: Addresses at which the columns of a deep ROM may begin.
_CHUNK = 256


@dataclass(frozen=True, kw_only=True)
class Column:
    """Where part of a ROM's bit is: that of word ``start + stride n`` in row ``row + step n`` of a block RAM,
    for `count` n.

    Parameters
    ----------
    memory : str
    bit, start, stride, count : int
    block : str
    lane, row, step : int
    """

    memory: str
    bit: int
    start: int
    stride: int
    count: int
    block: str
    lane: int
    row: int
    step: int

    @property
    def words(self) -> np.ndarray:
        """Addresses of the words whose bit is here."""
        return self.start + self.stride * np.arange(self.count)

    @property
    def rows(self) -> np.ndarray:
        """Rows that hold them, in the same order."""
        return self.row + self.step * np.arange(self.count)


@dataclass(frozen=True, kw_only=True)
class Lut:
    """Where 16 words of a ROM's bit, from word 16 `chunk` on, are: in logic cell `z` of the tile at `x`, `y`,
    whose input ``order[n]`` is bit n of the address.
    """

    memory: str
    chunk: int
    bit: int
    x: int
    y: int
    z: int
    order: tuple[int, ...] = (0, 1, 2, 3)

    @property
    def words(self) -> slice:
        """Addresses of the words whose bit is here."""
        return slice(16 * self.chunk, 16 * self.chunk + 16)


_Place = TypeVar("_Place", Column, Lut)


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where every bit of a design's patchable ROMs is.

    Parameters
    ----------
    shapes : dict of str to (str, int, int)
        Store, width and depth of each ROM.
    columns : tuple of `Column`
    luts : tuple of `Lut`
    """

    shapes: Mapping[str, tuple[str, int, int]]
    columns: tuple[Column, ...]
    luts: tuple[Lut, ...]

    def read(self, layout: Layout) -> dict[str, Memory]:
        """The contents of each ROM."""
        bits = {name: np.zeros((depth, width), np.uint8) for name, (_, width, depth) in self.shapes.items()}
        blocks = {name: layout.block(name) for name in {column.block for column in self.columns}}
        for column in self.columns:
            bits[column.memory][column.words, column.bit] = blocks[column.block][column.rows, column.lane]
        for lut in self.luts:
            init = permuted(layout.lut(lut.x, lut.y, lut.z), np.argsort(lut.order).tolist())
            bits[lut.memory][lut.words, lut.bit] = [init >> n & 1 for n in range(16)]
        return {
            name: Memory(store=store, width=width, words=_to_words(bits[name]))
            for name, (store, width, _) in self.shapes.items()
        }

    def write(self, layout: Layout, contents: Mapping[str, Memory] | None) -> None:
        """Replace the contents of each ROM by others of the same shapes; None is zeros."""
        bits = {
            name: np.zeros((depth, width), np.uint8) if contents is None else _to_bits(contents[name])
            for name, (_, width, depth) in self.shapes.items()
        }
        blocks = {name: layout.block(name) for name in {column.block for column in self.columns}}
        for column in self.columns:
            blocks[column.block][column.rows, column.lane] = bits[column.memory][column.words, column.bit]
        for name, rows in blocks.items():
            layout.set_block(name, rows)
        for lut in self.luts:
            init = permuted(_number(bits[lut.memory][lut.words, lut.bit]), lut.order)
            layout.set_lut(lut.x, lut.y, lut.z, init)

    def digest(self, layout: Layout) -> str:
        """SHA-256 of a layout apart from the contents of these ROMs, which are zero afterwards."""
        self.write(layout, None)
        lines = [line for line in layout.text.splitlines() if not line.startswith((".comment", ".sym"))]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def dumps(self) -> str:
        """Itself as JSON, one place per line."""
        parts = [f'"shapes": {json.dumps(self.shapes)}']
        for name, kind in ("columns", Column), ("luts", Lut):
            rows = [json.dumps(list(asdict(each).values())) for each in getattr(self, name)]
            parts.append(
                f'"{name}": [{json.dumps(list(kind.__dataclass_fields__))}'
                + "".join(",\n" + row for row in rows)
                + "]"
            )
        return "{" + ",\n".join(parts) + "}"

    @classmethod
    def of_json(cls, content: dict) -> Places:
        """The places that `dumps` wrote, from parsed JSON."""

        def rows(name: str, kind: Callable[..., _Place]) -> tuple[_Place, ...]:
            fields, *values = content[name]
            return tuple(
                kind(
                    **{
                        field: tuple(value) if isinstance(value, list) else value
                        for field, value in zip(fields, each, strict=True)
                    }
                )
                for each in values
            )

        return cls(
            shapes={name: tuple(shape) for name, shape in content["shapes"].items()},
            columns=rows("columns", Column),
            luts=rows("luts", Lut),
        )


def _to_bits(memory: Memory) -> np.ndarray:
    """Words as bits, shape (depth, width)."""
    size = -(-memory.width // 8)
    packed = np.frombuffer(b"".join(word.to_bytes(size, "little") for word in memory.words), np.uint8)
    return np.unpackbits(packed.reshape(-1, size), axis=1, bitorder="little")[:, : memory.width]


def _number(column: np.ndarray) -> int:
    return sum(int(value) << n for n, value in enumerate(column))


def _to_words(bits: np.ndarray) -> tuple[int, ...]:
    return tuple(
        int.from_bytes(row.tobytes(), "little") for row in np.packbits(bits, axis=1, bitorder="little")
    )


def _columns(
    bits: np.ndarray, starts: Callable[[int], Iterable[int]]
) -> Iterator[tuple[bytes, int, int, int]]:
    """Every column of an array, shape (rows, lanes), as (first bits, start, stride, lane)."""
    for stride in _STRIDES:
        for start in starts(stride):
            first = bits[start : start + stride * _KEY : stride]
            if len(first) == _KEY:
                keys = np.packbits(first, axis=0)
                yield from ((keys[:, lane].tobytes(), start, stride, lane) for lane in range(bits.shape[1]))


def _ordered(lut: Lut, bits: np.ndarray, layout: Layout) -> Lut:
    """A LUT with the order of its inputs in which its random fill is what the layout has."""
    wanted = _number(bits[lut.words, lut.bit])
    found = layout.lut(lut.x, lut.y, lut.z)
    return next(
        (replace(lut, order=order) for order in permutations(range(4)) if permuted(wanted, order) == found),
        lut,
    )


def locate(noise: Mapping[str, Memory], layout: Layout, *, luts: Iterable[Lut] = ()) -> Places:
    """Where every bit of the patchable ROMs is.

    Parameters
    ----------
    noise : dict of str to Memory
        The random fill that is in each of them.
    layout : Layout
    luts : iterable of `Lut`
        Where place and route put their LUTs; the order of their inputs is found here.

    Raises
    ------
    ToolError
        When a bit is not found, or is in several places.
    """
    bits = {name: _to_bits(memory) for name, memory in noise.items()}
    places = Places(
        shapes={name: (memory.store, memory.width, len(memory.words)) for name, memory in noise.items()},
        columns=tuple(_locate_columns(bits, _known(noise, bits), layout)),
        luts=tuple(_ordered(each, bits[each.memory], layout) for each in luts if each.memory in bits),
    )
    seen = {name: np.zeros(array.shape, int) for name, array in bits.items()}
    for column in places.columns:
        seen[column.memory][column.words, column.bit] += 1
    for lut in places.luts:
        seen[lut.memory][lut.words, lut.bit] += 1
    read = places.read(layout)
    for name, count in seen.items():
        if (count != 1).any() or read[name] != noise[name]:
            word, bit = np.argwhere((count != 1) | (_to_bits(read[name]) != bits[name]))[0]
            raise ToolError(
                f"each bit of a patchable ROM must be in one place of the layout, but bit {bit} of word"
                f" {word} of {name} is in {count[word, bit]}; build without --patchable"
            )
    return places


def _known(
    noise: Mapping[str, Memory], bits: Mapping[str, np.ndarray]
) -> dict[bytes, list[tuple[str, int, int, int]]]:
    """Every column of the ROMs in block RAM, (memory, bit, start, stride), by its first bits."""
    known: dict[bytes, list[tuple[str, int, int, int]]] = {}
    for name, memory in noise.items():
        if memory.store == "bram":
            depth = len(memory.words)

            def starts(stride: int, depth: int = depth) -> Iterable[int]:
                return range(stride) if stride > 1 else range(0, depth, _CHUNK)

            for key, start, stride, bit in _columns(bits[name], starts):
                known.setdefault(key, []).append((name, bit, start, stride))
    return known


def _locate_columns(
    bits: Mapping[str, np.ndarray], known: Mapping[bytes, list[tuple[str, int, int, int]]], layout: Layout
) -> Iterator[Column]:
    """Every column of a block RAM that is one of the known columns to its end."""
    for block in layout.blocks:
        rows = layout.block(block)
        for key, row, step, lane in _columns(rows, range):
            for name, bit, start, stride in known.get(key, ()):
                if stride > 1 and step > 1:
                    continue  # every second bit, for example, of a column that is found as a whole
                found = Column(
                    memory=name,
                    bit=bit,
                    start=start,
                    stride=stride,
                    count=min(-(-(len(rows) - row) // step), -(-(len(bits[name]) - start) // stride)),
                    block=block,
                    lane=lane,
                    row=row,
                    step=step,
                )
                if (rows[found.rows, lane] == bits[name][found.words, bit]).all():
                    yield found
