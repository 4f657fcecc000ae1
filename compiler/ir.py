"""The integer network: what is to be computed, exactly, and nothing about how.

The meaning of every layer is written in ``docs/semantics.md`` and computed by `sbgen.compiler.reference`. A
bit 1 stands for +1 and a bit 0 for -1; a neuron is on when the number of agreeing inputs reaches its
threshold, a tie included (sign(0) = +1). Between layers there are bits or, where a layer says so, integers
from 0 to a greatest value that follows from the layers before.
"""

from dataclasses import dataclass, field, fields

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
    "Scores",
    "SumPool",
    "Threshold",
]

#: Number of values a raw pixel can take (uint8).
PIXEL_LEVELS = 256

#: Bits of a raw pixel.
PIXEL_BITS = 8

#: Most bits of an element that a layer with weights takes.
MAX_PLANES = 16

#: What scores can mean: the class is the first maximum, or each score is a bit of its own, on where it is not
#: negative.
DECISIONS = ("argmax", "sign")

#: No score leaves this range, so that it always fits the host link's words.
_MAX_SCORE = 2**31 - 1

#: Greatest magnitude of the offset or scale of a class.
MAX_OFFSET = 2**30


@dataclass(frozen=True, kw_only=True, eq=False)
class _Layer:
    name: str

    def __post_init__(self):
        # Arrays become read-only copies, so that a layer can be shared between networks without fear.
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, np.ndarray):
                value = np.ascontiguousarray(value).copy()
                value.setflags(write=False)
                object.__setattr__(self, each.name, value)
        self._check()

    def _check(self):
        raise NotImplementedError

    def output_greatest(self, greatest):
        """The greatest element of the output where that of the input is `greatest` (1: bits); a `ModelError`
        when the layer does not take such an input."""
        self._require(greatest == 1, f"takes bits, but elements of 0 ... {greatest} come before it")
        return 1

    def output_shape(self, input_shape):
        """Shape of the output for an input of that shape; a `ModelError` when the layer does not take it."""
        size = int(np.prod(input_shape))
        self._require(
            size == self.inputs,
            f"takes {self.inputs} inputs, but the shape {input_shape} before it has {size}",
        )
        return (self.outputs,)

    def _require(self, holds, what):
        if not holds:
            raise ModelError(f"layer {self.name!r}: {what}")

    def _check_integers(self, what, array, shape, low, high):
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

    def __eq__(self, other):
        return type(self) is type(other) and all(
            np.array_equal(getattr(self, each.name), getattr(other, each.name)) for each in fields(self)
        )

    __hash__ = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Binarize(_Layer):
    """Raw pixels to bits: bit ``i * levels + l`` is ``pixel[i] >= thresholds[i, l]``.

    Parameters
    ----------
    thresholds : integer array, shape (inputs, levels), values 0 ... 256
        0 is always on, 256 never. Several levels a pixel make thermometer bits.
    """

    thresholds: np.ndarray

    def _check(self):
        self._check_integers("thresholds", self.thresholds, (None, None), 0, PIXEL_LEVELS)

    @property
    def inputs(self):
        return self.thresholds.shape[0]

    @property
    def levels(self):
        return self.thresholds.shape[1]

    @property
    def outputs(self):
        return self.inputs * self.levels

    @property
    def weight_bits(self):
        return 0

    def output_greatest(self, greatest):
        self._require(
            greatest == PIXEL_LEVELS - 1, f"takes raw pixels, but elements of 0 ... {greatest} come before it"
        )
        return 1

    def output_shape(self, input_shape):
        super().output_shape(input_shape)
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
    weight_bits = 0

    def _check(self):
        self._check_integers("table", self.table, (PIXEL_LEVELS,), 0, PIXEL_LEVELS - 1)
        self._require(self.table.max() > 0, "table must not be all 0")

    def output_greatest(self, greatest):
        self._require(
            greatest == PIXEL_LEVELS - 1, f"takes raw pixels, but elements of 0 ... {greatest} come before it"
        )
        return int(self.table.max())

    def output_shape(self, input_shape):
        return input_shape if len(input_shape) == 1 else (*input_shape[:2], int(np.prod(input_shape[2:])))


