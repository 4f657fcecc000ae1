"""Tensors whose elements are whole functions of integers: what a frontend computes with instead of numbers.

A source is a raw pixel (0 ... 255), the count of a neuron, or an element that a layer gives. A tensor keeps,
for each of its elements, the value that it has for every integer its source can take. What lies between a
source and the next quantiser (normalisation, scales, biases, clipping, in whatever order) is thus run by
NumPy in the graph's own floating-point type on all the values there are, and nothing is derived by algebra:
where a tensor is used as bits, the integer at which its function steps is the threshold.
"""

from dataclasses import dataclass, replace

import numpy as np

from ...errors import ModelError

__all__ = [
    "PIXELS",
    "PIXELS_MEAN",
    "ROUNDING",
    "Counts",
    "Elements",
    "Pixels",
    "Source",
    "Tensor",
    "check_size",
    "concatenated",
    "elementwise",
    "moved",
    "padded",
    "straight",
]

#: What a raw pixel stands for in a graph with floating-point input, as a function of 0 ... 255.
PIXELS = {
    "unit": lambda x: x / x.dtype.type(255),
    "fixed": lambda x: x / x.dtype.type(256),
    "raw": lambda x: x,
    "signed": lambda x: x / x.dtype.type(127.5) - x.dtype.type(1),
}

#: The same for messages.
PIXELS_MEAN = {"unit": "p/255", "fixed": "p/256", "raw": "p", "signed": "p/127.5 - 1"}

#: A few roundings of a graph's own arithmetic, relative to the greatest value; what it computes is not
#: defined more closely.
ROUNDING = 4 * float(np.finfo(np.float32).eps)

#: No tensor of a network that fits an FPGA has more elements; a file that asks for more is a mistake or an
#: attack.
_MAX_ELEMENTS = 1 << 24


