import random

import pytest
from streams import beats, pack, transfer

from sbgen.hw import planes as planes_part


@pytest.mark.parametrize("planes", [1, 2, 8])
@pytest.mark.parametrize("lanes, length", [(1, 1), (3, 3), (3, 7)])
@pytest.mark.parametrize("seed", [None, 1])
def test_highest_plane_first(planes, lanes, length, seed):
    rng = random.Random(length)
    vectors = [[rng.getrandbits(planes) for _ in range(length)] for _ in range(5)]
    given = [word for vector in vectors for word in beats([vector], lanes, planes) * planes]
    dut = planes_part.Parameters(lanes=lanes, beats=-(-length // lanes), planes=planes).create()
    taken = transfer(dut, given, len(given), seed=seed)
    expected = [
        pack([value >> plane & 1 for value in vector[at : at + lanes]], 1)
        for vector in vectors
        for plane in reversed(range(planes))
        for at in range(0, length, lanes)
    ]
    assert [word for _, word in taken] == expected


@pytest.mark.parametrize("name", ["lanes", "beats", "planes"])
def test_sizes_must_be_positive(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, not 0"):
        planes_part.Parameters(**{"lanes": 2, "beats": 2, "planes": 2, name: 0}).create()
