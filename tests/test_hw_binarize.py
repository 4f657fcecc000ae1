import random

import pytest
from streams import beats, elements, transfer

from sbgen.hw import binarize
from sbgen.hw.binarize import period


def expected(image, thresholds):
    return [int(pixel >= level) for pixel, levels in zip(image, thresholds, strict=True) for level in levels]


@pytest.mark.parametrize("lanes", [1, 2, 3, 10])
@pytest.mark.parametrize(
    "thresholds",
    [
        [[128]] * 10,
        [[0]] * 10,
        [[256]] * 10,
        [[64, 128, 192]] * 10,
        [[25 * n, 255 - n] for n in range(10)],
        [[64, 100], [0, 200]] * 5,
    ],
    ids=["middle", "always", "never", "thermometer", "different", "two channels"],
)
@pytest.mark.parametrize("seed", [None, 1])
def test_hardware_equals_software(lanes, thresholds, seed):
    rng = random.Random(2)
    images = [
        [rng.choice([0, 63, 64, 127, 128, 255, rng.randrange(256)]) for _ in range(10)] for _ in range(12)
    ]
    levels = len(thresholds[0])
    taken = transfer(
        binarize.Parameters(thresholds=thresholds, lanes=lanes).create(),
        beats(images, lanes, 8),
        12 * -(-10 // lanes),
        seed=seed,
    )
    found, unused = elements([word for _, word in taken], lanes * levels, 1, 10 * levels)
    assert found == [expected(image, thresholds) for image in images]
    assert not any(unused), "unused lanes must be 0"


def test_no_latency():
    taken = transfer(
        binarize.Parameters(thresholds=[[128]] * 4, lanes=2).create(), beats([[255] * 4] * 3, 2, 8), 6
    )
    assert [cycle for cycle, _ in taken] == list(range(6))


@pytest.mark.parametrize(
    "beats, expected",
    [("a", 1), ("aaaa", 1), ("ababab", 2), ("ababa", 5), ("abcabc", 3), ("abcd", 4), ("aabaab", 3)],
)
def test_period(beats, expected):
    assert period(list(beats)) == expected
