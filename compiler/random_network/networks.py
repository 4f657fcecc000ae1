"""Random networks."""

from dataclasses import replace
from math import isqrt, prod
from typing import Any

import numpy as np

from ...errors import ModelError
from ..ir import Dense, Layer, Network, Scores, Shape, has_weights
from ..reference import evaluate
from .arrays import random_neurons
from .chain import MAX_WORK, Chain
from .draws import generator, one_in, size
from .images import random_images
from .layers import (
    append_fewer,
    append_first_layers,
    append_narrower,
    random_conv2d,
    random_levels,
    random_pool,
    random_scores,
)
from .shortcuts import append_shortcut

__all__ = ["other_contents", "random_network"]

#: Maximum rows and columns of an image.
_MAX_SIDE = 128

#: Maximum number of elements of the vector that a dense layer takes, relative to the maximum number of
#: neurons.
_INPUTS_PER_NEURON = 8


def _with_ties(rng: np.random.Generator, network: Network, images: np.ndarray) -> Network:
    """The network in which the best class of the first image has a copy or two."""
    best, scores = int(evaluate(network, images[:1])[1][0]), network.scores
    row = np.arange(network.classes)
    row[rng.integers(0, network.classes, 2)] = best
    changes: dict[str, Any] = {
        name: array[row]
        for name in ("weights", "mask", "offsets", "scales")
        if (array := getattr(scores, name)) is not None
    }
    return replace(network, layers=(*network.layers[:-1], replace(scores, **changes)))


def _with_a_zero(rng: np.random.Generator, network: Network, images: np.ndarray) -> Network:
    """The network in which an output of the first image is 0, if its offset can be."""
    found, scores = evaluate(network, images[:1])[0][0], network.scores
    n, offsets = int(rng.integers(network.outputs)), scores.offsets.copy()
    offsets[n] -= found[n]
    try:
        return replace(network, layers=(*network.layers[:-1], replace(scores, offsets=offsets)))
    except ModelError:
        return network


def _image_shape(rng: np.random.Generator, images: bool, largest: int, pixels: int) -> Shape:
    """The shape of an image; one in six has more than 12 x 12 pixels, if there may be so many."""
    side = min(_MAX_SIDE, isqrt(pixels))
    if side > 12 and one_in(rng, 6):
        # Layers with windows take a cycle for each pixel of the largest.
        sides = (
            (side, side)
            if rng.integers(10) < (1 if images else 7)
            else tuple(map(int, rng.integers(13, min(side, 32) + 1, 2)))
        )
        return *sides, 3 if 3 * prod(sides) <= min(pixels, 64**2) and one_in(rng, 4) else 1
    if images:
        channels = int(rng.choice([1, 1, 2, 3]))
        height = size(rng, max(1, min(12, largest // channels)))
        return height, size(rng, max(1, min(12, largest // channels // height))), channels
    count = size(rng, largest)
    rows = int(rng.choice([n for n in range(1, count + 1) if count % n == 0]))
    return (count,) if rng.integers(2) else (rows, count // rows)


def random_network(
    seed: int,
    *,
    largest: int = 48,
    pixels: int = 0,
    images: bool | None = None,
    shortcuts: bool | None = None,
) -> Network:
    """A network of random shape and contents.

    Parameters
    ----------
    seed : int
    largest : int
        Maximum neurons of a layer; a convolution has up to a quarter as many outputs. Also most pixels of an
        image, but for `pixels`.
    pixels : int
        Maximum pixels of the larger images, of which no side is longer than 128; up to 144 there are none.
    images : bool, optional
        Whether there are layers that take images; left out, three of five networks have some.
    shortcuts : bool, optional
        Whether shortcuts pass some of the layers by; left out, in two of five networks they do.
    """
    rng = generator("network", seed)
    if images is None:
        images = bool(rng.integers(5) < 3)
    chain = Chain(_image_shape(rng, images, largest, pixels), largest)
    if shortcuts is None:
        shortcuts = rng.integers(5) < 2
    wanted, done = (2 if one_in(rng, 3) else 1) if shortcuts else 0, 0
    append_first_layers(rng, chain, images)

    def perhaps() -> None:
        nonlocal done
        if done < wanted and not rng.integers(3) and chain.elements <= 4 * largest:
            done += append_shortcut(rng, chain, f"shortcut_{chain.length}")
        if chain.maximum > 1 and one_in(rng, 4):
            chain.append(random_levels(rng, f"levels_{chain.length}", chain.shape[-1], chain.maximum))
        append_narrower(rng, chain)

    if images:
        for n in range(rng.integers(1, 4)):
            perhaps()
            if len(chain.shape) == 1:  # both sides of a sum were dense
                break
            chain.append(
                random_pool(rng, chain, str(n))
                if rng.integers(5) < (2 if chain.maximum == 1 else 3)
                else random_conv2d(rng, chain, f"conv_{n}")
            )
        append_narrower(rng, chain)
        append_fewer(rng, chain, _INPUTS_PER_NEURON * largest)
    elif chain.elements > _INPUTS_PER_NEURON * largest:
        outputs = size(rng, max(1, min(largest, MAX_WORK // 2 // chain.elements)))
        chain.append(Dense(name="dense", **random_neurons(rng, (outputs, chain.elements), chain.maximum)))
    for n in range(rng.integers(0, 4)):
        perhaps()
        chain.append(
            Dense(
                name=f"dense_{n}",
                **random_neurons(
                    rng, (size(rng, largest), chain.elements), chain.maximum, counts=one_in(rng, 5)
                ),
            )
        )
    for n in range(4):
        if done == wanted:
            break
        done += append_shortcut(rng, chain, f"shortcut_{chain.length}_{n}")
    append_narrower(rng, chain)
    scores = random_scores(rng, chain)
    # From random numbers of their own, so that all else is the same with and without.
    network = chain.network(f"random-{seed}", scores, signs=one_in(generator("decision", seed), 4))
    if network.decision == "argmax" and one_in(rng, 6):
        network = _with_ties(rng, network, random_images(seed, network, 1))
    if network.decision == "sign" and one_in(rng, 3):
        network = _with_a_zero(rng, network, random_images(seed, network, 1))
    return network


def other_contents(seed: int, network: Network) -> Network:
    """A network of the same shape with other weights and thresholds, where a patchable design has them in
    ROMs.

    Offsets change places, so that scores keep their range; those of classes with scales of their own stay.
    """
    rng = generator("other contents", seed)
    return replace(network, layers=tuple(_other_contents(rng, layer) for layer in network.layers))


def _other_contents(rng: np.random.Generator, layer: Layer) -> Layer:
    if not has_weights(layer):
        return layer
    changes: dict[str, Any] = {"weights": rng.integers(0, 2, layer.weights.shape)}
    if layer.mask is not None:
        changes["mask"] = rng.integers(0, 2, layer.mask.shape)
    if isinstance(layer, Scores):
        if layer.scales is None:
            changes["offsets"] = rng.permutation(layer.offsets)
    elif layer.thresholds is not None:
        changes["thresholds"] = rng.integers(0, layer.reach + 2, layer.outputs)
    return replace(layer, **changes)