class _Weighted(_Layer):
    @property
    def inputs(self):
        """Inputs of one neuron."""
        return self.weights[0].size

    @property
    def reach(self):
        """The greatest count of a neuron: its inputs, each worth the greatest number that its bits can hold."""
        return self.inputs * ((1 << self.planes) - 1)

    def _check_weights(self, dimensions):
        self._require(
            1 <= self.planes <= MAX_PLANES, f"planes must be 1 ... {MAX_PLANES}, not {self.planes!r}"
        )
        self._check_integers("weights", self.weights, (None,) * dimensions, 0, 1)
        if self.mask is not None:
            self._check_integers("mask", self.mask, self.weights.shape, 0, 1)

    def _check_thresholds(self):
        if self.thresholds is not None:
            self._check_integers("thresholds", self.thresholds, (self.outputs,), 0, self.reach + 1)

    def output_greatest(self, greatest):
        self._require(
            greatest.bit_length() == self.planes,
            f"planes must be {greatest.bit_length()}, the bits of an element of 0 ... {greatest} before it, "
            f"not {self.planes}",
        )
        return self.reach if self.thresholds is None else 1

    @property
    def outputs(self):
        return self.weights.shape[0]

    @property
    def weight_bits(self):
        return self.weights.size * (1 if self.mask is None else 2)


@dataclass(frozen=True, kw_only=True, eq=False)
class Dense(_Weighted):
    """Binary or ternary neurons: output bit ``o`` is ``popcount(mask[o] & xnor(weights[o], x)) >=
    thresholds[o]``.

    Parameters
    ----------
    weights : integer array, shape (outputs, inputs), values 0 and 1
    thresholds : integer array, shape (outputs,), values 0 ... reach + 1, or None
        0 is always on, reach + 1 never. None gives the counts themselves.
    planes : int
        Bits of an input: 1, or those of the integers before the layer, 8 where raw pixels come in. The bits
        of an input are compared with the same weight and count by their place: an input agrees by x where its
        weight is 1, by 2**planes - 1 - x where it is 0.
    mask : integer array of the shape of `weights`, values 0 and 1, or None
        Ternary weights: where it is 0 the weight is 0 and its input never counts. None is all ones.
    """

    weights: np.ndarray
    thresholds: np.ndarray | None
    planes: int = 1
    mask: np.ndarray | None = None

    def _check(self):
        self._check_weights(2)
        self._check_thresholds()


