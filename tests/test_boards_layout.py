"""The layouts of each family on random bits."""

import random

import numpy as np
import pytest
from layout_texts import ecp5_text, ice40_text

from sbgen.boards.ecp5.layout import Ecp5Layout
from sbgen.boards.ice40.layout import Ice40Layout
from sbgen.errors import BoardError


@pytest.mark.parametrize(("layout", "text"), [(Ice40Layout, ice40_text), (Ecp5Layout, ecp5_text)])
def test_text_and_blocks_there_and_back(layout, text):
    rng = random.Random(1)
    made, other = text(rng), layout(text(rng))
    read = layout(made)
    assert read.text == made and len(read.blocks) == 2
    for name in read.blocks:
        other.set_block(name, read.block(name))
        assert (other.block(name) == read.block(name)).all()
    if layout is Ecp5Layout:
        assert other.text == made


def test_ice40_rows_are_words_of_the_tools():
    # The last digits of a line are the word of its first row (INIT_0 of the SB_RAM40_4K).
    rng = random.Random(2)
    layout = Ice40Layout(ice40_text(rng))
    rows = np.zeros((256, 16), np.uint8)
    rows[0, 0] = rows[1, 15] = rows[16, 1] = 1
    layout.set_block("6/3", rows)
    lines = layout.text.splitlines()
    first = lines.index(".ram_data 6 3") + 1
    assert int(lines[first], 16) == 1 | 1 << 31 and int(lines[first + 1], 16) == 2


def test_luts_of_one_tile_do_not_touch_each_other():
    layout = Ice40Layout(ice40_text(random.Random(3)))
    for z in range(8):
        layout.set_lut(2, 7, z, 0x1234 + z)
    assert [layout.lut(2, 7, z) for z in range(8)] == [0x1234 + z for z in range(8)]


@pytest.mark.parametrize("damage", ["short", "cut"])
def test_an_incomplete_ice40_block_ram_is_refused(damage):
    lines = ice40_text(random.Random(4)).splitlines()
    first = lines.index(".ram_data 19 5") + 1
    if damage == "cut":
        lines = lines[: first + 3]
    else:
        lines[first + 3] = lines[first + 3][:-1]
    layout = Ice40Layout("\n".join(lines) + "\n")
    assert layout.block("6/3").shape == (256, 16)
    with pytest.raises(BoardError, match="must have 16 lines of 64 hexadecimal digits, but 19/5 of"):
        layout.block("19/5")
