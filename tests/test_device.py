import pytest

from sbgen.compiler.device import DEVICES


@pytest.mark.parametrize("name, width, depth, count", [
    ("up5k", 16, 256, 1), ("up5k", 17, 256, 2), ("up5k", 256, 196, 16), ("up5k", 8, 512, 1), ("up5k", 9, 512, 2),
    ("up5k", 1, 2048, 1), ("up5k", 1, 4096, 2), ("up5k", 0, 16, 0),
    ("ecp5-85f", 36, 512, 1), ("ecp5-85f", 37, 512, 2), ("ecp5-85f", 1, 16384, 1), ("ecp5-85f", 18, 1024, 1),
])
def test_brams(name, width, depth, count):
    assert DEVICES[name].brams(width=width, depth=depth) == count


def test_read_bits():
    assert DEVICES["up5k"].bram_read_bits == 480
    assert DEVICES["ecp5-85f"].bram_read_bits == 7488
