"""The integer network: what is computed, exactly, and nothing about how.

``docs/semantics.md`` defines every layer and `sbgen.compiler.reference` computes it. A bit 1 stands for +1
and a bit 0 for -1. A neuron is on when the number of agreeing inputs reaches its threshold, a tie included
(sign(0) = +1). Between layers there are bits or, after some layers, integers from 0 to a maximum that follows
from the layers before.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TypeGuard

import numpy as np

from ..errors import ModelError
from .pixel_type import UINT8, PixelType

__all__ = [
    "DECISIONS",
    "MAX_OFFSET",
    "MAX_PLANES",
    "PIXEL_BITS",
    "PIXEL_LEVELS",
    "Add",
    "Binarize",
    "Conv2d",
    "Dense",
    "Fork",
    "Layer",
    "Lookup",
    "MaxPool",
    "Network",
    "Padding",
    "Scores",
    "Shape",
    "Signal",
    "SumPool",
    "Switch",
    "Threshold",
    "Weighted",
    "has_weights",
]

#: Number of values a raw pixel can take (uint8).
PIXEL_LEVELS = 256

#: Bits of a raw pixel.
PIXEL_BITS = 8

#: Maximum number of bits of an element that a layer with weights takes.
MAX_PLANES = 16

#: What scores mean: the class is the first maximum, or each score is a bit of its own, on if it is not
#: negative.
DECISIONS = ("argmax", "sign")

#: Maximum magnitude of a score, so that it fits the host link's words.
_MAX_SCORE = 2**31 - 1

#: Maximum magnitude of the offset or scale of a class.
MAX_OFFSET = 2**30

#: Shape of an image or a vector.
Shape = tuple[int, ...]

#: Rows above and below an image, columns left and right of it.
Padding = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True, kw_only=True)
class Signal:
    """What is between two layers.

    Parameters
    ----------
    shape : tuple of int
    maximum : int
        Maximum element: 1 for bits, 0 after the scores, which are signed.
    shortcuts : mapping of str to Signal
        What each `Fork` and `Switch` has stored that no later layer has taken so far, by its name.
    """

    shape: Shape
    maximum: int
    shortcuts: Mapping[str, "Signal"] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Layer:
    name: str

    def __post_init__(self) -> None:
        # Arrays become read-only copies, so that networks can share a layer.
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, np.ndarray):
                value = np.ascontiguousarray(value).copy()
                value.setflags(write=False)
                object.__setattr__(self, each.name, value)
        self._check()

    def _check(self) -> None:
        raise NotImplementedError

    @property
    def kind(self) -> str:
        """The name of the kind in files and reports."""
        return type(self).__name__.lower()

    @property
    def weight_bits(self) -> int:
        """Bits of all weights; 0 for a layer without."""
        return 0

    def after(self, signal: Signal) -> Signal:
        """What the layer outputs for an input; a `ModelError` if it does not take that input."""
        shape = self.output_shape(signal.shape)
        return Signal(shape=shape, maximum=self.output_maximum(signal.maximum), shortcuts=signal.shortcuts)

    def output_maximum(self, maximum: int) -> int:
        """Maximum element of the output for an input with elements of 0 ... `maximum`; a `ModelError` if the
        layer does not take such an input. Here, of layers that pass elements on, the same."""
        return maximum

    def output_shape(self, input_shape: Shape) -> Shape:
        """Shape of the output for an input of that shape; a `ModelError` if the layer does not take it."""
        raise NotImplementedError

    def _require_pixels(self, maximum: int) -> None:
        self._require(
            maximum == PIXEL_LEVELS - 1, f"takes raw pixels, but elements of 0 ... {maximum} come before it"
        )

    def _require_inputs(self, inputs: int, input_shape: Shape) -> None:
        size = int(np.prod(input_shape))
        self._require(
            size == inputs, f"takes {inputs} inputs, but the shape {input_shape} before it has {size}"
        )

    def _require(self, holds: bool, what: str) -> None:
        if not holds:
            raise ModelError(f"layer {self.name!r}: {what}")

    def _check_integers(
        self, what: str, array: np.ndarray, shape: tuple[int | None, ...], low: int, high: int
    ) -> None:
        self._require(
            isinstance(array, np.ndarray) and np.issubdtype(array.dtype, np.integer),
            f"{what} must be an array of integers, not {getattr(array, 'dtype', type(array))!s}",
        )
        self._require(
            len(array.shape) == len(shape)
            and all(want is None or got == want for got, want in zip(array.shape, shape, strict=True)),
            f"{what} must have the shape {shape}, not {array.shape}",
        )
        self._require(0 not in array.shape, f"{what} must not be empty, but its shape is {array.shape}")
        if (array.min() < low) or (array.max() > high):
            worst = array.min() if array.min() < low else array.max()
            self._require(False, f"{what} must be in {low} ... {high}, not {worst}")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and all(
            np.array_equal(getattr(self, each.name), getattr(other, each.name)) for each in fields(self)
        )

    __hash__ = None  # type: ignore[assignment]  # arrays have no hash, as a mutable dataclass has none


@dataclass(frozen=True, kw_only=True, eq=False)
class Binarize(_Layer):
    """Raw pixels to bits: bit ``i * levels + l`` is ``pixel[i] >= thresholds[i, l]``.

    Parameters
    ----------
    thresholds : integer array, shape (inputs, levels), values 0 ... 256
        0 is always on, 256 never. Several levels a pixel make thermometer bits.
    """

    thresholds: np.ndarray

    def _check(self) -> None:
        self._check_integers("thresholds", self.thresholds, (None, None), 0, PIXEL_LEVELS)

    @property
    def inputs(self) -> int:
        """Pixels of an image."""
        return self.thresholds.shape[0]

    @property
    def levels(self) -> int:
        """Bits of a pixel."""
        return self.thresholds.shape[1]

    @cached_property
    def pixel_levels(self) -> tuple[tuple[int, ...], ...]:
        """The thresholds of each pixel. For a large image they take a tenth of a second to convert."""
        return tuple(map(tuple, self.thresholds.tolist()))

    @property
    def outputs(self) -> int:
        """Bits of an image."""
        return self.inputs * self.levels

    def output_maximum(self, maximum: int) -> int:
        self._require_pixels(maximum)
        return 1

    def output_shape(self, input_shape: Shape) -> Shape:
        self._require_inputs(self.inputs, input_shape)
        if len(input_shape) == 1:
            return (self.outputs,)
        height, width, *channels = input_shape
        return height, width, int(np.prod(channels)) * self.levels


@dataclass(frozen=True, kw_only=True, eq=False)
class Lookup(_Layer):
    """Raw pixels to other numbers, all alike: element ``i`` is ``table[pixel[i]]``.

    Parameters
    ----------
    table : integer array, shape (256,), values 0 ... 255
        The greatest of them is at least 1, and that of the output.
    """

    table: np.ndarray

    def _check(self) -> None:
        self._check_integers("table", self.table, (PIXEL_LEVELS,), 0, PIXEL_LEVELS - 1)
        self._require(self.table.max() > 0, "table must not be all 0")

    def output_maximum(self, maximum: int) -> int:
        self._require_pixels(maximum)
        return int(self.table.max())

    def output_shape(self, input_shape: Shape) -> Shape:
        return input_shape if len(input_shape) == 1 else (*input_shape[:2], int(np.prod(input_shape[2:])))


class _Weighted(_Layer):
    weights: np.ndarray
    planes: int
    mask: np.ndarray | None
    groups = 1

    @property
    def inputs(self) -> int:
        """Inputs of one neuron."""
        return self.weights[0].size

    @property
    def outputs(self) -> int:
        """Neurons, of a convolution those of one position."""
        return self.weights.shape[0]

    @property
    def fan_in(self) -> int:
        """Maximum number of inputs that a neuron is connected to: all, but those with a weight of 0."""
        return self.inputs if self.mask is None else int(self.mask.reshape(self.outputs, -1).sum(1).max())

    @property
    def connections(self) -> int:
        """Weights of all neurons that are not 0."""
        return self.weights.size if self.mask is None else int(self.mask.sum())

    @property
    def reach(self) -> int:
        """Maximum count of a neuron: its inputs, each worth the maximum number that its bits can hold."""
        return self.inputs * ((1 << self.planes) - 1)

    @property
    def weight_bits(self) -> int:
        return self.weights.size * (1 if self.mask is None else 2)

    def _check_weights(self, dimensions: int) -> None:
        self._require(
            1 <= self.planes <= MAX_PLANES, f"planes must be 1 ... {MAX_PLANES}, not {self.planes!r}"
        )
        self._check_integers("weights", self.weights, (None,) * dimensions, 0, 1)
        if self.mask is not None:
            self._check_integers("mask", self.mask, self.weights.shape, 0, 1)

    def _require_planes(self, maximum: int) -> None:
        self._require(
            maximum.bit_length() == self.planes,
            f"planes must be {maximum.bit_length()}, the bits of an element of 0 ... {maximum} before it, "
            f"not {self.planes}",
        )


class _Neurons(_Weighted):
    """A layer of neurons with thresholds, or whose counts go to the next layer."""

    thresholds: np.ndarray | None

    def _check_thresholds(self) -> None:
        if self.thresholds is not None:
            self._check_integers("thresholds", self.thresholds, (self.outputs,), 0, self.reach + 1)

    def output_maximum(self, maximum: int) -> int:
        self._require_planes(maximum)
        return self.reach if self.thresholds is None else 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Dense(_Neurons):
    """Binary or ternary neurons: output bit ``o`` is ``popcount(mask[o] & xnor(weights[o], x)) >=
    thresholds[o]``.

    Parameters
    ----------
    weights : integer array, shape (outputs, inputs), values 0 and 1
    thresholds : integer array, shape (outputs,), values 0 ... reach + 1, or None
        0 is always on, reach + 1 never. With None the outputs are the counts themselves.
    planes : int
        Bits of an input: 1, or those of the integers before the layer, 8 for raw pixels. The bits of an
        input are compared with the same weight and count by their place: an input x adds x where its
        weight is 1, and 2**planes - 1 - x where it is 0.
    mask : integer array of the shape of `weights`, values 0 and 1, or None
        Ternary weights: where the mask is 0, the weight is 0 and its input never counts. None is all ones.
    """

    weights: np.ndarray
    thresholds: np.ndarray | None
    planes: int = 1
    mask: np.ndarray | None = None

    def _check(self) -> None:
        self._check_weights(2)
        self._check_thresholds()

    def output_shape(self, input_shape: Shape) -> Shape:
        self._require_inputs(self.inputs, input_shape)
        return (self.outputs,)


class _Windowed(_Layer):
    """A layer whose kernel moves over an image of shape (height, width, channels)."""

    stride: tuple[int, int]

    def _check_window(self, kernel: tuple[int, int], padding: Padding) -> None:
        self._require(
            len(self.stride) == 2 and min(self.stride) >= 1,
            f"stride must be two numbers of at least 1, not {self.stride!r}",
        )
        for size, (before, after) in zip(kernel, padding, strict=True):
            self._require(
                0 <= before < size and 0 <= after < size,
                f"padding must be less than the kernel of {size}, not {before!r} and {after!r}",
            )

    def _moved(self, input_shape: Shape, kernel: tuple[int, int], padding: Padding) -> tuple[int, int]:
        """Rows and columns of positions of the kernel."""
        self._require(
            len(input_shape) == 3, f"takes an image (height, width, channels), not the shape {input_shape}"
        )
        sizes = [
            size + before + after for size, (before, after) in zip(input_shape[:2], padding, strict=True)
        ]
        self._require(
            all(size >= window for size, window in zip(sizes, kernel, strict=True)),
            f"its kernel {kernel} must fit the padded image of {sizes[0]} x {sizes[1]}",
        )
        down, across = (
            (size - window) // step + 1 for size, window, step in zip(sizes, kernel, self.stride, strict=True)
        )
        return down, across


@dataclass(frozen=True, kw_only=True, eq=False)
class Conv2d(_Windowed, _Neurons):
    """Binary convolution: at each position, `Dense` on the bits under the kernel.

    Parameters
    ----------
    weights : integer array, shape (outputs, kernel rows, kernel columns, channels / groups), values 0 and 1
    thresholds : integer array, shape (outputs,), values 0 ... reach + 1, or None
        As in `Dense`.
    stride : pair of int
        Rows and columns that the kernel moves by.
    padding : pair of pairs of int
        Rows above and below the image, columns left and right of it.
    padding_bit : int
        Their value, 0 (for -1) or 1 (for +1), in every plane.
    groups : int
        The channels and the outputs are split evenly; each part of the outputs sees one part of the channels.
    planes, mask
        As in `Dense`.
    """

    weights: np.ndarray
    thresholds: np.ndarray | None
    stride: tuple[int, int] = (1, 1)
    padding: Padding = ((0, 0), (0, 0))
    padding_bit: int = 0
    groups: int = 1
    planes: int = 1
    mask: np.ndarray | None = None

    def _check(self) -> None:
        self._check_weights(4)
        self._check_thresholds()
        self._check_window(self.kernel, self.padding)
        self._require(self.padding_bit in (0, 1), f"padding_bit must be 0 or 1, not {self.padding_bit!r}")
        self._require(
            self.groups >= 1 and self.outputs % self.groups == 0,
            f"groups must divide the {self.outputs} outputs, not {self.groups!r}",
        )

    @property
    def kernel(self) -> tuple[int, int]:
        """Rows and columns."""
        _, rows, columns, _ = self.weights.shape
        return rows, columns

    @property
    def group_channels(self) -> int:
        """Channels of the input that a group sees."""
        return self.weights.shape[3]

    @property
    def channels(self) -> int:
        """Channels of the input."""
        return self.group_channels * self.groups

    def output_shape(self, input_shape: Shape) -> Shape:
        positions = self._moved(input_shape, self.kernel, self.padding)
        self._require(
            input_shape[2] == self.channels,
            f"takes {self.channels} channels, but the image before it has {input_shape[2]}",
        )
        return (*positions, self.outputs)


class _Pool(_Windowed):
    kernel: tuple[int, int]
    padding: Padding = ((0, 0), (0, 0))

    def _check(self) -> None:
        self._require(
            len(self.kernel) == 2 and min(self.kernel) >= 1,
            f"kernel must be two numbers of at least 1, not {self.kernel!r}",
        )
        self._check_window(self.kernel, self.padding)

    @property
    def overlaps(self) -> bool:
        """Whether a pixel can be under several positions of the kernel."""
        return any(step < size for step, size in zip(self.stride, self.kernel, strict=True))

    def output_shape(self, input_shape: Shape) -> Shape:
        return (*self._moved(input_shape, self.kernel, self.padding), input_shape[2])


@dataclass(frozen=True, kw_only=True, eq=False)
class MaxPool(_Pool):
    """The maximum of the elements under a kernel, for each channel; a bit is on if any of them is.

    Parameters
    ----------
    kernel, stride : pair of int
        Rows and columns.
    padding : pair of pairs of int
        Rows above and below the image, columns left and right of it. They are 0 and never decide.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: Padding = ((0, 0), (0, 0))


