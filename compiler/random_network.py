"""Random networks, foldings and images, to test a flow that must hold for all of them.

Everything is a function of its seed. Sizes reach from 1 and rarely divide each other; thresholds include always on and
never; PE and SIMD reach from one to the whole layer.
"""

import numpy as np

from ..hw.rom import STORES
from .design import Design, Folding
from .ir import PIXEL_LEVELS, Binarize, Dense, Network, Scores

__all__ = ["random_design", "random_images", "random_network"]

_SEED_BITS = 64


def _generator(what, seed):
    # A network and its images from the same seed must not share random numbers.
    return np.random.default_rng([seed % 2**_SEED_BITS, *what.encode()])


def _size(rng, largest):
    """A size 1 ... `largest`: any as likely as the next, or each octave."""
    return int(rng.integers(1, largest + 1) if rng.integers(2) else np.exp(rng.uniform(0, np.log(largest + 1))))


def random_network(seed, *, largest=48):
    """A network of random shape and contents.

    Parameters
    ----------
    seed : int
    largest : int
        Most pixels of an image and most neurons of a layer.
    """
    rng = _generator("network", seed)
    pixels = _size(rng, largest)
    rows = rng.choice([n for n in range(1, pixels + 1) if pixels % n == 0])
    image_shape = (pixels,) if rng.integers(2) else (int(rows), int(pixels // rows))
    levels = int(rng.choice([1, 1, 1, 2, 3]))
    layers = [Binarize(name="pixels", thresholds=rng.integers(0, PIXEL_LEVELS + 1, (pixels, levels)))]
    for n in range(rng.integers(0, 4)):
        inputs, outputs = layers[-1].outputs, _size(rng, largest)
        # Around half of the inputs, where the outputs are open; one in eight at either end.
        thresholds = np.clip(np.round(rng.normal((inputs + 1) / 2, np.sqrt(inputs) / 2, outputs)), 0, inputs + 1)
        ends = rng.integers(0, 16, outputs)
        thresholds = np.where(ends == 0, 0, np.where(ends == 1, inputs + 1, thresholds))
        layers.append(Dense(name=f"dense_{n}", weights=rng.integers(0, 2, (outputs, inputs)),
                            thresholds=thresholds.astype(np.int64)))
    classes, inputs = _size(rng, 12), layers[-1].outputs
    reach = int(rng.choice([0, inputs, 1000]))
    layers.append(Scores(name="scores", weights=rng.integers(0, 2, (classes, inputs)),
                         offsets=rng.integers(-reach, reach + 1, classes)))
    return Network(name=f"random-{seed}", image_shape=image_shape, layers=tuple(layers),
                   labels=tuple(map(str, range(classes))))


def random_design(seed, *, largest=48):
    """The random network of the same seed, with random foldings and stores."""
    rng = _generator("design", seed)
    network = random_network(seed, largest=largest)

    def parallel(limit):
        match rng.integers(6):
            case 0:
                return 1
            case 1:
                return limit
            case _:
                return _size(rng, limit)

    foldings = []
    for layer in network.layers:
        simd = parallel(layer.inputs)
        pe = simd * layer.levels if isinstance(layer, Binarize) else parallel(layer.outputs)
        stores = (str(store) for store in rng.choice(sorted(STORES), 3))
        foldings.append(Folding(pe=pe, simd=simd, **dict(zip(("store", "preset_store", "replay_store"), stores,
                                                            strict=True))))
    return Design(network=network, foldings=tuple(foldings))


def random_images(seed, network, count):
    """Raw images, uint8 of shape (count, *image_shape): random ones, and half of their pixels just at a threshold."""
    rng = _generator("images", seed)
    thresholds = network.layers[0].thresholds
    level = rng.integers(0, thresholds.shape[1], (count, network.pixels))
    at_threshold = thresholds[np.arange(network.pixels), level] - rng.integers(0, 2, level.shape)
    anything = rng.integers(0, PIXEL_LEVELS, level.shape)
    pixels = np.where(rng.integers(0, 2, level.shape), np.clip(at_threshold, 0, PIXEL_LEVELS - 1), anything)
    return pixels.astype(np.uint8).reshape(count, *network.image_shape)
