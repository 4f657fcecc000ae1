"""Neurons whose output never changes are computed at compile time."""

import dataclasses

import numpy as np

from ..ir import Dense

__all__ = ["remove_constant_neurons"]


def remove_constant_neurons(network):
    """Remove each neuron with threshold 0 (always on) or reach + 1 (never on).

    Precondition: none. Promise: the scores are equal for every image; only `Dense` layers lose outputs, and each keeps at
    least one. What a removed neuron gave to the count of a neuron behind it is a constant, which moves that one's threshold
    or offset; thresholds stay in their range, and a neuron that becomes constant by it is removed in its turn.
    """
    layers = list(network.layers)
    for n in range(len(layers) - 1):
        layer = layers[n]  # as the layer before has left it
        if not isinstance(layer, Dense):
            continue
        on = layer.thresholds == 0
        constant = on | (layer.thresholds == layer.reach + 1)
        if constant.all():
            constant[0] = False
        if not constant.any():
            continue
        keep = ~constant
        layers[n] = dataclasses.replace(layer, weights=layer.weights[keep], thresholds=layer.thresholds[keep])
        behind = layers[n + 1]
        agreeing = (behind.weights[:, constant] == on[constant]).sum(axis=1)
        if isinstance(behind, Dense):
            change = {"thresholds": np.clip(behind.thresholds - agreeing, 0, keep.sum() + 1)}
        else:
            change = {"offsets": behind.offsets + agreeing}
        layers[n + 1] = dataclasses.replace(behind, weights=behind.weights[:, keep], **change)
    return dataclasses.replace(network, layers=tuple(layers))
