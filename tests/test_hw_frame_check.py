"""Checksums of frames, checked and appended."""

import itertools
import random
import zlib

import pytest
from streams import transfer

from sbgen.hw.frame_check import Appender, Checker


def words(contents, flags=0):
    """Frames as beats of a stream: bytes, then an end with `flags` above it."""
    for content in contents:
        yield from content
        yield 1 << 8 | flags


def sealed(content):
    return content + zlib.crc32(content).to_bytes(4, "little")


@pytest.mark.parametrize("seed", range(6))
def test_a_frame_is_intact_exactly_if_its_checksum_is_right(seed):
    rng = random.Random(seed)
    frames, right = [], []
    for _ in range(8):
        content = bytearray(sealed(rng.randbytes(rng.randrange(9))))
        if rng.random() < 0.5:
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        if rng.random() < 0.2:
            content = bytearray(rng.randbytes(rng.randrange(4)))
        frames.append(bytes(content))
        right.append(len(content) >= 4 and sealed(content[:-4]) == content)
    given = list(words(frames))
    taken = [word for _, word in transfer(Checker(), given, len(given), seed=seed)]
    assert [word & 0x1FF for word in taken if word < 1 << 8] == [word for word in given if word < 1 << 8]
    assert [bool(word >> 9) for word in taken if word >> 8 & 1] == right
    assert 0 < sum(right) < len(right) or seed > 2


@pytest.mark.parametrize("seed", range(4))
def test_an_end_and_a_checksum_are_added(seed):
    rng = random.Random(seed)
    frames = [rng.randbytes(rng.randint(1, 6)) for _ in range(6)]
    expected = [word for frame in frames for word in (1 << 8, *sealed(frame), 1 << 8)]
    taken = transfer(Appender(), list(words(frames)), len(expected), seed=seed)
    # What is next to an end is not looked at.
    assert [1 << 8 if word >> 8 else word for _, word in taken] == expected


@pytest.mark.parametrize("component", [Checker, Appender])
def test_a_byte_takes_ten_cycles(component):
    taken = transfer(component(), list(words([bytes(range(1, 9))])), 9)
    cycles = [cycle for cycle, word in taken if word < 1 << 8]
    assert {after - before for before, after in itertools.pairwise(cycles)} == {10}
