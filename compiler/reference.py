"""The golden reference: what a network means, in plain NumPy.

Written to be believed at sight. It shares no code with the hardware or with training, and everything else is
tested equal to it.
"""

import numpy as np

from .ir import (
    Add,
    Binarize,
    Conv2d,
    Dense,
    Fork,
    Layer,
    Lookup,
    MaxPool,
    Network,
    Scores,
    SumPool,
    Switch,
    Threshold,
)

__all__ = ["check_images", "decide", "evaluate", "ranked", "run", "run_layer"]


def popcounts(
    weights: np.ndarray, x: np.ndarray, planes: int = 1, mask: np.ndarray | None = None
) -> np.ndarray:
    """Agreeing inputs: (N, inputs) inputs against (outputs, inputs) weights are (N, outputs) counts.

    Over bits in {0, 1}, ``xnor(w, x) = w*x + (1-w)*(1-x)``; the sum of that is two matrix products. An input
    of several planes counts each bit by its place, so that it adds ``w*x + (1-w)*(top-x)``; one whose mask is
    0 does not count. The products are floats that hold every integer they can reach exactly.
    """
    top = 2**planes - 1
    exact = np.dtype(np.float32 if weights.shape[1] * top < 2**24 else np.float64)
    counted = np.ones_like(weights) if mask is None else mask
    for_ones, for_zeros = (weights * counted).astype(exact), ((1 - weights) * counted).astype(exact)
    counts: np.ndarray = x.astype(exact) @ for_ones.T + (top - x).astype(exact) @ for_zeros.T
    return counts.astype(np.int64)


def windows(x: np.ndarray, kernel: tuple[int, int], stride: tuple[int, int]) -> np.ndarray:
    """What is under a kernel: of (N, H, W, C), an array (N, positions down, positions across, kernel rows,
    columns, C).
    """
    down = (x.shape[1] - kernel[0]) // stride[0] + 1
    across = (x.shape[2] - kernel[1]) // stride[1] + 1
    return np.stack(
        [
            np.stack(
                [
                    x[:, row * stride[0] :, column * stride[1] :][:, : kernel[0], : kernel[1]]
                    for column in range(across)
                ],
                axis=1,
            )
            for row in range(down)
        ],
        axis=1,
    )


def convolve(layer: Conv2d, x: np.ndarray) -> np.ndarray:
    """Agreeing inputs at each position: of (N, H, W, C), counts (N, positions down, positions across,
    outputs).
    """
    padding = layer.padding_bit * (2**layer.planes - 1)
    x = np.pad(x, ((0, 0), *layer.padding, (0, 0)), constant_values=padding)
    masks = [None] * layer.groups if layer.mask is None else np.split(layer.mask, layer.groups)
    counts = []
    for weights, mask, channels in zip(
        np.split(layer.weights, layer.groups), masks, np.split(x, layer.groups, axis=3), strict=True
    ):
        under = windows(channels, layer.kernel, layer.stride)
        flat = popcounts(
            weights.reshape(len(weights), -1),
            under.reshape(-1, weights[0].size),
            layer.planes,
            None if mask is None else mask.reshape(len(mask), -1),
        )
        counts.append(flat.reshape(*under.shape[:3], len(weights)))
    return np.concatenate(counts, axis=3)


def neurons(layer: Conv2d | Dense, counts: np.ndarray) -> np.ndarray:
    """Outputs of neurons with these counts, outputs last: bits by their thresholds, or the counts."""
    return counts if layer.thresholds is None else (counts >= layer.thresholds).astype(np.uint8)


