"""A network with fewer neurons in each hidden layer: what a device that is too small could hold."""

from dataclasses import replace
from typing import Any

import numpy as np

from .ir import Add, Layer, Network, Scores, Threshold, Weighted, has_weights

__all__ = ["narrow", "widths"]


def narrow(network: Network, share: float) -> Network | None:
    """`network` with that share of the outputs of each hidden layer, at least one, and of the inputs that
    they feed.

    Only its shape means anything: it was never trained.

    Returns
    -------
    Network or None
        None where there are shortcuts or groups, which tie widths to each other.
    """
    if any(has_weights(layer) and layer.groups > 1 or isinstance(layer, Add) for layer in network.layers):
        return None
    layers: list[Layer] = []
    channels = None  # that are left of the input of a layer; None is all
    maximum = network.maxima[0]  # of an element that enters a layer: counts of fewer inputs are smaller
    for layer, shape in zip(network.layers, network.shapes, strict=False):
        if has_weights(layer):
            inputs = np.arange(layer.weights.shape[-1])
            if channels is not None:
                inputs = np.flatnonzero(inputs % shape[-1] < channels)
            layer = _cut(layer, share, inputs, planes=maximum.bit_length())
            channels = layer.outputs
        elif isinstance(layer, Threshold):
            layer = replace(
                layer,
                thresholds=np.minimum(layer.thresholds[:channels], maximum + 1),
                inverted=layer.inverted[:channels],
            )
        maximum = layer.output_maximum(maximum)
        layers.append(layer)
    return replace(network, layers=tuple(layers))


def _cut(layer: Weighted, share: float, inputs: np.ndarray, *, planes: int) -> Weighted:
    """The layer with that share of the outputs, of scores all, and these inputs of them."""
    thresholds = None if isinstance(layer, Scores) else layer.thresholds
    outputs = layer.outputs if isinstance(layer, Scores) else max(1, int(share * layer.outputs))
    cut: dict[str, Any] = {"planes": planes, "weights": layer.weights[:outputs][..., inputs]}
    if layer.mask is not None:
        cut["mask"] = layer.mask[:outputs][..., inputs]
    if thresholds is not None:
        most = cut["weights"][0].size * ((1 << planes) - 1)
        cut["thresholds"] = np.minimum(thresholds[:outputs], most)
    return replace(layer, **cut)


def widths(network: Network) -> tuple[int, ...]:
    """Outputs of each hidden layer with weights, in order."""
    return tuple(layer.outputs for layer in network.layers[:-1] if has_weights(layer))
