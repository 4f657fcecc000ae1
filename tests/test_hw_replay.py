import random

import pytest
from streams import transfer

from sbgen.hw import replay as replay_part


def replay(*, beats, repeats, store="bram", vectors=6, seed=None):
    rng = random.Random(5)
    given = [[rng.getrandbits(6) for _ in range(beats)] for _ in range(vectors)]
    dut = replay_part.Parameters(shape=6, beats=beats, repeats=repeats, store=store).create()
    taken = transfer(dut, [word for vector in given for word in vector], vectors * beats * repeats, seed=seed)
    return taken, [word for vector in given for word in vector * repeats]


@pytest.mark.parametrize("beats", [1, 2, 3, 8, 13])
@pytest.mark.parametrize("repeats", [1, 2, 5])
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_each_vector_comes_several_times(beats, repeats, seed):
    taken, expected = replay(beats=beats, repeats=repeats, seed=seed)
    assert [word for _, word in taken] == expected


def test_lut_store():
    taken, expected = replay(beats=5, repeats=3, store="lut", seed=3)
    assert [word for _, word in taken] == expected


def test_first_pass_follows_two_cycles_behind_and_no_cycle_is_lost():
    taken, _ = replay(beats=5, repeats=3)
    assert [cycle for cycle, _ in taken] == list(range(2, 2 + 6 * 15))


def test_a_single_beat_is_given_from_the_next_cycle_on_and_no_cycle_is_lost():
    taken, _ = replay(beats=1, repeats=3)
    assert [cycle for cycle, _ in taken] == list(range(1, 1 + 6 * 3))


@pytest.mark.parametrize("name", ["beats", "repeats"])
def test_sizes_must_be_positive(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, not 0"):
        replay_part.Parameters(**{"shape": 1, "beats": 2, "repeats": 2, "store": "bram", name: 0}).create()


def test_unknown_store():
    with pytest.raises(ValueError, match="store must be one of bram, lut, not 'sram'"):
        replay_part.Parameters(shape=1, beats=1, repeats=1, store="sram").create()
