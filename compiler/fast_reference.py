"""The scores of the reference for many images, several times as fast and as exact.

`reference` is written to be believed; what is simulated is compared with it. Here a layer with weights is one
product of matrices of floats. Over weights s in {-1, 1}, 0 where masked, and inputs x of 0 ... top::

    agreeing inputs = sum(s * x) + top * (number of unmasked weights of -1)

Each partial sum, in any order, is an integer of at most ``layer.reach``. float32 holds integers below 2**24
exactly and float64 those below 2**53, which no layer reaches: its scores have 32 bits. Products of floats by
BLAS are several times as fast as XOR and popcount of packed words in NumPy, and take any number of bits and
masks (``benchmarks/fast_reference.py`` compares them).
"""

from collections.abc import Callable
from math import prod

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .ir import (
    Add,
    Binarize,
    Conv2d,
    Dense,
    Fork,
    Layer,
    Lookup,
    MaxPool,
    Network,
    Scores,
    SumPool,
    Switch,
    Threshold,
    Weighted,
)
from .reference import check_images, decide

__all__ = ["FastReference", "evaluate"]

#: Bytes of the windows of a convolution that are multiplied at once: they fit a processor's cache.
_WINDOW_BYTES = 1 << 22

#: Of (N, *input shape) integers, and what an `Add` or a `Switch` takes, (N, *output shape) integers.
Step = Callable[[np.ndarray, np.ndarray | None], np.ndarray]


