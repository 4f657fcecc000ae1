import random

import pytest
from streams import pack, transfer

from sbgen.hw import signs


@pytest.mark.parametrize("outputs", [1, 2, 3, 10, 40])
@pytest.mark.parametrize("seed", [None, 1])
def test_a_bit_of_each_score(outputs, seed):
    rng = random.Random(outputs)
    images = [[rng.randrange(-16, 16) for _ in range(outputs)] for _ in range(30)]
    images += [[rng.randrange(-1, 2) for _ in range(outputs)] for _ in range(30)]  # many zeros
    images += [[-16] * outputs, [15] * outputs, [0] * outputs]
    dut = signs.Parameters(score_width=5, outputs=outputs).create()
    words = transfer(
        dut, [pack([score], 5) for scores in images for score in scores], len(images) * outputs, seed=seed
    )
    views = [dut.o.payload.shape().from_bits(word) for _, word in words]
    assert [view.score for view in views] == [score for scores in images for score in scores]
    assert [view.last for view in views] == [int(n == outputs - 1) for _ in images for n in range(outputs)]
    assert [view.label for view in views if view.last] == [
        sum((score >= 0) << n for n, score in enumerate(scores)) for scores in images
    ]


def test_no_outputs():
    with pytest.raises(ValueError, match="outputs must be at least 1, not 0"):
        signs.Parameters(score_width=5, outputs=0).create()
