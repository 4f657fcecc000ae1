"""The scores of ranked classes."""

import random

import pytest
from streams import transfer

from sbgen.hw.argmax import result_layout
from sbgen.hw.ranks import Ranks, ranked_layout


def word(layout, value):
    return layout.const(value).as_bits()


@pytest.mark.parametrize(
    "outputs, top_k, width", [(1, 1, 4), (2, 2, 1), (5, 1, 8), (5, 3, 3), (7, 7, 4), (257, 2, 16)]
)
def test_ranks_have_the_scores_of_their_classes(outputs, top_k, width):
    rng = random.Random(outputs)
    sizes = {"score_width": width, "outputs": outputs, "top_k": top_k}
    i_layout, o_layout = result_layout(**sizes), ranked_layout(**sizes)
    given, expected = [], []
    for _ in range(5):
        scores = [rng.randrange(-(1 << width - 1), 1 << width - 1) for _ in range(outputs)]
        for n in range(outputs):
            ranked = sorted(range(n + 1), key=lambda c: (-scores[c], c))[:top_k]
            # Ranks that no class has reached yet hold anything.
            labels = ranked + [rng.randrange(outputs) for _ in range(top_k - len(ranked))]
            beat = {"score": scores[n], "label": labels[0], "last": n == outputs - 1}
            if top_k > 1:
                beat["runners_up"] = labels[1:]
            given.append(word(i_layout, beat))
        expected.append([(label, scores[label]) for label in ranked])
    taken = transfer(Ranks(**sizes), given, len(given), seed=1)
    last = [o_layout.from_bits(beat) for _, beat in taken if o_layout.from_bits(beat).last]
    assert [[(rank.label, rank.score) for rank in beat.ranks] for beat in last] == expected
    assert [o_layout.from_bits(beat).score for _, beat in taken] == [
        i_layout.from_bits(beat).score for beat in given
    ]