@dataclass(frozen=True, kw_only=True, eq=False)
class SumPool(_Pool):
    """The sum of the elements under a kernel, for each channel: average pooling without the division.

    Of bits it is the number that are on.

    Parameters
    ----------
    kernel, stride : pair of int
        Rows and columns; a kernel of the whole image is global pooling.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]

    def output_maximum(self, maximum: int) -> int:
        return self.kernel[0] * self.kernel[1] * maximum


class _Elementwise(_Layer):
    def _check(self) -> None:
        pass

    def output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)


@dataclass(frozen=True, kw_only=True, eq=False)
class Threshold(_Elementwise):
    """Integers to bits, for each channel (the last axis): ``(x >= thresholds[c]) xor inverted[c]``. With
    several thresholds per channel, integers to the number of them that x reaches, or does not if inverted.

    Parameters
    ----------
    thresholds : integer array, shape (channels,) or (channels, levels), values 0 ... maximum + 1
        Several levels, at least 2 and at most 255, do not fall.
    inverted : integer array, shape (channels,), values 0 and 1
        A row of weights can be complemented, but not a sum that several layers take.
    """

    thresholds: np.ndarray
    inverted: np.ndarray

    def _check(self) -> None:
        self._check_integers("thresholds", self.thresholds, (None,) * max(1, self.thresholds.ndim), 0, 2**31)
        self._require(
            self.thresholds.ndim == 1 or self.thresholds.ndim == 2 and 2 <= self.levels < PIXEL_LEVELS,
            f"thresholds must have the shape (channels,) or (channels, 2 ... {PIXEL_LEVELS - 1}), not"
            f" {self.thresholds.shape}",
        )
        self._require(bool((np.diff(self.steps, axis=1) >= 0).all()), "thresholds of a channel must not fall")
        self._check_integers("inverted", self.inverted, self.thresholds.shape[:1], 0, 1)

    @property
    def levels(self) -> int:
        """Thresholds of a channel: the maximum of the output."""
        return self.steps.shape[1]

    @property
    def steps(self) -> np.ndarray:
        """The thresholds, shape (channels, levels), also of one level."""
        return self.thresholds.reshape(len(self.thresholds), -1)

    def output_maximum(self, maximum: int) -> int:
        self._require(
            int(self.thresholds.max()) <= maximum + 1,
            f"thresholds must be in 0 ... {maximum + 1}, not {self.thresholds.max()}",
        )
        return self.levels

    def output_shape(self, input_shape: Shape) -> Shape:
        self._require(
            input_shape[-1] == len(self.thresholds),
            f"takes {len(self.thresholds)} channels, but the shape {tuple(input_shape)} before it has "
            f"{input_shape[-1]}",
        )
        return tuple(input_shape)


@dataclass(frozen=True, kw_only=True, eq=False)
class Fork(_Elementwise):
    """Where a shortcut begins: outputs its input, and stores it for the `Add` or `Switch` that names it."""

    def after(self, signal: Signal) -> Signal:
        return Signal(
            shape=signal.shape, maximum=signal.maximum, shortcuts={**signal.shortcuts, self.name: signal}
        )


class _Taking(_Elementwise):
    """A layer that takes what an earlier one stored; `fork` is the name of that."""

    fork: str

    def _stored(self, signal: Signal) -> Signal:
        """What it takes."""
        stored = signal.shortcuts.get(self.fork)
        if stored is None:
            raise ModelError(
                f"layer {self.name!r}: its fork must be before it and be taken by no other layer; there is"
                f" no such {self.fork!r}"
            )
        return stored

    def _others(self, signal: Signal) -> dict[str, Signal]:
        """What is still stored after it."""
        return {name: value for name, value in signal.shortcuts.items() if name != self.fork}


@dataclass(frozen=True, kw_only=True, eq=False)
class Switch(_Taking):
    """Where the layers of a shortcut end: outputs what the `Fork` stored, and stores its own input for the
    `Add` that names it.

    So both sides of a sum have layers: ``Fork f, one side, Switch s of f, other side, Add of s``. Other
    shortcuts that begin or end on the first side do both.

    Parameters
    ----------
    fork : str
        Name of the `Fork`.
    """

    fork: str

    def output_shape(self, input_shape: Shape) -> Shape:
        raise NotImplementedError("what the Fork stored has a shape of its own: see `after`")

    def after(self, signal: Signal) -> Signal:
        stored, others = self._stored(signal), self._others(signal)
        self._require(
            set(others) == set(stored.shortcuts),
            f"every shortcut that begins or ends between the Fork {self.fork!r} and its Switch must do both;"
            f" not so {', '.join(sorted(map(repr, set(others) ^ set(stored.shortcuts))))}",
        )
        return Signal(shape=stored.shape, maximum=stored.maximum, shortcuts={**others, self.name: signal})


@dataclass(frozen=True, kw_only=True, eq=False)
class Add(_Taking):
    """Where a shortcut ends: ``x + scale * stored``, element by element, with what was stored.

    Parameters
    ----------
    fork : str
        Name of the `Fork` or `Switch`; each has one `Add`.
    scale : int, at least 1
    """

    fork: str
    scale: int = 1

    def _check(self) -> None:
        self._require(
            type(self.scale) is int and 1 <= self.scale <= 2**16,
            f"scale must be in 1 ... {2**16}, not {self.scale!r}",
        )

    def after(self, signal: Signal) -> Signal:
        stored = self._stored(signal)
        self._require(
            stored.shape == signal.shape,
            f"the shapes of a sum must be equal, but {signal.shape} meets {stored.shape} from {self.fork!r}",
        )
        return Signal(
            shape=signal.shape,
            maximum=signal.maximum + self.scale * stored.maximum,
            shortcuts=self._others(signal),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores(_Weighted):
    """The last layer: ``score[o] = scales[o] * count[o] + offsets[o]``, the count as in `Dense`.

    Parameters
    ----------
    weights : integer array, shape (outputs, inputs), values 0 and 1
    offsets : integer array, shape (outputs,)
    planes, mask
        As in `Dense`.
    scales : integer array, shape (outputs,), or None
        None is all ones. No score may leave 32 bits, so that it always fits the host link's words.
    """

    weights: np.ndarray
    offsets: np.ndarray
    planes: int = 1
    mask: np.ndarray | None = None
    scales: np.ndarray | None = None

    def _check(self) -> None:
        self._check_weights(2)
        self._check_integers("offsets", self.offsets, (self.outputs,), -MAX_OFFSET, MAX_OFFSET)
        if self.scales is not None:
            self._check_integers("scales", self.scales, (self.outputs,), -MAX_OFFSET, MAX_OFFSET)
        low, high = self.score_range
        self._require(
            -_MAX_SCORE <= low and high <= _MAX_SCORE,
            f"scores must stay within 32 bits, but reach {low} ... {high}",
        )

    def output_shape(self, input_shape: Shape) -> Shape:
        self._require_inputs(self.inputs, input_shape)
        return (self.outputs,)

    def output_maximum(self, maximum: int) -> int:
        self._require_planes(maximum)
        return 0  # scores are signed, and nothing follows them

    @property
    def score_range(self) -> tuple[int, int]:
        """Minimum and maximum score that any input can reach."""
        offsets = self.offsets.astype(object)
        ends = self.reach * (np.ones_like(offsets) if self.scales is None else self.scales.astype(object))
        return int((offsets + np.minimum(ends, 0)).min()), int((offsets + np.maximum(ends, 0)).max())


#: Every kind of layer.
Layer = Add | Binarize | Conv2d | Dense | Fork | Lookup | MaxPool | Scores | SumPool | Switch | Threshold

#: The kinds with weights.
Weighted = Conv2d | Dense | Scores


def has_weights(layer: Layer) -> TypeGuard[Weighted]:
    """Whether a layer has weights."""
    return layer.weight_bits > 0


@dataclass(frozen=True, kw_only=True)
class Network:
    """A chain of layers from raw pixels to scores: one `Binarize`, any number of others, one `Scores`.

    Instead of `Binarize`, a first `Conv2d` or `Dense` of 8 planes may take the pixels themselves, or the
    outputs of a `Lookup`. Images between layers have the shape (height, width, channels), row-major; a
    `Dense` or `Scores` layer takes an input of any shape as one vector in that order. A shortcut leaves the
    chain at a `Fork` and comes back at its `Add`; with layers of its own, it is the chain up to its `Switch`,
    and what it passes by comes after.

    Parameters
    ----------
    name : str
    image_shape : tuple of int
        Shape of one uint8 image; pixels enter in row-major (C) order.
    layers : tuple of `Layer`
    labels : tuple of str
        A name for each class. One output that decides by its sign has two, first that of a negative score;
        several outputs that decide by their signs have a name each.
    pixel_type : PixelType
        The values that the bytes of an image stand for. It changes no score: layers take the bytes.
    decision : str
        One of `DECISIONS`: what the scores mean (``docs/semantics.md``). One output can only decide by its
        sign.
    """

    name: str
    image_shape: Shape
    layers: tuple[Layer, ...]
    labels: tuple[str, ...]
    pixel_type: PixelType = UINT8
    decision: str = "argmax"

    def __post_init__(self) -> None:
        self._check_order()
        signals = [Signal(shape=tuple(self.image_shape), maximum=PIXEL_LEVELS - 1)]
        for layer in self.layers:
            signals.append(layer.after(signals[-1]))
        for fork in signals[-1].shortcuts:
            raise ModelError(f"layer {fork!r}: a Fork needs an Add after it that names it, and so a Switch")
        object.__setattr__(self, "signals", tuple(signals))
        self._check_decision()

    #: The image, then each layer's output.
    signals: tuple[Signal, ...] = field(init=False, repr=False, compare=False, default=())

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """Shape of the image, then of each layer's output."""
        return tuple(signal.shape for signal in self.signals)

    @cached_property
    def maxima(self) -> tuple[int, ...]:
        """Maximum element of the image, then of each layer's output: 1 for bits. The last, of the signed
        scores, is 0.
        """
        return tuple(signal.maximum for signal in self.signals)

    def _check_order(self) -> None:
        kinds = [type(layer) for layer in self.layers]
        if (
            len(kinds) < 2
            or kinds[0] not in (Binarize, Conv2d, Dense, Lookup)
            or kinds[-1] is not Scores
            or set(kinds[1:-1]) & {Binarize, Lookup, Scores}
        ):
            raise ModelError(
                "a network must be Binarize, any number of other layers, Scores; found "
                + (", ".join(kind.__name__ for kind in kinds) or "no layers")
            )
        names = [layer.name for layer in self.layers]
        if len(set(names)) != len(names):
            raise ModelError(f"layer names must differ, found {', '.join(names)}")
        switches = {layer.name: layer for layer in self.layers if isinstance(layer, Switch)}
        for name, switch in switches.items():
            if switch.fork in switches:
                raise ModelError(f"layer {name!r}: must name a Fork, not the Switch {switch.fork!r}")

    def _check_decision(self) -> None:
        if self.decision not in DECISIONS:
            raise ModelError(f"decision must be one of {', '.join(DECISIONS)}, not {self.decision!r}")
        if self.outputs == 1 and self.decision == "argmax":
            raise ModelError(
                'a network of one output must decide by its sign (decision "sign"), not by argmax, which'
                " would always be class 0"
            )
        if len(self.labels) != self.classes:
            raise ModelError(
                f"{self.outputs} outputs that decide by {self.decision} need {self.classes} labels, not"
                f" {len(self.labels)}"
            )

    @property
    def pixels(self) -> int:
        """Values of an image, of all channels."""
        return int(np.prod(self.image_shape))

    @property
    def scores(self) -> Scores:
        """The last layer."""
        layer = self.layers[-1]
        assert isinstance(layer, Scores)
        return layer

    @property
    def outputs(self) -> int:
        """Scores per image."""
        return self.scores.outputs

    @property
    def classes(self) -> int:
        """Things with a label: the outputs, or the two classes of one output that decides by its sign."""
        return 2 if self.decision == "sign" and self.outputs == 1 else self.outputs

    @property
    def multi_label(self) -> bool:
        """Whether an image has a bit per output instead of one class."""
        return self.decision == "sign" and self.outputs > 1

    @property
    def weight_bits(self) -> int:
        """Bits of all weights."""
        return sum(layer.weight_bits for layer in self.layers)

    @property
    def shortcuts(self) -> tuple[tuple[int, int], ...]:
        """Places where something is stored, by a `Fork` or `Switch`, and where it is taken, by an `Add` or
        `Switch`; in the order of the former.
        """
        ends = {layer.fork: n for n, layer in enumerate(self.layers) if isinstance(layer, Add | Switch)}
        return tuple((n, ends[layer.name]) for n, layer in enumerate(self.layers) if layer.name in ends)

    @property
    def switches(self) -> dict[int, int]:
        """The place of the `Fork` of each `Switch`, by its place."""
        ends = (self.layers[end] for _, end in self.shortcuts)
        return {
            end: start
            for (start, end), layer in zip(self.shortcuts, ends, strict=True)
            if isinstance(layer, Switch)
        }
