"""What random networks have, and that none is beyond its bounds."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from sbgen import boards, fuzzing
from sbgen.compiler import exchange, reference
from sbgen.compiler.features import FEATURES, features
from sbgen.compiler.ir import Add, Binarize, Dense, Fork, Network, Scores, Threshold
from sbgen.compiler.pipeline import input_lanes
from sbgen.compiler.random_network import (
    fold_at_random,
    image_count,
    other_contents,
    random_images,
    random_network,
)
from sbgen.hw.protocol import LIMITS

SEEDS = range(200)


@pytest.fixture(scope="module")
def designs():
    return {seed: fuzzing.random_design(seed) for seed in SEEDS}


def test_each_feature_occurs(designs):
    met = Counter()
    for seed, design in designs.items():
        met.update(features(design, random_images(seed, design.network, image_count(design, 3))))
    assert {name: met[name] for name in FEATURES if met[name] < len(SEEDS) // 50} == {}


def test_a_seed_is_one_network(designs):
    for seed in SEEDS[:10]:
        again = fuzzing.random_design(seed)
        assert exchange.digest(again.network) == exchange.digest(designs[seed].network)
        assert (again.foldings, again.top_k, again.patchable) == tuple(
            getattr(designs[seed], name) for name in ("foldings", "top_k", "patchable")
        )


def test_without_larger_images_none_is_larger(designs):
    assert max(design.network.pixels for design in designs.values()) == fuzzing.PIXELS
    assert max(random_network(seed, largest=20).pixels for seed in SEEDS) <= 20


def test_the_first_images_are_the_same_for_any_count(designs):
    for seed in SEEDS[:10]:
        network = designs[seed].network
        assert np.array_equal(random_images(seed, network, 3)[:1], random_images(seed, network, 1))


@pytest.mark.parametrize("name", ["icebreaker", "ulx3s_85f"])
def test_designs_under_a_top_level_fit_its_link_and_family(name):
    board, patchable = boards.get(name), 0
    for seed in SEEDS[:40]:
        design = fuzzing.random_design(seed, board=board, level="emitted")
        assert input_lanes(design) <= LIMITS["lanes"] and design.network.pixels <= fuzzing.BOARD_PIXELS
        patchable += design.patchable
        if design.patchable and board.device.family == "ecp5":
            assert {folding.store for layer, folding in design.stages if layer.weight_bits} == {"bram"}
    assert patchable


def test_other_contents_have_the_shape_of_the_network():
    for seed in SEEDS[:20]:
        network = random_network(seed, largest=20)
        other = other_contents(seed, network)
        assert other.shapes == network.shapes and other.maxima == network.maxima
        assert exchange.digest(other) != exchange.digest(network)


def network(*layers, inputs=6, classes=3, planes=1):
    """Bits of six pixels, those layers, scores."""
    pixels = Binarize(name="pixels", thresholds=np.full((inputs, 1), 128))
    scores = Scores(
        name="scores",
        weights=np.eye(classes, inputs, dtype=int),
        offsets=np.zeros(classes, int),
        planes=planes,
    )
    return Network(
        name="small",
        image_shape=(inputs,),
        labels=tuple(map(str, range(classes))),
        layers=(pixels, *layers, scores),
    )


def counts(name, planes=1):
    return Dense(name=name, weights=np.ones((6, 6), int), thresholds=None, planes=planes)


def shortcut_features(*layers, planes):
    design = fold_at_random(1, network(*layers, planes=planes))
    return {name for name in features(design, np.zeros((1, 6), np.uint8)) if "shortcut" in name}


def test_shortcuts_are_told_apart():
    a, b, add_a, add_b = (
        Fork(name="a"),
        Fork(name="b"),
        Add(name="add_a", fork="a"),
        Add(name="add_b", fork="b"),
    )
    bits = Threshold(name="bits", thresholds=np.full(6, 2), inverted=np.zeros(6, int))
    assert shortcut_features(a, counts("one"), add_a, planes=3) == set()
    assert shortcut_features(a, add_a, planes=2) == {"empty shortcut"}
    assert shortcut_features(a, counts("one"), add_a, bits, b, counts("two"), add_b, planes=3) == set()
    assert shortcut_features(a, b, counts("one"), add_b, bits, counts("two"), add_a, planes=3) == {
        "nested shortcuts"
    }
    assert shortcut_features(a, b, counts("one"), add_a, bits, counts("two"), add_b, planes=3) == {
        "interleaved shortcuts"
    }
    assert shortcut_features(a, b, add_a, add_b, planes=2) == {"interleaved shortcuts"}


def test_counts_count_outside_shortcuts_only():
    dense = Dense(name="dense", weights=np.ones((6, 6), int), thresholds=np.full(6, 4), planes=3)
    image = np.zeros((1, 6), np.uint8)
    outside = features(fold_at_random(1, network(counts("one"), dense)), image)
    inside = features(
        fold_at_random(
            1,
            network(
                Fork(name="a"),
                counts("one"),
                replace(dense, thresholds=None),
                Add(name="add", fork="a"),
                planes=6,
            ),
        ),
        image,
    )
    assert "counts into Dense" in outside and "counts into Dense" not in inside
    assert "counts into Scores" in features(fold_at_random(1, network(counts("one"), planes=3)), image)


def test_a_tie_is_of_the_best_score_in_an_image():
    design = fold_at_random(1, network())
    one = np.array([[255, 0, 0, 0, 0, 0]], np.uint8)
    assert reference.evaluate(design.network, one)[0].tolist() == [[6, 4, 4]]
    assert "tie of the best score" not in features(design, one)
    assert "tie of the best score" in features(design, np.concatenate([one, np.zeros((1, 6), np.uint8)]))
