import random
from dataclasses import replace

import pytest
from streams import pack, transfer

from sbgen.hw.best import Parameters


@pytest.mark.parametrize("classes, levels", [(1, 1), (2, 1), (3, 1), (10, 1), (10, 3), (13, 2), (16, 9)])
@pytest.mark.parametrize("seed", [None, 1])
def test_first_maximum_of_all_scores(classes, levels, seed):
    rng = random.Random(classes)
    images = [[rng.randrange(-16, 16) for _ in range(classes)] for _ in range(30)]
    images += [[rng.randrange(-2, 2) for _ in range(classes)] for _ in range(30)]  # many ties
    images += [[-16] * classes, [15] * classes]
    part = Parameters(score_width=5, classes=classes, levels=levels)
    words = transfer(part.create(), [pack(scores, 5) for scores in images], len(images), seed=seed)
    layout = part.o_shape
    found = [layout.from_bits(word) for _, word in words]
    assert [(view.score, view.label, view.last) for view in found] == [
        (max(scores), scores.index(max(scores)), 1) for scores in images
    ]
    if seed is None:
        assert [cycle for cycle, _ in words] == [part.latency + n for n in range(len(images))]


@pytest.mark.parametrize("name", ["score_width", "classes", "levels"])
def test_parameters_are_checked(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, not 0"):
        replace(Parameters(score_width=5, classes=3), **{name: 0})
