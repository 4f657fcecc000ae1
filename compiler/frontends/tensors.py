"""Tensors whose elements are functions of an integer: the values that a frontend computes with.

The integer is a raw pixel (0 ... 255), the count of a neuron or an element of a layer's output. A tensor
stores, for each element, its value at every integer that can occur. Whatever lies between that integer and
the next quantiser (normalisation, scales, biases, clipping, in any order) is run by NumPy on all these
values, in the graph's own floating-point type. Nothing is simplified by algebra: where a tensor is used as
bits, the integer at which its function steps is the threshold.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from ...errors import ModelError
from .. import ir

__all__ = [
    "Counts",
    "Elements",
    "MakeLayer",
    "Pads",
    "Pixels",
    "Place",
    "Source",
    "Tensor",
    "Where",
    "check_size",
    "concatenate",
    "elementwise",
    "make_dense",
    "move",
    "pad",
]

#: No tensor of a network that fits an FPGA has more elements; a larger one is a mistake or an attack.
_MAX_ELEMENTS = 1 << 24

#: Padding as pairs (before, after), one for each axis.
Pads = Sequence[tuple[int, int]]


class Place(Protocol):
    """What is being read, a node of a graph or a layer: messages begin with its ``str``."""

    @property
    def name(self) -> str:
        """The layer's name in the file."""


#: Begins messages.
Where = Place | str


def check_size(shape: Iterable[int]) -> None:
    """Raise a `ValueError` for a shape that no network needs, before anything of it is allocated."""
    shape, size = tuple(map(int, shape)), 1
    for length in shape:
        size *= length
    if size > _MAX_ELEMENTS:
        raise ValueError(f"a tensor of the shape {shape} has more than {_MAX_ELEMENTS:,} elements")


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """The integers that a tensor's elements are functions of.

    Parameters
    ----------
    size : int
        Number of integers; their order is row-major with channels last.
    count : int
        Each integer is in 0 ... count - 1.
    after : str or None
        Name of the layer before the source, None for raw pixels.
    channels : int
    """

    size: int
    count: int
    after: str | None
    channels: int = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Pixels(Source):
    """Raw pixels, before any layer."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Elements(Source):
    """Output of the layer `after`: an integer is the sum of `copies` adjacent elements.

    If the integers are counts, `sums` has for each channel the weighted sum at the count 0 and its step per
    count.
    """

    copies: int = 1
    sums: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def maximum(self) -> int:
        """Maximum of one element."""
        return (self.count - 1) // self.copies

    @property
    def planes(self) -> int:
        """Bits of one element."""
        return self.maximum.bit_length()

    @property
    def most(self) -> int:
        """Maximum that the bits of `copies` elements can hold."""
        return self.copies * ((1 << self.planes) - 1)


class MakeLayer(Protocol):
    """Builds a layer with weights; all its other settings are fixed."""

    def __call__(
        self, *, weights: np.ndarray, mask: np.ndarray | None, thresholds: np.ndarray | None
    ) -> ir.Dense | ir.Conv2d:
        """The layer."""


def make_dense(name: str, planes: int) -> MakeLayer:
    """Builds an `ir.Dense`."""
    return partial(ir.Dense, name=name, planes=planes)


@dataclass(frozen=True, kw_only=True, eq=False)
class Counts(Source):
    """Agreement counts of neurons that are not yet a layer.

    Parameters
    ----------
    name : str
        Of their layer.
    weights, mask
        As in `ir.Dense` or `ir.Conv2d`.
    reach : integer array, shape (outputs,)
        Maximum count of each neuron.
    lowest, step : array, shape (outputs,)
        The weighted sum, before anything that follows, is ``lowest[o] + step[o] * count``.
    make : MakeLayer
    input_maximum : int
        Maximum of one input.
    pools : tuple of ir.MaxPool
        Pools of the counts. They come after the thresholds in the network.
    """

    name: str
    weights: np.ndarray
    mask: np.ndarray | None
    reach: np.ndarray
    lowest: np.ndarray
    step: np.ndarray
    make: MakeLayer
    input_maximum: int
    pools: tuple[ir.MaxPool, ...] = ()

    @property
    def outputs(self) -> int:
        """Number of neurons, or of channels of a convolution."""
        return len(self.weights)

    def layer(self, thresholds: np.ndarray | None) -> ir.Dense | ir.Conv2d:
        """The layer of all neurons; without thresholds it outputs counts.

        Each neuron is repeated if it has several thresholds, which are adjacent.
        """
        times = 1 if thresholds is None else len(thresholds) // self.outputs
        return self.make(
            weights=np.repeat(self.weights, times, axis=0),
            thresholds=thresholds,
            mask=None if self.mask is None else np.repeat(self.mask, times, axis=0),
        )

    def repeat(self, times: int) -> "Counts":
        """The same neurons, each `times` times, adjacent."""
        return replace(
            self,
            size=self.size * times,
            channels=self.channels * times,
            weights=np.repeat(self.weights, times, axis=0),
            reach=np.repeat(self.reach, times, axis=0),
            lowest=np.repeat(self.lowest, times, axis=0),
            step=np.repeat(self.step, times, axis=0),
            mask=None if self.mask is None else np.repeat(self.mask, times, axis=0),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Tensor:
    """Element e has the value ``rows[row[e], k]`` where k is the integer ``index[e]`` of the source.

    Parameters
    ----------
    source : Source
    index, row : integer array of the tensor's shape
        An index of -1 has no source: the element is the constant ``rows[row[e], 0]`` (padding).
    rows : array, shape (distinct functions, source.count)
    origin : str
        What computed the tensor, for messages.
    """

    source: Source
    index: np.ndarray
    row: np.ndarray
    rows: np.ndarray
    origin: str

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape in the graph, the batch of 1 first."""
        return self.index.shape

    @property
    def inside(self) -> np.ndarray:
        """Which elements depend on the source, of the tensor's shape."""
        return self.index >= 0

    @property
    def used_rows(self) -> np.ndarray:
        """The functions of elements that depend on the source."""
        return self.rows[np.unique(self.row[self.inside])]

    @property
    def padding_values(self) -> np.ndarray:
        """The different values of padding."""
        return np.unique(self.rows[self.row[~self.inside], 0])


