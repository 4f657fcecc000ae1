"""`sbgen.boards.layout` on layouts of random bits in which ROMs are hidden."""

import json
import random

import numpy as np
import pytest

from sbgen.boards import layout as layouts
from sbgen.compiler.contents import Memory, permuted
from sbgen.errors import ToolError


def random_memory(rng, *, width, depth, store="bram"):
    return Memory(store=store, width=width, words=tuple(rng.getrandbits(width) for _ in range(depth)))


def ice40_text(rng, rams=((6, 3), (19, 5)), tiles=((1, 1), (2, 7))):
    """Block RAMs and logic tiles of random bits."""
    lines = [".comment from a test", ".device 5k"]
    for x, y in tiles:
        lines += (
            [f".logic_tile {x} {y}"]
            + ["".join(rng.choice("01") for _ in range(54)) for _ in range(16)]
            + [""]
        )
    for x, y in rams:
        lines += [f".ram_data {x} {y}"] + [f"{rng.getrandbits(256):064x}" for _ in range(16)] + [""]
    return "\n".join(lines) + "\n"


def ecp5_text(rng, rams=(0, 3)):
    text = ".device LFE5U-85F\n\n"
    for n in rams:
        words = [f"{rng.getrandbits(9):03x}" for _ in range(2048)]
        text += (
            f".bram_init {n}\n"
            + "".join(" ".join(words[at : at + 8]) + "\n" for at in range(0, 2048, 8))
            + "\n"
        )
    return text + ".tile R1C1:PLC2\nword: SLICEA.K0.INIT 0000000011111111\n"


@pytest.mark.parametrize(
    ("layout", "text"), [(layouts.Ice40Layout, ice40_text), (layouts.Ecp5Layout, ecp5_text)]
)
def test_text_and_blocks_there_and_back(layout, text):
    rng = random.Random(1)
    made, other = text(rng), layout(text(rng))
    read = layout(made)
    assert read.text == made and len(read.blocks) == 2
    for name in read.blocks:
        other.set_block(name, read.block(name))
        assert (other.block(name) == read.block(name)).all()
    if layout is layouts.Ecp5Layout:
        assert other.text == made


def test_ice40_rows_are_words_of_the_tools():
    # The last digits of a line are the word of its first row (INIT_0 of the SB_RAM40_4K).
    rng = random.Random(2)
    layout = layouts.Ice40Layout(ice40_text(rng))
    rows = np.zeros((256, 16), np.uint8)
    rows[0, 0] = rows[1, 15] = rows[16, 1] = 1
    layout.set_block("6/3", rows)
    lines = layout.text.splitlines()
    first = lines.index(".ram_data 6 3") + 1
    assert int(lines[first], 16) == 1 | 1 << 31 and int(lines[first + 1], 16) == 2


def test_luts_of_one_tile_do_not_touch_each_other():
    layout = layouts.Ice40Layout(ice40_text(random.Random(3)))
    for z in range(8):
        layout.set_lut(2, 7, z, 0x1234 + z)
    assert [layout.lut(2, 7, z) for z in range(8)] == [0x1234 + z for z in range(8)]


def hide(layout, memory, *, block, lane, stride=1, step=1, start=0, row=0, bit=0):
    """Put a memory's bit into a lane."""
    rows = layout.block(block)
    words = memory.words[start::stride]
    at = row + step * np.arange(len(words))
    at = at[at < len(rows)]
    rows[at, lane] = [word >> bit & 1 for word in words[: len(at)]]
    layout.set_block(block, rows)


def columns(places):
    return {
        (each.memory, each.bit, each.start, each.stride, each.block, each.lane, each.row, each.step)
        for each in places.columns
    }


def test_ice40_narrow_and_deep_memories_and_luts_are_found_read_and_replaced():
    rng = random.Random(4)
    layout = layouts.Ice40Layout(ice40_text(rng))
    noise = {
        "deep": random_memory(rng, width=1, depth=512),
        "wide": random_memory(rng, width=2, depth=256),
        "luts": random_memory(rng, width=1, depth=16, store="lut"),
    }
    # Two words in a row, or the second half in a lane of its own, as the synthesis likes it.
    for start in 0, 1:
        hide(layout, noise["deep"], block="6/3", lane=7 + start, start=start, stride=2)
    for bit in 0, 1:
        hide(layout, noise["wide"], block="19/5", lane=bit, bit=bit)
    init = 0x8CE1
    noise["luts"] = Memory(store="lut", width=1, words=tuple(init >> n & 1 for n in range(16)))
    layout.set_lut(1, 1, 4, permuted(init, (2, 0, 3, 1)))
    places = layouts.locate(noise, layout, luts=[layouts.Lut(memory="luts", chunk=0, bit=0, x=1, y=1, z=4)])
    assert columns(places) == {
        ("deep", 0, 0, 2, "6/3", 7, 0, 1),
        ("deep", 0, 1, 2, "6/3", 8, 0, 1),
        ("wide", 0, 0, 1, "19/5", 0, 0, 1),
        ("wide", 1, 0, 1, "19/5", 1, 0, 1),
    }
    assert places.luts[0].order == (2, 0, 3, 1)
    assert layouts.Places.of_json(json.loads(places.dumps())) == places

    before = places.digest(layouts.Ice40Layout(layout.text))
    wanted = {
        name: random_memory(rng, width=memory.width, depth=len(memory.words), store=memory.store)
        for name, memory in noise.items()
    }
    untouched = layout.block("6/3")[:, :7].copy()
    places.write(layout, wanted)
    assert places.read(layout) == wanted and (layout.block("6/3")[:, :7] == untouched).all()
    assert places.digest(layouts.Ice40Layout(layout.text)) == before
    layout.set_lut(2, 7, 0, layout.lut(2, 7, 0) ^ 1)
    assert places.digest(layout) != before


def test_ecp5_words_of_four_rows():
    rng = random.Random(5)
    layout = layouts.Ecp5Layout(ecp5_text(rng))
    noise = {"rom": random_memory(rng, width=3, depth=768)}
    for bit in range(3):
        hide(layout, noise["rom"], block="0", lane=bit, bit=bit, row=3, step=4)
        hide(layout, noise["rom"], block="3", lane=bit, bit=bit, row=3, step=4, start=512)
    places = layouts.locate(noise, layout)
    assert columns(places) == {
        ("rom", bit, start, 1, block, bit, 3, 4)
        for bit in range(3)
        for start, block in ((0, "0"), (512, "3"))
    }
    assert places.read(layout) == noise


@pytest.mark.parametrize("copies", [0, 2])
def test_what_is_not_in_one_place_is_refused(copies):
    rng = random.Random(6)
    layout = layouts.Ice40Layout(ice40_text(rng))
    noise = {"rom": random_memory(rng, width=1, depth=256)}
    for lane in range(copies):
        hide(layout, noise["rom"], block="6/3", lane=lane)
    with pytest.raises(ToolError, match=f"bit 0 of word 0 of rom is in {copies}; build without --patchable"):
        layouts.locate(noise, layout)
