"""Weights are counted as the one who trained the network counts them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sbgen.compiler.frontends import model
from sbgen.compiler.ir import Binarize, Conv2d, Dense, MaxPool, Network, Scores
from sbgen.compiler.random_network import random_network
from sbgen.compiler.weight_count import weights

HERE = Path(__file__).parent


def test_an_activation_of_two_bits():
    """100 pixels, three layers of 24, 10 classes, whatever the bits between them."""
    pytest.importorskip("onnx")
    one, two = (model.load(HERE / "qonnx" / name).network for name in ("tfc-opset9.onnx", "tfc-w1a2.onnx"))
    assert weights(one) == (0, 2400, 576, 576, 240)
    # Its activations are layers of their own, without weights.
    assert [count for count in weights(two) if count] == [2400, 576, 576, 240]
    assert one.weight_bits == 3792 < two.weight_bits < 2 * 3792


def test_sums_that_are_quantised_have_no_weights():
    pytest.importorskip("onnx")
    counted = weights(model.load(HERE / "qonnx" / "residual-trained.onnx").network)
    assert [count for count in counted if count] == [72, 576, 576, 1152, 160]


@pytest.mark.parametrize("seed", range(30))
def test_random_networks_have_those_of_their_arrays(seed):
    # Random rows are hardly ever alike, where there are enough of them.
    network = random_network(seed, largest=48)
    counted = weights(network)
    for layer, count in zip(network.layers, counted, strict=True):
        size = layer.weights.size if layer.weight_bits else 0
        if size and layer.mask is not None and 4 * layer.mask.sum() <= size:  # connections of a sparse layer
            size = layer.mask.sum()
        assert count <= size and (
            count == size or min(layer.weights.shape[0], layer.inputs) < 12 or layer.inputs < 40
        )


@pytest.mark.parametrize("seed", range(30))
def test_steps_and_masks_do_not_count(seed):
    """A network in which each activation is split into a random number of steps."""
    rng = np.random.default_rng(seed)
    channels, groups = 4 * int(rng.integers(2, 5)), int(rng.choice([1, 2, 4]))
    ternary = bool(seed % 2)

    def neurons(*shape):
        array = rng.integers(0, 2, shape)
        return {
            "weights": array,
            "thresholds": np.ones(shape[0], int),
            "mask": rng.integers(0, 2, shape) if ternary else None,
        }

    layers = [
        Binarize(name="pixels", thresholds=np.full((64 * 2, 1), 128)),
        Conv2d(name="conv", **neurons(channels, 3, 3, 2)),
        Conv2d(name="groups", **neurons(12, 2, 2, channels // groups), groups=groups),
        MaxPool(name="pool", kernel=(2, 2), stride=(2, 2)),
        Dense(name="dense", **neurons(9, 12 * 4)),
        Scores(name="scores", weights=rng.integers(0, 2, (5, 9)), offsets=np.zeros(5, int)),
    ]
    before = Network(name="net", image_shape=(8, 8, 2), layers=tuple(layers), labels=tuple("abcde"))
    expected = tuple(layer.weights.size if layer.weight_bits else 0 for layer in layers)
    assert weights(before) == expected
    steps = rng.integers(1, 4, 5)
    layers[0] = replace(layers[0], thresholds=np.repeat(layers[0].thresholds, steps[0], axis=1))
    for n in 1, 2, 4:
        layers[n] = _split(layers[n], outputs=steps[n])
    for n, steps_in in zip((1, 2, 4, 5), (steps[0], steps[1], steps[2], steps[4]), strict=True):
        layers[n] = _split(layers[n], inputs=steps_in, channels={1: 2, 2: channels // groups, 4: 12, 5: 9}[n])
    assert weights(replace(before, layers=tuple(layers))) == expected


def _split(layer, *, outputs=1, inputs=1, channels=None):
    """A layer whose outputs and inputs are that many steps each."""

    def split(array):
        if array is None:
            return None
        array = np.repeat(array, outputs, axis=0)
        if channels is None:
            return array
        if array.ndim == 4:
            return np.repeat(array, inputs, axis=3)
        return np.repeat(array.reshape(len(array), -1, channels), inputs, axis=2).reshape(len(array), -1)

    change = {"weights": split(layer.weights), "mask": split(layer.mask)}
    if outputs > 1:
        change["thresholds"] = np.repeat(layer.thresholds, outputs)
    return replace(layer, **change)


@pytest.mark.parametrize("levels", [1, 3])
def test_of_sparse_layers_the_connections(levels):
    rng = np.random.default_rng(levels)
    masks = [np.array([rng.permutation(40) < 3 for _ in range(40)]).astype(int) for _ in range(2)]
    groups = np.eye(4, dtype=int).repeat(10, axis=1)
    layers = [
        Binarize(name="pixels", thresholds=np.full((40, 1), 128)),
        *(
            Dense(
                name=f"dense_{n}",
                weights=rng.integers(0, 2, (40, 40)),
                mask=mask,
                thresholds=rng.integers(1, 4, 40),
            )
            for n, mask in enumerate(masks)
        ),
        Scores(name="scores", weights=groups, mask=groups, offsets=np.zeros(4, int)),
    ]
    layers[1] = _split(layers[1], outputs=levels)
    layers[2] = _split(layers[2], inputs=levels, channels=40)
    network = Network(name="net", image_shape=(40,), layers=tuple(layers), labels=tuple("abcd"))
    assert weights(network) == (0, 120, 120, 0)


def test_zeros_of_ternary_weights_count():
    rng = np.random.default_rng(0)
    mask = rng.integers(0, 2, (9, 30))
    scores = Scores(name="scores", weights=rng.integers(0, 2, (9, 30)), mask=mask, offsets=np.zeros(9, int))
    layers = (Binarize(name="pixels", thresholds=np.full((30, 1), 128)), scores)
    assert weights(Network(name="net", image_shape=(30,), layers=layers, labels=tuple("abcdefghi"))) == (
        0,
        270,
    )
