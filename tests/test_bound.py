from itertools import pairwise, product

import numpy as np
import pytest

from sbgen.compiler.bound import bound
from sbgen.compiler.cycles import predict, stage_cycles
from sbgen.compiler.design import Design
from sbgen.compiler.device import DEVICES, Device
from sbgen.compiler.estimate import estimate
from sbgen.compiler.fit import FILL, excess
from sbgen.compiler.fold import fold
from sbgen.compiler.ir import Binarize, Conv2d, Dense, Network, Scores
from sbgen.compiler.layers import rules


def test_dense_network_by_hand():
    # 48 x 1000 and 2 x 48 weights; 30 block RAMs of 16 bits; 5280 LUTs at 1.8 a product make 2933 products a
    # cycle. The host link takes at most 255 of the 1000 pixels at once.
    network = Network(
        name="net",
        image_shape=(1000,),
        labels=("a", "b"),
        layers=(
            Binarize(name="pixels", thresholds=np.full((1000, 1), 128)),
            Dense(name="dense", weights=np.zeros((48, 1000), int), thresholds=np.zeros(48, int)),
            Scores(name="scores", weights=np.zeros((2, 48), int), offsets=np.zeros(2, int)),
        ),
    )
    # The second layer may be wired in. Of the 48,000 weights of the first, 30 block RAMs and 4 SPRAMs output
    # 544 per cycle.
    found = bound(network, DEVICES["up5k"])
    assert found.layers == {"pixels": 4, "dense": 1, "scores": 1}
    assert found.limits == {"stages as built": 4, "LUTs and memories": 89, "results": 2}
    assert (found.by, found.cycles, found.slowest) == ("LUTs and memories", 89, "pixels")


def test_convolutions_count_at_each_position_and_plane():
    # 64 x 9 x 3 weights at 30 x 30 positions in 8 planes, and 10 x 57600 once.
    network = Network(
        name="net",
        image_shape=(32, 32, 3),
        labels=tuple("0123456789"),
        layers=(
            Conv2d(name="conv", weights=np.zeros((64, 3, 3, 3), int), thresholds=np.zeros(64, int), planes=8),
            Scores(name="scores", weights=np.zeros((10, 57600), int), offsets=np.zeros(10, int)),
        ),
    )
    found = bound(network, DEVICES["ecp5-85f"])
    assert found.layers == {"conv": 30 * 32 * 3, "scores": 1}
    assert found.limits["stages as built"] == 2880 and found.limits["results"] == 10
    # The products of the convolution fill the LUTs before the ports of its memories bind.
    products = 64 * 27 * 900 * 8 + 576000
    assert found.limits["LUTs and memories"] == pytest.approx(products * 1.8 / 83640, rel=0.01)


def tiny(seed):
    """A network of few foldings."""
    rng = np.random.default_rng(seed)
    pixels, hidden, classes = (int(rng.integers(1, most)) for most in (5, 4, 4))
    return Network(
        name="tiny",
        image_shape=(pixels,),
        labels=tuple("abc"[:classes]) if classes > 1 else ("no", "yes"),
        decision="argmax" if classes > 1 else "sign",
        layers=(
            Binarize(name="pixels", thresholds=rng.integers(0, 256, (pixels, 1))),
            Dense(
                name="dense",
                weights=rng.integers(0, 2, (hidden, pixels)),
                thresholds=rng.integers(0, pixels + 1, hidden),
            ),
            Scores(
                name="scores", weights=rng.integers(0, 2, (classes, hidden)), offsets=np.zeros(classes, int)
            ),
        ),
    )


def every_design(network):
    """Every pe and simd of each layer, and the weights wired in."""
    choices = []
    for rule in rules(network):
        most_pe, most_simd = rule.limits
        shapes = product(range(1, most_pe + 1), range(1, most_simd + 1))
        each = [rule.folding(pe=pe, simd=simd) for pe, simd in shapes if rule.layer.weight_bits or pe == simd]
        choices.append([*each, *([rule.unrolled()] if rule.unrolled_as else [])])
    return [Design(network=network, foldings=foldings) for foldings in product(*choices)]


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_optimum_of_all_foldings_of_a_tiny_network(seed):
    print("seed", seed)
    network = tiny(seed)
    best = min(predict(design, images=4).interval for design in every_design(network))
    assert bound(network, DEVICES["hx8k"]).cycles == best


@pytest.mark.parametrize("seed", range(4))
def test_no_design_that_fits_a_tiny_device_beats_it(seed):
    print("seed", seed)
    network, rng = tiny(seed), np.random.default_rng(seed)
    on = Device(
        name="device",
        part="",
        family="ice40",
        lut=int(rng.integers(80, 200)),
        ff=500,
        bram=int(rng.integers(0, 4)),
        spram=0,
        dsp=0,
        host_link=False,
    )
    intervals = [
        max(stage_cycles(design))
        for design in every_design(network)
        if not excess(estimate(design, on), on, dict.fromkeys(FILL, 1.0))
    ]
    assert min(intervals, default=1 << 30) >= bound(network, on).cycles


def test_most_of_it_is_reached():
    """TFC's and SFC's sizes on the UP5K; the second reads most of its weights from SPRAM."""
    rng = np.random.default_rng(0)
    for sizes in (784, 64, 64, 64, 10), (784, 256, 256, 256, 10):
        layers = [Binarize(name="pixels", thresholds=np.full((784, 1), 128))]
        for n, (inputs, outputs) in enumerate(pairwise(sizes[:-1])):
            weights = rng.integers(0, 2, (outputs, inputs))
            layers.append(Dense(name=f"dense_{n}", weights=weights, thresholds=np.full(outputs, inputs // 2)))
        weights = rng.integers(0, 2, (10, sizes[-2]))
        layers.append(Scores(name="scores", weights=weights, offsets=np.zeros(10, int)))
        network = Network(name="dense", image_shape=(784,), layers=tuple(layers), labels=tuple("0123456789"))
        device = DEVICES["up5k"]
        reached = bound(network, device).cycles / max(stage_cycles(fold(network, device, fill=FILL)))
        assert 0.8 <= reached <= 1
