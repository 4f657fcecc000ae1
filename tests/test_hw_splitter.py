import random

import numpy as np
import pytest
from streams import pack, transfer

from sbgen.compiler import cycles
from sbgen.compiler.stream_times import Stream, settle
from sbgen.hw import splitter

SHAPES = [  # at_once, beats, row, pace
    (2, 1, 4, 1),
    (2, 3, 5, 2),
    (3, 2, 7, 9),
    (4, 4, 4, 3),
    (3, 1, 5, 4),
    (5, 2, 5, 1),
    (4, 3, 13, 2),
]


@pytest.mark.parametrize("at_once, beats, row, pace", SHAPES)
@pytest.mark.parametrize("store", ["lut", "bram"])
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_positions_one_after_the_other(at_once, beats, row, pace, store, seed):
    """Three rows; what comes past the last position of a row is left out."""
    rng = random.Random(seed)
    part = splitter.Parameters(
        element=3, lanes=2, at_once=at_once, beats=beats, row=row, pace=pace, store=store
    )
    rows = [[[rng.getrandbits(6) for _ in range(beats)] for _ in range(row)] for _ in range(3)]
    words, expected = [], []
    for positions in rows:
        expected += [word for position in positions for word in position]
        padded = positions + [[63] * beats] * (-row % at_once)
        for at in range(0, len(padded), at_once):
            words += [pack(beat, 6) for beat in zip(*padded[at : at + at_once], strict=True)]
    taken = transfer(part.create(), words, len(expected), seed=seed)
    assert [word for _, word in taken] == expected


@pytest.mark.parametrize("at_once, beats, pace", [(2, 4, 2), (3, 2, 5), (4, 3, 4), (2, 1, 8), (5, 4, 5)])
def test_its_queues_suffice_for_its_pace(at_once, beats, pace):
    """Where beats come in the cycles that it is made for, it never holds them back."""
    part = splitter.Parameters(element=1, lanes=1, at_once=at_once, beats=beats, row=3 * at_once, pace=pace)
    (model,) = cycles.MODELS[splitter.Parameters](part)
    model.connect(Stream())
    rows = 50
    comes = pace * np.arange(rows * part.steps * beats)
    model.i.begin(len(comes))
    model.o.begin(at_once * len(comes))
    model.i.offer(comes)
    assert settle([model], latest=10 * len(comes) * pace)
    assert model.i.takes.tolist() == comes.tolist()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"at_once": 1}, "at_once must be at least 2, not 1"),
        ({"beats": 0}, "beats must be at least 1, not 0"),
    ],
)
def test_parameters_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        splitter.Parameters(**{"element": 1, "lanes": 1, "at_once": 2, "beats": 1, "row": 2, **options})
