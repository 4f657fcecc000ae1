"""Gowin's bitstreams as text and back, and the places of the bits of block RAMs in them."""

import random

import numpy as np
import pytest
from layout_texts import GOWIN_END as END
from layout_texts import gowin_text as text_of

from sbgen.boards.gowin import frames
from sbgen.boards.gowin.chips import CHIPS, of_device
from sbgen.boards.gowin.configuration import differences
from sbgen.boards.gowin.layout import GowinLayout
from sbgen.errors import BoardError, ToolError


@pytest.mark.parametrize("ram", [True, False])
@pytest.mark.parametrize("chip", CHIPS, ids=lambda chip: chip.name)
def test_text_and_file_there_and_back(chip, ram):
    text = text_of(chip, random.Random(1), ram=ram)
    packed = frames.pack(text.encode())
    assert frames.unpack(packed).decode() == text
    assert frames.unpack(b"// a comment\n" + packed).decode() == text
    lines = packed.decode().splitlines()
    assert set("".join(lines)) == {"0", "1"} and lines[2] == f"{0xA5C3:016b}"
    assert len(lines) == 10 + chip.grid + 256 * len(chip.rows) * ram + len(END)


def test_crcs_are_those_of_gowin_pack():
    """The check value of CRC-16/ARC, and a frame after another: its CRC begins with six bytes of ones."""
    assert frames._crc(b"123456789") == bytes([0x3D, 0xBB])
    chip = CHIPS[0]
    lines = frames.pack(text_of(chip, random.Random(2)).encode()).decode().splitlines()
    first, second = (int(line, 2).to_bytes(len(line) // 8, "big") for line in lines[10:12])
    before = b"".join(int(lines[n], 2).to_bytes(len(lines[n]) // 8, "big") for n in (3, 4, 5, 6, 8, 9))
    assert first[-8:] == frames._crc(before + first[:-8]) + b"\xff" * 6
    assert second[-8:-6] == frames._crc(b"\xff" * 6 + second[:-8])


@pytest.mark.parametrize("seed", range(5))
def test_a_damaged_frame_is_refused(seed):
    print(f"seed {seed}")
    rng = random.Random(seed)
    packed = bytearray(frames.pack(text_of(CHIPS[0], random.Random(1)).encode()))
    starts = [n for n, byte in enumerate(packed) if byte == 10][9:-7]
    at = rng.choice(starts) + 1 + rng.randrange(2000)
    packed[at] ^= 1
    with pytest.raises(ToolError, match=r"frame \d+ is damaged"):
        frames.unpack(bytes(packed))


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda lines: lines[:5], "has no header"),
        (lambda lines: [*lines[:3], f"{0x060000000900281B:064b}", *lines[4:]], "not for one of the chips"),
        (lambda lines: lines[:-40], "has not the frames of a GW1N-9C"),
        (lambda lines: [*lines[:9], f"{0x3B800001:032b}", *lines[10:]], "has not the frames of a GW1N-9C"),
        (lambda lines: [*lines[:20], "012", *lines[21:]], "digits 0 and 1"),
        (lambda lines: [*lines[:20], "0", *lines[21:]], "digits 0 and 1"),
        (lambda lines: [*lines[:12], lines[12][8:], *lines[13:]], "frame 2 is damaged"),
    ],
)
def test_what_is_no_bitstream_is_refused(damage, what):
    lines = frames.pack(text_of(CHIPS[0], random.Random(1)).encode()).decode().splitlines()
    with pytest.raises(ToolError, match=what):
        frames.unpack("\n".join(damage(lines)).encode())


@pytest.mark.parametrize("chip", CHIPS, ids=lambda chip: chip.name)
def test_block_rams_there_and_back(chip):
    rng = random.Random(3)
    text, other = text_of(chip, rng), GowinLayout(text_of(chip, rng))
    read = GowinLayout(text)
    assert read.text == text and len(read.blocks) == {"GW1N-9C": 26, "GW2A-18C": 46}[chip.name]
    for name in read.blocks:
        assert read.block(name).shape == (2048, 9)
        other.set_block(name, read.block(name))
    assert all((other.block(name) == read.block(name)).all() for name in read.blocks)
    assert read.text == text
    # Whatever is no bit of a block RAM stays.
    zeros = GowinLayout(other.text)
    for name in zeros.blocks:
        zeros.set_block(name, np.zeros((2048, 9), np.uint8))
    (changed, count) = differences("ram", other.sections()["ram"], zeros.sections()["ram"])
    assert len(changed) == sum(int(other.block(name).sum()) for name in other.blocks)
    assert count == 8 * -(-chip.width // 8) * 256 * len(chip.rows)
    assert other.sections()["grid"] == zeros.sections()["grid"]


def test_bits_are_where_gowin_pack_puts_them():
    """Worked out by hand: X4Y9 begins at bit 248 of the first 256 frames; the rest is in `layout`.

    Address 0 is in the last of them, 1 half of them above, 2 a quarter, 4 one above the last. A frame's bits
    are written from the last, behind 4 bits of filler.
    """
    layout, zeros = GowinLayout(text_of(CHIPS[0], random.Random(4))), np.zeros((2048, 9), np.uint8)
    layout.set_block("X4Y9", zeros)
    before = layout.sections()["ram"]
    for word, bit, frame, column in (
        (0, 0, 255, 21),
        (1, 0, 127, 21),
        (2, 0, 191, 21),
        (4, 0, 254, 21),
        (255, 1, 0, 30),
        (256, 0, 255, 22),
        (1023, 17, 0, 175),
    ):
        rows = zeros.copy()
        rows.reshape(1024, 18)[word, bit] = 1
        layout.set_block("X4Y9", rows)
        ((changed,), _) = differences("ram", before, layout.sections()["ram"])
        assert changed.where == f"ram, line {frame}, bit {4 + 2836 - 1 - (248 + column)}"
        assert (changed.expected, changed.found) == ("0", "1")


def test_each_device_is_one_chip():
    assert of_device("gw2ar-18c") is of_device("gw2a-18c") is CHIPS[1]
    with pytest.raises(BoardError, match="must be one of gw1nr-9c, gw2ar-18c, gw2a-18c, but it is up5k"):
        of_device("up5k")


def test_differences_are_counted_and_named():
    differ, count = differences("grid", ["00", "f0"], ["00", "70"])
    assert count == 16 and [str(each) for each in differ] == [
        "grid at grid, line 1, bit 0: expected 1, found 0"
    ]
    differ, _ = differences("end", ["ff"], ["ff", "01"])
    assert [each.kind for each in differ] == ["command"]
