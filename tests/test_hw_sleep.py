# amaranth: UnusedElaboratable=no
"""The gate of a clock that stops: every byte arrives, and the clock runs only when there is a reason."""

import random

import pytest
from amaranth.hdl import ClockDomain, ClockSignal, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from sbgen.hw.sleep import Sleep
from sbgen.hw.uart import Rx

PERIOD = 1e-6


class Board(wiring.Component):
    """A receiver behind the gate. `edges` counts those of its clock, `received` the bytes."""

    def __init__(self, *, divisor, hold):
        self.sleep, self.receiver = Sleep(hold=hold), Rx(divisor=divisor)
        super().__init__(
            {
                "rx": In(1, init=1),
                "busy": In(1),
                "free": Out(1),
                "clock": Out(1),
                "edges": Out(32),
                "received": Out(8),
                "count": Out(16),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain(local=True, reset_less=True)
        m.submodules.sleep, m.submodules.receiver = self.sleep, self.receiver
        m.d.comb += [
            self.free.eq(ClockSignal("main")),
            self.sleep.free.eq(self.free),
            ClockSignal("sync").eq(self.sleep.gated),
            self.clock.eq(self.sleep.gated),
            self.sleep.rx.eq(self.rx),
            self.sleep.busy.eq(self.busy),
            self.receiver.rx.eq(self.sleep.line),
            self.receiver.o.ready.eq(1),
        ]
        m.d.sync += self.edges.eq(self.edges + 1)
        with m.If(self.receiver.o.valid):
            m.d.sync += [self.received.eq(self.receiver.o.payload), self.count.eq(self.count + 1)]
        return m


def simulate(board, testbench):
    done = []

    async def first(ctx):
        await testbench(ctx)
        done.append(True)

    async def watch(ctx):
        """The gated clock rises and falls with the free one alone: each pulse has its whole width."""
        while True:
            (level,) = await ctx.changed(board.clock)
            assert ctx.get(board.free) == level

    wrapper = Module()
    wrapper.domains.main = ClockDomain(reset_less=True)
    wrapper.submodules.board = board
    simulator = Simulator(wrapper)
    simulator.add_clock(PERIOD, domain="main")
    simulator.add_testbench(first)
    simulator.add_testbench(watch, background=True)
    simulator.run()  # its testbenches wait for times alone, so it ends
    assert done


async def send(ctx, line, byte, divisor):
    for level in (0, *(byte >> n & 1 for n in range(8)), 1):
        ctx.set(line, level)
        await ctx.delay(divisor * PERIOD)


@pytest.mark.parametrize("divisor", [4, 5, 12])
def test_bytes_after_any_rest(divisor):
    """Bytes come at any phase of the clock, after rests in which it stops and rests in which it does not."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    rng, hold = random.Random(seed), 12 * divisor
    board = Board(divisor=divisor, hold=hold)

    async def testbench(ctx):
        for n in range(25):
            rest = rng.choice([0, rng.uniform(0, 2 * hold), rng.uniform(2 * hold, 8 * hold)])
            before = ctx.get(board.edges)
            await ctx.delay((rest + 1) * PERIOD)
            # A rest costs at most the hold, the way to the gate and back.
            assert ctx.get(board.edges) - before <= min(rest + 2, hold + 10)
            byte = rng.randrange(256)
            await send(ctx, board.rx, byte, divisor)
            await ctx.delay(6 * PERIOD)
            assert ctx.get(board.count) == n + 1 and ctx.get(board.received) == byte

    simulate(board, testbench)


def test_stops_and_stays_while_there_is_work():
    board = Board(divisor=8, hold=40)

    async def testbench(ctx):
        await ctx.delay(100 * PERIOD)
        stopped = ctx.get(board.edges)
        assert 40 <= stopped <= 50
        await ctx.delay(1000 * PERIOD)
        assert ctx.get(board.edges) == stopped
        ctx.set(board.busy, 1)  # nobody sees it while the clock stands
        await ctx.delay(100 * PERIOD)
        assert ctx.get(board.edges) == stopped
        await send(ctx, board.rx, 0xFF, 8)
        await ctx.delay(1000 * PERIOD)
        assert ctx.get(board.edges) > stopped + 1050
        ctx.set(board.busy, 0)
        await ctx.delay(100 * PERIOD)
        stopped = ctx.get(board.edges)
        await ctx.delay(1000 * PERIOD)
        assert ctx.get(board.edges) == stopped

    simulate(board, testbench)


def test_hold_must_be_a_cycle():
    with pytest.raises(ValueError, match="at least 1 cycle, not 0"):
        Sleep(hold=0)
