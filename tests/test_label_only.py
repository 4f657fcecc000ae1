"""A core that reports one result per image: its class and the maximum score."""

from dataclasses import replace

import numpy as np
import pytest

from sbgen.compiler import amaranth_simulator, cycles, design_file, reference, refit, shrink
from sbgen.compiler.bound import bound
from sbgen.compiler.design import Design
from sbgen.compiler.device import DEVICES
from sbgen.compiler.fold import fold
from sbgen.compiler.ir import Binarize, Dense, Network, Scores
from sbgen.compiler.layers import rules
from sbgen.compiler.linked import check_design
from sbgen.compiler.lower import lower
from sbgen.compiler.random_network import random_design
from sbgen.errors import FitError, ModelError


def sparse_network(seed, *, pixels=12, widths=(9, 8), classes=4, fan_in=3):
    """A network of neurons of few inputs whose scores are sums of groups."""
    rng = np.random.default_rng(seed)
    layers, inputs = [Binarize(name="pixels", thresholds=rng.integers(0, 257, (pixels, 1)))], pixels
    for n, outputs in enumerate(widths):
        mask = np.array([rng.permutation(inputs) < fan_in for _ in range(outputs)]).astype(int)
        layers.append(
            Dense(
                name=f"dense_{n}",
                weights=rng.integers(0, 2, (outputs, inputs)),
                mask=mask,
                thresholds=rng.integers(1, fan_in + 1, outputs),
            )
        )
        inputs = outputs
    groups = np.eye(classes, dtype=int).repeat(inputs // classes, axis=1)
    layers.append(Scores(name="scores", weights=groups, mask=groups, offsets=rng.integers(-2, 3, classes)))
    return Network(
        name="sparse", image_shape=(pixels,), layers=tuple(layers), labels=tuple("abcdefghij"[:classes])
    )


def at_once(network):
    """The design that takes a whole image in each cycle."""
    foldings = [
        rule.unrolled() if rule.unrolled_as else rule.folding(simd=rule.limits[1]) for rule in rules(network)
    ]
    return Design(network=network, foldings=tuple(foldings), label_only=True)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("stall", [None, 5])
def test_one_image_in_each_cycle(seed, stall):
    print(f"seed {seed}")
    design = at_once(sparse_network(seed))
    images = np.random.default_rng(seed).integers(0, 256, (60, 12), dtype=np.uint8)
    scores, classes = reference.evaluate(design.network, images)
    found = amaranth_simulator.simulate(lower(design), design.network, images, stall=stall)
    np.testing.assert_array_equal(found.scores, reference.results(scores, 1))
    np.testing.assert_array_equal(found.labels, classes)
    if stall is None:
        predicted = cycles.predict(design, images=60)
        assert predicted.interval == 1
        assert (found.last_scores - found.first_beats[0]).tolist() == list(predicted.finishes)


@pytest.mark.parametrize("seed", range(8))
def test_folded_designs_too(seed):
    print(f"seed {seed}")
    design = next(
        each
        for n in range(seed * 100, seed * 100 + 100)
        for each in [random_design(n, largest=8)]
        if each.network.decision == "argmax" and each.network.scores.scales is None
    )
    design = replace(design, top_k=1, label_only=True)
    images = np.random.default_rng(seed).integers(0, 256, (3, *design.network.image_shape), dtype=np.uint8)
    scores, classes = reference.evaluate(design.network, images)
    found = amaranth_simulator.simulate(lower(design), design.network, images)
    np.testing.assert_array_equal(found.scores, reference.results(scores, 1))
    np.testing.assert_array_equal(found.labels, classes)
    predicted = cycles.predict(design, images=3)
    assert (found.last_scores - found.first_beats[0]).tolist() == list(predicted.finishes)


def test_the_design_file_says_so(tmp_path):
    design = at_once(sparse_network(1))
    wider = tuple(
        replace(each, table_inputs=6) if hasattr(each, "table_inputs") else each for each in design.foldings
    )
    design = replace(design, foldings=wider)
    design_file.save(design, tmp_path / "design.json")
    again = design_file.load(tmp_path / "design.json", design.network)
    assert again.label_only and again.foldings == design.foldings
    design_file.save(replace(design, label_only=False), tmp_path / "design.json")
    assert not design_file.load(tmp_path / "design.json", design.network).label_only


@pytest.mark.parametrize("pixels", [12, 300])
def test_the_search_finds_one_image_in_each_cycle(pixels):
    """Also with more pixels than a beat of the host link has."""
    network, device = sparse_network(6, pixels=pixels), DEVICES["hx8k"]
    for design in fold(network, device, label_only=True), fold(network, device, label_only=True, cycles=1):
        assert design.label_only and cycles.predict(design).interval == 1
    assert bound(network, device, label_only=True).cycles == 1
    assert cycles.predict(fold(network, device)).interval > 1
    slow = fold(network, device, label_only=True, cycles=50)
    assert slow.label_only and 1 < cycles.predict(slow).interval <= 50
    with pytest.raises(FitError, match="at least 1 cycles to output its results, not 0"):
        fold(network, device, label_only=True, cycles=0)


def test_what_it_cannot_be():
    design = at_once(sparse_network(2))
    with pytest.raises(ModelError, match="must decide by argmax, with top 1, not by argmax with top 2"):
        replace(design, top_k=2)
    scores = replace(design.network.scores, scales=np.array([1, 2, 1, 1]))
    network = replace(design.network, layers=(*design.network.layers[:-1], scores))
    with pytest.raises(ModelError, match="share one scale"):
        replace(design, network=network)
    with pytest.raises(ModelError, match="share one scale"):
        fold(network, DEVICES["hx8k"], label_only=True)
    with pytest.raises(FitError, match="label_only"):
        check_design(design)


def test_a_failure_with_it_is_shrunk():
    design = at_once(sparse_network(3))
    assert refit.refit(design, (12,), list(design.stages)).label_only
    images = np.zeros((2, 12), np.uint8)
    found, _ = shrink.shrink(design, images, lambda design, images: design.label_only)
    assert found.label_only
    found, _ = shrink.shrink(design, images, lambda design, images: True)
    assert not found.label_only
