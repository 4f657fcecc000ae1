import random

import pytest
from streams import beats, elements, transfer

from sbgen.hw import threshold as threshold_part


def run(*, channels, lanes, width, seed=None, store="lut", vectors=8):
    """What is found, what must be found, what was in unused lanes, and the cycles."""
    rng = random.Random(f"{channels} {lanes} {width}")
    thresholds = [0, 1 << width, *(rng.randint(0, 1 << width) for _ in range(channels))][-channels:]
    inverted = [rng.getrandbits(1) for _ in range(channels)]
    given = [[rng.getrandbits(width) for _ in range(channels)] for _ in range(vectors - 1)]
    given.append([min(threshold, (1 << width) - 1) for threshold in thresholds])  # just at the threshold
    dut = threshold_part.Parameters(
        thresholds=thresholds, inverted=inverted, width=width, lanes=lanes, store=store
    ).create()
    taken = transfer(dut, beats(given, lanes, width), vectors * -(-channels // lanes), seed=seed)
    found, unused = elements([word for _, word in taken], lanes, 1, channels)
    expected = [
        [
            int(x >= threshold) ^ inversion
            for x, threshold, inversion in zip(vector, thresholds, inverted, strict=True)
        ]
        for vector in given
    ]
    return found, expected, unused, [cycle for cycle, _ in taken]


@pytest.mark.parametrize("channels, lanes", [(1, 1), (4, 4), (6, 2), (7, 3), (3, 5), (40, 1)])
@pytest.mark.parametrize("width", [1, 5])
@pytest.mark.parametrize("seed", [None, 1])
def test_bits_of_each_channel(channels, lanes, width, seed):
    found, expected, unused, _ = run(channels=channels, lanes=lanes, width=width, seed=seed)
    assert found == expected
    assert not any(unused), "unused lanes must be 0"


def test_bram_store():
    found, expected, _, _ = run(channels=20, lanes=3, width=6, store="bram", seed=2)
    assert found == expected


def test_a_beat_each_cycle_two_cycles_later():
    *_, cycles = run(channels=6, lanes=2, width=4)
    assert cycles == [2 + n for n in range(8 * 3)]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"lanes": 0}, "lanes must be at least 1, not 0"),
        ({"width": 0}, "width must be at least 1, not 0"),
        ({"inverted": [0]}, "2 thresholds need as many inversions, not 1"),
    ],
)
def test_parameters_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        threshold_part.Parameters(
            **{"thresholds": [1, 2], "inverted": [0, 1], "width": 2, "lanes": 2, "store": "lut", **options}
        ).create()
