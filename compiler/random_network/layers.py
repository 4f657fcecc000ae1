"""Random layers that fit the end of a chain."""

from math import gcd, prod

import numpy as np

from ..ir import (
    PIXEL_BITS,
    PIXEL_LEVELS,
    Add,
    Binarize,
    Conv2d,
    Dense,
    Lookup,
    MaxPool,
    Padding,
    Scores,
    SumPool,
    Threshold,
)
from .arrays import random_mask, random_neurons, random_scales, random_thresholds, random_weights
from .chain import ELEMENT_BITS, MAX_WORK, Chain
from .draws import one_in, size, up_to

__all__ = [
    "append_bits",
    "append_fewer",
    "append_first_layers",
    "append_narrower",
    "random_conv2d",
    "random_pool",
    "random_scores",
    "same_padding",
    "same_sides",
]

#: Thresholds of pixels beyond one for each.
_MAX_LEVELS = 2000

#: Maximum absolute offset, and most absolute scaled count, so that scores stay within 32 bits.
_MAX_OFFSET = 2**30


def _paddings(rng: np.random.Generator, kernel: tuple[int, int]) -> Padding:
    rows, columns = ((int(rng.integers(size)), int(rng.integers(size))) for size in kernel)
    return rows, columns


def _groups(rng: np.random.Generator, channels: int) -> int:
    """Groups of so many channels: in one of two any number above 1 that divides them, else one."""
    numbers = [n for n in range(2, channels + 1) if channels % n == 0]
    return int(rng.choice(numbers)) if numbers and one_in(rng, 2) else 1


