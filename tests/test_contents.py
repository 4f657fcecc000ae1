"""`sbgen.compiler.contents` on text as `verilog.convert` writes it."""

import random
from dataclasses import replace
from itertools import permutations

import by_hand
import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from sbgen import boards
from sbgen.boards import harness, memories
from sbgen.compiler import contents as contents_
from sbgen.compiler import verilog
from sbgen.compiler.design import to_patchable
from sbgen.compiler.fold import fold
from sbgen.compiler.ir import Scores
from sbgen.compiler.linked import link_parameters
from sbgen.compiler.lower import lower
from sbgen.compiler.random_network import fold_at_random, random_network
from sbgen.errors import ToolError
from sbgen.hw.rom import Rom
from sbgen.proofs.contents import memory_words
from sbgen.tools import find

try:
    find("yosys")
except ToolError as error:
    pytest.skip(f"Verilog needs yosys: {error}", allow_module_level=True)


class Roms(wiring.Component):
    """A ROM in block RAM, one in LUTs and one that is not patchable, side by side."""

    def __init__(self, *, block, luts, fixed=(5, 6, 7), width=9):
        self._settings = {
            "block": (block, "bram", True),
            "luts": (luts, "lut", True),
            "fixed": (fixed, "bram", False),
        }
        self._width = width
        super().__init__({"addr": In(5), **{f"{name}_data": Out(width) for name in self._settings}})

    def elaborate(self, platform):
        m = Module()
        for name, (words, store, patchable) in self._settings.items():
            m.submodules[name] = rom = Rom(width=self._width, words=words, store=store, patchable=patchable)
            m.d.comb += [rom.addr.eq(self.addr), rom.en.eq(1), getattr(self, f"{name}_data").eq(rom.data)]
        return m


BLOCK, LUTS = tuple(range(100, 120)), tuple(range(490, 511))


@pytest.fixture(scope="module")
def text():
    return verilog.convert(Roms(block=BLOCK, luts=LUTS))


def test_contents_are_what_the_roms_were_made_of(text):
    _, contents, _ = contents_.split(text)
    assert set(contents) == {"top.block", "top.luts"}
    block, luts = contents["top.block"], contents["top.luts"]
    assert (block.store, block.width, len(block.words)) == ("bram", 9, 256)
    assert block.words == BLOCK + (0,) * (256 - len(BLOCK))
    assert (luts.store, luts.width, luts.words) == ("lut", 9, LUTS + (0,) * (32 - len(LUTS)))


# yosys writes a word of 32 bits in decimal, every other in hexadecimal.
@pytest.mark.parametrize("width", [1, 31, 32, 33, 64, *random.Random(2).sample(range(2, 200), 5)])
def test_words_of_any_width_are_read_and_replaced(width):
    rng = random.Random(width)
    block, luts = (tuple(rng.getrandbits(width) for _ in range(17)) for _ in range(2))
    text = verilog.convert(Roms(block=block, luts=luts, fixed=(0, 1, 0), width=width))
    blank, contents, noise = contents_.split(text)
    assert (contents["top.block"].width, contents["top.block"].words[:18]) == (width, (*block, 0))
    assert (contents["top.luts"].width, contents["top.luts"].words[:18]) == (width, (*luts, 0))
    assert contents_.split(blank) == (blank, noise, noise)
    # The other readers of memories agree.
    read = {memory.path: memory.words for memory in memories.memories(text)}
    assert [sum(int(bit) << n for n, bit in enumerate(word)) for word in read["block.memory"][:18]] == [
        *block,
        0,
    ]
    for name, words in ("top.block", block), ("top.luts", luts):
        assert [memory_words(text)[name][address] for address in range(18)] == [*words, 0]


def test_blank_does_not_depend_on_contents_but_on_everything_else(text):
    blank, _, noise = contents_.split(text)
    other = verilog.convert(Roms(block=BLOCK[::-1], luts=(0,) * len(LUTS)))
    assert contents_.split(other)[0] == blank
    assert contents_.split(verilog.convert(Roms(block=BLOCK, luts=LUTS, fixed=(5, 6, 8))))[0] != blank
    assert contents_.split(verilog.convert(Roms(block=BLOCK, luts=(1,) * 40)))[0] != blank
    # What is blank holds the noise, and is blank.
    assert contents_.split(blank) == (blank, noise, noise)


def test_noise_tells_every_column_from_every_other(text):
    _, _, noise = contents_.split(text)
    for memory in noise.values():
        columns = [tuple(word >> bit & 1 for word in memory.words) for bit in range(memory.width)]
        assert len(set(columns)) == memory.width and all(0 < sum(column) < len(column) for column in columns)
    for chunk in 0, 16:
        for bit in range(9):
            init = sum(
                (word >> bit & 1) << n for n, word in enumerate(noise["top.luts"].words[chunk : chunk + 16])
            )
            assert len({contents_.permuted(init, order) for order in permutations(range(4))}) == 24


def test_permuted_inputs():
    # Input 0 comes in at pin 2: what was at address 1 is at address 4.
    assert contents_.permuted(1 << 1, (2, 0, 1, 3)) == 1 << 4
    assert contents_.permuted(1 << 0b0110, (2, 0, 1, 3)) == 1 << 0b0011


def _other(rng, layer):
    """The layer with other weights, thresholds, offsets and zeros among the weights, as far as these can be
    replaced.
    """
    if not layer.weight_bits:
        return layer
    change = {"weights": rng.integers(0, 2, layer.weights.shape)}
    if layer.mask is not None:
        change["mask"] = rng.integers(0, 2, layer.weights.shape)
    if isinstance(layer, Scores):
        if layer.scales is None:
            ends = (
                (-layer.reach, layer.reach)
                if np.abs(layer.offsets).max() <= layer.reach
                else (layer.offsets.min(), layer.offsets.max())
            )
            change["offsets"] = rng.integers(ends[0], ends[1] + 1, layer.outputs)
            change["offsets"][:2] = [*ends][: layer.outputs]
    elif layer.thresholds is not None:
        change["thresholds"] = rng.choice([0, layer.reach + 1, layer.reach // 2], layer.outputs)
    return replace(layer, **change)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("board", ["icebreaker", "ulx3s_85f"])
def test_hardware_does_not_depend_on_what_can_be_replaced(seed, board):
    board, rng = boards.get(board), np.random.default_rng(seed)
    network = random_network(seed, largest=12)
    design = (
        fold(network, board.device, patchable=True)
        if seed % 2
        else to_patchable(by_hand.without_unrolled(fold_at_random(seed, network)), board.device.family)
    )
    other = replace(network, layers=tuple(_other(rng, layer) for layer in network.layers))

    def blank(network):
        core = lower(replace(design, network=network))
        return contents_.split(
            verilog.convert(
                harness.Top(
                    core=core,
                    board=board,
                    link=link_parameters(replace(design, network=network), board.device),
                    digest=bytes(rng.integers(0, 256, 32).tolist()),
                    patchable=True,
                )
            )
        )

    (first, contents, _), (second, others, _) = blank(network), blank(other)
    assert first == second
    assert contents.keys() == others.keys() and contents != others
