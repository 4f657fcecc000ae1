import pytest

from sbgen.compiler.device import DEVICES


@pytest.mark.parametrize(
    "name, width, depth, count",
    [
        ("up5k", 16, 256, 1),
        ("up5k", 17, 256, 2),
        ("up5k", 256, 196, 16),
        ("up5k", 8, 512, 1),
        ("up5k", 9, 512, 2),
        ("up5k", 1, 2048, 1),
        ("up5k", 1, 4096, 1),
        ("up5k", 0, 16, 0),
        ("ecp5-85f", 36, 512, 1),
        ("ecp5-85f", 37, 512, 2),
        ("ecp5-85f", 1, 16384, 1),
        ("ecp5-85f", 18, 1024, 1),
        ("ecp5-85f", 12, 1408, 1),
        ("ecp5-85f", 25, 3504, 5),
        ("up5k", 25, 740, 5),
        ("up5k", 34, 1424, 13),
    ],
)
def test_brams(name, width, depth, count):
    assert DEVICES[name].brams(width=width, depth=depth) == count


@pytest.mark.parametrize(
    "name, width, depth, banks",
    [
        ("ecp5-85f", 9, 65536, 32),
        ("ecp5-85f", 19, 32256, 32),
        ("ecp5-85f", 288, 2048, 4),
        ("ecp5-85f", 36, 512, 1),
        ("up5k", 16, 257, 2),
        ("up5k", 3, 1025, 1),
        ("up5k", 1, 2049, 2),
    ],
)
def test_banks(name, width, depth, banks):
    assert DEVICES[name].banks(width=width, depth=depth) == banks


def test_read_bits():
    assert DEVICES["up5k"].bram_read_bits == 480
    assert DEVICES["ecp5-85f"].bram_read_bits == 7488
