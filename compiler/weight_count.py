"""How many weights a network has, as the one who trained it counts them.

An activation of several values becomes a neuron for each of its steps, side by side with equal weights, and
every layer after it weighs these alike. Ternary weights take two bits. Neither makes a network larger than it
was: these are counted once.
"""

import math

import numpy as np

from .ir import Binarize, Conv2d, MaxPool, SumPool

__all__ = ["weights"]


def weights(network):
    """Weights of each layer.

    Returns
    -------
    tuple of int
        For each layer of `network`, in order; 0 where it has none.
    """
    layers, counts = network.layers, []
    readers = _readers(network)
    repeats = None  # for each channel that enters a layer, whether it is another step of the one before it
    for n, layer in enumerate(layers):
        if not layer.weight_bits:
            counts.append(0)
            if isinstance(layer, Binarize):
                repeats = _steps(
                    np.arange(network.shapes[n + 1][-1])[:, None] // layer.levels, layers, readers.get(n)
                )
            elif not isinstance(layer, MaxPool | SumPool):
                repeats = None
            continue
        rows = np.concatenate(
            [array.reshape(layer.outputs, -1) for array in (layer.weights, layer.mask) if array is not None],
            axis=1,
        )
        groups, after = getattr(layer, "groups", 1), _steps(rows, layers, readers.get(n))
        counts.append(0 if _is_comparison(layer) else _count(layer, groups, repeats, after))
        repeats = after
    return tuple(counts)


def _readers(network):
    """For each layer whose outputs one layer with weights takes as they are, or after pooling alone, the
    place of that layer.
    """
    readers, source = {}, None
    for n, layer in enumerate(network.layers):
        if layer.weight_bits:
            if source is not None:
                readers[source] = n
            source = n
        elif isinstance(layer, Binarize):
            source = n
        elif not isinstance(layer, MaxPool | SumPool):
            source = None
    return readers


def _equal_to_the_one_before(rows):
    return np.concatenate([[False], (rows[1:] == rows[:-1]).all(axis=1)])


def _steps(rows, layers, reader):
    """For each channel whether its row is that of the one before it, and the layer at `reader` weighs both
    alike; None where nothing is known.
    """
    if reader is None:
        return None
    layer, channels = layers[reader], len(rows)
    same, groups = _equal_to_the_one_before(rows), getattr(layer, "groups", 1)
    for array in (layer.weights, layer.mask):
        if array is not None:
            if isinstance(layer, Conv2d):
                columns = array.reshape(groups, layer.outputs // groups, -1, array.shape[3]).transpose(
                    0, 3, 1, 2
                )
            else:  # a vector of the channels of each pixel in turn
                columns = array.reshape(1, layer.outputs, -1, channels).transpose(0, 3, 1, 2)
            same &= np.concatenate(
                [_equal_to_the_one_before(group.reshape(len(group), -1)) for group in columns]
            )
    return same


def _is_comparison(layer):
    """Whether a layer has no weights but compares each channel with thresholds."""
    return (
        isinstance(layer, Conv2d)
        and layer.weights[0].size == 1
        and layer.groups == layer.channels
        and layer.weights.all()
    )


def _count(layer, groups, repeats, after):
    """Weights of a layer, without channels that are steps of others."""
    outputs = (
        np.ones((groups, layer.outputs // groups), bool) if after is None else ~after.reshape(groups, -1)
    )
    if repeats is None:
        return int(outputs.sum()) * layer.inputs
    if isinstance(layer, Conv2d):
        return math.prod(layer.kernel) * int(
            (outputs.sum(axis=1) * (~repeats).reshape(groups, -1).sum(axis=1)).sum()
        )
    return int(outputs.sum()) * (layer.inputs // len(repeats)) * int((~repeats).sum())
