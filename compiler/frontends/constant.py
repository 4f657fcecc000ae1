"""Whether a network answers every image alike: the least and the greatest that each of its elements can be,
layer by layer.
"""

from dataclasses import replace

import numpy as np

from ...errors import ModelError
from .. import reference
from ..ir import PIXEL_LEVELS, Add, Conv2d, Dense, Fork, Lookup, Scores, Threshold
from .tabulate import PIXELS, PIXELS_MEAN

__all__ = ["first_constant", "that_answers"]


def first_constant(network):
    """The place of the first layer behind which all is the same for every image, or None.

    A place is proved by bounds on single elements. None is no proof: elements that depend on the same pixels
    may cancel each other.
    """
    low = np.zeros((1, *network.image_shape), np.int64)
    high, kept = np.full_like(low, PIXEL_LEVELS - 1), {}
    for at, layer in enumerate(network.layers):
        match layer:
            case Lookup():
                shape = (1, *layer.output_shape(network.image_shape))
                low, high = np.full(shape, layer.table.min()), np.full(shape, layer.table.max())
            case Conv2d() | Dense() | Scores():
                low, high = _neurons(layer, low, high)
            case Threshold():
                low, high = _ordered(reference.run_layer(layer, low), reference.run_layer(layer, high))
            case Add():
                low, high = (
                    reference.run_layer(layer, x, end)
                    for x, end in zip((low, high), kept[layer.fork], strict=True)
                )
            case _:  # rises with each of its inputs
                low, high = reference.run_layer(layer, low), reference.run_layer(layer, high)
        if isinstance(layer, Fork):
            kept[layer.name] = low, high
        if isinstance(layer, Add):
            del kept[layer.fork]
        if not kept and np.array_equal(low, high):
            return at
    return None


def that_answers(read, pixels, default):
    """The network of a file, where its images can have different scores.

    Parameters
    ----------
    read : function
        From one of `PIXELS` or None to the network, and whether the file leaves open what a pixel stands for.
    pixels : str or None
        What the user says that a pixel stands for.
    default : str
        What is assumed where neither says.

    Raises
    ------
    ModelError
        The first layer is the same for every image, or all scores are and would not be if pixels stood for
        something else. The message names the readings that are not so.
    """
    network, open_ = read(pixels)
    constant = first_constant(network)
    if constant is None:
        return network
    how, others = pixels or default, []
    for each in PIXELS if open_ else ():
        try:
            if each != how and first_constant(read(each)[0]) is None:
                others.append(f"--pixels {each} ({PIXELS_MEAN[each]})")
        except ModelError:
            pass
    what = "no pixel of 0 ... 255 changes anything " + (
        f"when it stands for {PIXELS_MEAN[how]}" if open_ else f"of the input's type {network.pixel_type}"
    )
    if others:
        raise ModelError(
            f"{what}; if the network was trained on other values, say which: " + " or ".join(others)
        )
    if constant <= isinstance(network.layers[0], Lookup):
        raise ModelError(
            f"{what}{', nor with any other --pixels' if open_ else ''}; the first quantiser must have values"
            " on both sides of its steps"
        )
    return network  # a later layer is constant: so the file says


def _ordered(first, second):
    return np.minimum(first, second), np.maximum(first, second)


def _neurons(layer, low, high):
    """Bounds of what a layer with weights gives: an input counts most at its greatest where its weight is 1,
    else at its least.
    """
    mask = np.ones_like(layer.weights) if layer.mask is None else layer.mask
    scores = isinstance(layer, Scores)
    plain = {"scales": None, "offsets": np.zeros_like(layer.offsets)} if scores else {"thresholds": None}
    ones, zeros = (replace(layer, mask=mask * which, **plain) for which in (layer.weights, 1 - layer.weights))
    low, high = (
        reference.run_layer(ones, first) + reference.run_layer(zeros, second)
        for first, second in ((low, high), (high, low))
    )
    if not scores:
        return reference.neurons(layer, low), reference.neurons(layer, high)
    scales = 1 if layer.scales is None else layer.scales
    return _ordered(low * scales + layer.offsets, high * scales + layer.offsets)