def run_layer(layer: Layer, x: np.ndarray, stored: np.ndarray | None = None) -> np.ndarray:
    """One layer on a batch: (N, *input shape) integers in, (N, *output shape) integers out; `stored` is what
    an `Add` adds and a `Switch` outputs.
    """
    match layer:
        case Binarize():
            bits = (x.reshape(len(x), -1, 1) >= layer.thresholds).astype(np.uint8)
            return bits.reshape(len(x), *layer.output_shape(x.shape[1:]))
        case Lookup():
            return layer.table[x].reshape(len(x), *layer.output_shape(x.shape[1:]))
        case Conv2d():
            return neurons(layer, convolve(layer, x))
        case MaxPool():
            padded = np.pad(x, ((0, 0), *layer.padding, (0, 0)))  # a bit that is off never is the maximum
            return windows(padded, layer.kernel, layer.stride).max(axis=(3, 4))
        case SumPool():
            return windows(x, layer.kernel, layer.stride).sum(axis=(3, 4), dtype=np.int64)
        case Threshold():
            reached = (x[..., None] >= layer.steps).sum(axis=-1)
            return np.where(layer.inverted, layer.levels - reached, reached).astype(np.uint8)
        case Fork():
            return x
        case Switch():
            assert stored is not None
            return stored
        case Add():
            assert stored is not None
            return x.astype(np.int64) + layer.scale * stored.astype(np.int64)
        case Dense():
            return neurons(layer, popcounts(layer.weights, x.reshape(len(x), -1), layer.planes, layer.mask))
        case Scores():
            counts = popcounts(layer.weights, x.reshape(len(x), -1), layer.planes, layer.mask)
            return (counts if layer.scales is None else counts * layer.scales) + layer.offsets


def check_images(network: Network, images: np.ndarray) -> np.ndarray:
    """Images as a uint8 array of shape (N, pixels); a `ValueError` for what is not raw pixels of the right
    shape.

    Axes of length 1 are optional. Pixels are uint8, or int8 where the network's `pixel_type` is
    signed, whose bytes are those of int8.
    """
    images = np.asarray(images)
    if images.dtype == np.int8 and network.pixel_type.signed:
        images = images.astype(np.uint8)
    if images.dtype != np.uint8:
        raise ValueError(f"images must be raw uint8 pixels, not {images.dtype}")
    shapes = [
        tuple(length for length in shape if length > 1) for shape in (network.image_shape, images.shape[1:])
    ]
    if images.ndim < 2 or images.shape[1:] != (network.pixels,) and shapes[0] != shapes[1]:
        raise ValueError(
            f"images must have the shape (N, {', '.join(map(str, network.image_shape))}), not {images.shape}"
        )
    return images.reshape(len(images), network.pixels)


def run(network: Network, images: np.ndarray) -> list[np.ndarray]:
    """The outputs of every layer, in order, for a batch of raw uint8 images; the last are the scores."""
    x = check_images(network, images).reshape(-1, *network.image_shape)
    outputs: list[np.ndarray] = []
    inputs: dict[str, np.ndarray] = {}  # by the names of the layers: what a `Fork` or a `Switch` stores
    for layer in network.layers:
        inputs[layer.name] = x
        x = run_layer(layer, x, inputs[layer.fork] if isinstance(layer, Add | Switch) else None)
        outputs.append(x)
    return outputs


def ranked(scores: np.ndarray, count: int) -> np.ndarray:
    """The classes of the `count` best scores, best first, a tie to the lower class: of (N, classes) scores,
    (N, count) classes.
    """
    return np.argsort(-np.asarray(scores), axis=1, kind="stable")[:, :count]


def results(scores: np.ndarray, count: int) -> np.ndarray:
    """The scores (N, `count`) that a core of `count` results per image reports: all, or only the maximum."""
    return scores if scores.shape[1] == count else scores.max(axis=1, keepdims=True)


def decide(network: Network, scores: np.ndarray) -> np.ndarray:
    """What scores (N, outputs) mean: the class of each image, shape (N,), or of a multi-label network its
    bits, (N, outputs).
    """
    if network.decision == "argmax":
        return scores.argmax(axis=1)
    bits = (scores >= 0).astype(np.int64)
    return bits if network.multi_label else bits[:, 0]


def evaluate(network: Network, images: np.ndarray, *, batch: int = 1024) -> tuple[np.ndarray, np.ndarray]:
    """Scores (N, outputs) of raw uint8 images, and what they mean, as from `decide`."""
    images = check_images(network, images)
    scores = np.concatenate(
        [run(network, images[at : at + batch])[-1] for at in range(0, len(images), batch)]
        or [np.zeros((0, network.outputs), np.int64)]
    )
    return scores, decide(network, scores)
