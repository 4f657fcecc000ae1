"""Random networks, foldings and images, to test a flow that must hold for all of them.

Everything is a function of its seed. Sizes reach from 1 and rarely divide each other; thresholds include
always on and never; PE and SIMD reach from one to the whole layer. What a design really has is listed by
`features`.
"""

from dataclasses import replace
from math import isqrt, prod

import numpy as np

from ..errors import ModelError
from ..hw.rom import STORES
from ..hw.spram import BLOCK_DEPTH, BLOCK_WIDTH, blocks
from .design import Design, to_patchable
from .device import FABRICS
from .folding import UNROLLED, Folding
from .ir import (
    PIXEL_BITS,
    PIXEL_LEVELS,
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
    Signal,
    SumPool,
    Threshold,
)
from .layers import rules
from .reference import evaluate
from .simulate import layer_work, work

__all__ = [
    "fold_at_random",
    "image_count",
    "other_contents",
    "random_design",
    "random_images",
    "random_network",
]

_SEED_BITS = 64

#: Most rows and columns of an image.
_MOST_SIDE = 128

#: Weights read for one image, as `simulate.work` counts them: a simulator reads some 300,000 a second.
_MOST_WORK = 50_000

#: Cycles of a layer for all images together, unless two images take more.
_MOST_CYCLES = 2000

#: Weights read at once by a layer, and thresholds of pixels of a larger image: a simulator and yosys take
#: longer for more. Of an image of many pixels, each of which takes cycles, fewer.
_MOST_PARALLEL, _MOST_COMPARED, _MOST_OF_ALL_PIXELS = 1024, 24, 100_000

#: Bits of a beat of integers, which Icarus takes apart anew with each that changes: 171 pixels in a beat took
#: 0.2 s a cycle.
_MOST_BITS = 192

#: Thresholds of pixels beyond one for each.
_MOST_LEVELS = 2000

#: Weights of an unrolled layer, all planes counted, times the cycles of an image: the tables are simulated in
#: each cycle.
_MOST_UNROLLED = 500_000

#: Most elements of the vector that a dense layer takes, for each of the most neurons.
_INPUTS_PER_NEURON = 8

#: Widest word, in bits, of a layer in SPRAM: that of all blocks of an iCE40UP5K.
_SPRAM_WIDTH = 4 * BLOCK_WIDTH

#: Bits of a sum. A layer with weights takes elements of at most 16 bits.
_SUM_BITS, _ELEMENT_BITS = 31, 16

#: Most absolute offset, and most absolute scaled count, so that scores stay within 32 bits.
_MOST_OFFSET = 2**30


def _generator(what, seed):
    # A network and its images from the same seed must not share random numbers.
    return np.random.default_rng([seed % 2**_SEED_BITS, *what.encode()])


def _one_in(rng, n):
    return rng.integers(n) == 0


def _size(rng, largest):
    """A size 1 ... `largest`: uniform, or uniform in its logarithm."""
    return int(
        rng.integers(1, largest + 1) if rng.integers(2) else np.exp(rng.uniform(0, np.log(largest + 1)))
    )


def _up_to(rng, usual, most):
    """A size 1 ... `usual`, in one of four up to `most`."""
    return int(rng.integers(1, (max(usual, most) if _one_in(rng, 4) else usual) + 1))


def _thresholds(rng, reach, inputs, outputs, *, share=1):
    """Around half of what a share of the inputs reaches, where outputs are undecided; one in eight is at
    either end.
    """
    thresholds = np.clip(
        np.round(rng.normal((reach + 1) / 2 * share, reach / np.sqrt(inputs) / 2, outputs)), 0, reach + 1
    )
    ends = rng.integers(0, 16, outputs)
    return np.where(ends == 0, 0, np.where(ends == 1, reach + 1, thresholds)).astype(np.int64)


def _mask(rng, shape):
    """Ternary weights in one layer of five, with any share of zeros."""
    return (rng.random(shape) < rng.random()).astype(np.int64) if _one_in(rng, 5) else None


