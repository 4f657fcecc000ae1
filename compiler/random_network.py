"""Random networks, foldings and images, to test a flow that must hold for all of them.

Everything is a function of its seed. Sizes reach from 1 and rarely divide each other; thresholds include always on and
never; PE and SIMD reach from one to the whole layer.
"""

from dataclasses import replace

import numpy as np

from ..errors import ModelError
from ..hw.rom import STORES
from ..hw.spram import BLOCK_DEPTH, BLOCK_WIDTH, blocks
from .design import UNROLLED, Design, Folding, legal_simd, limits, rows_limits, unrolls, weight_words
from .ir import (
    PIXEL_BITS,
    PIXEL_LEVELS,
    Add,
    Binarize,
    Conv2d,
    Dense,
    Fork,
    Lookup,
    MaxPool,
    Network,
    Scores,
    SumPool,
    Threshold,
)

__all__ = ["fold_at_random", "random_design", "random_images", "random_network"]

_SEED_BITS = 64

#: Widest word, in bits, of a layer in SPRAM: that of all blocks of an iCE40UP5K.
_SPRAM_WIDTH = 4 * BLOCK_WIDTH


def _generator(what, seed):
    # A network and its images from the same seed must not share random numbers.
    return np.random.default_rng([seed % 2**_SEED_BITS, *what.encode()])


def _size(rng, largest):
    """A size 1 ... `largest`: any as likely as the next, or each octave."""
    return int(rng.integers(1, largest + 1) if rng.integers(2) else np.exp(rng.uniform(0, np.log(largest + 1))))


def _thresholds(rng, reach, inputs, outputs, *, share=1):
    """Around half of what a share of so many inputs reaches, where the outputs are open; one in eight at either end."""
    thresholds = np.clip(np.round(rng.normal((reach + 1) / 2 * share, reach / np.sqrt(inputs) / 2, outputs)), 0, reach + 1)
    ends = rng.integers(0, 16, outputs)
    return np.where(ends == 0, 0, np.where(ends == 1, reach + 1, thresholds)).astype(np.int64)


def _mask(rng, shape):
    """Ternary weights in one layer of five, with any share of zeros."""
    return (rng.random(shape) < rng.random()).astype(np.int64) if rng.integers(5) == 0 else None


def _neurons(rng, shape, greatest):
    """Weights of that shape for elements of 0 ... `greatest`, and thresholds."""
    planes, inputs = greatest.bit_length(), int(np.prod(shape[1:]))
    mask = _mask(rng, shape)
    thresholds = _thresholds(rng, inputs * ((1 << planes) - 1), inputs, shape[0], share=1 if mask is None else mask.mean())
    return {"weights": rng.integers(0, 2, shape), "thresholds": thresholds, "planes": planes, "mask": mask}


def _scales(rng, classes):
    """Of up to ten bits, in one of three of both signs and with zeros."""
    greatest = 2 ** int(rng.integers(1, 11)) - 1
    return rng.integers(-greatest if rng.integers(3) == 0 else 1, greatest + 1, classes)


