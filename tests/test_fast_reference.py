import numpy as np
import pytest

from sbgen import expected_scores
from sbgen.compiler import exchange, fast_reference, ir, reference, shipped
from sbgen.compiler.random_network import random_images, random_network


def assert_equal(network, images, **settings):
    scores, decided = fast_reference.evaluate(network, images, **settings)
    expected, classes = reference.evaluate(network, images)
    assert scores.dtype == np.int64 and np.array_equal(scores, expected)
    assert np.array_equal(decided, classes)
    return scores


@pytest.mark.parametrize("seeds", [range(at, at + 25) for at in range(0, 150, 25)], ids=str)
def test_random_networks(seeds):
    kinds = set()
    for seed in seeds:
        print(f"seed {seed}")
        network = random_network(seed, largest=16)
        kinds |= {type(layer) for layer in network.layers}
        assert_equal(network, random_images(seed, network, 7), batch=3)
    assert len(kinds) > 7


@pytest.mark.parametrize("name", shipped.NAMES)
def test_shipped_models(name):
    network = exchange.load(shipped.path_of(name))
    images = np.random.default_rng(0).integers(0, 256, (5, *network.image_shape)).astype(np.uint8)
    assert_equal(network, images)


def test_no_images():
    network = random_network(0)
    scores = assert_equal(network, np.zeros((0, *network.image_shape), np.uint8))
    assert scores.shape == (0, network.outputs)


def test_windows_are_multiplied_in_several_blocks(monkeypatch):
    monkeypatch.setattr(fast_reference, "_WINDOW_BYTES", 1)
    for seed in range(40):
        network = random_network(seed, largest=10)
        if any(isinstance(layer, ir.Conv2d) for layer in network.layers):
            assert_equal(network, random_images(seed, network, 5))


@pytest.mark.parametrize("inputs, exact", [(256, np.float32), (257, np.float64), (1001, np.float64)])
def test_sums_around_the_integers_of_float32(inputs, exact):
    """All inputs at their maximum or near it: above 2**24, float32 would lose the lowest bit of a sum."""
    rng, top = np.random.default_rng(inputs), 2**ir.MAX_PLANES - 1
    weights = np.ones((6, inputs), int)
    layer = ir.Scores(name="scores", weights=weights, offsets=np.zeros(6, int), planes=ir.MAX_PLANES)
    assert fast_reference._exact(layer) is exact
    x = top - rng.integers(0, 2, (9, inputs))
    counts = np.repeat(x.sum(axis=1)[:, None], 6, axis=1)
    assert len(set(counts[:, 0] % 2)) == 2
    assert np.array_equal(fast_reference._step(layer)(x, None), counts)


def test_a_difference_from_the_reference_is_a_defect(monkeypatch):
    network = random_network(1)
    images = random_images(1, network, 4)
    expected = expected_scores.ExpectedScores.of(network, images)
    _, scores, _ = expected.first(2)
    assert len(scores) == 2 and len(expected.first(None)[1]) == 4
    expected.scores[1] += 1
    expected.first(1)
    with pytest.raises(AssertionError, match="a defect of sbgen"):
        expected.first(2)