def elementwise(
    where: Where, function: Callable[..., ArrayLike], operands: Sequence[Tensor | ArrayLike]
) -> Tensor:
    """Apply `function` to every combination of values that the operands can have.

    At least one operand is a tensor of functions; all of these must be functions of the same integers.
    """
    varying = [operand for operand in operands if isinstance(operand, Tensor)]
    shape = np.broadcast_shapes(
        *(operand.shape if isinstance(operand, Tensor) else np.shape(operand) for operand in operands)
    )
    check_size(shape)
    first = varying[0]
    index = np.broadcast_to(first.index, shape)
    for other in varying[1:]:
        if other.source is not first.source or not np.array_equal(np.broadcast_to(other.index, shape), index):
            raise ModelError(
                f"{where}: joins the branches from {first.origin} and {other.origin}; branches can only be"
                " added, element by element, where a shortcut ends"
            )
    # Elements with equal functions and equal constants have equal results, which are computed once.
    tables: list[np.ndarray] = []
    codes: list[np.ndarray] = []
    key = np.zeros(shape, np.int64)
    for operand in operands:
        if isinstance(operand, Tensor):
            table, code = operand.rows, operand.row
        else:
            table, code = np.unique(np.asarray(operand), return_inverse=True)
            table, code = table[:, None], code.reshape(np.shape(operand))
        combined, key = np.unique(key * len(table) + code, return_inverse=True)
        key = key.reshape(shape)
        codes = [each[combined // len(table)] for each in codes] + [combined % len(table)]
        tables.append(table)
    check_size((len(codes[0]), first.source.count))
    rows = np.asarray(function(*(table[code] for table, code in zip(tables, codes, strict=True))))
    if not np.isfinite(rows.astype(np.float64)).all():
        raise ModelError(
            f"{where}: its result must be finite for every input, but is infinite or NaN for some; check its"
            " constants, and that it never divides by zero"
        )
    rows = np.broadcast_to(rows, (len(codes[0]), first.source.count))
    return replace(first, index=index, row=key, rows=rows, origin=str(where))


def move(where: Where, function: Callable[[np.ndarray], np.ndarray], value: Tensor) -> Tensor:
    """The tensor with its elements moved as `function` moves the elements of an array."""
    index = function(value.index)
    if index.shape[:1] != (1,):
        raise ModelError(
            f"{where}: the first axis must stay the batch, of one image, but the result has the shape"
            f" {index.shape}; preserve that axis (-1 or 0 in a Reshape)"
        )
    return replace(value, index=index, row=function(value.row))


def concatenate(where: Where, values: Sequence[Tensor], axis: int) -> Tensor:
    """One tensor of several functions of the same source.

    A neuron that several tensors depend on becomes several neurons.
    """
    if any(value.source is not values[0].source for value in values):
        raise ModelError(
            f"{where}: joins the branches from {' and '.join(value.origin for value in values)}, which have"
            " layers of their own; only functions of the same pixels or of the same layer can be concatenated"
        )
    source, indices = values[0].source, [value.index for value in values]
    taken = np.concatenate([index[index >= 0] for index in indices])
    if isinstance(source, Counts) and len(np.unique(taken)) < len(taken):
        indices = [
            np.where(index >= 0, index * len(values) + number, index) for number, index in enumerate(indices)
        ]
        source = source.repeat(len(values))
    starts = np.cumsum([0, *(len(value.rows) for value in values)])
    index = np.concatenate(indices, axis)
    if index.shape[0] != 1:
        raise ModelError(f"{where}: must not concatenate along axis {axis}, the batch; use the channel axis")
    kind = np.result_type(*(value.rows for value in values))
    return replace(
        values[0],
        source=source,
        index=index,
        origin=str(where),
        rows=np.vstack([value.rows for value in values]).astype(kind),
        row=np.concatenate([value.row + start for value, start in zip(values, starts, strict=False)], axis),
    )


def pad(value: Tensor, pads: Pads, constant: float) -> Tensor:
    """The tensor with a constant around it."""
    if not any(map(any, pads)):
        return value
    if min(map(min, pads)) < 0 or len(pads) != len(value.shape):
        raise ValueError(f"must have pads of at least 0 on each of {len(value.shape)} axes, not {pads}")
    check_size([length + sum(both) for length, both in zip(value.shape, pads, strict=True)])
    return replace(
        value,
        index=np.pad(value.index, pads, constant_values=-1),
        row=np.pad(value.row, pads, constant_values=len(value.rows)),
        rows=np.vstack([value.rows, np.full_like(value.rows[:1], constant)]),
    )
