import random

import pytest
from amaranth.sim import Simulator
from roms import check_reads

from sbgen.hw.rom import Rom
from sbgen.hw.spram import BLOCK_DEPTH, Spram, blocks, columns, records


@pytest.mark.parametrize(
    "width,depth,rest", [(1, 1, 0), (16, 5, 0), (17, 8, 0), (64, 3, 0), (16, 5, 1), (32, 4, 20)]
)
def test_word_comes_a_cycle_later_and_stays(width, depth, rest):
    rng = random.Random(width)
    words = [rng.getrandbits(width + rest) for _ in range(depth)]
    dut = Spram(
        width=width,
        depth=depth,
        rest=Rom(width=rest, words=[word >> width for word in words], store="bram") if rest else None,
    )

    async def bench(ctx):
        for block, address, word in records(columns(words, width + rest)[: blocks(width)]):
            ctx.set(dut.load.en, 1 << block)
            ctx.set(dut.load.addr, address)
            ctx.set(dut.load.data, word)
            await ctx.tick()
        ctx.set(dut.load.en, 0)
        await check_reads(ctx, dut, words, rng)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_columns_are_16_bits_of_each_word():
    assert columns([0x12345, 0x6789A], 17) == ((0x2345, 0x789A), (0x1, 0x6))
    assert [blocks(width) for width in (1, 16, 17, 64)] == [1, 1, 2, 4]


def test_too_deep():
    with pytest.raises(ValueError, match="depth must be in 1 ... 16384, not 16385"):
        Spram(width=1, depth=BLOCK_DEPTH + 1)
