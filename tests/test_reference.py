"""The reference against arithmetic in plus and minus one, which it does not use."""

import numpy as np
import pytest

from sbgen.compiler import reference
from sbgen.compiler.ir import Binarize, Dense, Network, Scores
from sbgen.compiler.random_network import random_images, random_network


def by_hand(network, image):
    """Scores of one image by the words of docs/semantics.md, one neuron at a time, over -1 and +1."""
    first, *dense, last = network.layers
    x = [1 if pixel >= threshold else -1
         for pixel, levels in zip(image.ravel().tolist(), first.thresholds.tolist(), strict=True) for threshold in levels]

    def agreeing(row):
        product = sum((1 if weight else -1) * value for weight, value in zip(row, x, strict=True))
        return (product + len(x)) // 2

    for layer in dense:
        x = [1 if agreeing(row) >= threshold else -1
             for row, threshold in zip(layer.weights.tolist(), layer.thresholds.tolist(), strict=True)]
    return [agreeing(row) + offset for row, offset in zip(last.weights.tolist(), last.offsets.tolist(), strict=True)]


@pytest.mark.parametrize("seed", range(20))
def test_scores_and_first_greatest(seed):
    network = random_network(seed)
    images = random_images(seed, network, 5)
    scores, labels = reference.evaluate(network, images)
    expected = [by_hand(network, image) for image in images]
    assert scores.tolist() == expected
    assert labels.tolist() == [each.index(max(each)) for each in expected]


def test_flat_and_shaped_images_are_the_same():
    network = random_network(3)
    images = random_images(3, network, 4)
    np.testing.assert_array_equal(reference.evaluate(network, images)[0],
                                  reference.evaluate(network, images.reshape(4, -1))[0])


def test_batches_make_no_difference():
    network = random_network(4)
    images = random_images(4, network, 10)
    np.testing.assert_array_equal(reference.evaluate(network, images, batch=3)[0],
                                  reference.evaluate(network, images)[0])


def test_no_images():
    network = random_network(5)
    scores, labels = reference.evaluate(network, random_images(5, network, 0))
    assert scores.shape == (0, network.classes) and labels.shape == (0,)


def test_wide_layer_is_exact():
    inputs = 5000
    network = Network(name="wide", image_shape=(inputs,), labels=("a",), layers=(
        Binarize(name="pixels", thresholds=np.full((inputs, 1), 1)),
        Dense(name="dense", weights=np.ones((1, inputs), int), thresholds=np.array([inputs])),
        Scores(name="scores", weights=np.array([[1]]), offsets=np.array([0]))))
    images = np.ones((2, inputs), np.uint8)
    images[1, -1] = 0
    assert reference.evaluate(network, images)[0].tolist() == [[1], [0]]


@pytest.mark.parametrize("images, message", [
    (np.zeros((1, 4)), "raw uint8 pixels, not float64"),
    (np.zeros((1, 5), np.uint8), r"must have the shape \(N, 2, 2\), not \(1, 5\)"),
])
def test_images_are_checked(images, message):
    network = Network(name="net", image_shape=(2, 2), labels=("a",), layers=(
        Binarize(name="pixels", thresholds=np.full((4, 1), 1)),
        Scores(name="scores", weights=np.ones((1, 4), int), offsets=np.array([0]))))
    with pytest.raises(ValueError, match=message):
        reference.evaluate(network, images)
