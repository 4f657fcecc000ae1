"""Random images."""

import numpy as np

from ..ir import PIXEL_LEVELS, Binarize, Network
from .draws import generator

__all__ = ["random_images"]


def random_images(seed: int, network: Network, count: int) -> np.ndarray:
    """Raw images, uint8 of shape (count, *image_shape): random ones, and half of their pixels just at a
    threshold.

    One in eight is all 0 or all 255. The first are the same whatever `count` is.
    """
    images = np.zeros((count, network.pixels), np.uint8)
    first = network.layers[0]
    for n in range(count):
        rng = generator(f"image {n}", seed)
        pixels = rng.integers(0, PIXEL_LEVELS, network.pixels)
        if isinstance(first, Binarize):
            level = rng.integers(0, first.levels, network.pixels)
            at_threshold = first.thresholds[np.arange(network.pixels), level] - rng.integers(
                0, 2, network.pixels
            )
            pixels = np.where(
                rng.integers(0, 2, network.pixels), np.clip(at_threshold, 0, PIXEL_LEVELS - 1), pixels
            )
        images[n] = pixels if rng.integers(8) else (PIXEL_LEVELS - 1) * rng.integers(2)
    return images.reshape(count, *network.image_shape)