def random_conv2d(
    rng: np.random.Generator, chain: Chain, name: str, *, stride: tuple[int, int] | None = None
) -> Conv2d:
    channels, most = chain.shape[2], max(1, chain.largest // 4)
    groups = _groups(rng, channels)
    outputs = groups * size(rng, max(1, most // groups))
    kernel = up_to(rng, 4, 8), up_to(rng, 4, 8)
    return Conv2d(
        name=name,
        **random_neurons(rng, (outputs, *kernel, channels // groups), chain.maximum, counts=one_in(rng, 4)),
        stride=stride or (up_to(rng, 3, 8), up_to(rng, 3, 8)),
        padding=_paddings(rng, kernel),
        padding_bit=int(rng.integers(2)),
        groups=groups,
    )


def random_pool(rng: np.random.Generator, chain: Chain, name: str) -> MaxPool | SumPool:
    """A pooling layer; of those that sum, one in four over the whole image."""
    kernel, stride = ((up_to(rng, 3, 8), up_to(rng, 3, 8)) for _ in range(2))
    match rng.integers(8) if chain.maximum == 1 else rng.integers(2, 8):
        case 0 | 1 | 2 | 3:
            padding = _paddings(rng, kernel) if rng.integers(2) else ((0, 0), (0, 0))
            return MaxPool(name=f"maxpool_{name}", kernel=kernel, stride=stride, padding=padding)
        case 4:
            kernel = stride = chain.sides
        case 5:
            stride = kernel
    return SumPool(name=f"sumpool_{name}", kernel=kernel, stride=stride)


def random_threshold(
    rng: np.random.Generator, name: str, channels: int, maximum: int, *, scale: int | None = None
) -> Threshold:
    """Thresholds around half of the maximum; after an `Add` of that scale also around its multiples."""
    return Threshold(
        name=name,
        thresholds=_thresholds(rng, channels, maximum, scale),
        inverted=rng.integers(0, 2, channels),
    )


def random_levels(rng: np.random.Generator, name: str, channels: int, maximum: int) -> Threshold:
    """Two to eight thresholds for each channel, up to sixteen where one in eight."""
    levels = int(rng.integers(2, 17 if one_in(rng, 8) else 9))
    thresholds = [_thresholds(rng, channels, maximum, None) for _ in range(levels)]
    inverted = rng.integers(0, 2, channels)
    return Threshold(name=name, thresholds=np.sort(np.stack(thresholds, axis=1), axis=1), inverted=inverted)


def _thresholds(rng: np.random.Generator, channels: int, maximum: int, scale: int | None) -> np.ndarray:
    thresholds = random_thresholds(rng, maximum, maximum, channels)
    if scale is not None and rng.integers(2):
        near = scale * rng.integers(0, maximum // scale + 1, channels) + rng.integers(
            0, maximum % scale + 2, channels
        )
        thresholds = np.minimum(near, maximum + 1)
    return thresholds


def append_bits(rng: np.random.Generator, chain: Chain, name: str) -> bool:
    """Whether the chain outputs bits, after a `Threshold` where it had integers."""
    if chain.maximum == 1:
        return True
    scale = chain.layers[-1].scale if isinstance(chain.layers[-1], Add) else None
    return chain.append(random_threshold(rng, name, chain.shape[-1], chain.maximum, scale=scale))


def append_narrower(rng: np.random.Generator, chain: Chain) -> None:
    """Bits in place of integers that no layer with weights takes."""
    if chain.maximum >= 1 << ELEMENT_BITS:
        append_bits(rng, chain, f"bits_{chain.length}")


def same_sides(
    rng: np.random.Generator,
    chain: Chain,
    name: str,
    outputs: int,
    *,
    counts: bool = False,
    stride: tuple[int, int] = (1, 1),
) -> Conv2d | Dense:
    """Neurons that leave the sides of an image as they are, or as every `stride`-th pixel has them, so that a
    shortcut can pass them by.
    """
    shape = chain.shape
    if len(shape) == 1:
        return Dense(name=name, **random_neurons(rng, (outputs, shape[-1]), chain.maximum, counts=counts))
    kernel = up_to(rng, 3, 6), up_to(rng, 3, 6)
    groups = _groups(rng, gcd(shape[-1], outputs))
    padding, padding_bit = same_padding(rng, kernel), int(rng.integers(2))
    weights = outputs, *kernel, shape[-1] // groups
    return Conv2d(
        name=name,
        padding=padding,
        padding_bit=padding_bit,
        stride=stride,
        groups=groups,
        **random_neurons(rng, weights, chain.maximum, counts=counts),
    )


def same_padding(rng: np.random.Generator, kernel: tuple[int, int]) -> Padding:
    """One less than the kernel in each direction, before and after the image."""
    above, left = (int(rng.integers(size)) for size in kernel)
    return (above, kernel[0] - 1 - above), (left, kernel[1] - 1 - left)


def append_first_layers(rng: np.random.Generator, chain: Chain, images: bool) -> None:
    """From pixels to bits: thresholds of 1 to 8 levels, or neurons on the pixels themselves or on what a
    table makes of them.
    """
    levels = int(rng.integers(4, 9)) if one_in(rng, 8) else int(rng.choice([0, 0, 1, 1, 1, 2, 3]))
    levels = max(levels > 0, min(levels, _MAX_LEVELS // prod(chain.image_shape)))
    if not levels and chain.attempt(lambda chain: _neurons_on_pixels(rng, chain, images)):
        return
    chain.append(
        Binarize(
            name="pixels",
            thresholds=rng.integers(0, PIXEL_LEVELS + 1, (prod(chain.image_shape), max(1, levels))),
        )
    )


def _neurons_on_pixels(rng: np.random.Generator, chain: Chain, images: bool) -> bool:
    if rng.integers(2):
        planes = int(rng.integers(1, PIXEL_BITS + 1))
        table = rng.integers(0, 1 << planes, PIXEL_LEVELS)
        table[rng.integers(PIXEL_LEVELS)] = (1 << planes) - 1
        chain.append(Lookup(name="pixels", table=table))
    name = "first" if chain.layers else "pixels"
    if not images:
        outputs = size(rng, max(1, min(chain.largest, MAX_WORK // 2 // PIXEL_BITS // chain.elements)))
        return chain.append(
            Dense(
                name=name,
                **random_neurons(rng, (outputs, chain.elements), chain.maximum, counts=one_in(rng, 5)),
            )
        )
    height, width = chain.sides
    kernel = min(height, up_to(rng, 3, 7)), min(width, up_to(rng, 3, 7))
    groups = _groups(rng, chain.shape[2])
    outputs = groups * size(rng, max(1, chain.largest // 4 // groups))
    weights = outputs, *kernel, chain.shape[2] // groups
    few = max(1, chain.elements // 1024)  # of a large image not every position
    return chain.append(
        Conv2d(
            name=name,
            **random_neurons(rng, weights, chain.maximum, counts=one_in(rng, 5)),
            padding=_paddings(rng, kernel),
            stride=(up_to(rng, 2, 5), up_to(rng, 2, 5)) if few > 1 else (1, 1),
            padding_bit=int(rng.integers(2)),
            groups=groups,
        )
    )


def append_fewer(rng: np.random.Generator, chain: Chain, most: int) -> None:
    """Layers until at most so many elements are left: strides first, then one sum over the image or one
    position.
    """
    for n in range(8):
        if chain.elements <= most:
            return
        stride = int(rng.integers(2, 9)), int(rng.integers(2, 9))
        append_narrower(rng, chain)
        chain.append(
            random_conv2d(rng, chain, f"fewer_{n}", stride=stride)
            if rng.integers(2)
            else MaxPool(name=f"fewer_{n}", kernel=(up_to(rng, 3, 8), up_to(rng, 3, 8)), stride=stride)
        )
    append_narrower(rng, chain)
    if chain.elements > most and not chain.append(
        SumPool(name="fewer", kernel=chain.sides, stride=chain.sides)
    ):
        outputs = size(rng, max(1, chain.largest // 4))
        chain.append(
            Conv2d(
                name="fewer",
                **random_neurons(rng, (outputs, 1, 1, chain.shape[2]), chain.maximum),
                stride=chain.sides,
            )
        )


def random_scores(rng: np.random.Generator, chain: Chain) -> Scores:
    """Up to 12 outputs, in one of six up to eight times as many as neurons; in one of six, offsets and scales
    at their limits.
    """
    largest = chain.largest
    classes = size(rng, 12)
    if largest > 12 and one_in(rng, 6):
        classes = min(
            int(rng.integers(13, 8 * largest + 1)), max(13, 12 * largest * largest // chain.elements)
        )
    planes, scaled = chain.maximum.bit_length(), one_in(rng, 3)
    reach = chain.elements * ((1 << planes) - 1)
    if one_in(rng, 6):
        near = rng.choice([0, 1, 1000, 2**20], classes) * rng.integers(0, 2, classes)
        offsets = np.where(
            rng.integers(0, 4, classes) == 0,
            rng.integers(-_MAX_OFFSET, _MAX_OFFSET + 1, classes),
            rng.choice([-1, 1], classes) * (_MAX_OFFSET - near),
        )
        most = (_MAX_OFFSET - 1) // reach
        scales = rng.integers(-most, most + 1, classes)
    else:
        most = int(rng.choice([0, chain.elements, 1000]))
        offsets, scales = rng.integers(-most, most + 1, classes), random_scales(rng, classes)
    weights, mask = (
        random_weights(rng, (classes, chain.elements)),
        random_mask(rng, (classes, chain.elements)),
    )
    if mask is not None and mask.sum() % 3 == 0:  # each class has inputs of its own
        mask = (np.arange(chain.elements) * classes // chain.elements == np.arange(classes)[:, None]).astype(
            np.int64
        )
    return Scores(
        name="scores",
        weights=weights,
        planes=planes,
        mask=mask,
        offsets=offsets,
        scales=scales if scaled else None,
    )
