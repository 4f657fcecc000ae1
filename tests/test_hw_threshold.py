import random

import pytest
from streams import beats, elements, transfer

from sbgen.hw import threshold as threshold_part


def run(*, channels, lanes, width, levels=1, seed=None, store="lut", vectors=8):
    """What is found, what must be found, what was in unused lanes, and the cycles."""
    rng = random.Random(f"{channels} {lanes} {width} {levels}")
    thresholds = [
        sorted([0, 1 << width, *(rng.randint(0, 1 << width) for _ in range(levels))][-levels:])
        for _ in range(channels)
    ]
    thresholds[0][0], thresholds[-1][-1] = 0, 1 << width
    inverted = [rng.getrandbits(1) for _ in range(channels)]
    given = [[rng.getrandbits(width) for _ in range(channels)] for _ in range(vectors - 2)]
    for level in 0, levels - 1:  # just at a threshold
        given.append([min(own[level], (1 << width) - 1) for own in thresholds])
    dut = threshold_part.Parameters(
        thresholds=tuple(map(tuple, thresholds)),
        inverted=tuple(inverted),
        width=width,
        lanes=lanes,
        store=store,
    ).create()
    taken = transfer(dut, beats(given, lanes, width), vectors * -(-channels // lanes), seed=seed)
    found, unused = elements([word for _, word in taken], lanes, levels.bit_length(), channels)
    expected = [
        [
            sum((x >= threshold) ^ inversion for threshold in own)
            for x, own, inversion in zip(vector, thresholds, inverted, strict=True)
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


@pytest.mark.parametrize("channels, lanes", [(1, 1), (4, 4), (7, 3), (3, 5), (20, 1)])
@pytest.mark.parametrize("levels", [2, 3, 5, 15])
@pytest.mark.parametrize("seed", [None, 1])
def test_numbers_of_thresholds_that_are_reached(channels, lanes, levels, seed):
    found, expected, unused, _ = run(channels=channels, lanes=lanes, width=6, levels=levels, seed=seed)
    assert found == expected
    assert not any(unused), "unused lanes must be 0"


@pytest.mark.parametrize("levels", [1, 3])
def test_bram_store(levels):
    found, expected, _, _ = run(channels=20, lanes=3, width=6, levels=levels, store="bram", seed=2)
    assert found == expected


def test_a_beat_each_cycle_two_cycles_later():
    *_, cycles = run(channels=6, lanes=2, width=4)
    assert cycles == [2 + n for n in range(8 * 3)]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"lanes": 0}, "lanes must be at least 1, not 0"),
        ({"width": 0}, "width must be at least 1, not 0"),
        ({"inverted": [0]}, "2 elements need as many inversions, not 1"),
        ({"thresholds": [[1], [2, 3]]}, "each element must have the same number of thresholds"),
        ({"thresholds": [[], []]}, "each element must have the same number of thresholds"),
    ],
)
def test_parameters_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        threshold_part.Parameters(
            **{
                "thresholds": [[1], [2]],
                "inverted": [0, 1],
                "width": 2,
                "lanes": 2,
                "store": "lut",
                **options,
            }
        ).create()