def _weights(rng, shape):
    """Random bits; in one of sixteen outputs all are equal, so that counts reach their limits."""
    weights, equal = rng.integers(0, 2, shape), rng.integers(0, 32, shape[0])
    weights[equal == 0], weights[equal == 1] = 0, 1
    return weights


def _neurons(rng, shape, greatest, *, counts=False):
    """Weights of that shape for elements of 0 ... `greatest`, and thresholds unless the layer outputs counts."""
    planes, inputs, mask = greatest.bit_length(), prod(shape[1:]), _mask(rng, shape)
    thresholds = (
        None
        if counts
        else _thresholds(
            rng, inputs * ((1 << planes) - 1), inputs, shape[0], share=1 if mask is None else mask.mean()
        )
    )
    return {"weights": _weights(rng, shape), "thresholds": thresholds, "planes": planes, "mask": mask}


class _Chain:
    """Layers one after the other, and what the last of them outputs.

    Parameters
    ----------
    image_shape : tuple of int
    largest : int
        Most neurons of a layer.
    """

    def __init__(self, image_shape, largest):
        self.largest = largest
        self.image_shape = tuple(image_shape)
        self.layers: list[Layer] = []
        self._signal = Signal(shape=self.image_shape, maximum=PIXEL_LEVELS - 1)
        self._work = 0

    @property
    def shape(self):
        return self._signal.shape

    @property
    def maximum(self):
        return self._signal.maximum

    @property
    def elements(self):
        return prod(self.shape)

    @property
    def length(self):
        return len(self.layers)

    def append(self, layer):
        """Whether a layer is added: not where it doesn't take what is there, outputs too wide sums or takes
        too long.
        """
        try:
            signal = layer.after(self._signal)
        except ModelError:
            return False
        work = self._work + layer_work(layer, signal.shape)
        if work > _MOST_WORK or signal.maximum.bit_length() > _SUM_BITS:
            return False
        self.layers.append(layer)
        self._signal, self._work = signal, work
        return True

    def attempt(self, steps):
        """Whether a function of this chain adds all that it wants; if it returns False, the chain is as it
        was.
        """
        before = self.layers[:], self._signal, self._work
        if steps(self):
            return True
        self.layers, self._signal, self._work = before
        return False

    def stored(self, fork):
        """Maximum element of what a fork stores."""
        return self._signal.shortcuts[fork].maximum

    def network(self, name, *, signs):
        """The network; `signs` tells whether several outputs decide by their signs, as one always does."""
        outputs = self.layers[-1].outputs
        return Network(
            name=name,
            image_shape=self.image_shape,
            layers=tuple(self.layers),
            labels=tuple(map(str, range(max(2, outputs)))),
            decision="sign" if signs or outputs == 1 else "argmax",
        )


def _paddings(rng, kernel):
    return tuple((int(rng.integers(size)), int(rng.integers(size))) for size in kernel)


