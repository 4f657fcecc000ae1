import random

import pytest
from amaranth.sim import Simulator
from streams import pack, unpack

from sbgen.hw.popcount import XnorPopcount


@pytest.mark.parametrize("width", [1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 34, 64, 65, 66, 100, 130])
def test_counts_agreeing_bits(width):
    rng = random.Random(width)
    dut = XnorPopcount(width=width)
    every = (1 << width) - 1
    pairs = [(0, 0), (every, every), (0, every), (every, 0)]
    pairs += [(rng.getrandbits(width), rng.getrandbits(width)) for _ in range(60)]
    latency = XnorPopcount.latency(width)

    async def bench(ctx):
        for n in range(len(pairs) + latency):
            if n >= latency:
                a, b = pairs[n - latency]
                assert ctx.get(dut.o) + ctx.get(dut.carry) == width - (a ^ b).bit_count(), (a, b)
            a, b = pairs[min(n, len(pairs) - 1)]
            ctx.set(dut.a, pack(XnorPopcount.code(unpack(a, 1, width)), 1))
            ctx.set(dut.b, XnorPopcount.code_complements(b, width=width, lanes=1))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize(
    "width, latency", [(1, 1), (3, 1), (4, 2), (15, 2), (16, 2), (32, 2), (33, 3), (64, 3), (65, 4)]
)
def test_latency(width, latency):
    assert XnorPopcount.latency(width) == latency


def test_width_must_be_positive():
    with pytest.raises(ValueError, match="width must be at least 1, not 0"):
        XnorPopcount(width=0)
