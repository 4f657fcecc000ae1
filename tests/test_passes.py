"""Every pass leaves the scores of every image as they are."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from sbgen.compiler import reference
from sbgen.compiler.ir import MAX_OFFSET, Add, Binarize, Dense, Fork, Network, Scores, Threshold
from sbgen.compiler.passes import PASSES, apply_passes, remove_constant_neurons, remove_unread_neurons
from sbgen.compiler.random_network import random_images
from sbgen.compiler.random_network import random_network as any_network


def random_network(rng, *, constants, ternary=False):
    """Three layers in which about a share `constants` of the neurons never changes, perhaps of ternary
    weights.
    """

    def mask(shape):
        return {"mask": rng.integers(0, 2, shape) if ternary else None}

    sizes = rng.integers(1, 12, size=4)
    layers = [Binarize(name="pixels", thresholds=rng.integers(0, 257, (sizes[0], 1)))]
    for n, (inputs, outputs) in enumerate(pairwise(sizes)):
        thresholds = rng.integers(1, inputs + 1, outputs)
        fixed = rng.random(outputs) < constants
        thresholds[fixed] = rng.choice([0, inputs + 1], fixed.sum())
        layers.append(
            Dense(
                name=f"dense_{n}",
                weights=rng.integers(0, 2, (outputs, inputs)),
                thresholds=thresholds,
                **mask((outputs, inputs)),
            )
        )
    layers.append(
        Scores(
            name="scores",
            weights=rng.integers(0, 2, (5, sizes[-1])),
            offsets=rng.integers(-9, 9, 5),
            scales=rng.integers(-9, 9, 5) if ternary else None,
            **mask((5, sizes[-1])),
        )
    )
    return Network(name="random", image_shape=(int(sizes[0]),), layers=tuple(layers), labels=tuple("abcde"))


@pytest.mark.parametrize("transform", [*PASSES, apply_passes], ids=lambda transform: transform.__name__)
@pytest.mark.parametrize("constants", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("ternary", [False, True])
def test_scores_stay(transform, constants, ternary):
    for seed in range(40):
        rng = np.random.default_rng(seed)
        before = random_network(rng, constants=constants, ternary=ternary)
        images = rng.integers(0, 256, (32, before.pixels), dtype=np.uint8)
        after = transform(before)
        np.testing.assert_array_equal(
            reference.evaluate(after, images)[0],
            reference.evaluate(before, images)[0],
            err_msg=f"seed {seed}",
        )


@pytest.mark.parametrize("seed", range(40))
def test_legal_numbers_stay_legal(seed):
    """Offsets at or near the ends of their range, scales up to what the range of scores allows."""
    rng = np.random.default_rng(seed)
    before = random_network(rng, constants=0.5, ternary=bool(seed % 2))
    scores = before.layers[-1]
    largest = int(rng.choice([1, 7, (2**30 - 1) // scores.reach]))
    ends = rng.choice([-MAX_OFFSET, MAX_OFFSET], 5) * rng.choice([1, 0], 5, p=[0.7, 0.3])
    near = np.clip(ends + rng.integers(-3 * largest, 3 * largest + 1, 5), -MAX_OFFSET, MAX_OFFSET)
    before = replace(
        before,
        layers=(
            *before.layers[:-1],
            replace(
                scores, offsets=near, scales=rng.integers(-largest, largest + 1, 5) if seed % 4 else None
            ),
        ),
    )
    images = rng.integers(0, 256, (16, before.pixels), dtype=np.uint8)
    np.testing.assert_array_equal(
        reference.evaluate(apply_passes(before), images)[0], reference.evaluate(before, images)[0]
    )


def test_constant_neurons_are_gone():
    network = random_network(np.random.default_rng(1), constants=0.5)
    after = remove_constant_neurons(network)
    for layer in after.layers[1:-1]:
        constant = (layer.thresholds == 0) | (layer.thresholds == layer.inputs + 1)
        assert not constant.any() or layer.outputs == 1


def test_without_constant_neurons_nothing_changes():
    network = random_network(np.random.default_rng(2), constants=0.0)
    after = remove_constant_neurons(network)
    assert after.layers == network.layers


def test_neuron_that_becomes_constant_is_removed_too():
    # The second layer's neuron sees the always-on neuron, agrees with it, and needs no more than that.
    network = Network(
        name="chain",
        image_shape=(2,),
        labels=("a", "b"),
        layers=(
            Binarize(name="pixels", thresholds=np.array([[128], [128]])),
            Dense(name="first", weights=np.array([[1, 0], [1, 1]]), thresholds=np.array([0, 1])),
            Dense(name="second", weights=np.array([[1, 1], [0, 1]]), thresholds=np.array([1, 1])),
            Scores(name="scores", weights=np.array([[1, 0], [0, 1]]), offsets=np.array([0, 0])),
        ),
    )
    after = remove_constant_neurons(network)
    assert [layer.outputs for layer in after.layers] == [2, 1, 1, 2]
    images = np.array([[0, 0], [0, 255], [255, 0], [255, 255]], np.uint8)
    np.testing.assert_array_equal(
        reference.evaluate(after, images)[0], reference.evaluate(network, images)[0]
    )


def test_neurons_that_others_take_stay():
    # Constant neurons before a shortcut, and before a layer that gives its counts: neither can make up for
    # them.
    rng = np.random.default_rng(3)
    network = Network(
        name="kept",
        image_shape=(3,),
        labels=("a", "b"),
        layers=(
            Binarize(name="pixels", thresholds=np.full((3, 1), 128)),
            Dense(name="forked", weights=rng.integers(0, 2, (3, 3)), thresholds=np.array([0, 2, 4])),
            Fork(name="fork"),
            Dense(name="added", weights=rng.integers(0, 2, (3, 3)), thresholds=np.array([0, 2, 4])),
            Add(name="add", fork="fork"),
            Dense(
                name="before", weights=rng.integers(0, 2, (3, 3)), thresholds=np.array([0, 5, 10]), planes=2
            ),
            Dense(name="counts", weights=rng.integers(0, 2, (3, 3)), thresholds=None),
            Scores(name="scores", weights=rng.integers(0, 2, (2, 3)), offsets=np.array([0, 1]), planes=2),
        ),
    )
    assert remove_constant_neurons(network).layers == network.layers


def after_three_neurons(*layers):
    """A network of two pixels, three neurons and these layers."""
    first = Dense(name="first", weights=np.array([[1, 0], [1, 1], [0, 1]]), thresholds=np.array([2, 1, 1]))
    pixels = Binarize(name="pixels", thresholds=np.array([[128], [128]]))
    return Network(name="small", image_shape=(2,), labels=("a", "b"), layers=(pixels, first, *layers))


def test_neurons_that_nothing_reads_are_gone():
    # The second layer reads inputs 0 and 2 of the first, the scores only output 1 of the second: what
    # only the others read goes too.
    network = after_three_neurons(
        Dense(
            name="second",
            weights=np.array([[1, 0, 1], [0, 0, 1]]),
            mask=np.array([[1, 0, 1], [0, 0, 1]]),
            thresholds=np.array([1, 4]),
        ),
        Scores(
            name="scores",
            weights=np.ones((2, 2), int),
            mask=np.array([[0, 1], [0, 1]]),
            offsets=np.array([0, 0]),
        ),
    )
    after = remove_unread_neurons(network)
    assert [layer.outputs for layer in after.layers] == [2, 1, 1, 2]
    assert after.layers[2].thresholds.tolist() == [2], "what is never on stays so"
    images = np.array([[0, 0], [0, 255], [255, 0], [255, 255]], np.uint8)
    np.testing.assert_array_equal(
        reference.evaluate(after, images)[0], reference.evaluate(network, images)[0]
    )


@pytest.mark.parametrize("start", range(0, 300, 50))
def test_networks_of_any_layers_keep_their_scores(start):
    """Also with counts, whose layers depend on how far they reach."""
    for seed in range(start, start + 50):
        network = any_network(seed, largest=10)
        after = apply_passes(network)
        images = random_images(seed, network, 2)
        for found, expected in zip(
            reference.evaluate(after, images), reference.evaluate(network, images), strict=True
        ):
            np.testing.assert_array_equal(found, expected)


def test_counts_reach_as_far_as_before():
    """An input of a layer of counts stays, also if none of its neurons reads it."""
    network = after_three_neurons(
        Dense(
            name="counts",
            weights=np.array([[1, 0, 1], [0, 0, 1]]),
            mask=np.array([[1, 0, 1], [1, 0, 1]]),
            thresholds=None,
        ),
        Threshold(name="bits", thresholds=np.array([3, 4]), inverted=np.zeros(2, int)),
        Scores(name="scores", weights=np.ones((2, 2), int), offsets=np.array([0, 0])),
    )
    assert remove_unread_neurons(network).layers[1].outputs == 3
