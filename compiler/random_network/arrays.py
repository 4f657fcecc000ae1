"""Random weights, thresholds, scales and offsets."""

from math import prod
from typing import Any

import numpy as np

from ..ir import Shape
from .draws import one_in

__all__ = ["random_mask", "random_neurons", "random_scales", "random_thresholds", "random_weights"]


def random_thresholds(
    rng: np.random.Generator, reach: int, inputs: int, outputs: int, *, share: float = 1
) -> np.ndarray:
    """Around half of what a share of the inputs reaches, where outputs are undecided; one in eight is at
    either end.
    """
    thresholds = np.clip(
        np.round(rng.normal((reach + 1) / 2 * share, reach / np.sqrt(inputs) / 2, outputs)), 0, reach + 1
    )
    ends = rng.integers(0, 16, outputs)
    return np.where(ends == 0, 0, np.where(ends == 1, reach + 1, thresholds)).astype(np.int64)


def random_mask(rng: np.random.Generator, shape: Shape) -> np.ndarray | None:
    """Ternary weights in one layer of five, with any share of zeros; in a third of these each neuron has at
    most eight connections.
    """
    if not one_in(rng, 5):
        return None
    drawn, share = rng.random(shape), rng.random()
    if share < 1 / 3:  # as many numbers are drawn, so that all else is the same
        least = np.sort(drawn.reshape(shape[0], -1), axis=1)
        few = least[:, min(int(24 * share), least.shape[1] - 1)]
        return (drawn <= few.reshape(-1, *(1,) * (len(shape) - 1))).astype(np.int64)
    return (drawn < share).astype(np.int64)


def random_weights(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Random bits; in one of sixteen outputs all are equal, so that counts reach their limits."""
    weights, equal = rng.integers(0, 2, shape), rng.integers(0, 32, shape[0])
    weights[equal == 0], weights[equal == 1] = 0, 1
    return weights


def random_neurons(
    rng: np.random.Generator, shape: Shape, maximum: int, *, counts: bool = False
) -> dict[str, Any]:
    """Weights of that shape for elements of 0 ... `maximum`; thresholds unless it outputs counts."""
    planes, inputs, mask = maximum.bit_length(), prod(shape[1:]), random_mask(rng, shape)
    thresholds = (
        None
        if counts
        else random_thresholds(
            rng, inputs * ((1 << planes) - 1), inputs, shape[0], share=1 if mask is None else mask.mean()
        )
    )
    return {"weights": random_weights(rng, shape), "thresholds": thresholds, "planes": planes, "mask": mask}


def random_scales(rng: np.random.Generator, classes: int) -> np.ndarray:
    """Of up to ten bits, in one of three of both signs and with zeros."""
    maximum = 2 ** int(rng.integers(1, 11)) - 1
    return rng.integers(-maximum if one_in(rng, 3) else 1, maximum + 1, classes)
