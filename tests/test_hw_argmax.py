import random

import pytest
from streams import pack, transfer

from sbgen.hw.argmax import Argmax


def run(images, *, classes, seed=None):
    """(score, label so far, last) of each beat."""
    dut = Argmax(score_width=5, classes=classes)
    words = transfer(dut, [pack([score], 5) for scores in images for score in scores], len(images) * classes, seed=seed)
    layout = dut.o.payload.shape()
    return [(view.score, view.label, view.last) for view in (layout.from_bits(word) for _, word in words)]


@pytest.mark.parametrize("classes", [1, 2, 3, 10])
@pytest.mark.parametrize("seed", [None, 1])
def test_first_greatest_score(classes, seed):
    rng = random.Random(classes)
    images = [[rng.randrange(-16, 16) for _ in range(classes)] for _ in range(30)]
    images += [[rng.randrange(-2, 2) for _ in range(classes)] for _ in range(30)]  # many ties
    images += [[-16] * classes, [15] * classes]
    assert run(images, classes=classes, seed=seed) == [
        (score, scores[:n + 1].index(max(scores[:n + 1])), int(n == classes - 1))
        for scores in images for n, score in enumerate(scores)]
