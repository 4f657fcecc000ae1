from dataclasses import replace

import numpy as np
import pytest

from sbgen.compiler.ir import Add, Binarize, Conv2d, Dense, MaxPool, Network, Scores, SumPool, Threshold
from sbgen.compiler.narrow import narrow, widths
from sbgen.compiler.random_network import random_network
from sbgen.compiler.reference import run


def network(**convolution):
    rng = np.random.default_rng(0)
    return Network(
        name="net",
        image_shape=(6, 6, 2),
        labels=tuple("abc"),
        layers=(
            Binarize(name="pixels", thresholds=np.full((72, 1), 128)),
            Conv2d(
                name="conv",
                weights=rng.integers(0, 2, (8, 3, 3, 2 // convolution.get("groups", 1))),
                thresholds=np.full(8, 4),
                **convolution,
            ),
            MaxPool(name="pool", kernel=(2, 2), stride=(2, 2)),
            Dense(
                name="dense",
                weights=rng.integers(0, 2, (12, 32)),
                mask=rng.integers(0, 2, (12, 32)),
                thresholds=np.full(12, 16),
            ),
            Scores(name="scores", weights=rng.integers(0, 2, (3, 12)), offsets=np.arange(3)),
        ),
    )


@pytest.mark.parametrize("share, hidden", [(1, (8, 12)), (0.5, (4, 6)), (0.26, (2, 3)), (0.01, (1, 1))])
def test_a_share_of_each_hidden_layer_is_left(share, hidden):
    narrower = narrow(network(), share)
    assert widths(narrower) == hidden and narrower.classes == 3
    assert narrower.shapes[2] == (4, 4, hidden[0]) and narrower.layers[3].inputs == 4 * hidden[0]


def test_what_is_left_computes_the_same():
    # The first filters see what they saw; a dense layer keeps the weights of their channels.
    whole, narrower = network(), narrow(network(), 0.5)
    assert (narrower.layers[1].weights == whole.layers[1].weights[:4]).all()
    assert (
        narrower.layers[3].weights == whole.layers[3].weights[:6].reshape(6, 4, 8)[:, :, :4].reshape(6, -1)
    ).all()
    assert run(narrower, np.zeros((1, 6, 6, 2), np.uint8))[-1].shape == (1, 3)


def test_thresholds_of_channels_that_are_left():
    rng = np.random.default_rng(1)
    pixels, conv, *_ = network().layers
    whole = Network(
        name="net",
        image_shape=(6, 6, 2),
        labels=tuple("abc"),
        layers=(
            pixels,
            replace(conv, thresholds=None),
            SumPool(name="sums", kernel=(2, 2), stride=(2, 2)),
            Threshold(name="bits", thresholds=np.arange(8) * 9, inverted=np.arange(8) % 2),
            Scores(name="scores", weights=rng.integers(0, 2, (3, 32)), offsets=np.arange(3)),
        ),
    )
    narrower = narrow(whole, 0.5)
    assert widths(narrower) == (4,) and narrower.shapes[-2] == (2, 2, 4)
    assert narrower.layers[3].thresholds.tolist() == [0, 9, 18, 27]
    assert narrower.layers[3].inverted.tolist() == [0, 1, 0, 1]
    assert run(narrower, np.zeros((1, 6, 6, 2), np.uint8))[-1].shape == (1, 3)


def test_random_networks_without_shortcuts_and_groups_have_one():
    print("seeds 0 ... 149")
    met = 0
    for seed in range(150):
        whole = random_network(seed, largest=20)
        tied = any(isinstance(layer, Add) or layer.weight_bits and layer.groups > 1 for layer in whole.layers)
        assert (narrow(whole, 0.5) is None) == tied, seed
        met += not tied and any(isinstance(layer, Threshold) for layer in whole.layers)
    assert met


def test_groups_are_left_alone():
    assert narrow(network(groups=2), 0.5) is None


def test_counts_of_fewer_inputs_have_fewer_bits():
    # A layer of several bits reads counts, whose maximum falls with the inputs that are counted.
    met = 0
    for seed in range(120):
        whole = random_network(seed, largest=24)
        for share in (0.01, 0.25, 0.5, 0.75, 1):
            narrower = narrow(whole, share)
            if narrower is not None:
                met += any(
                    layer.planes != other.planes
                    for layer, other in zip(whole.layers, narrower.layers, strict=True)
                    if layer.weight_bits
                )
                assert share < 1 or [layer.weight_bits for layer in narrower.layers] == [
                    layer.weight_bits for layer in whole.layers
                ]
    assert met > 10
