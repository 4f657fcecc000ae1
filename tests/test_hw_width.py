import random

import pytest
from streams import beats, elements, transfer

from sbgen.hw import width as width_part


def convert(*, width, length, i_lanes, o_lanes, vectors, seed):
    dut = width_part.Parameters(shape=width, length=length, i_lanes=i_lanes, o_lanes=o_lanes).create()
    return transfer(dut, beats(vectors, i_lanes, width), len(vectors) * -(-length // o_lanes), seed=seed)


@pytest.mark.parametrize(
    "length, i_lanes, o_lanes",
    [
        (12, 4, 4),
        (12, 2, 6),
        (12, 6, 2),
        (12, 4, 6),
        (12, 6, 4),  # everything divides
        (13, 4, 4),
        (13, 2, 6),
        (13, 6, 2),
        (13, 4, 6),
        (13, 6, 9),
        (10, 6, 2),  # the last beat is not full
        (1, 1, 1),
        (1, 1, 4),
        (1, 4, 1),
        (3, 4, 6),
        (7, 3, 7),
        (7, 7, 5),
    ],
)
@pytest.mark.parametrize("width", [1, 5])
@pytest.mark.parametrize("seed", [None, 1])
def test_elements_keep_their_order(length, i_lanes, o_lanes, width, seed):
    rng = random.Random(7)
    vectors = [[rng.getrandbits(width) for _ in range(length)] for _ in range(9)]
    taken = convert(width=width, length=length, i_lanes=i_lanes, o_lanes=o_lanes, vectors=vectors, seed=seed)
    found, unused = elements([word for _, word in taken], o_lanes, width, length)
    assert found == vectors
    assert not any(unused), "unused lanes must be 0"


@pytest.mark.parametrize(
    "length, i_lanes, o_lanes", [(12, 6, 2), (13, 6, 2), (12, 2, 6), (13, 2, 6), (13, 4, 6)]
)
@pytest.mark.parametrize("reset_after", [1, 2, 4])
def test_payloads_need_no_reset(length, i_lanes, o_lanes, reset_after):
    rng = random.Random(reset_after)
    dut = width_part.Parameters(shape=3, length=length, i_lanes=i_lanes, o_lanes=o_lanes).create()
    vectors = [[rng.getrandbits(3) for _ in range(length)] for _ in range(5)]
    taken = transfer(
        dut, beats(vectors, i_lanes, 3), len(vectors) * -(-length // o_lanes), seed=5, reset_after=reset_after
    )
    found, unused = elements([word for _, word in taken], o_lanes, 3, length)
    assert found == vectors
    assert not any(unused), "unused lanes must be 0"


def test_gathering_takes_a_beat_each_cycle():
    taken = convert(width=1, length=12, i_lanes=3, o_lanes=6, vectors=[[1] * 12] * 4, seed=None)
    assert [cycle for cycle, _ in taken] == [2, 4, 6, 8, 10, 12, 14, 16]


def test_cutting_gives_a_beat_each_cycle():
    taken = convert(width=1, length=12, i_lanes=6, o_lanes=2, vectors=[[1] * 12] * 4, seed=None)
    assert [cycle for cycle, _ in taken] == list(range(1, 25))


def test_equal_widths_are_wires():
    taken = convert(width=1, length=12, i_lanes=6, o_lanes=6, vectors=[[1] * 12] * 2, seed=None)
    assert [cycle for cycle, _ in taken] == [0, 1, 2, 3]


@pytest.mark.parametrize("name", ["length", "i_lanes", "o_lanes"])
def test_sizes_must_be_positive(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, not 0"):
        width_part.Parameters(**{"shape": 1, "length": 2, "i_lanes": 2, "o_lanes": 2, name: 0}).create()
