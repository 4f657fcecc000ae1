"""Neurons whose output never changes are computed at compile time."""

import dataclasses

import numpy as np

from ..ir import MAX_OFFSET, Dense, Scores

__all__ = ["remove_constant_neurons"]


def remove_constant_neurons(network):
    """Remove each neuron with threshold 0 (always on) or reach + 1 (never on).

    Precondition: none. Promise: the scores are equal for every image; only `Dense` layers lose outputs, those
    with a `Dense` of bits or `Scores` right behind them, and each keeps at least one. What a removed neuron
    gave to the count of a neuron behind it is a constant, which moves that one's threshold or offset;
    thresholds stay in their range, and a neuron that becomes constant by it is removed in its turn. Where an
    offset would leave its range, the layer stays as it is: the result is legal for every legal network.
    """
    layers = list(network.layers)
    for n in range(len(layers) - 1):
        layer = layers[n]  # as the layer before has left it
        behind = layers[n + 1]
        if not _gives_bits(layer) or not (_gives_bits(behind) or isinstance(behind, Scores)):
            continue
        on = layer.thresholds == 0
        constant = on | (layer.thresholds == layer.reach + 1)
        if constant.all():
            constant[0] = False
        if not constant.any():
            continue
        keep = ~constant
        agree = behind.weights[:, constant] == on[constant]
        if behind.mask is not None:
            agree &= behind.mask[:, constant] == 1
        agreeing = agree.sum(axis=1)
        if isinstance(behind, Dense):
            change = {"thresholds": np.clip(behind.thresholds - agreeing, 0, keep.sum() + 1)}
        else:
            change = {"offsets": behind.offsets + agreeing * (1 if behind.scales is None else behind.scales)}
            if np.abs(change["offsets"]).max() > MAX_OFFSET:
                continue
        layers[n] = dataclasses.replace(layer, thresholds=layer.thresholds[keep], **_part(layer, keep))
        layers[n + 1] = dataclasses.replace(behind, **_part(behind, (slice(None), keep)), **change)
    return dataclasses.replace(network, layers=tuple(layers))


def _gives_bits(layer):
    return isinstance(layer, Dense) and layer.thresholds is not None


def _part(layer, which):
    """The weights, and the mask, of some neurons or inputs."""
    return {"weights": layer.weights[which], "mask": None if layer.mask is None else layer.mask[which]}
