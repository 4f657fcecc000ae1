import json
import random

import by_hand
import numpy as np
import pytest

from sbgen import boards
from sbgen.boards import flash_image, memories, netlist, readback
from sbgen.boards.ice40 import ICE40
from sbgen.compiler import fold, verilog
from sbgen.compiler.ir import Binarize, Conv2d, Dense, Network, Scores
from sbgen.compiler.lower import lower
from sbgen.compiler.random_network import random_design
from sbgen.errors import BoardError


def network():
    rng = np.random.default_rng(2)

    def bits(*shape):
        return rng.integers(0, 2, shape).astype(np.uint8)

    mask = bits(9, 40)
    return Network(
        name="parts",
        image_shape=(6, 6),
        labels=tuple("abcde"),
        layers=(
            Binarize(name="pixels", thresholds=rng.integers(1, 256, (36, 1))),
            Conv2d(name="conv", weights=bits(10, 3, 3, 1), thresholds=rng.integers(0, 10, 10), stride=(3, 3)),
            Dense(name="ternary", weights=bits(9, 40) & mask, mask=mask, thresholds=rng.integers(0, 40, 9)),
            Scores(name="scores", weights=bits(5, 9), offsets=rng.integers(-20, 20, 5)),
        ),
    )


FOLDINGS = ((1, 1), (3, 1), (4, 7), (2, 4))


