"""Designs whose dense layers compute several images for each weight word."""

from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import unsigned
from amaranth.lib.data import ArrayLayout

from sbgen.compiler import amaranth_simulator, cycles, design_file, pipeline, rate, reference, refit, shrink
from sbgen.compiler.bound import bound
from sbgen.compiler.design import Design
from sbgen.compiler.device import DEVICES
from sbgen.compiler.estimate import estimate, part_cost
from sbgen.compiler.fit import FILL, excess
from sbgen.compiler.fold import fold
from sbgen.compiler.folding import LaneFolding, UnrolledScores, WeightedFolding
from sbgen.compiler.ir import Binarize, Dense, Network, Scores
from sbgen.compiler.lower import lower
from sbgen.compiler.pipeline import submodules
from sbgen.compiler.random_network import random_design, random_images
from sbgen.compiler.rate import fold_for_rate
from sbgen.errors import FitError, ModelError
from sbgen.hw import collector, discard

UP5K = DEVICES["up5k"]


def dense_network(seed, *, pixels=64, widths=(24, 20), classes=5):
    rng = np.random.default_rng(seed)
    layers, inputs = [Binarize(name="pixels", thresholds=rng.integers(0, 257, (pixels, 1)))], pixels
    for n, outputs in enumerate(widths):
        layers.append(
            Dense(
                name=f"dense_{n}",
                weights=rng.integers(0, 2, (outputs, inputs)),
                thresholds=rng.integers(1, inputs, outputs),
            )
        )
        inputs = outputs
    layers.append(
        Scores(
            name="scores", weights=rng.integers(0, 2, (classes, inputs)), offsets=rng.integers(-2, 3, classes)
        )
    )
    return Network(
        name="dense", image_shape=(pixels,), layers=tuple(layers), labels=tuple("abcdefghij"[:classes])
    )


def dense_design(seed=0, batch=2, **sizes):
    foldings = (
        LaneFolding(simd=8),
        WeightedFolding(pe=5, simd=16),
        WeightedFolding(pe=4, simd=6),
        WeightedFolding(pe=2, simd=5),
    )
    return Design(network=dense_network(seed, **sizes), foldings=foldings, batch=batch)


def batched(seed):
    """A random design with batches."""
    seed = next(
        n for n in range(seed * 100, seed * 100 + 100) if random_design(n, largest=12, batches=True).batch > 1
    )
    print(f"seed {seed}")
    return random_design(seed, largest=12, cycles=100, batches=True)


def check(design, images, *, stall=None):
    """Equal to the reference and, without stalls, in the predicted cycles."""
    scores, _ = reference.evaluate(design.network, images)
    found = amaranth_simulator.simulate(lower(design), design.network, images, stall=stall)
    np.testing.assert_array_equal(found.scores, reference.results(scores, 1) if design.label_only else scores)
    if stall is None:
        if len(images) == 1:
            return found
        predicted = cycles.predict(design, images=len(images)).finishes
        assert (found.last_scores - found.first_beats[0]).tolist() == list(predicted)
    return found


@pytest.mark.parametrize("batch, images", [(2, 3), (2, 6), (3, 2), (3, 7), (5, 10), (5, 11)])
@pytest.mark.parametrize("stall", [None, 1])
def test_complete_and_incomplete_batches(batch, images, stall):
    design = dense_design(batch=batch)
    check(design, random_images(batch, design.network, images), stall=stall)


def test_one_image_is_answered():
    design = dense_design(batch=4)
    found = check(design, random_images(1, design.network, 1), stall=7)
    assert found.last_scores[0] - found.first_beats[0] < 5 * cycles.predict(design).alone
    alone = check(design, random_images(1, design.network, 1))
    assert alone.last_scores[0] - alone.first_beats[0] == cycles.predict(design).alone


@pytest.mark.parametrize("seed", range(12))
def test_random_designs(seed):
    """With stalls, and every second without, which shows their cycles too."""
    design = batched(seed)
    check(design, random_images(seed, design.network, 2 + seed % 5), stall=seed if seed % 2 else None)


def test_its_random_designs_have_every_kind_of_neighbour():
    """Runs of dense layers of their own, and adjacent ones with and without numbers of several bits."""
    designs = [batched(seed) for seed in range(16)]
    collectors = [
        [each.part for each in submodules(design) if isinstance(each.part, collector.Parameters)]
        for design in designs
    ]
    assert any(len(parts) > 1 for parts in collectors)
    assert any(part.shape.elem_shape.width > 1 for parts in collectors for part in parts)
    assert any(rule.after_dense for design in designs for rule in design.rules)


def test_a_batch_is_incomplete_where_the_next_image_is_late(monkeypatch):
    """With a patience of one cycle, while an image takes many to enter."""
    patient = pipeline._with_batches

    def impatient(alone, i_beats):
        return [
            replace(
                stage,
                parts=tuple(
                    replace(part, patience=1) if isinstance(part, collector.Parameters) else part
                    for part in stage.parts
                ),
            )
            for stage in patient(alone, i_beats)
        ]

    design = dense_design(batch=3)
    complete = cycles.predict(design, images=6).finishes
    monkeypatch.setattr(pipeline, "_with_batches", impatient)
    assert cycles.predict(design, images=6).finishes != complete
    check(design, random_images(3, design.network, 6))


def test_a_batch_of_one_changes_nothing():
    for seed in range(20):
        design = random_design(seed, largest=12)
        assert design.batch == 1
        assert not any(
            isinstance(each.part, collector.Parameters | discard.Parameters) for each in submodules(design)
        )


