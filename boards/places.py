"""The memories in an unpacked bitstream: found once by what stands in them, then read and replaced.

A layout is the text that icepack and ecppack turn into a bitstream, and that iceunpack and ecpunpack make of
one. In it a block RAM is an array of rows and lanes, of which a ROM's bit takes a column: a lane in every
row, or in every second or fourth one where a word takes several rows, or in reverse, where several words
share one. Which it is, is not asked of the tools: with noise in the ROM, a column stands in one place only.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from itertools import permutations

import numpy as np

from ..compiler.contents import Memory, permuted
from ..errors import ToolError

__all__ = ["Column", "Lut", "Places", "locate"]

#: Bits of a column by which it is first looked for: with so many, none is found by chance.
_KEY = 48

#: Words in a row, or rows in a word.
_STRIDES = (1, 2, 4, 8)

#: Addresses at which the columns of a deep ROM may begin.
_CHUNK = 256


@dataclass(frozen=True, kw_only=True)
class Column:
    """Where part of a ROM's bit stands: that of word ``start + stride n`` in row ``row + step n`` of a block
    RAM, for `count` n.

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


@dataclass(frozen=True, kw_only=True)
class Lut:
    """Where 16 words of a ROM's bit, from word 16 `chunk` on, stand: in logic cell `z` of the tile at `x`,
    `y`, whose input ``order[n]`` is bit n of the address."""

    memory: str
    chunk: int
    bit: int
    x: int
    y: int
    z: int
    order: tuple = (0, 1, 2, 3)


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where every bit of a design's patchable ROMs stands.

    Parameters
    ----------
    shapes : dict of str to (str, int, int)
        Store, width and depth of each ROM.
    columns : tuple of `Column`
    luts : tuple of `Lut`
    """

    shapes: dict
    columns: tuple
    luts: tuple

    def read(self, layout):
        """What stands in each ROM, as a dict of `Memory`."""
        bits = {name: np.zeros((depth, width), np.uint8) for name, (_, width, depth) in self.shapes.items()}
        blocks = {name: layout.block(name) for name in {column.block for column in self.columns}}
        for each in self.columns:
            bits[each.memory][_words(each), each.bit] = blocks[each.block][_rows(each), each.lane]
        for each in self.luts:
            init = permuted(layout.lut(each.x, each.y, each.z), np.argsort(each.order).tolist())
            bits[each.memory][16 * each.chunk : 16 * each.chunk + 16, each.bit] = [
                init >> n & 1 for n in range(16)
            ]
        return {
            name: Memory(store=store, width=width, words=_to_words(bits[name]))
            for name, (store, width, _) in self.shapes.items()
        }

    def write(self, layout, contents):
        """Replace what stands in each ROM by a dict of `Memory` of the same shapes; None is zeros."""
        bits = {
            name: np.zeros((depth, width), np.uint8) if contents is None else _to_bits(contents[name])
            for name, (_, width, depth) in self.shapes.items()
        }
        blocks = {name: layout.block(name) for name in {column.block for column in self.columns}}
        for each in self.columns:
            blocks[each.block][_rows(each), each.lane] = bits[each.memory][_words(each), each.bit]
        for name, rows in blocks.items():
            layout.set_block(name, rows)
        for each in self.luts:
            column = bits[each.memory][16 * each.chunk : 16 * each.chunk + 16, each.bit]
            layout.set_lut(each.x, each.y, each.z, permuted(_number(column), each.order))

    def digest(self, layout):
        """SHA-256 of a layout apart from the contents of these ROMs; the layout's are zero afterwards."""
        self.write(layout, None)
        lines = [line for line in layout.text.splitlines() if not line.startswith((".comment", ".sym"))]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def dumps(self):
        """Itself as JSON, one place a line."""
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
    def of_json(cls, content):
        """What `dumps` wrote, read as JSON."""

        def rows(name, kind):
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


def _words(column):
    return column.start + column.stride * np.arange(column.count)


def _rows(column):
    return column.row + column.step * np.arange(column.count)


