"""Whether a network answers every image alike: bounds of each element, layer by layer."""

from dataclasses import replace

import numpy as np

from .. import reference
from ..ir import PIXEL_LEVELS, Add, Conv2d, Dense, Fork, Lookup, Network, Scores, Switch, Threshold

__all__ = ["first_constant"]


def first_constant(network: Network) -> int | None:
    """Index of the first layer whose output is the same for every image, or None.

    A result is proved by bounds on single elements. None is no proof: elements that depend on the same pixels
    may cancel each other.
    """
    low = np.zeros((1, *network.image_shape), np.int64)
    high, shortcuts = np.full_like(low, PIXEL_LEVELS - 1), {}
    for number, layer in enumerate(network.layers):
        match layer:
            case Lookup():
                shape = (1, *layer.output_shape(network.image_shape))
                low, high = np.full(shape, layer.table.min()), np.full(shape, layer.table.max())
            case Conv2d() | Dense():
                low, high = _bounds(replace(layer, thresholds=None), low, high)
                low, high = reference.neurons(layer, low), reference.neurons(layer, high)
            case Scores():
                counts = replace(layer, scales=None, offsets=np.zeros_like(layer.offsets))
                low, high = _bounds(counts, low, high)
                scales = 1 if layer.scales is None else layer.scales
                low, high = _ordered(low * scales + layer.offsets, high * scales + layer.offsets)
            case Threshold():
                low, high = _ordered(reference.run_layer(layer, low), reference.run_layer(layer, high))
            case Fork():
                shortcuts[layer.name] = low, high
            case Switch():
                shortcuts[layer.name] = low, high
                low, high = shortcuts.pop(layer.fork)
            case Add():
                forked_low, forked_high = shortcuts.pop(layer.fork)
                low = reference.run_layer(layer, low, forked_low)
                high = reference.run_layer(layer, high, forked_high)
            case _:  # rises with each of its inputs
                low, high = reference.run_layer(layer, low), reference.run_layer(layer, high)
        if not shortcuts and np.array_equal(low, high):
            return number
    return None


def _ordered(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.minimum(first, second), np.maximum(first, second)


def _bounds(
    layer: Conv2d | Dense | Scores, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Bounds of the counts of a layer that outputs them.

    An input counts most at its maximum if its weight is 1, or else at its minimum.
    """
    mask = np.ones_like(layer.weights) if layer.mask is None else layer.mask
    ones = replace(layer, mask=mask * layer.weights)
    zeros = replace(layer, mask=mask * (1 - layer.weights))
    return (
        reference.run_layer(ones, low) + reference.run_layer(zeros, high),
        reference.run_layer(ones, high) + reference.run_layer(zeros, low),
    )