def fabricated(design):
    """The Verilog of a design below `core`, and a netlist and block RAMs that hold its ROMs as yosys would
    put them.
    """
    text = verilog.convert(lower(design)).replace("module \\top.", "module \\top.core.")
    cells, rams = {}, {}
    for memory in memories.memories(text):
        if not memory.block:
            continue
        varying = memory.words[:, (memory.words != memory.words[0]).any(axis=0)]
        banks = np.hstack(
            [
                np.pad(varying[at : at + 256], ((0, max(0, at + 256 - len(varying))), (0, 0)))
                for at in range(0, len(varying), 256)
            ]
        )
        for index in range(-(-banks.shape[1] // 16)):
            contents = np.zeros((256, 16), np.uint8)
            part = banks[:, 16 * index : 16 * index + 16]
            contents[:, : part.shape[1]] = part
            place = len(cells)
            cells[f"{memory.path}.0.{index}_RAM"] = {
                "type": "ICESTORM_RAM",
                "parameters": {"READ_MODE": "00"},
                "connections": {},
                "attributes": {"NEXTPNR_BEL": f"X6/Y{place}/ram"},
            }
            rams[f"X6/Y{place}"] = contents.ravel()
    return {"design": design, "verilog": text, "netlist": {"cells": cells}, "family": ICE40}, rams


def build(**changes):
    """The design of `network`; `changes` are those of foldings, by layer."""
    net = network()
    fields = (
        {"pe": pe, "simd": simd, "preset_store": "bram", **changes.get(layer.name, {})}
        for layer, (pe, simd) in zip(net.layers, FOLDINGS, strict=True)
    )
    return fabricated(by_hand.fold(net, *fields))


@pytest.fixture(scope="module")
def built():
    return build()


def test_weights_in_spram_are_read_back_from_flash():
    settings, rams = build(ternary={"store": "spram", "sprams": 1}, scores={"store": "spram"})
    image = lower(settings["design"]).ram_contents
    assert [len(words) for words in image] == [36, 9]
    flash = flash_image.weight_bytes(image)
    parts = readback.read(rams=rams, flash=flash, **settings)
    assert all(part.bits > part.constant and part.difference is None for part in parts), parts
    assert parts[2].bits == 36 * 28
    found = set()
    for byte, bit in (0, 0), (33, 7), (71, 3), (72, 0), (80, 2):
        damaged = bytearray(flash)
        damaged[byte] ^= 1 << bit
        parts = readback.read(rams=rams, flash=bytes(damaged), **settings)
        wrong = [part for part in parts if part.difference is not None]
        assert [part.layer for part in wrong] in ([], ["ternary" if byte < 72 else "scores"])
        if wrong:
            assert wrong[0].difference.where == f"byte {byte} of weights.bin, bit {bit}" and wrong[
                0
            ].differences in (1, 2)
            found.add(wrong[0].layer)
    assert found == {"ternary", "scores"}
    rest = next(
        cell for name, cell in settings["netlist"]["cells"].items() if "mvtu_2.weight_rom.rest" in name
    )
    place = rest["attributes"]["NEXTPNR_BEL"][:-4]
    flipped = {**rams, place: rams[place].copy()}
    flipped[place][0] ^= 1
    first = readback.read(rams=flipped, flash=flash, **settings)[2].difference
    assert first.where == f"{place}, bit 0" and first.bit == 16
    with pytest.raises(BoardError, match="must hold 90 bytes of weights after the bitstream, not 89"):
        readback.read(rams=rams, flash=flash[:-1], **settings)


@pytest.mark.parametrize("seed", range(8))
def test_random_designs(seed):
    """Convolutions, groups, planes, ternary weights, several pixels at once: each weight is in its place, and
    a flipped bit is told.
    """
    print(f"seed {seed}")
    settings, rams = fabricated(random_design(seed))
    settings["flash"] = flash_image.weight_bytes(lower(settings["design"]).ram_contents)
    parts = readback.read(rams=rams, **settings)
    assert all(part.difference is None for part in parts), parts
    if rams:
        name, cell = next(iter(settings["netlist"]["cells"].items()))
        first = cell["attributes"]["NEXTPNR_BEL"][:-4]
        rams[first] = rams[first].copy()
        rams[first][0] ^= 1
        assert sum(part.difference is not None for part in readback.read(rams=rams, **settings)) == (
            "scale" not in name
        )


def test_every_part_is_read_back(built):
    parts = readback.read(rams=built[1], **built[0])
    assert [(part.layer, part.what) for part in parts] == [
        ("conv", "weights"),
        ("conv", "thresholds"),
        ("ternary", "weights"),
        ("ternary", "thresholds"),
        ("scores", "weights"),
        ("scores", "offsets"),
    ]
    assert all(part.bits > part.constant and part.difference is None for part in parts), parts


@pytest.mark.parametrize(
    "memory, part, shape",
    [
        ("mvtu_1.weight_rom", 0, (10, 3, 3, 1)),
        ("mvtu_1.preset_rom", 1, (10,)),
        ("mvtu_2.weight_rom", 2, (9, 2, 40)),
        ("mvtu_2.preset_rom", 3, (9,)),
        ("mvtu_3.weight_rom", 4, (5, 9)),
        ("mvtu_3.preset_rom", 5, (5,)),
    ],
)
def test_a_flipped_bit_is_found_in_its_place(built, memory, part, shape):
    """Bits of the first words of a memory's block RAMs in turn: those that hold a number name it, the others
    are padding.
    """
    settings, rams = built
    named = set()
    for cell in (name for name in settings["netlist"]["cells"] if memory in name):
        location = settings["netlist"]["cells"][cell]["attributes"]["NEXTPNR_BEL"][:-4]
        for place in (16 * row + column for row in range(3) for column in range(4)):
            flipped = {**rams, location: rams[location].copy()}
            flipped[location][place] ^= 1
            found = readback.read(rams=flipped, **settings)
            wrong = [n for n, each in enumerate(found) if each.difference is not None]
            assert wrong in ([part], []), (place, wrong)
            if wrong and found[part].difference.index:
                first = found[part].difference
                assert all(0 <= n < limit for n, limit in zip(first.index, shape, strict=True)), first
                # A bit of a coded weight is also part of the next one's code.
                assert first.expected != first.found and found[part].differences in (
                    (1, 2) if "weight" in memory else (1,)
                )
                assert (
                    first.where == f"{location}, bit {place}" or part % 2
                )  # a number is reported by its lowest bit
                named.add(first.index)
    assert named


def test_every_bit_of_a_memory_is_compared(built):
    """Also those that belong to no number: what fills up lanes, slices and groups."""
    settings, rams = built
    cells = memories.cells(settings["netlist"], family=ICE40)
    rng, padding = random.Random(1), 0
    for memory in memories.memories(settings["verilog"]):
        if not memory.block:
            continue
        ram, bit = memories.places(memory, cells, family=ICE40)
        held = np.argwhere(ram >= 0).tolist()
        for address, column in rng.sample(held, min(len(held), 60)):
            location = cells[ram[address, column]].location
            flipped = {**rams, location: rams[location].copy()}
            flipped[location][bit[address, column]] ^= 1
            wrong = [part for part in readback.read(rams=flipped, **settings) if part.difference is not None]
            assert len(wrong) == 1, (memory.path, address, column)
            if not wrong[0].difference.index:
                padding += 1
                assert readback.describe(wrong[0]).startswith(
                    f"the padding of {wrong[0].what} (word {address}, bit {column}; {location}, bit "
                )
    assert padding > 10


def test_a_difference_is_described(built):
    settings, rams = built
    rams = {where: bits.copy() for where, bits in rams.items()}
    where = settings["netlist"]["cells"]["core.mvtu_1.weight_rom.memory.0.0_RAM"]["attributes"][
        "NEXTPNR_BEL"
    ][:-4]
    rams[where][16] ^= 1
    part = readback.read(rams=rams, **settings)[0]
    first = part.difference
    assert (
        readback.describe(part)
        == f"weights[{']['.join(map(str, first.index))}] (word 1, bit 0; {where}, bit 16): expected "
        f"{first.expected}, found {first.found}; 1 of its numbers differ"
    )


def test_memories_that_became_logic(built):
    net = network()
    design = fold.fold(net, boards.get("icebreaker").device)
    parts = readback.read(design=design, verilog="", netlist={"cells": {}}, rams={}, family=ICE40)
    assert len(parts) == 6 and not any(part.bits for part in parts)


class TestNetlist:
    def test_has_no_path_and_the_same_bytes_twice(self, tmp_path):
        top = {
            "ports": {"clk": {"direction": "input", "bits": [2]}},
            "cells": {
                "ff": {
                    "type": "SB_DFF",
                    "parameters": {"A": "1"},
                    "connections": {"C": [2]},
                    "hide_name": 0,
                    "attributes": {"src": "/somewhere/top.v:1", "NEXTPNR_BEL": "X1/Y1/lc0"},
                }
            },
            "netnames": {"clk": {"bits": [2], "hide_name": 0}, "$1": {"bits": [3], "hide_name": 1}},
        }
        (tmp_path / "top.json").write_text(json.dumps({"modules": {"top": top, "SB_DFF": {}}}))
        for name in "a.gz", "b.gz":
            netlist.compact(tmp_path / "top.json", tmp_path / name)
        assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
        loaded = netlist.load(tmp_path / "a.gz")
        assert loaded["cells"]["ff"]["attributes"] == {"NEXTPNR_BEL": "X1/Y1/lc0"} and loaded["netnames"] == {
            "clk": [2]
        }

    @pytest.mark.parametrize("content", [b"", b"not compressed", b"\x1f\x8b\x08\x00"])
    def test_damaged(self, tmp_path, content):
        (tmp_path / "netlist.json.gz").write_bytes(content)
        with pytest.raises(BoardError, match="netlist of a build"):
            netlist.load(tmp_path / "netlist.json.gz")
