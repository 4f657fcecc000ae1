"""Neurons whose output never changes are computed at compile time."""

from dataclasses import replace
from typing import Any

import numpy as np

from ..ir import MAX_OFFSET, Dense, Layer, Network, Scores

__all__ = ["part_of", "remove_constant_neurons"]


def remove_constant_neurons(network: Network) -> Network:
    """Remove each neuron with threshold 0 (always on) or reach + 1 (never on).

    Precondition: none. Promise: the scores are equal for every image. Only `Dense` layers lose outputs, those
    right before a `Dense` of bits or `Scores`, and each keeps at least one. A removed neuron adds a constant
    to the counts of the neurons after it, which moves their thresholds or offsets. Thresholds stay in their
    range, and a neuron that becomes constant by it is removed in its turn. If an offset would leave its
    range, the layer stays as it is: the result is legal for every legal network.
    """
    layers = list(network.layers)
    for n in range(len(layers) - 1):
        layer, after = layers[n], layers[n + 1]  # `layer` is as the step before left it
        if isinstance(layer, Dense) and isinstance(after, Dense | Scores):
            layers[n : n + 2] = _removed(layer, after)
    return replace(network, layers=tuple(layers))


def _removed(layer: Dense, after: Dense | Scores) -> tuple[Layer, Layer]:
    """Both layers, without the constant neurons of the first if they can go."""
    if layer.thresholds is None:
        return layer, after
    on = layer.thresholds == 0
    constant = on | (layer.thresholds == layer.reach + 1)
    if constant.all():
        constant[0] = False
    if not constant.any():
        return layer, after
    keep = ~constant
    agree = after.weights[:, constant] == on[constant]
    if after.mask is not None:
        agree &= after.mask[:, constant] == 1
    agreeing = agree.sum(axis=1)
    change: dict[str, Any] = {}
    if isinstance(after, Scores):
        change["offsets"] = after.offsets + agreeing * (1 if after.scales is None else after.scales)
        if np.abs(change["offsets"]).max() > MAX_OFFSET:
            return layer, after
    elif after.thresholds is None:
        return layer, after
    else:
        change["thresholds"] = np.clip(after.thresholds - agreeing, 0, keep.sum() + 1)
    return (
        replace(layer, thresholds=layer.thresholds[keep], **part_of(layer, keep)),
        replace(after, **part_of(after, (slice(None), keep)), **change),
    )


def part_of(layer: Dense | Scores, which: np.ndarray | tuple[slice, np.ndarray]) -> dict[str, Any]:
    """The weights, and the mask, of some neurons or inputs."""
    return {"weights": layer.weights[which], "mask": None if layer.mask is None else layer.mask[which]}
