"""The integer network: what is to be computed, exactly, and nothing about how.

The meaning of every layer is written in ``docs/semantics.md`` and computed by `sbgen.compiler.reference`. A bit 1
stands for +1 and a bit 0 for -1; a neuron is on when the number of agreeing inputs reaches its threshold, a tie
included (sign(0) = +1).
"""

from dataclasses import dataclass, fields

import numpy as np

from ..errors import ModelError

__all__ = ["PIXEL_LEVELS", "Binarize", "Dense", "Layer", "Network", "Scores"]

#: Number of values a raw pixel can take (uint8).
PIXEL_LEVELS = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class _Layer:
    name: str

    def __post_init__(self):
        # Arrays become read-only copies, so that a layer can be shared between networks without fear.
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                value = np.ascontiguousarray(value).copy()
                value.setflags(write=False)
                object.__setattr__(self, field.name, value)
        self._check()

    def _check(self):
        raise NotImplementedError

    def _require(self, holds, what):
        if not holds:
            raise ModelError(f"layer {self.name!r}: {what}")

    def _check_integers(self, what, array, shape, low, high):
        self._require(isinstance(array, np.ndarray) and np.issubdtype(array.dtype, np.integer),
                      f"{what} must be an array of integers, not {getattr(array, 'dtype', type(array))!s}")
        self._require(len(array.shape) == len(shape)
                      and all(want is None or got == want for got, want in zip(array.shape, shape, strict=True)),
                      f"{what} must have the shape {shape}, not {array.shape}")
        self._require(0 not in array.shape, f"{what} must not be empty, but its shape is {array.shape}")
        if (array.min() < low) or (array.max() > high):
            worst = array.min() if array.min() < low else array.max()
            self._require(False, f"{what} must be in {low} ... {high}, not {worst}")

    def __eq__(self, other):
        return type(self) is type(other) and all(
            np.array_equal(getattr(self, field.name), getattr(other, field.name)) for field in fields(self))

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


class _Weighted(_Layer):
    @property
    def inputs(self):
        return self.weights.shape[1]

    @property
    def outputs(self):
        return self.weights.shape[0]

    @property
    def weight_bits(self):
        return self.weights.size


@dataclass(frozen=True, kw_only=True, eq=False)
class Dense(_Weighted):
    """Binary neurons: output bit ``o`` is ``popcount(xnor(weights[o], x)) >= thresholds[o]``.

    Parameters
    ----------
    weights : integer array, shape (outputs, inputs), values 0 and 1
    thresholds : integer array, shape (outputs,), values 0 ... inputs + 1
        0 is always on, inputs + 1 never.
    """

    weights: np.ndarray
    thresholds: np.ndarray

    def _check(self):
        self._check_integers("weights", self.weights, (None, None), 0, 1)
        self._check_integers("thresholds", self.thresholds, (self.outputs,), 0, self.inputs + 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores(_Weighted):
    """Class scores: ``score[c] = popcount(xnor(weights[c], x)) + offsets[c]``; the class is the first maximum.

    Parameters
    ----------
    weights : integer array, shape (classes, inputs), values 0 and 1
    offsets : integer array, shape (classes,)
        Within 32 bits, so that a score always fits the host link's words.
    """

    weights: np.ndarray
    offsets: np.ndarray

    def _check(self):
        self._check_integers("weights", self.weights, (None, None), 0, 1)
        self._check_integers("offsets", self.offsets, (self.outputs,), -(2**30), 2**30)

    @property
    def score_range(self):
        """The least and the greatest score that any input can reach."""
        return int(self.offsets.min()), self.inputs + int(self.offsets.max())


Layer = Binarize | Dense | Scores


@dataclass(frozen=True, kw_only=True)
class Network:
    """A chain of layers from raw pixels to scores: one `Binarize`, any number of `Dense`, one `Scores`.

    Parameters
    ----------
    name : str
    image_shape : tuple of int
        Shape of one uint8 image; pixels enter in row-major (C) order.
    layers : tuple of `Layer`
    labels : tuple of str
        A name for each class.
    """

    name: str
    image_shape: tuple
    layers: tuple
    labels: tuple

    def __post_init__(self):
        kinds = [type(layer) for layer in self.layers]
        if len(kinds) < 2 or kinds[0] is not Binarize or kinds[-1] is not Scores or set(kinds[1:-1]) - {Dense}:
            raise ModelError("a network must be Binarize, any number of Dense, Scores; found "
                             + (", ".join(kind.__name__ for kind in kinds) or "no layers"))
        names = [layer.name for layer in self.layers]
        if len(set(names)) != len(names):
            raise ModelError(f"layer names must differ, found {', '.join(names)}")
        pixels = int(np.prod(self.image_shape))
        if pixels != self.layers[0].inputs:
            raise ModelError(f"layer {names[0]!r}: takes {self.layers[0].inputs} pixels, "
                             f"but an image of shape {self.image_shape} has {pixels}")
        for before, after in zip(self.layers, self.layers[1:], strict=False):
            if before.outputs != after.inputs:
                raise ModelError(f"layer {after.name!r}: takes {after.inputs} inputs, "
                                 f"but {before.name!r} before it gives {before.outputs}")
        if len(self.labels) != self.layers[-1].outputs:
            raise ModelError(f"{self.layers[-1].outputs} classes need as many labels, not {len(self.labels)}")

    @property
    def pixels(self):
        return self.layers[0].inputs

    @property
    def classes(self):
        return self.layers[-1].outputs

    @property
    def weight_bits(self):
        return sum(layer.weight_bits for layer in self.layers)
