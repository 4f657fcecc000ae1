"""A network with fewer neurons in each hidden layer: what a device that is too small could hold."""

from dataclasses import replace

import numpy as np

from .ir import Binarize, Conv2d, Dense, Lookup, MaxPool, Network, Scores, SumPool

__all__ = ["narrow", "widths"]


def narrow(network, share):
    """`network` with that share of the outputs of each hidden layer, at least one, and of the inputs that
    they feed.

    Only its shape means anything: it was never trained.

    Returns
    -------
    Network or None
        None where the layers are more than a chain, whose shortcuts and groups tie widths to each other.
    """
    kinds = Binarize, Conv2d, Dense, Lookup, MaxPool, Scores, SumPool
    if any(not isinstance(layer, kinds) or getattr(layer, "groups", 1) > 1 for layer in network.layers):
        return None
    layers, kept = [], None  # the channels that are left of what enters a layer; None is all
    maximum = network.maxima[0]  # of an element that enters a layer: counts of fewer inputs are smaller
    for layer, shape in zip(network.layers, network.shapes, strict=False):
        if layer.weight_bits:
            outputs = slice(None if isinstance(layer, Scores) else max(1, int(share * layer.outputs)))
            inputs = slice(None)
            if kept is not None:
                inputs = (
                    slice(kept)
                    if isinstance(layer, Conv2d)
                    else np.flatnonzero(np.arange(layer.inputs) % shape[-1] < kept)
                )
            cut = {
                name: getattr(layer, name)[outputs][..., inputs]
                for name in ("weights", "mask")
                if getattr(layer, name) is not None
            }
            cut["planes"] = maximum.bit_length()
            if not isinstance(layer, Scores) and layer.thresholds is not None:
                most = cut["weights"][0].size * ((1 << cut["planes"]) - 1)
                cut["thresholds"] = np.minimum(layer.thresholds[outputs], most)
            layer = replace(layer, **cut)
            kept = layer.outputs
        maximum = layer.output_maximum(maximum)
        layers.append(layer)
    return Network(
        name=network.name,
        image_shape=network.image_shape,
        layers=tuple(layers),
        labels=network.labels,
        pixel_type=network.pixel_type,
        decision=network.decision,
    )


def widths(network):
    """Outputs of each hidden layer with weights, in order."""
    return tuple(layer.outputs for layer in network.layers[:-1] if layer.weight_bits)
