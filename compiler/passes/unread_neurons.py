"""Neurons whose output no neuron after them is connected to are not computed."""

from dataclasses import replace

import numpy as np

from ..ir import Dense, Network, Scores
from .constant_neurons import part_of

__all__ = ["remove_unread_neurons"]


def remove_unread_neurons(network: Network) -> Network:
    """Remove each neuron whose output has a weight of 0 in every neuron of the next layer.

    Precondition: none. Promise: the scores are equal for every image. Only `Dense` layers of bits lose
    outputs, those right before a `Dense` of bits or `Scores` with a mask, and each keeps at least one. From
    the last layer to the first, so that neurons which only removed ones read are removed too.
    """
    layers = list(network.layers)
    for n in reversed(range(len(layers) - 1)):
        layer, after = layers[n], layers[n + 1]
        if not (isinstance(layer, Dense) and isinstance(after, Dense | Scores)) or after.mask is None:
            continue
        if isinstance(after, Dense) and after.thresholds is None:
            continue  # with fewer inputs its counts would reach less, and what reads them depends on that
        read = np.asarray(after.mask.any(axis=0))
        if not read.any():
            read[0] = True
        if read.all():
            continue
        thresholds = None if layer.thresholds is None else layer.thresholds[read]
        layers[n] = replace(layer, thresholds=thresholds, **part_of(layer, read))
        layers[n + 1] = _narrower(after, read)
    return replace(network, layers=tuple(layers))


def _narrower(layer: Dense | Scores, keep: np.ndarray) -> Dense | Scores:
    """A layer without inputs that nothing reads."""
    parts = part_of(layer, (slice(None), keep))
    if isinstance(layer, Scores):
        return replace(layer, **parts)
    assert layer.thresholds is not None
    # One that is never on stays so.
    top = int(keep.sum()) * ((1 << layer.planes) - 1) + 1
    return replace(layer, thresholds=np.minimum(layer.thresholds, top), **parts)
