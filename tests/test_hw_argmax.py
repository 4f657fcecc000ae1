import random

import pytest
from streams import pack, transfer

from sbgen.hw import argmax


def run(images, *, classes, seed=None, top=1):
    """(score, best classes so far, last) of each beat."""
    dut = argmax.Parameters(score_width=5, classes=classes, top_k=top).create()
    words = transfer(
        dut, [pack([score], 5) for scores in images for score in scores], len(images) * classes, seed=seed
    )
    layout = dut.o.payload.shape()
    return [
        (view.score, [view.label, *(view.runners_up if top > 1 else ())], view.last)
        for view in (layout.from_bits(word) for _, word in words)
    ]


@pytest.mark.parametrize("classes", [1, 2, 3, 10])
@pytest.mark.parametrize("seed", [None, 1])
def test_first_greatest_score(classes, seed):
    rng = random.Random(classes)
    images = [[rng.randrange(-16, 16) for _ in range(classes)] for _ in range(30)]
    images += [[rng.randrange(-2, 2) for _ in range(classes)] for _ in range(30)]  # many ties
    images += [[-16] * classes, [15] * classes]
    assert run(images, classes=classes, seed=seed) == [
        (score, [scores[: n + 1].index(max(scores[: n + 1]))], int(n == classes - 1))
        for scores in images
        for n, score in enumerate(scores)
    ]


@pytest.mark.parametrize("classes, top", [(2, 2), (3, 2), (5, 5), (10, 3)])
@pytest.mark.parametrize("seed", [None, 1])
def test_best_few(classes, top, seed):
    rng = random.Random(classes)
    images = [[rng.randrange(-16, 16) for _ in range(classes)] for _ in range(30)]
    images += [[rng.randrange(-2, 2) for _ in range(classes)] for _ in range(30)]  # many ties
    images += [[-16] * classes, [15] * classes, list(range(classes)), list(range(classes))[::-1]]
    beats = iter(run(images, classes=classes, seed=seed, top=top))
    for scores in images:
        for n in range(classes):
            score, best, last = next(beats)
            seen = sorted(range(n + 1), key=lambda label: -scores[label])[
                :top
            ]  # stable: a tie to the lower class
            assert (score, best[: len(seen)], last) == (scores[n], seen, n == classes - 1)


@pytest.mark.parametrize("top", [0, 4])
def test_no_more_than_the_classes(top):
    with pytest.raises(ValueError, match=f"top_k must be in 1 ... 3, not {top}"):
        argmax.Parameters(score_width=5, classes=3, top_k=top).create()
