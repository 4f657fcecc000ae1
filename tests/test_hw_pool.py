import random

import pytest
from streams import elements, transfer

from sbgen.hw import maximum, pool


@pytest.mark.parametrize("beats", [1, 2, 9])
@pytest.mark.parametrize("seed", [None, 1])
def test_or_of_every_few_words(beats, seed):
    rng = random.Random(3)
    given = [rng.getrandbits(5) & rng.getrandbits(5) & rng.getrandbits(5) for _ in range(20 * beats)]
    taken = transfer(pool.Parameters(lanes=5, beats=beats).create(), given, 20, seed=seed)
    expected = []
    for at in range(0, len(given), beats):
        word = 0
        for each in given[at : at + beats]:
            word |= each
        expected.append(word)
    assert [word for _, word in taken] == expected


@pytest.mark.parametrize("beats", [1, 2, 9])
@pytest.mark.parametrize("width", [1, 2, 5])
@pytest.mark.parametrize("seed", [None, 1])
def test_maximum_of_every_few_words(beats, width, seed):
    rng = random.Random(beats)
    lanes = 3
    given = [[rng.getrandbits(width) for _ in range(lanes)] for _ in range(20 * beats)]
    part = maximum.Parameters(lanes=lanes, width=width, beats=beats)
    words = [sum(number << width * lane for lane, number in enumerate(each)) for each in given]
    taken = transfer(part.create(), words, 20, seed=seed)
    found, unused = elements([word for _, word in taken], lanes, width, lanes)
    assert found == [
        [max(numbers) for numbers in zip(*given[at : at + beats], strict=True)]
        for at in range(0, len(given), beats)
    ]
    assert not unused


@pytest.mark.parametrize("name", ["lanes", "width", "beats"])
def test_sizes_of_a_maximum_must_be_positive(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, not 0"):
        maximum.Parameters(**{"lanes": 2, "width": 2, "beats": 2, name: 0}).create()


def test_a_word_each_cycle():
    taken = transfer(pool.Parameters(lanes=2, beats=4).create(), [1] * 40, 10)
    assert [cycle for cycle, _ in taken] == [4 * n for n in range(1, 11)]


@pytest.mark.parametrize("name", ["lanes", "beats"])
def test_sizes_must_be_positive(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, not 0"):
        pool.Parameters(**{"lanes": 2, "beats": 2, name: 0}).create()