def check_size(shape):
    """A `ValueError` for a shape that nobody needs, before it is allocated."""
    size = 1
    for length in shape:
        size *= int(length)
    if size > _MAX_ELEMENTS:
        raise ValueError(
            f"a tensor of the shape {tuple(map(int, shape))} has more than {_MAX_ELEMENTS:,} elements"
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """What a tensor's elements are functions of: `size` integers in 0 ... `count` - 1, channels last.

    `behind` is the name of the layer that comes before it, None at the pixels.
    """

    size: int
    count: int
    behind: str | None
    channels: int = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Pixels(Source):
    """Raw pixels, before any layer."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Elements(Source):
    """Output of a layer that is there already: an integer is the sum of `copies` of its elements, which lie
    side by side.

    Where integers are counts, `sums` has for each channel the weighted sum at the count 0, and its step per
    count.
    """

    copies: int = 1
    sums: tuple | None = None

    @property
    def greatest(self):
        return (self.count - 1) // self.copies


@dataclass(frozen=True, kw_only=True, eq=False)
class Counts(Source):
    """Agreements of neurons that are no layer yet: output `o` counts to `reach[o]`.

    Its weighted sum is ``lowest[o] + step[o] * count``, before anything that follows.

    `make(weights=, mask=, thresholds=)` builds their layer, of the name `name`; `pools` are what a pool
    before the thresholds becomes behind them.
    """

    name: str
    weights: np.ndarray
    mask: np.ndarray | None
    reach: np.ndarray
    lowest: np.ndarray
    step: np.ndarray
    make: object
    pools: tuple = ()

    @property
    def outputs(self):
        return len(self.weights)

    def layer(self, thresholds):
        """The layer of all neurons, each as often as there are thresholds for it; None are counts."""
        times = 1 if thresholds is None else len(thresholds) // self.outputs
        return self.make(
            weights=np.repeat(self.weights, times, axis=0),
            thresholds=thresholds,
            mask=None if self.mask is None else np.repeat(self.mask, times, axis=0),
        )

    def repeated(self, times):
        """The same neurons, each `times` times side by side."""
        return replace(
            self,
            size=self.size * times,
            channels=self.channels * times,
            **{
                name: np.repeat(getattr(self, name), times, axis=0)
                for name in ("weights", "reach", "lowest", "step")
            },
            mask=None if self.mask is None else np.repeat(self.mask, times, axis=0),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Tensor:
    """Element e of the graph's tensor is ``rows[row[e], k]`` where k is the integer ``index[e]`` of the
    source.

    Parameters
    ----------
    index, row : integer array of the tensor's shape
        Positions in the source are row-major with channels last; -1 has no source, its row is constant
        (padding).
    rows : array, shape (distinct functions, source.count)
    origin : str
        What made it, for messages.
    """

    source: Source
    index: np.ndarray
    row: np.ndarray
    rows: np.ndarray
    origin: str

    @property
    def shape(self):
        return self.index.shape


def elementwise(where, function, operands):
    """`function` on every value that the operands, of which one at least is a tensor of functions, can have
    together.
    """
    varying = [operand for operand in operands if isinstance(operand, Tensor)]
    shape = np.broadcast_shapes(
        *(np.shape(operand.index if isinstance(operand, Tensor) else operand) for operand in operands)
    )
    check_size(shape)
    first = varying[0]
    index = np.broadcast_to(first.index, shape)
    for other in varying[1:]:
        if other.source is not first.source or not np.array_equal(np.broadcast_to(other.index, shape), index):
            raise ModelError(
                f"{where}: joins the branches from {first.origin} and {other.origin}; branches may only be"
                " added, element by element, where a shortcut ends"
            )
    # Elements with the same functions and the same constants have the same result: it is computed once.
    tables, codes, key = [], [], np.zeros(shape, np.int64)
    for operand in operands:
        if isinstance(operand, Tensor):
            table, code = operand.rows, operand.row
        else:
            operand = np.asarray(operand)
            table, code = np.unique(operand, return_inverse=True)
            table, code = table[:, None], code.reshape(operand.shape)
        combined, key = np.unique(key * len(table) + code, return_inverse=True)
        key = key.reshape(shape)
        codes = [each[combined // len(table)] for each in codes] + [combined % len(table)]
        tables.append(table)
    check_size((len(codes[0]), first.source.count))
    rows = np.asarray(function(*(table[code] for table, code in zip(tables, codes, strict=True))))
    if not np.isfinite(rows.astype(np.float64)).all():
        raise ModelError(
            f"{where}: gives a value that is not finite for some input; its constants must be finite and "
            "must not divide by zero"
        )
    rows = np.broadcast_to(rows, (len(codes[0]), first.source.count))
    return replace(first, index=index, row=key, rows=rows, origin=str(where))


def moved(where, function, value):
    """A tensor whose elements `function` has moved, as it moves those of an array."""
    index = function(value.index)
    if index.shape[:1] != (1,):
        raise ModelError(
            f"{where}: gives the shape {index.shape}, but the first axis must stay the batch, of one image; "
            "keep it (-1 or 0 in a Reshape)"
        )
    return replace(value, index=index, row=function(value.row))


def concatenated(where, values, axis):
    """One tensor of several that are functions of one source; a neuron that several of them have becomes
    several neurons.
    """
    if any(value.source is not values[0].source for value in values):
        raise ModelError(
            f"{where}: joins the branches from {' and '.join(value.origin for value in values)}, which have"
            " layers of their own; only functions of the same pixels or of the same layer can lie side by"
            " side"
        )
    source, indices = values[0].source, [value.index for value in values]
    taken = np.concatenate([index[index >= 0] for index in indices])
    if isinstance(source, Counts) and len(np.unique(taken)) < len(taken):
        indices = [np.where(index >= 0, index * len(values) + at, index) for at, index in enumerate(indices)]
        source = source.repeated(len(values))
    starts = np.cumsum([0, *(len(value.rows) for value in values)])
    index = np.concatenate(indices, axis)
    if index.shape[0] != 1:
        raise ModelError(f"{where}: must not join along axis {axis}, the batch; join along the channels")
    kind = np.result_type(*(value.rows for value in values))
    return replace(
        values[0],
        source=source,
        index=index,
        origin=str(where),
        rows=np.vstack([value.rows for value in values]).astype(kind),
        row=np.concatenate([value.row + start for value, start in zip(values, starts, strict=False)], axis),
    )


def padded(value, pads, constant):
    """A tensor with a constant around it; `pads` are pairs (before, after), one for each axis."""
    if not any(map(any, pads)):
        return value
    if min(map(min, pads)) < 0 or len(pads) != len(value.shape):
        raise ValueError(f"pads by {pads}, where no less than 0 on each of {len(value.shape)} axes are known")
    check_size([length + sum(pad) for length, pad in zip(value.shape, pads, strict=True)])
    return replace(
        value,
        index=np.pad(value.index, pads, constant_values=-1),
        row=np.pad(value.row, pads, constant_values=len(value.rows)),
        rows=np.vstack([value.rows, np.full_like(value.rows[:1], constant)]),
    )


def straight(rows, reach):
    """The lines that functions are: lowest value and step of each, or None where one is no line that goes up
    or down.

    Row `r` is looked at for the integers 0 ... `reach[r]`; where that is 0, any step will do.
    """
    rows = rows.astype(np.float64)
    reach = np.broadcast_to(reach, len(rows))
    lowest, ends = rows[:, 0], rows[np.arange(len(rows)), reach]
    steps = (ends - lowest) / np.maximum(reach, 1)
    steps[reach == 0] = steps[np.argmax(np.abs(steps))]
    k = np.arange(rows.shape[1])
    off = np.where(k <= reach[:, None], np.abs(rows - lowest[:, None] - steps[:, None] * k), 0)
    if (steps == 0).any() or (off > ROUNDING * np.abs(rows).max()).any():
        return None
    return lowest, steps
