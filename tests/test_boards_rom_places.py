"""`sbgen.boards.rom_places` on layouts of random bits in which ROMs are hidden."""

import json
import random

import numpy as np
import pytest
from layout_texts import ecp5_text, ice40_text

from sbgen.boards import rom_places
from sbgen.boards.ecp5.layout import Ecp5Layout
from sbgen.boards.ice40.layout import Ice40Layout
from sbgen.compiler.contents import Memory, permuted
from sbgen.errors import ToolError


def random_memory(rng, *, width, depth, store="bram"):
    return Memory(store=store, width=width, words=tuple(rng.getrandbits(width) for _ in range(depth)))


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
    layout = Ice40Layout(ice40_text(rng))
    noise = {
        "deep": random_memory(rng, width=1, depth=512),
        "wide": random_memory(rng, width=2, depth=256),
        "luts": random_memory(rng, width=1, depth=16, store="lut"),
    }
    # Two words in a row, or the second half in a lane of its own, as synthesis may place them.
    for start in 0, 1:
        hide(layout, noise["deep"], block="6/3", lane=7 + start, start=start, stride=2)
    for bit in 0, 1:
        hide(layout, noise["wide"], block="19/5", lane=bit, bit=bit)
    init = 0x8CE1
    noise["luts"] = Memory(store="lut", width=1, words=tuple(init >> n & 1 for n in range(16)))
    layout.set_lut(1, 1, 4, permuted(init, (2, 0, 3, 1)))
    places = rom_places.locate(
        noise, layout, luts=[rom_places.Lut(memory="luts", chunk=0, bit=0, x=1, y=1, z=4)]
    )
    assert columns(places) == {
        ("deep", 0, 0, 2, "6/3", 7, 0, 1),
        ("deep", 0, 1, 2, "6/3", 8, 0, 1),
        ("wide", 0, 0, 1, "19/5", 0, 0, 1),
        ("wide", 1, 0, 1, "19/5", 1, 0, 1),
    }
    assert places.luts[0].order == (2, 0, 3, 1)
    assert rom_places.Places.of_json(json.loads(places.dumps())) == places

    before = places.digest(Ice40Layout(layout.text))
    wanted = {
        name: random_memory(rng, width=memory.width, depth=len(memory.words), store=memory.store)
        for name, memory in noise.items()
    }
    untouched = layout.block("6/3")[:, :7].copy()
    places.write(layout, wanted)
    assert places.read(layout) == wanted and (layout.block("6/3")[:, :7] == untouched).all()
    assert places.digest(Ice40Layout(layout.text)) == before
    layout.set_lut(2, 7, 0, layout.lut(2, 7, 0) ^ 1)
    assert places.digest(layout) != before


def test_ecp5_words_of_four_rows():
    rng = random.Random(5)
    layout = Ecp5Layout(ecp5_text(rng))
    noise = {"rom": random_memory(rng, width=3, depth=768)}
    for bit in range(3):
        hide(layout, noise["rom"], block="0", lane=bit, bit=bit, row=3, step=4)
        hide(layout, noise["rom"], block="3", lane=bit, bit=bit, row=3, step=4, start=512)
    places = rom_places.locate(noise, layout)
    assert columns(places) == {
        ("rom", bit, start, 1, block, bit, 3, 4)
        for bit in range(3)
        for start, block in ((0, "0"), (512, "3"))
    }
    assert places.read(layout) == noise


@pytest.mark.parametrize("copies", [0, 2])
def test_what_is_not_in_one_place_is_refused(copies):
    rng = random.Random(6)
    layout = Ice40Layout(ice40_text(rng))
    noise = {"rom": random_memory(rng, width=1, depth=256)}
    for lane in range(copies):
        hide(layout, noise["rom"], block="6/3", lane=lane)
    with pytest.raises(ToolError, match=f"bit 0 of word 0 of rom is in {copies}; build without --patchable"):
        rom_places.locate(noise, layout)
