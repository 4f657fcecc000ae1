import random
import xml.etree.ElementTree as tree

import pytest

from sbgen import training_chart
from sbgen.errors import SbgenError
from sbgen.train.loop import Epoch

SVG = "{http://www.w3.org/2000/svg}"


def epochs(count, rng, *, smooth=True):
    return [
        Epoch(
            epoch=n,
            nu=1.0,
            loss=1.0,
            soft=rng.uniform(0.6, 0.99) if smooth else None,
            hard=rng.uniform(0.5, 0.98),
        )
        for n in range(count)
    ]


def points(element):
    return [tuple(map(float, point.split(","))) for point in element.get("points").split()]


@pytest.mark.parametrize("seed", range(8))
def test_lines_are_the_accuracies(seed):
    """All points of both lines lie on one straight scale, and higher is better."""
    rng = random.Random(seed)
    seen = epochs(rng.randint(2, 40), rng)
    root = tree.fromstring(training_chart.chart("a <b>", {0: seen}))
    soft, hard = (points(line) for line in root.iter(f"{SVG}polyline"))
    assert len(soft) == len(hard) == len(seen)
    places = sorted(
        [(epoch.soft, y) for epoch, (_, y) in zip(seen, soft, strict=True)]
        + [(epoch.hard, y) for epoch, (_, y) in zip(seen, hard, strict=True)]
    )
    (low, bottom), (high, top) = places[0], places[-1]
    for accuracy, y in places:
        assert y == pytest.approx(bottom + (accuracy - low) / (high - low) * (top - bottom), abs=0.2)
    assert top < bottom and all(0 <= y <= 360 for _, y in places)
    assert [x for x, _ in hard] == sorted(x for x, _ in hard)
    words = " ".join(text.text for text in root.iter(f"{SVG}text"))
    assert "a <b>" in words and f"gap at the end {100 * (seen[-1].soft - seen[-1].hard):.2f}" in words


def test_a_method_of_signs_has_no_soft_line():
    root = tree.fromstring(training_chart.chart("ste", {0: epochs(5, random.Random(1), smooth=False)}))
    assert len(list(root.iter(f"{SVG}polyline"))) == 1
    assert "soft" not in " ".join(text.text for text in root.iter(f"{SVG}text"))


def test_seeds_have_a_line_each_and_one_epoch_is_drawn():
    rng = random.Random(2)
    root = tree.fromstring(training_chart.chart("two", {3: epochs(4, rng), 4: epochs(1, rng)}))
    assert len(list(root.iter(f"{SVG}polyline"))) == 4
    tree.fromstring(training_chart.chart("one", {0: epochs(1, rng)}))


def test_a_place_that_cannot_be_written(tmp_path):
    with pytest.raises(SbgenError, match="--plot .* cannot be written"):
        training_chart.write(tmp_path / "no" / "a.svg", "t", {0: epochs(2, random.Random(0))})