class FastReference:
    """A network whose weights are converted once.

    Parameters
    ----------
    network : Network
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self._steps = [(layer, _step(layer)) for layer in network.layers]

    def evaluate(self, images: np.ndarray, *, batch: int = 256) -> tuple[np.ndarray, np.ndarray]:
        """As `reference.evaluate`: int64 scores (N, outputs) of raw uint8 images, and what they mean."""
        images = check_images(self.network, images)
        scores = np.empty((len(images), self.network.outputs), np.int64)
        for at in range(0, len(images), batch):
            scores[at : at + batch] = self._scores(images[at : at + batch])
        return scores, decide(self.network, scores)

    def _scores(self, images: np.ndarray) -> np.ndarray:
        x = images.reshape(-1, *self.network.image_shape)
        stored: dict[str, np.ndarray] = {}
        for layer, step in self._steps:
            if isinstance(layer, Fork | Switch):
                stored[layer.name] = x
            x = step(x, stored.pop(layer.fork) if isinstance(layer, Add | Switch) else None)
        return x


def evaluate(network: Network, images: np.ndarray, *, batch: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """As `reference.evaluate`, for many images."""
    return FastReference(network).evaluate(images, batch=batch)


def _step(layer: Layer) -> Step:
    """One layer on a batch."""
    match layer:
        case Binarize():
            thresholds = layer.thresholds.astype(np.int16)
            return lambda x, stored: _bits(x.reshape(len(x), -1, 1).astype(np.int16) >= thresholds).reshape(
                len(x), *layer.output_shape(x.shape[1:])
            )
        case Lookup():
            return lambda x, stored: layer.table[x].reshape(len(x), *layer.output_shape(x.shape[1:]))
        case Conv2d():
            return _convolution(layer)
        case Dense():
            product, finish = _product(layer), _finish(layer)
            return lambda x, stored: finish(product(x.reshape(1, len(x), -1)))
        case Scores():
            product, offsets = _product(layer), _agreeing_with_zeros(layer)
            scales = 1 if layer.scales is None else layer.scales.astype(np.int64)
            return lambda x, stored: (
                (product(x.reshape(1, len(x), -1)).astype(np.int64) + offsets) * scales + layer.offsets
            )
        case MaxPool():
            return lambda x, stored: _pooled(
                np.maximum, np.pad(x, ((0, 0), *layer.padding, (0, 0))), layer.kernel, layer.stride
            )
        case SumPool():
            return lambda x, stored: _pooled(np.add, x.astype(np.int64), layer.kernel, layer.stride)
        case Threshold():
            return _threshold(layer)
        case Fork():
            return lambda x, stored: x
        case Switch():
            return lambda x, stored: _present(stored)
        case Add():
            return lambda x, stored: x.astype(np.int64) + layer.scale * _present(stored).astype(np.int64)


def _threshold(layer: Threshold) -> Step:
    """How many thresholds each element reaches, one level at a time."""
    inverted, first, *rest = layer.inverted.astype(bool), *layer.steps.T

    def step(x: np.ndarray, stored: np.ndarray | None) -> np.ndarray:
        reached = _bits((x >= first) ^ inverted)
        for level in rest:
            reached += (x >= level) ^ inverted
        return reached

    return step


def _present(stored: np.ndarray | None) -> np.ndarray:
    assert stored is not None
    return stored


def _bits(which: np.ndarray) -> np.ndarray:
    """Booleans as uint8."""
    return which.view(np.uint8)


def _exact(layer: Weighted) -> type[np.float32] | type[np.float64]:
    """The shortest float that holds every sum of a layer exactly."""
    assert layer.reach < 2**53
    return np.float32 if layer.reach < 2**24 else np.float64


def _agreeing_with_zeros(layer: Weighted) -> np.ndarray:
    """How much each output counts for an input of zeros: int64, shape (outputs,)."""
    zeros = 1 - layer.weights.astype(np.int64)
    if layer.mask is not None:
        zeros *= layer.mask
    return (2**layer.planes - 1) * zeros.reshape(layer.outputs, -1).sum(axis=1)


def _product(layer: Weighted) -> Callable[[np.ndarray], np.ndarray]:
    """Of inputs (groups, N, inputs of a neuron), the sums of weights of -1 and 1: floats (N, outputs)."""
    signs = 2 * layer.weights.astype(np.int8) - 1
    if layer.mask is not None:
        signs *= layer.mask.astype(np.int8)
    groups, exact = layer.groups, _exact(layer)
    matrices = np.ascontiguousarray(
        signs.reshape(groups, layer.outputs // groups, -1).transpose(0, 2, 1), exact
    )

    def product(x: np.ndarray) -> np.ndarray:
        sums: np.ndarray = np.matmul(x.astype(exact, copy=False), matrices)
        return sums[0] if groups == 1 else sums.transpose(1, 0, 2).reshape(-1, layer.outputs)

    return product


def _finish(layer: Conv2d | Dense) -> Callable[[np.ndarray], np.ndarray]:
    """Of sums, the bits by their thresholds, or the counts."""
    zeros = _agreeing_with_zeros(layer)
    if layer.thresholds is None:
        return lambda sums: sums.astype(np.int64) + zeros
    thresholds = (layer.thresholds.astype(np.int64) - zeros).astype(_exact(layer))
    return lambda sums: _bits(sums >= thresholds)


def _convolution(layer: Conv2d) -> Step:
    product, finish, groups = _product(layer), _finish(layer), layer.groups
    padding, exact = layer.padding_bit * (2**layer.planes - 1), _exact(layer)

    def step(x: np.ndarray, stored: np.ndarray | None) -> np.ndarray:
        x = np.pad(x, ((0, 0), *layer.padding, (0, 0)), constant_values=padding)
        under = sliding_window_view(x, layer.kernel, axis=(1, 2))[:, :: layer.stride[0], :: layer.stride[1]]
        images, *sides = under.shape[:3]
        # (N, down, across, channels, rows, columns) is (groups, N, down, across, rows, columns, channels).
        under = under.reshape(*under.shape[:3], groups, -1, *layer.kernel).transpose(3, 0, 1, 2, 5, 6, 4)
        at_once = max(1, _WINDOW_BYTES // (prod(under.shape) // images * np.dtype(exact).itemsize))
        found = []
        for at in range(0, images, at_once):
            flat = under[:, at : at + at_once].astype(exact, order="C").reshape(groups, -1, layer.inputs)
            found.append(finish(product(flat)))
        return np.concatenate(found).reshape(images, *sides, layer.outputs)

    return step


def _pooled(combine: np.ufunc, x: np.ndarray, kernel: tuple[int, int], stride: tuple[int, int]) -> np.ndarray:
    """What is under a kernel, combined: of (N, H, W, C), (N, positions down, positions across, C)."""
    down, across = ((x.shape[1 + n] - kernel[n]) // stride[n] + 1 for n in range(2))
    found: np.ndarray | None = None
    for row in range(kernel[0]):
        for column in range(kernel[1]):
            each = x[:, row :: stride[0], column :: stride[1]][:, :down, :across]
            found = each.copy() if found is None else combine(found, each, out=found)
    assert found is not None
    return found
