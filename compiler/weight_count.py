"""How many weights a network has, as the one who trained it counts them.

An activation of several values becomes a neuron for each of its steps, side by side with equal weights, and
every layer after it weighs these alike. Ternary weights take two bits. Both are counted once: neither makes a
network larger than it was. What is no connection is no weight: of a sparse layer only connections count, and
sums of groups have no weights.
"""

import numpy as np

from .ir import Binarize, Conv2d, Layer, MaxPool, Network, Shape, SumPool, Weighted, has_weights

__all__ = ["weights"]

#: Share of the weights that are not 0 up to which a layer is sparse: its zeros are inputs that a neuron does
#: not have. Ternary weights have more, and theirs count.
_SPARSE = 0.25


def weights(network: Network) -> tuple[int, ...]:
    """Weights of each layer, in order; 0 for a layer without."""
    rows = [_rows(*pair) for pair in zip(network.layers, network.shapes[1:], strict=True)]
    readers = _readers(network.layers, rows)
    counts = []
    repeats = None  # for each channel that enters a layer, whether it is another step of the one before it
    for n, layer in enumerate(network.layers):
        reader, row = readers.get(n), rows[n]
        after = None if reader is None or row is None else _steps(row, reader)
        counts.append(_count(layer, repeats, after) if has_weights(layer) else 0)
        if not _keeps_channels(layer):
            repeats = after
    return tuple(counts)


def _rows(layer: Layer, output_shape: Shape) -> np.ndarray | None:
    """For each output channel a row of numbers, equal to that before it if the channel may be another step of
    it; None if nothing is known.
    """
    if has_weights(layer):
        arrays = [each.reshape(layer.outputs, -1) for each in (layer.weights, layer.mask) if each is not None]
        return np.concatenate(arrays, axis=1)
    if isinstance(layer, Binarize):
        return np.arange(output_shape[-1])[:, None] // layer.levels
    return None


def _keeps_channels(layer: Layer) -> bool:
    return isinstance(layer, MaxPool | SumPool)


def _readers(layers: tuple[Layer, ...], rows: list[np.ndarray | None]) -> dict[int, Weighted]:
    """For each layer with rows, by its place, the layer with weights that takes its outputs as they are or
    after pooling alone.
    """
    readers: dict[int, Weighted] = {}
    source = None
    for n, layer in enumerate(layers):
        if has_weights(layer) and source is not None:
            readers[source] = layer
        if not _keeps_channels(layer):
            source = None if rows[n] is None else n
    return readers


def _equal_to_the_one_before(rows: np.ndarray) -> np.ndarray:
    return np.concatenate([[False], (rows[1:] == rows[:-1]).all(axis=1)])


def _steps(rows: np.ndarray, reader: Weighted) -> np.ndarray:
    """For each channel whether its row is that of the one before it, and its reader weighs both alike."""
    same, groups = _equal_to_the_one_before(rows), reader.groups
    for array in (reader.weights, reader.mask):
        if array is not None:
            # A dense layer takes the channels of each pixel in turn.
            columns = array.reshape(groups, reader.outputs // groups, -1, len(rows) // groups)
            columns = columns.transpose(0, 3, 1, 2)
            same &= np.concatenate(
                [_equal_to_the_one_before(group.reshape(len(group), -1)) for group in columns]
            )
    return same


def _is_comparison(layer: Weighted) -> bool:
    """Whether a layer has no weights but compares each channel with thresholds."""
    return (
        isinstance(layer, Conv2d)
        and layer.weights[0].size == 1
        and layer.groups == layer.channels
        and bool(layer.weights.all())
    )


def _is_sum_of_groups(layer: Weighted) -> bool:
    """Whether a layer has no weights but counts inputs, each for one output at most."""
    mask = layer.mask
    if isinstance(layer, Conv2d) or mask is None or layer.outputs < 2:
        return False
    return bool((mask.sum(axis=0) <= 1).all() and layer.weights[mask == 1].all())


def _count(layer: Weighted, repeats: np.ndarray | None, after: np.ndarray | None) -> int:
    """Weights of a layer, without channels that are steps of others."""
    if _is_comparison(layer) or _is_sum_of_groups(layer):
        return 0
    groups = layer.groups
    channels = layer.inputs if repeats is None else len(repeats) // groups
    counted = np.ones((layer.outputs, layer.inputs), bool)
    if layer.mask is not None and layer.connections <= _SPARSE * counted.size:
        counted = layer.mask.reshape(counted.shape) == 1
    counted = counted.reshape(groups, layer.outputs // groups, -1, channels)
    if after is not None:
        counted = counted & ~after.reshape(groups, -1, 1, 1)
    if repeats is not None:
        counted = counted & ~repeats.reshape(groups, 1, 1, channels)
    return int(counted.sum())