def _conv2d(rng, name, channels, greatest, largest):
    groups = int(rng.choice([n for n in range(1, channels + 1) if channels % n == 0])) if rng.integers(3) == 0 else 1
    outputs = groups * _size(rng, max(1, largest // 4 // groups))
    kernel = int(rng.integers(1, 5)), int(rng.integers(1, 5))
    return Conv2d(name=name, **_neurons(rng, (outputs, *kernel, channels // groups), greatest),
                  stride=(int(rng.integers(1, 4)), int(rng.integers(1, 4))),
                  padding=tuple((int(rng.integers(size)), int(rng.integers(size))) for size in kernel),
                  padding_bit=int(rng.integers(2)), groups=groups)


def _pool(rng, n, shape):
    """A pooling layer; of those that sum, one in four over the whole image."""
    kernel, stride = ((int(rng.integers(1, 4)), int(rng.integers(1, 4))) for _ in range(2))
    match rng.integers(8):
        case 0 | 1 | 2 | 3:
            return MaxPool(name=f"maxpool_{n}", kernel=kernel, stride=stride)
        case 4:
            kernel = stride = shape[:2]
        case 5:
            stride = kernel
    return SumPool(name=f"sumpool_{n}", kernel=kernel, stride=stride)


def _image_layers(rng, shape, largest):
    """Up to three layers that take and give images, the first of that shape and of bits."""
    layers, greatest = [], 1
    for n in range(rng.integers(1, 4)):
        layer = _pool(rng, n, shape) if rng.integers(5) < 2 else _conv2d(rng, f"conv_{n}", shape[2], greatest, largest)
        try:
            shape, greatest = layer.output_shape(shape), layer.output_greatest(greatest)
        except ModelError:
            continue  # a kernel larger than the image, or a pool of integers
        layers.append(layer)
    return layers, shape, greatest


def _threshold(rng, name, channels, greatest):
    return Threshold(name=name, thresholds=_thresholds(rng, greatest, greatest, channels),
                     inverted=rng.integers(0, 2, channels))


def _beside(rng, name, shape, outputs, *, counts=False):
    """Neurons on bits that leave the sides of an image as they are, so that a shortcut can pass them by."""
    if len(shape) == 1:
        kind, kernel, about = Dense, (), {}
    else:
        kernel = tuple(int(rng.integers(1, 4)) for _ in range(2))
        before = [int(rng.integers(size)) for size in kernel]
        kind, about = Conv2d, {"padding": tuple((first, size - 1 - first) for first, size in zip(before, kernel, strict=True)),
                               "padding_bit": int(rng.integers(2))}
    about |= _neurons(rng, (outputs, *kernel, shape[-1]), 1)
    return kind(name=name, **about | ({"thresholds": None} if counts else {}))


def _shortcut(rng, name, shape, greatest, largest, *, depth=2):
    """A shortcut around neurons: layers from elements of 0 ... `greatest` to sums of the same shape, and their greatest."""
    layers, inner = [Fork(name=f"{name}_fork")], shape
    if greatest > 1:
        layers.append(_threshold(rng, f"{name}_bits", shape[-1], greatest))
    if rng.integers(2):
        layers.append(_beside(rng, f"{name}_hidden", shape, _size(rng, max(1, largest // 4))))
        inner = layers[-1].output_shape(shape)
    if depth > 1 and rng.integers(3) == 0:
        more, most = _shortcut(rng, f"{name}_inner", inner, 1, largest, depth=depth - 1)
        layers += [*more, _threshold(rng, f"{name}_inner_bits", inner[-1], most)]
    layers.append(_beside(rng, f"{name}_counts", inner, shape[-1], counts=True))
    add = Add(name=f"{name}_add", fork=f"{name}_fork", scale=int(rng.choice([1, 1, 2, 3])))
    return [*layers, add], layers[-1].reach + add.scale * greatest


def _with_shortcuts(rng, network, largest):
    """The network with one or two shortcuts, one behind the other on the sums, somewhere among the layers that give bits."""
    at = int(rng.choice([n for n in range(1, len(network.layers)) if network.greatest[n] == 1]))
    shape, greatest, more = network.shapes[at], 1, []
    for n in range(rng.integers(1, 3)):
        found, greatest = _shortcut(rng, f"shortcut_{n}", shape, greatest, largest)
        more += found
    return replace(network, layers=(*network.layers[:at], *more, _threshold(rng, "shortcut_bits", shape[-1], greatest),
                                    *network.layers[at:]))


def _with_lookup(rng, network):
    """The network with a random table of pixels before a first layer that takes them, of 1 to 8 bits."""
    first, planes = network.layers[0], int(rng.integers(1, PIXEL_BITS + 1))
    table = rng.integers(0, 1 << planes, PIXEL_LEVELS)
    table[rng.integers(PIXEL_LEVELS)] = (1 << planes) - 1
    reach = first.inputs * ((1 << planes) - 1)
    fitted = replace(first, name="first", planes=planes, thresholds=first.thresholds * (reach + 1) // (first.reach + 1))
    return replace(network, layers=(Lookup(name="pixels", table=table), fitted, *network.layers[1:]))


def random_network(seed, *, largest=48, images=None, shortcuts=None):
    """A network of random shape and contents.

    Parameters
    ----------
    seed : int
    largest : int
        Most pixels of an image and most neurons of a layer; a convolution has up to a quarter as many outputs.
    images : bool, optional
        Whether there are layers that take images; left out, every second network has some.
    shortcuts : bool, optional
        Whether shortcuts pass some of the layers by; left out, in every fourth network they do.
    """
    rng = _generator("network", seed)
    levels = int(rng.choice([0, 1, 1, 1, 2, 3]))  # 0: the first layer takes the pixels themselves
    if images is None:
        images = bool(rng.integers(2))
    if images:
        channels = int(rng.choice([1, 1, 2, 3]))
        height = _size(rng, min(12, largest // channels))
        image_shape = height, _size(rng, max(1, min(12, largest // channels // height))), channels
    else:
        pixels = _size(rng, largest)
        rows = int(rng.choice([n for n in range(1, pixels + 1) if pixels % n == 0]))
        image_shape = (pixels,) if rng.integers(2) else (rows, pixels // rows)
    layers, shape = [], image_shape
    if levels:
        layers.append(Binarize(name="pixels", thresholds=rng.integers(0, PIXEL_LEVELS + 1, (int(np.prod(image_shape)), levels))))
        shape = layers[0].output_shape(image_shape)
    elif images:
        kernel = tuple(int(rng.integers(1, min(size, 3) + 1)) for size in image_shape[:2])
        layers.append(Conv2d(name="pixels", **_neurons(rng, (_size(rng, largest // 4), *kernel, image_shape[2]), PIXEL_LEVELS - 1),
                             padding=tuple((int(rng.integers(size)), int(rng.integers(size))) for size in kernel),
                             padding_bit=int(rng.integers(2))))
        shape = layers[0].output_shape(image_shape)
    else:
        pixels = int(np.prod(image_shape))
        layers.append(Dense(name="pixels", **_neurons(rng, (_size(rng, largest), pixels), PIXEL_LEVELS - 1)))
        shape = layers[0].output_shape(image_shape)
    greatest = 1
    if images:
        more, shape, greatest = _image_layers(rng, shape, largest)
        layers += more
    inputs = int(np.prod(shape))
    for n in range(rng.integers(0, 4)):
        outputs = _size(rng, largest)
        layers.append(Dense(name=f"dense_{n}", **_neurons(rng, (outputs, inputs), greatest)))
        inputs, greatest = outputs, 1
    classes = _size(rng, 12)
    reach = int(rng.choice([0, inputs, 1000]))
    layers.append(Scores(name="scores", weights=rng.integers(0, 2, (classes, inputs)), planes=greatest.bit_length(),
                         mask=_mask(rng, (classes, inputs)), offsets=rng.integers(-reach, reach + 1, classes),
                         scales=_scales(rng, classes) if rng.integers(3) == 0 else None))
    network = Network(name=f"random-{seed}", image_shape=image_shape, layers=tuple(layers),
                      labels=tuple(map(str, range(classes))))
    # From random numbers of their own, so that all else is the same with and without.
    rng = _generator("shortcuts", seed)
    if shortcuts is None:
        shortcuts = rng.integers(4) == 0
    if shortcuts:
        network = _with_shortcuts(rng, network, largest)
    rng = _generator("lookup", seed)
    return _with_lookup(rng, network) if not levels and rng.integers(2) else network


def random_design(seed, *, largest=48, images=None, shortcuts=None, spram=False):
    """The random network of the same arguments, with random foldings and stores."""
    return fold_at_random(seed, random_network(seed, largest=largest, images=images, shortcuts=shortcuts), spram=spram)


def fold_at_random(seed, network, *, spram=False):
    """The network with random foldings and stores; `spram` puts some of its layers that can be there into SPRAM."""
    rng = _generator("design", seed)

    def parallel(limit):
        match rng.integers(6):
            case 0:
                return 1
            case 1:
                return limit
            case _:
                return _size(rng, limit)

    foldings = []
    for layer, shape in zip(network.layers, network.shapes, strict=False):
        pe_limit, simd_limit = limits(layer, shape)
        simd = legal_simd(layer, parallel(simd_limit))
        match layer:
            case Binarize():
                pe = simd * layer.levels
            case Add() | Fork() | Lookup() | MaxPool() | SumPool() | Threshold():
                pe = simd
            case Conv2d() if layer.groups > 1:
                pe = int(rng.choice([n for n in range(1, pe_limit + 1) if pe_limit % n == 0]))
            case _:
                pe = parallel(pe_limit)
        rows = None
        if isinstance(layer, Conv2d | MaxPool) and rng.integers(2):
            least, most = rows_limits(layer, shape)
            rows = int(rng.integers(least, most + 1))
        stores = (str(store) for store in rng.choice(sorted(STORES), 3))
        foldings.append(Folding(pe=pe, simd=simd, rows=rows, registered=(pe + simd) % 3 == 0, **dict(zip(
            ("store", "preset_store", "replay_store"), stores, strict=True))))
    if spram:
        draw = _generator("spram", seed)
        for n, (layer, folding) in enumerate(zip(network.layers, foldings, strict=True)):
            wanted = draw.integers(3) == 0 and layer.weight_bits and folding.pe * folding.simd <= _SPRAM_WIDTH
            if wanted and weight_words(layer, pe=folding.pe, simd=folding.simd) <= BLOCK_DEPTH:
                most = blocks(folding.pe * folding.simd)
                foldings[n] = replace(folding, store="spram", sprams=int(draw.integers(1, most + 1)) if draw.integers(2) else None)
    # From random numbers of their own, so that all else is the same with and without.
    rng = _generator("unrolled", seed)
    for n, (layer, shape) in enumerate(zip(network.layers, network.shapes, strict=False)):
        if unrolls(layer) and rng.integers(6) == 0:
            pe, simd = limits(layer, shape)
            foldings[n] = replace(foldings[n], pe=pe, simd=simd, store=UNROLLED, sprams=None, levels=int(rng.integers(1, 9)))
    return Design(network=network, foldings=tuple(foldings))


def random_images(seed, network, count):
    """Raw images, uint8 of shape (count, *image_shape): random ones, and half of their pixels just at a threshold."""
    rng = _generator("images", seed)
    if not isinstance(network.layers[0], Binarize):
        return rng.integers(0, PIXEL_LEVELS, (count, *network.image_shape), dtype=np.uint8)
    thresholds = network.layers[0].thresholds
    level = rng.integers(0, thresholds.shape[1], (count, network.pixels))
    at_threshold = thresholds[np.arange(network.pixels), level] - rng.integers(0, 2, level.shape)
    anything = rng.integers(0, PIXEL_LEVELS, level.shape)
    pixels = np.where(rng.integers(0, 2, level.shape), np.clip(at_threshold, 0, PIXEL_LEVELS - 1), anything)
    return pixels.astype(np.uint8).reshape(count, *network.image_shape)