def _to_bits(memory):
    """Words as bits, shape (depth, width)."""
    size = -(-memory.width // 8)
    packed = np.frombuffer(b"".join(word.to_bytes(size, "little") for word in memory.words), np.uint8)
    return np.unpackbits(packed.reshape(-1, size), axis=1, bitorder="little")[:, : memory.width]


def _number(column):
    return sum(int(value) << n for n, value in enumerate(column))


def _to_words(bits):
    return tuple(
        int.from_bytes(row.tobytes(), "little") for row in np.packbits(bits, axis=1, bitorder="little")
    )


def _columns(bits, starts, strides):
    """Every column of an array, shape (rows, lanes), as (first bits, start, stride, lane)."""
    for stride in strides:
        for start in starts(stride):
            first = bits[start : start + stride * _KEY : stride]
            if len(first) == _KEY:
                keys = np.packbits(first, axis=0)
                yield from ((keys[:, lane].tobytes(), start, stride, lane) for lane in range(bits.shape[1]))


def _ordered(lut, bits, layout):
    """A LUT with the order of its inputs that makes its noise what is in the layout."""
    wanted = _number(bits[16 * lut.chunk : 16 * lut.chunk + 16, lut.bit])
    found = layout.lut(lut.x, lut.y, lut.z)
    return next(
        (replace(lut, order=order) for order in permutations(range(4)) if permuted(wanted, order) == found),
        lut,
    )


def locate(noise, layout, *, luts=()):
    """Where every bit of the patchable ROMs stands.

    Parameters
    ----------
    noise : dict of str to Memory
        What is in each of them.
    layout : Ice40Layout or Ecp5Layout
    luts : iterable of `Lut`
        Where place and route put their LUTs; in which order it took their inputs is found here.

    Raises
    ------
    ToolError
        When a bit is not found, or is in several places.
    """
    bits = {name: _to_bits(memory) for name, memory in noise.items()}
    known = {}
    for name, memory in noise.items():
        if memory.store == "bram":
            depth = len(memory.words)
            for key, start, stride, bit in _columns(
                bits[name],
                lambda stride, depth=depth: range(stride) if stride > 1 else range(0, depth, _CHUNK),
                _STRIDES,
            ):
                known.setdefault(key, []).append((name, bit, start, stride))
    seen = {name: np.zeros(array.shape, int) for name, array in bits.items()}
    columns = []
    for block in layout.blocks:
        rows = layout.block(block)
        for key, row, step, lane in _columns(rows, range, _STRIDES):
            for name, bit, start, stride in known.get(key, ()):
                if stride > 1 and step > 1:
                    continue  # every second bit, say, of a column that is found as a whole
                count = min(-(-(len(rows) - row) // step), -(-(len(bits[name]) - start) // stride))
                found = Column(
                    memory=name,
                    bit=bit,
                    start=start,
                    stride=stride,
                    count=count,
                    block=block,
                    lane=lane,
                    row=row,
                    step=step,
                )
                if (rows[_rows(found), lane] == bits[name][_words(found), bit]).all():
                    columns.append(found)
                    seen[name][_words(found), bit] += 1
    luts = [_ordered(each, bits[each.memory], layout) for each in luts if each.memory in bits]
    places = Places(
        shapes={name: (memory.store, memory.width, len(memory.words)) for name, memory in noise.items()},
        columns=tuple(columns),
        luts=tuple(luts),
    )
    for each in places.luts:
        seen[each.memory][16 * each.chunk : 16 * each.chunk + 16, each.bit] += 1
    read = places.read(layout)
    for name, count in seen.items():
        if (count != 1).any() or read[name] != noise[name]:
            word, bit = np.argwhere((count != 1) | (_to_bits(read[name]) != bits[name]))[0]
            raise ToolError(
                f"each bit of a patchable ROM must be in one place of the layout, but bit {bit} of word"
                f" {word} of {name} is in {count[word, bit]}; build without --patchable"
            )
    return places