class _Windowed(_Layer):
    """A layer whose kernel moves over an image of shape (height, width, channels)."""

    def _check_window(self, kernel, padding):
        self._require(
            len(self.stride) == 2 and min(self.stride) >= 1,
            f"stride must be two numbers of at least 1, not {self.stride!r}",
        )
        for size, (before, after) in zip(kernel, padding, strict=True):
            self._require(
                0 <= before < size and 0 <= after < size,
                f"padding must be less than the kernel of {size}, not {before!r} and {after!r}",
            )

    def _moved(self, input_shape, kernel, padding):
        """Rows and columns of the positions that the kernel takes."""
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
        return tuple(
            (size - window) // step + 1 for size, window, step in zip(sizes, kernel, self.stride, strict=True)
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Conv2d(_Windowed, _Weighted):
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
        What stands in them, 0 (for -1) or 1 (for +1), in every plane.
    groups : int
        The channels and the outputs are split evenly; each part of the outputs sees one part of the channels.
    planes, mask
        As in `Dense`.
    """

    weights: np.ndarray
    thresholds: np.ndarray | None
    stride: tuple = (1, 1)
    padding: tuple = ((0, 0), (0, 0))
    padding_bit: int = 0
    groups: int = 1
    planes: int = 1
    mask: np.ndarray | None = None

    def _check(self):
        self._check_weights(4)
        self._check_thresholds()
        self._check_window(self.kernel, self.padding)
        self._require(self.padding_bit in (0, 1), f"padding_bit must be 0 or 1, not {self.padding_bit!r}")
        self._require(
            self.groups >= 1 and self.outputs % self.groups == 0,
            f"groups must divide the {self.outputs} outputs, not {self.groups!r}",
        )

    @property
    def kernel(self):
        return self.weights.shape[1:3]

    @property
    def channels(self):
        """Channels of the input."""
        return self.weights.shape[3] * self.groups

    def output_shape(self, input_shape):
        positions = self._moved(input_shape, self.kernel, self.padding)
        self._require(
            input_shape[2] == self.channels,
            f"takes {self.channels} channels, but the image before it has {input_shape[2]}",
        )
        return (*positions, self.outputs)


class _Pool(_Windowed):
    padding = ((0, 0), (0, 0))

    def _check(self):
        self._require(
            len(self.kernel) == 2 and min(self.kernel) >= 1,
            f"kernel must be two numbers of at least 1, not {self.kernel!r}",
        )
        self._check_window(self.kernel, self.padding)

    @property
    def weight_bits(self):
        return 0

    @property
    def overlaps(self):
        """Whether a place of the image can be under several positions of the kernel."""
        return any(step < size for step, size in zip(self.stride, self.kernel, strict=True))

    def output_shape(self, input_shape):
        return (*self._moved(input_shape, self.kernel, self.padding), input_shape[2])


@dataclass(frozen=True, kw_only=True, eq=False)
class MaxPool(_Pool):
    """The maximum of the bits under a kernel, for each channel apart: it is on when any of them is.

    Parameters
    ----------
    kernel, stride : pair of int
        Rows and columns.
    padding : pair of pairs of int
        Rows above and below the image, columns left and right of it. They never decide: their bits are 0.
    """

    kernel: tuple
    stride: tuple
    padding: tuple = ((0, 0), (0, 0))


@dataclass(frozen=True, kw_only=True, eq=False)
class SumPool(_Pool):
    """The sum of the elements under a kernel, for each channel apart: average pooling without its division.

    Of bits it is the number of those that are on.

    Parameters
    ----------
    kernel, stride : pair of int
        Rows and columns; the whole image makes it global.
    """

    kernel: tuple
    stride: tuple

    def output_greatest(self, greatest):
        return self.kernel[0] * self.kernel[1] * greatest


class _Elementwise(_Layer):
    weight_bits = 0

    def _check(self):
        pass

    def output_shape(self, input_shape):
        return tuple(input_shape)


@dataclass(frozen=True, kw_only=True, eq=False)
class Threshold(_Elementwise):
    """Integers to bits, for each channel (the last axis) apart: ``(x >= thresholds[c]) xor inverted[c]``.

    Parameters
    ----------
    thresholds : integer array, shape (channels,), values 0 ... greatest + 1
    inverted : integer array, shape (channels,), values 0 and 1
        A sum that several layers take cannot be complemented for one of them, as a row of weights can.
    """

    thresholds: np.ndarray
    inverted: np.ndarray

    def _check(self):
        self._check_integers("thresholds", self.thresholds, (None,), 0, 2**31)
        self._check_integers("inverted", self.inverted, self.thresholds.shape, 0, 1)

    def output_greatest(self, greatest):
        self._require(
            int(self.thresholds.max()) <= greatest + 1,
            f"thresholds must be in 0 ... {greatest + 1}, not {self.thresholds.max()}",
        )
        return 1

    def output_shape(self, input_shape):
        self._require(
            input_shape[-1] == len(self.thresholds),
            f"takes {len(self.thresholds)} channels, but the shape {tuple(input_shape)} before it has "
            f"{input_shape[-1]}",
        )
        return tuple(input_shape)


@dataclass(frozen=True, kw_only=True, eq=False)
class Fork(_Elementwise):
    """Where a shortcut begins: gives what it takes, and keeps it for the `Add` that names it."""

    def output_greatest(self, greatest):
        return greatest


@dataclass(frozen=True, kw_only=True, eq=False)
class Add(_Elementwise):
    """Where a shortcut ends: ``x + scale * kept``, element by element, with what the `Fork` kept.

    Parameters
    ----------
    fork : str
        Name of the `Fork`; each has one `Add`.
    scale : int, at least 1
    """

    fork: str
    scale: int = 1

    def _check(self):
        self._require(
            type(self.scale) is int and 1 <= self.scale <= 2**16,
            f"scale must be in 1 ... {2**16}, not {self.scale!r}",
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

    def _check(self):
        self._check_weights(2)
        self._check_integers("offsets", self.offsets, (self.outputs,), -MAX_OFFSET, MAX_OFFSET)
        if self.scales is not None:
            self._check_integers("scales", self.scales, (self.outputs,), -MAX_OFFSET, MAX_OFFSET)
        least, greatest = self.score_range
        self._require(
            -_MAX_SCORE <= least and greatest <= _MAX_SCORE,
            f"scores must stay within 32 bits, but reach {least} ... {greatest}",
        )

    def output_greatest(self, greatest):
        self._require(
            greatest.bit_length() == self.planes,
            f"planes must be {greatest.bit_length()}, the bits of an element of 0 ... {greatest} before it, "
            f"not {self.planes}",
        )
        return 0  # scores are signed, and nothing comes behind them

    @property
    def score_range(self):
        """The least and the greatest score that any input can reach."""
        offsets = self.offsets.astype(object)
        ends = self.reach * (np.ones_like(offsets) if self.scales is None else self.scales.astype(object))
        return int((offsets + np.minimum(ends, 0)).min()), int((offsets + np.maximum(ends, 0)).max())


Layer = Add | Binarize | Conv2d | Dense | Fork | Lookup | MaxPool | Scores | SumPool | Threshold


@dataclass(frozen=True, kw_only=True)
class Network:
    """A chain of layers from raw pixels to scores: one `Binarize`, any number of others, one `Scores`.

    Instead of `Binarize`, a first `Conv2d` or `Dense` of 8 planes may take the pixels themselves, or what a
    `Lookup` makes of them. Images between layers have
    the shape (height, width, channels), row-major; a `Dense` or `Scores` layer takes whatever shape it is
    given as one vector in that order. A shortcut leaves the chain at a `Fork` and comes back at its `Add`.

    Parameters
    ----------
    name : str
    image_shape : tuple of int
        Shape of one uint8 image; pixels enter in row-major (C) order.
    layers : tuple of `Layer`
    labels : tuple of str
        A name for each class; those of one output that decides by its sign are two, first that of a negative
        score. Several outputs that decide by their signs have a name each.
    pixel_type : PixelType
        What the values are that the bytes of an image hold. It changes no score: layers take the bytes.
    decision : str
        One of `DECISIONS`: what the scores mean (``docs/semantics.md``). One output can only decide by its
        sign.
    """

    name: str
    image_shape: tuple
    layers: tuple
    labels: tuple
    pixel_type: PixelType = UINT8
    decision: str = "argmax"

    def __post_init__(self):
        if self.decision not in DECISIONS:
            raise ModelError(f"decision must be one of {', '.join(DECISIONS)}, not {self.decision!r}")
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
        if kinds[0] is Binarize and self.pixels != self.layers[0].inputs:
            raise ModelError(
                f"layer {names[0]!r}: takes {self.layers[0].inputs} pixels, "
                f"but an image of shape {self.image_shape} has {self.pixels}"
            )
        shapes, greatest, kept = [tuple(self.image_shape)], [PIXEL_LEVELS - 1], {}
        for layer in self.layers:
            shapes.append(layer.output_shape(shapes[-1]))
            if isinstance(layer, Add):
                if layer.fork not in kept:
                    raise ModelError(
                        f"layer {layer.name!r}: its fork must stand before it and have no other Add; there is"
                        f" no such {layer.fork!r}"
                    )
                shape, most = kept.pop(layer.fork)
                if shape != shapes[-1]:
                    raise ModelError(
                        f"layer {layer.name!r}: the shapes of a sum must be equal, but {shapes[-1]} meets "
                        f"{shape} from {layer.fork!r}"
                    )
                greatest.append(greatest[-1] + layer.scale * most)
            else:
                greatest.append(layer.output_greatest(greatest[-1]))
            if isinstance(layer, Fork):
                kept[layer.name] = shapes[-1], greatest[-1]
        if kept:
            raise ModelError(f"layer {next(iter(kept))!r}: a Fork needs an Add behind it that names it")
        object.__setattr__(self, "shapes", tuple(shapes))
        object.__setattr__(self, "greatest", tuple(greatest))
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

    #: Shape of the image, then of each layer's output.
    shapes: tuple = field(init=False, repr=False, compare=False, default=())

    #: Greatest element of the image, then of each layer's output: 1 where there are bits. The last, of the
    #: signed scores, is 0.
    greatest: tuple = field(init=False, repr=False, compare=False, default=())

    @property
    def pixels(self):
        """Values of an image, all channels counted."""
        return int(np.prod(self.image_shape))

    @property
    def outputs(self):
        """Scores per image."""
        return self.layers[-1].outputs

    @property
    def classes(self):
        """Things that have a label: the outputs, or the two classes of one output that decides by its sign."""
        return 2 if self.decision == "sign" and self.outputs == 1 else self.outputs

    @property
    def multi_label(self):
        """Whether an image has a bit per output instead of one class."""
        return self.decision == "sign" and self.outputs > 1

    @property
    def weight_bits(self):
        return sum(layer.weight_bits for layer in self.layers)
