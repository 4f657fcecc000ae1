"""The whole core in Amaranth's simulator against the reference, and against the prediction of its cycles."""

import pytest
from streams import beats, transfer

from sbgen.compiler import cycles, reference
from sbgen.compiler.lower import lower
from sbgen.compiler.pipeline import input_lanes
from sbgen.compiler.random_network import random_design, random_images

IMAGES = 5


def run(design, images, **options):
    """Scores and class of each image, and the cycle in which its last result left."""
    core = lower(design)
    flat = images.reshape(len(images), -1).tolist()
    words = transfer(core, beats(flat, core.lanes, 8), len(images) * core.classes, deadline=200_000, **options)
    layout = core.o.payload.shape()
    results = [(cycle, layout.from_bits(word)) for cycle, word in words]
    scores = [view.score for _, view in results]
    return ([scores[at:at + core.classes] for at in range(0, len(scores), core.classes)],
            [view.label for _, view in results if view.last], [cycle for cycle, view in results if view.last])


@pytest.mark.parametrize("seed", range(24))
def test_scores_and_classes(seed):
    design = random_design(seed, largest=24)
    images = random_images(seed, design.network, IMAGES)
    scores, labels = reference.evaluate(design.network, images)
    found = run(design, images, seed=seed)
    assert found[:2] == (scores.tolist(), labels.tolist())


@pytest.mark.parametrize("seed", range(24))
def test_predicted_cycles(seed):
    design = random_design(seed, largest=24)
    images = random_images(seed, design.network, 8)
    _, _, finishes = run(design, images)
    predicted = cycles.predict(design)
    assert tuple(finishes) == predicted.finishes
    assert predicted.latency == finishes[0]
    assert predicted.interval == finishes[-1] - finishes[-2]
    assert predicted.interval >= max(predicted.layers)


@pytest.mark.parametrize("seed", range(8))
def test_reset_in_the_middle_of_an_image(seed):
    design = random_design(seed + 100, largest=24)
    images = random_images(seed, design.network, IMAGES)
    scores, labels = reference.evaluate(design.network, images)
    in_beats = IMAGES * -(-design.network.pixels // input_lanes(design))
    for reset_after in sorted({1, in_beats // 3, in_beats - 1} - {0, in_beats}):
        found = run(design, images, seed=seed, reset_after=reset_after)
        assert found[:2] == (scores.tolist(), labels.tolist()), f"reset after {reset_after} beats"