def _conv2d(rng, chain, name, *, stride=None):
    channels, most = chain.shape[2], max(1, chain.largest // 4)
    groups = (
        int(rng.choice([n for n in range(1, channels + 1) if channels % n == 0])) if _one_in(rng, 3) else 1
    )
    outputs = groups * _size(rng, max(1, most // groups))
    kernel = _up_to(rng, 4, 8), _up_to(rng, 4, 8)
    return Conv2d(
        name=name,
        **_neurons(rng, (outputs, *kernel, channels // groups), chain.maximum, counts=_one_in(rng, 4)),
        stride=stride or (_up_to(rng, 3, 8), _up_to(rng, 3, 8)),
        padding=_paddings(rng, kernel),
        padding_bit=int(rng.integers(2)),
        groups=groups,
    )


def _pool(rng, chain, name):
    """A pooling layer; of those that sum, one in four over the whole image."""
    kernel, stride = ((_up_to(rng, 3, 8), _up_to(rng, 3, 8)) for _ in range(2))
    match rng.integers(8) if chain.maximum == 1 else rng.integers(4, 8):
        case 0 | 1 | 2 | 3:
            padding = _paddings(rng, kernel) if rng.integers(2) else ((0, 0), (0, 0))
            return MaxPool(name=f"maxpool_{name}", kernel=kernel, stride=stride, padding=padding)
        case 4:
            kernel = stride = chain.shape[:2]
        case 5:
            stride = kernel
    return SumPool(name=f"sumpool_{name}", kernel=kernel, stride=stride)


def _threshold(rng, name, channels, greatest, *, scale=None):
    """Thresholds around half of the greatest sum; after an `Add` of that scale also around multiples of it."""
    thresholds = _thresholds(rng, greatest, greatest, channels)
    if scale is not None and rng.integers(2):
        near = scale * rng.integers(0, greatest // scale + 1, channels) + rng.integers(
            0, greatest % scale + 2, channels
        )
        thresholds = np.minimum(near, greatest + 1)
    return Threshold(name=name, thresholds=thresholds, inverted=rng.integers(0, 2, channels))


def _bits(rng, chain, name):
    """Whether the chain outputs bits, after a `Threshold` where it had integers."""
    if chain.maximum == 1:
        return True
    scale = chain.layers[-1].scale if isinstance(chain.layers[-1], Add) else None
    return chain.append(_threshold(rng, name, chain.shape[-1], chain.maximum, scale=scale))


def _narrow(rng, chain):
    """Bits in place of integers that no layer with weights takes."""
    if chain.maximum >= 1 << _ELEMENT_BITS:
        _bits(rng, chain, f"bits_{chain.length}")


def _same_sides(rng, chain, name, outputs, *, counts=False):
    """Neurons that leave the sides of an image as they are, so that a shortcut can pass them by."""
    shape = chain.shape
    if len(shape) == 1:
        kind, kernel, about = Dense, (), {}
    else:
        kernel = _up_to(rng, 3, 6), _up_to(rng, 3, 6)
        before = [int(rng.integers(size)) for size in kernel]
        kind, about = (
            Conv2d,
            {
                "padding": tuple(
                    (first, size - 1 - first) for first, size in zip(before, kernel, strict=True)
                ),
                "padding_bit": int(rng.integers(2)),
            },
        )
    return kind(
        name=name, **about, **_neurons(rng, (outputs, *kernel, shape[-1]), chain.maximum, counts=counts)
    )


def _add(rng, chain, name, *, wide=False):
    """Whether the shortcut of that name is closed: with a small scale, or (`wide`) any that sums of 31 bits
    allow.
    """
    scale = int(rng.choice([1, 1, 2, 3]))
    if wide or _one_in(rng, 8):
        most = max(1, min(2**16, ((1 << _SUM_BITS) - 1 - chain.maximum) // chain.stored(f"{name}_fork")))
        scale = int(np.exp(rng.uniform(0, np.log(most)))) if rng.integers(2) else most
    return chain.append(Add(name=f"{name}_add", fork=f"{name}_fork", scale=scale))


def _shortcut(rng, chain, name, *, depth=2, wide=False):
    """Whether the chain got a shortcut around neurons on bits; in one of three with another inside."""
    channels = chain.shape[-1]
    return (
        chain.append(Fork(name=f"{name}_fork"))
        and _bits(rng, chain, f"{name}_bits")
        and (
            rng.integers(2)
            or chain.append(_same_sides(rng, chain, f"{name}_hidden", _size(rng, max(1, chain.largest // 4))))
        )
        and (
            depth == 1
            or rng.integers(3)
            or _shortcut(rng, chain, f"{name}_inner", depth=depth - 1)
            and _bits(rng, chain, f"{name}_inner_bits")
        )
        and chain.append(_same_sides(rng, chain, f"{name}_counts", channels, counts=True))
        and _add(rng, chain, name, wide=wide)
    )


def _empty_shortcut(rng, chain, name, *, wide=False):
    """Whether the chain got a shortcut around nothing."""
    return chain.append(Fork(name=f"{name}_fork")) and _add(rng, chain, name, wide=wide)


def _wide_shortcuts(rng, chain, name):
    """Whether the chain got two shortcuts, the second on the sums of the first, with large scales."""
    kinds = [_empty_shortcut if _one_in(rng, 3) else _shortcut for _ in range(2)]
    return all(kind(rng, chain, f"{name}_{n}", wide=True) for n, kind in enumerate(kinds))


def _interleaved_shortcuts(rng, chain, name):
    """Whether the chain got two shortcuts of which the second begins inside the first and ends after it."""
    one, two = f"{name}_one", f"{name}_two"
    channels = chain.shape[-1]
    steps = chain.append(Fork(name=f"{one}_fork"))
    if rng.integers(2):  # other channels inside the second
        steps = (
            steps
            and _bits(rng, chain, f"{one}_bits")
            and chain.append(
                _same_sides(
                    rng,
                    chain,
                    f"{one}_hidden",
                    channels if rng.integers(2) else _size(rng, max(1, chain.largest // 4)),
                )
            )
        )
    inner = chain.shape[-1]
    steps = (
        steps
        and chain.append(Fork(name=f"{two}_fork"))
        and _bits(rng, chain, f"{two}_bits")
        and chain.append(_same_sides(rng, chain, f"{two}_counts", channels, counts=True))
        and _add(rng, chain, one)
    )
    if inner != channels or rng.integers(2):
        steps = (
            steps
            and _bits(rng, chain, f"{one}_sum_bits")
            and chain.append(_same_sides(rng, chain, f"{one}_counts", inner, counts=True))
        )
    return steps and _add(rng, chain, two)


def _shortcuts(rng, chain, name):
    """Whether the chain got a shortcut of any kind."""
    kinds = *[_shortcut] * 3, _empty_shortcut, *[_interleaved_shortcuts] * 2, *[_wide_shortcuts] * 2
    kind = kinds[rng.integers(len(kinds))]
    if not chain.attempt(lambda chain: kind(rng, chain, name)):
        return False
    if rng.integers(2):  # else the next layer takes the sums
        _bits(rng, chain, f"{name}_sum_bits")
    return True


def _first_layers(rng, chain, images):
    """From pixels to bits: thresholds of 1 to 8 levels, or neurons on the pixels themselves or on what a
    table makes of them.
    """
    levels = int(rng.integers(4, 9)) if _one_in(rng, 8) else int(rng.choice([0, 0, 1, 1, 1, 2, 3]))
    levels = max(levels > 0, min(levels, _MOST_LEVELS // prod(chain.image_shape)))
    if not levels and chain.attempt(lambda chain: _neurons_on_pixels(rng, chain, images)):
        return
    chain.append(
        Binarize(
            name="pixels",
            thresholds=rng.integers(0, PIXEL_LEVELS + 1, (prod(chain.image_shape), max(1, levels))),
        )
    )


def _neurons_on_pixels(rng, chain, images):
    if rng.integers(2):
        planes = int(rng.integers(1, PIXEL_BITS + 1))
        table = rng.integers(0, 1 << planes, PIXEL_LEVELS)
        table[rng.integers(PIXEL_LEVELS)] = (1 << planes) - 1
        chain.append(Lookup(name="pixels", table=table))
    name = "first" if chain.layers else "pixels"
    if not images:
        outputs = _size(rng, max(1, min(chain.largest, _MOST_WORK // 2 // PIXEL_BITS // chain.elements)))
        return chain.append(
            Dense(
                name=name, **_neurons(rng, (outputs, chain.elements), chain.maximum, counts=_one_in(rng, 5))
            )
        )
    kernel = tuple(min(size, _up_to(rng, 3, 7)) for size in chain.shape[:2])
    weights = _size(rng, max(1, chain.largest // 4)), *kernel, chain.shape[2]
    few = max(1, chain.elements // 1024)  # of a large image not every position
    return chain.append(
        Conv2d(
            name=name,
            **_neurons(rng, weights, chain.maximum, counts=_one_in(rng, 5)),
            padding=_paddings(rng, kernel),
            stride=(_up_to(rng, 2, 5), _up_to(rng, 2, 5)) if few > 1 else (1, 1),
            padding_bit=int(rng.integers(2)),
        )
    )


def _fewer(rng, chain, most):
    """Layers until at most so many elements are left: strides first, then one sum over the image or one
    position.
    """
    for n in range(8):
        if chain.elements <= most:
            return
        stride = int(rng.integers(2, 9)), int(rng.integers(2, 9))
        _narrow(rng, chain)
        chain.append(
            _conv2d(rng, chain, f"fewer_{n}", stride=stride)
            if rng.integers(2)
            else MaxPool(name=f"fewer_{n}", kernel=(_up_to(rng, 3, 8), _up_to(rng, 3, 8)), stride=stride)
        )
    _narrow(rng, chain)
    if chain.elements > most and not chain.append(
        SumPool(name="fewer", kernel=chain.shape[:2], stride=chain.shape[:2])
    ):
        outputs = _size(rng, max(1, chain.largest // 4))
        chain.append(
            Conv2d(
                name="fewer",
                **_neurons(rng, (outputs, 1, 1, chain.shape[2]), chain.maximum),
                stride=chain.shape[:2],
            )
        )


def _scales(rng, classes):
    """Of up to ten bits, in one of three of both signs and with zeros."""
    greatest = 2 ** int(rng.integers(1, 11)) - 1
    return rng.integers(-greatest if _one_in(rng, 3) else 1, greatest + 1, classes)


def _scores(rng, chain):
    """Up to 12 outputs, in one of six up to eight times as many as neurons; in one of six, offsets and scales
    at their limits.
    """
    largest = chain.largest
    classes = _size(rng, 12)
    if largest > 12 and _one_in(rng, 6):
        classes = min(
            int(rng.integers(13, 8 * largest + 1)), max(13, 12 * largest * largest // chain.elements)
        )
    planes, scaled = chain.maximum.bit_length(), _one_in(rng, 3)
    reach = chain.elements * ((1 << planes) - 1)
    if _one_in(rng, 6):
        near = rng.choice([0, 1, 1000, 2**20], classes) * rng.integers(0, 2, classes)
        offsets = np.where(
            rng.integers(0, 4, classes) == 0,
            rng.integers(-_MOST_OFFSET, _MOST_OFFSET + 1, classes),
            rng.choice([-1, 1], classes) * (_MOST_OFFSET - near),
        )
        most = (_MOST_OFFSET - 1) // reach
        scales = rng.integers(-most, most + 1, classes)
    else:
        most = int(rng.choice([0, chain.elements, 1000]))
        offsets, scales = rng.integers(-most, most + 1, classes), _scales(rng, classes)
    return Scores(
        name="scores",
        weights=_weights(rng, (classes, chain.elements)),
        planes=planes,
        mask=_mask(rng, (classes, chain.elements)),
        offsets=offsets,
        scales=scales if scaled else None,
    )


def _with_ties(rng, network, images):
    """The network in which the best class of the first image has a copy or two."""
    best, scores = int(evaluate(network, images[:1])[1][0]), network.layers[-1]
    row = np.arange(network.classes)
    row[rng.integers(0, network.classes, 2)] = best
    arrays = {name: getattr(scores, name) for name in ("weights", "mask", "offsets", "scales")}
    return replace(
        network,
        layers=(
            *network.layers[:-1],
            replace(
                scores, **{name: array if array is None else array[row] for name, array in arrays.items()}
            ),
        ),
    )


def _with_a_zero(rng, network, images):
    """The network in which an output of the first image is 0, if its offset can be."""
    found, scores, n = (
        evaluate(network, images[:1])[0][0],
        network.layers[-1],
        int(rng.integers(network.outputs)),
    )
    offsets = scores.offsets.copy()
    offsets[n] -= found[n]
    try:
        return replace(network, layers=(*network.layers[:-1], replace(scores, offsets=offsets)))
    except ModelError:
        return network


def _image_shape(rng, images, largest, pixels):
    """The shape of an image; one in six has more than 12 x 12 pixels, if there may be so many."""
    side = min(_MOST_SIDE, isqrt(pixels))
    if side > 12 and _one_in(rng, 6):
        # Layers with windows take a cycle for each pixel of the largest.
        sides = (
            (side, side)
            if rng.integers(10) < (1 if images else 7)
            else tuple(map(int, rng.integers(13, min(side, 32) + 1, 2)))
        )
        return *sides, 3 if 3 * prod(sides) <= min(pixels, 64**2) and _one_in(rng, 4) else 1
    if images:
        channels = int(rng.choice([1, 1, 2, 3]))
        height = _size(rng, max(1, min(12, largest // channels)))
        return height, _size(rng, max(1, min(12, largest // channels // height))), channels
    count = _size(rng, largest)
    rows = int(rng.choice([n for n in range(1, count + 1) if count % n == 0]))
    return (count,) if rng.integers(2) else (rows, count // rows)


def random_network(seed, *, largest=48, pixels=0, images=None, shortcuts=None):
    """A network of random shape and contents.

    Parameters
    ----------
    seed : int
    largest : int
        Most neurons of a layer; a convolution has up to a quarter as many outputs. Also most pixels of an
        image, but for `pixels`.
    pixels : int
        Most pixels of the larger images, of which no side is longer than 128; up to 144 there are none.
    images : bool, optional
        Whether there are layers that take images; left out, three of five networks have some.
    shortcuts : bool, optional
        Whether shortcuts pass some of the layers by; left out, in two of five networks they do.
    """
    rng = _generator("network", seed)
    if images is None:
        images = bool(rng.integers(5) < 3)
    chain = _Chain(_image_shape(rng, images, largest, pixels), largest)
    if shortcuts is None:
        shortcuts = rng.integers(5) < 2
    wanted, done = (2 if _one_in(rng, 3) else 1) if shortcuts else 0, 0
    _first_layers(rng, chain, images)

    def perhaps():
        nonlocal done
        if done < wanted and not rng.integers(3) and chain.elements <= 4 * largest:
            done += _shortcuts(rng, chain, f"shortcut_{chain.length}")
        _narrow(rng, chain)

    if images:
        for n in range(rng.integers(1, 4)):
            perhaps()
            chain.append(
                _pool(rng, chain, n)
                if rng.integers(5) < (2 if chain.maximum == 1 else 3)
                else _conv2d(rng, chain, f"conv_{n}")
            )
        _narrow(rng, chain)
        _fewer(rng, chain, _INPUTS_PER_NEURON * largest)
    elif chain.elements > _INPUTS_PER_NEURON * largest:
        outputs = _size(rng, max(1, min(largest, _MOST_WORK // 2 // chain.elements)))
        chain.append(Dense(name="dense", **_neurons(rng, (outputs, chain.elements), chain.maximum)))
    for n in range(rng.integers(0, 4)):
        perhaps()
        chain.append(
            Dense(
                name=f"dense_{n}",
                **_neurons(rng, (_size(rng, largest), chain.elements), chain.maximum, counts=_one_in(rng, 5)),
            )
        )
    for n in range(4):
        if done == wanted:
            break
        done += _shortcuts(rng, chain, f"shortcut_{chain.length}_{n}")
    _narrow(rng, chain)
    # The last layer is no larger than its classes make it.
    chain.layers.append(_scores(rng, chain))
    # From random numbers of their own, so that all else is the same with and without.
    network = chain.network(f"random-{seed}", signs=_one_in(_generator("decision", seed), 4))
    if network.decision == "argmax" and _one_in(rng, 6):
        network = _with_ties(rng, network, random_images(seed, network, 1))
    if network.decision == "sign" and _one_in(rng, 3):
        network = _with_a_zero(rng, network, random_images(seed, network, 1))
    return network


def random_design(seed, *, largest=48, pixels=0, images=None, shortcuts=None, **folding):
    """The random network of the same arguments, folded by `fold_at_random` with the others."""
    network = random_network(seed, largest=largest, pixels=pixels, images=images, shortcuts=shortcuts)
    return fold_at_random(seed, network, **folding)


def _parallel(rng, limit):
    match rng.integers(6):
        case 0:
            return 1
        case 1:
            return limit
        case _:
            return _size(rng, limit)


def _cycles(rule, folding):
    """Cycles that a layer is busy with an image."""
    if not rule.layer.weight_bits:
        return prod(rule.input_shape) // folding.simd
    return rule.positions * rule.layer.planes * rule.weight_words(folding.pe, folding.simd)


def _pe_and_simd(rng, rule, lanes, cycles, parallel):
    """A legal folding of random pe and simd, with neither too many cycles nor more than `parallel` weights at
    once.
    """
    pe_limit, simd_limit = rule.limits
    simd_limit = simd_limit if lanes is None else min(simd_limit, lanes)
    simd = rule.legal_simd(_parallel(rng, simd_limit))
    if not rule.layer.weight_bits:
        if isinstance(rule.layer, Binarize) and rule.layer.outputs > 2 * _MOST_COMPARED:
            simd = min(simd, max(1, _MOST_COMPARED // rule.layer.levels))
        while simd < simd_limit and prod(rule.input_shape) // simd > cycles:
            simd = min(2 * simd, simd_limit)
        return rule.complete(Folding(pe=1, simd=simd))
    legal = rule.legal_pe
    pe = int(rng.choice(legal)) if rule.layer.groups > 1 else _parallel(rng, pe_limit)
    while pe * simd > parallel:
        pe, simd = max(n for n in legal if n <= -(-pe // 2)), rule.legal_simd(-(-simd // 2))
    while _cycles(rule, Folding(pe=pe, simd=simd)) > cycles and (pe < pe_limit or simd < simd_limit):
        pe, simd = (
            min(n for n in legal if n >= min(2 * pe, pe_limit)),
            max(simd, rule.legal_simd(min(2 * simd, simd_limit))),
        )
        if simd * 2 > simd_limit:
            simd = max(simd, rule.legal_simd(simd_limit))
    return Folding(pe=pe, simd=simd)


def fold_at_random(seed, network, *, spram=False, patchable=False, family=None, lanes=None, cycles=500):
    """The network with random foldings and stores.

    Parameters
    ----------
    seed : int
    network : Network
    spram : bool
        Whether some of the layers that can be in SPRAM are.
    patchable : bool or None
        Whether weights and thresholds can be replaced; None: in one of eight.
    family : str, optional
        For which a patchable design is; left out, any.
    lanes : int, optional
        Most pixels in a beat of the core's input.
    cycles : int
        Most cycles of a layer for one image, where it can have as much in parallel.
    """
    rng = _generator("patchable", seed)
    family = family or str(rng.choice(sorted(FABRICS)))
    if patchable is None:
        patchable = _one_in(rng, 8)
    rng, placed = _generator("design", seed), rules(network)
    parallel = min(_MOST_PARALLEL, max(32, _MOST_OF_ALL_PIXELS // network.pixels))
    foldings = []
    for n, rule in enumerate(placed):
        most = [lanes] if n == 0 and lanes is not None else []
        if (bits := network.maxima[n].bit_length()) > 1 and (n > 0 or network.pixels > 64):
            most.append(max(1, _MOST_BITS // bits))
        foldings.append(_fold(rng, rule, min(most, default=None), cycles, parallel))
    # From random numbers of their own, so that all else is the same with and without.
    if spram and not patchable:
        draw = _generator("spram", seed)
        foldings = [_in_spram(draw, *pair) for pair in zip(placed, foldings, strict=True)]
    if not patchable:
        draw, slowest = _generator("unrolled", seed), _image_cycles(placed, foldings)
        most = [lanes, *[None] * (len(placed) - 1)]
        foldings = [_unrolled(draw, *three, slowest) for three in zip(placed, foldings, most, strict=True)]
    top_k = _top_k(_generator("top", seed), network)
    design = Design(network=network, foldings=tuple(foldings), top_k=top_k)
    return to_patchable(design, family) if patchable else design


def _fold(rng, rule, lanes, cycles, parallel):
    """A random folding in block RAMs and LUTs; arguments as for `_pe_and_simd`."""
    folding, rows = _pe_and_simd(rng, rule, lanes, cycles, parallel), None
    if isinstance(rule.layer, Conv2d | MaxPool) and rng.integers(2):
        low, high = rule.rows
        rows = int(rng.integers(low, high + 1))
    store, preset_store, replay_store = (str(store) for store in rng.choice(sorted(STORES), 3))
    return replace(
        folding,
        rows=rows,
        registered=(folding.pe + folding.simd) % 3 == 0,
        store=store,
        preset_store=preset_store,
        replay_store=replay_store,
    )


def _in_spram(rng, rule, folding):
    """In one of three layers with weights, if it can be, the folding with these in SPRAM."""
    wanted = rng.integers(3) == 0 and rule.layer.weight_bits and folding.pe * folding.simd <= _SPRAM_WIDTH
    if not wanted or rule.weight_words(folding.pe, folding.simd) > BLOCK_DEPTH:
        return folding
    most = blocks(folding.pe * folding.simd)
    return replace(folding, store="spram", sprams=int(rng.integers(1, most + 1)) if rng.integers(2) else None)


def _unrolled(rng, rule, folding, lanes, slowest):
    """In one of six dense layers, if it takes no more than `lanes` at once, the folding with unrolled weights."""
    if not (rule.unrolls and _one_in(rng, 6)):
        return folding
    layer, (pe, simd) = rule.layer, rule.limits
    bits = layer.planes * simd if layer.planes > 1 else 0
    if (
        layer.weight_bits * layer.planes * slowest > _MOST_UNROLLED
        or bits > _MOST_BITS
        or lanes is not None
        and simd > lanes
    ):
        return folding
    return replace(folding, pe=pe, simd=simd, store=UNROLLED, sprams=None, levels=int(rng.integers(1, 9)))


def _top_k(rng, network):
    """How many of the best classes the core reports: in three of four networks one."""
    if network.decision != "argmax" or not _one_in(rng, 4):
        return 1
    if rng.integers(4):
        return int(rng.integers(2, min(network.classes, 16) + 1))
    return min(network.classes, 64)


def _image_cycles(placed, foldings):
    """Cycles that the slowest layer is busy with an image; `placed` are the rules of the layers."""
    return max(_cycles(*pair) for pair in zip(placed, foldings, strict=True))


def image_count(design, most):
    """How many images of at most `most` are simulated: fewer if they take long, but two, which meet in the
    pipeline.
    """
    slowest = max(1, _image_cycles(rules(design.network), design.foldings))
    return min(most, max(2, min(_MOST_CYCLES // slowest, 3 * _MOST_WORK // max(1, work(design.network)))))


def other_contents(seed, network):
    """A network of the same shape with other weights and thresholds, where a patchable design has them in
    ROMs.

    Offsets change places, so that scores keep their range; those of classes with scales of their own stay.
    """
    rng, layers = _generator("other contents", seed), []
    for layer in network.layers:
        if layer.weight_bits:
            changes = {"weights": rng.integers(0, 2, layer.weights.shape)}
            if layer.mask is not None:
                changes["mask"] = rng.integers(0, 2, layer.mask.shape)
            if getattr(layer, "thresholds", None) is not None:
                changes["thresholds"] = rng.integers(0, layer.reach + 2, layer.outputs)
            if isinstance(layer, Scores) and layer.scales is None:
                changes["offsets"] = rng.permutation(layer.offsets)
            layer = replace(layer, **changes)
        layers.append(layer)
    return replace(network, layers=tuple(layers))


def random_images(seed, network, count):
    """Raw images, uint8 of shape (count, *image_shape): random ones, and half of their pixels just at a
    threshold.

    One in eight is all 0 or all 255. The first are the same whatever `count` is.
    """
    images = np.zeros((count, network.pixels), np.uint8)
    first = network.layers[0]
    for n in range(count):
        rng = _generator(f"image {n}", seed)
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