def test_weights_are_read_once_for_each_batch():
    """Cycles per image and latency: the layers take a B-th of the cycles, and the first image waits."""
    single, double = (cycles.predict(dense_design(batch=batch)) for batch in (1, 2))
    assert single.interval == 24 and double.interval == 12
    assert double.latency > single.latency


def test_never_more_counts_than_places():
    """A collector never waits for a count to be taken: its cycles are predicted without."""
    for seed in range(8):
        design = batched(seed)
        parts = {each.name: each for each in submodules(design)}
        for each in parts.values():
            if isinstance(each.part, discard.Parameters):
                assert isinstance(parts[each.kept.partition(".")[0]].part, collector.Parameters)
                assert each.part.depth >= 3


def test_design_files(tmp_path):
    design, path = dense_design(batch=3), tmp_path / "design.json"
    design_file.save(design, path)
    assert design_file.load(path, design.network) == design
    design_file.save(replace(design, batch=1), path)
    assert "batch" not in path.read_text() and design_file.load(path, design.network).batch == 1
    path.write_text(path.read_text().replace('"top": 1', '"top": 1, "batch": 0'))
    with pytest.raises(ModelError, match="batch must be an integer of at least 1, not 0"):
        design_file.load(path, design.network)


def test_refused_where_weights_are_wired_in():
    design = dense_design()
    with pytest.raises(ModelError, match="layer 'scores': weights that are wired in.*not of 2"):
        replace(design, foldings=(*design.foldings[:-1], UnrolledScores()))


def test_shrinking_keeps_or_removes_the_batch():
    design = batched(1)
    images = random_images(1, design.network, 3)
    assert refit.refit(design, design.network.image_shape, list(design.stages)).batch == design.batch
    found, _ = shrink.shrink(design, images, lambda design, images: design.batch > 1)
    assert found.batch == 2
    found, _ = shrink.shrink(design, images, lambda design, images: True)
    assert found.batch == 1


@pytest.fixture(scope="module")
def network():
    return dense_network(3, pixels=256, widths=(256, 128), classes=10)


@pytest.mark.parametrize("batch", [2, 3])
def test_the_folder_makes_batches(network, batch):
    """Designs that fit, whose cycles are as searched for, and at most the bound."""
    design = fold(network, UP5K, fill=FILL, batch=batch)
    predicted, single = cycles.predict(design), cycles.predict(fold(network, UP5K, fill=FILL))
    assert design.batch == batch and not excess(estimate(design, UP5K), UP5K, dict.fromkeys(FILL, 1))
    assert predicted.interval < single.interval and predicted.latency > single.latency
    assert bound(network, UP5K, batch=batch).cycles <= predicted.interval
    slower = fold(network, UP5K, batch=batch, cycles=3 * predicted.interval)
    assert cycles.predict(slower).interval <= 3 * predicted.interval
    assert estimate(slower, UP5K)["lut"] < estimate(design, UP5K)["lut"]


def test_a_batch_only_where_the_rate_needs_one(network):
    fastest = fold_for_rate(network, UP5K, cycles=None)
    least, single = cycles.predict(fastest).interval, cycles.predict(fold(network, UP5K, fill=FILL)).interval
    assert fastest.batch > 1 and least < single
    assert fold_for_rate(network, UP5K, cycles=single) == fold(network, UP5K, cycles=single)
    quick = fold_for_rate(network, UP5K, cycles=least)
    assert quick.batch > 1 and cycles.predict(quick).interval <= least
    with pytest.raises(FitError, match="at 10 cycles an image"):
        fold_for_rate(network, UP5K, cycles=10)


@pytest.mark.parametrize("usual, full, worth", [(0.5, 0.6, True), (0.6, 0.65, False)])
def test_the_last_luts_only_where_they_pay_or_the_rate_needs_them(network, monkeypatch, usual, full, worth):
    shares = [{**FILL, "lut": share} for share in (usual, full)]
    monkeypatch.setattr(rate, "FILL", shares[0])
    monkeypatch.setattr(rate, "FULL", shares[1])
    designs = [fold(network, UP5K, fill=share) for share in shares]
    slow, quick = (cycles.predict(design).interval for design in designs)
    assert quick < slow and (quick <= 0.9 * slow) == worth
    assert fold_for_rate(network, UP5K, cycles=None, batch=1) == designs[worth]
    for most, share in (slow, usual), (quick, full):
        design = fold_for_rate(network, UP5K, cycles=most, batch=1)
        assert cycles.predict(design).interval <= most
        assert estimate(design, UP5K)["lut"] <= share * UP5K.lut
    with pytest.raises(FitError):
        fold_for_rate(network, UP5K, cycles=quick // 2, batch=1)


def test_the_bound_of_larger_batches_is_no_larger(network):
    found = [bound(network, UP5K, batch=batch).cycles for batch in (1, 2, 3, 4, 8)]
    assert found == sorted(found, reverse=True) and found[0] > found[-1]


def test_the_memories_of_a_batch_are_counted():
    """A memory for each image, as wide as a beat of one."""
    part = collector.Parameters(
        shape=ArrayLayout(unsigned(1), 16), beats=49, batch=3, repeats=2, store="bram"
    )
    assert part_cost(part, device=UP5K).bram == 3


def test_without_a_pause_all_batches_are_complete():
    """Also where what comes before takes longer for an image than a collector would wait by itself."""
    for seed in range(8):
        design = batched(seed)
        batch, finishes = design.batch, cycles.predict(design, images=4 * design.batch).finishes
        whole = cycles.predict(design).interval * batch
        assert finishes[-1] - finishes[-1 - batch] <= whole + batch
