import random

import pytest
from amaranth.sim import Simulator
from roms import check_reads

from sbgen.hw.rom import Rom


@pytest.mark.parametrize(
    "settings",
    [
        {"store": "bram"},
        {"store": "lut"},
        {"store": "bram", "patchable": True},
        {"store": "lut", "patchable": True},
    ],
)
@pytest.mark.parametrize("depth", [1, 5, 16])
def test_word_comes_a_cycle_later_and_stays(settings, depth):
    rng = random.Random(depth)
    words = [rng.getrandbits(9) for _ in range(depth)]
    dut = Rom(width=9, words=words, **settings)

    async def bench(ctx):
        await check_reads(ctx, dut, words, rng)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def test_unknown_store():
    with pytest.raises(ValueError, match="store must be one of bram, lut, not 'sram'"):
        Rom(width=1, words=[0], store="sram")


@pytest.mark.parametrize("width, depth", [(1, 512), (2, 512), (3, 256), (40, 256)])
def test_a_patchable_block_ram_is_deep_enough_to_be_found(width, depth):
    """48 rows of 16 bits have some of each bit."""
    module = Rom(width=width, words=[0, 1, 1], store="bram", patchable=True).elaborate(None)
    assert module.submodules.memory.depth == depth
