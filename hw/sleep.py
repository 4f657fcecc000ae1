"""Stops the clock of everything behind a serial line while the line is idle."""

from amaranth.hdl import Cat, ClockDomain, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Sleep"]

#: Flip-flops between `rx` and `line`, half a cycle each. A start bit is taken by the first of them, opens the
#: gate for the next rising edge, and leaves the last one half a cycle after that edge.
_LINE_STAGES = 4


class Sleep(wiring.Component):
    """A gate for a clock: open from the start bit of a request until some time after its response.

    Only six flip-flops are on the clock that never stops. They delay the line for as long as the gate needs
    to open, so a receiver behind the gate sees each start bit whole and at its time, and no preamble is
    needed. The gate opens and closes while the clock is low, so no pulse is shorter than the clock's.

    The clock may stop between any two bytes: what is behind the gate goes on with the next. The free clock
    may come by ordinary wires, at another time to each flip-flop: each takes what another one gave half a
    cycle before. The gated clock is later than the free one, by the gate and a global network.

    Parameters
    ----------
    hold : :class:`int`
        Cycles without a low line and without work before the clock stops: more than a byte needs on the line.

    Members
    -------
    free : :py:`In(1)`
        The clock that never stops.
    gated : :py:`Out(1)`
        The clock that does. It must be that of the domain ``sync``, in which everything else here is.
    rx : :py:`In(1)`
        The line, asynchronous; high while idle.
    line : :py:`Out(1)`
        `rx`, two cycles later.
    busy : :py:`In(1)`
        Whether there is work. The clock runs.
    """

    def __init__(self, *, hold: int):
        if hold < 1:
            raise ValueError(f"hold must be at least 1 cycle, not {hold!r}")
        self._hold = hold
        super().__init__(
            {"free": In(1), "gated": Out(1), "rx": In(1, init=1), "line": Out(1, init=1), "busy": In(1)}
        )

    @property
    def hold(self) -> int:
        """Cycles before the clock stops."""
        return self._hold

    def elaborate(self, platform):
        m = Module()
        m.domains.free = free = ClockDomain(local=True, reset_less=True)
        m.domains.gate = gate = ClockDomain(local=True, reset_less=True, clk_edge="neg")
        m.d.comb += [free.clk.eq(self.free), gate.clk.eq(self.free)]

        delayed = Signal(_LINE_STAGES, init=-1)
        before = Cat(self.rx, delayed[:-1])
        for stage in range(_LINE_STAGES):
            m.d["gate" if stage % 2 else "free"] += delayed[stage].eq(before[stage])
        m.d.comb += self.line.eq(delayed[-1])

        # Cycles until the clock may stop. The line is low again and again while there is a request.
        low = Signal(2)
        rest = Signal(range(self._hold + 1), init=self._hold)
        awake = Signal(init=1)
        m.d.sync += [low.eq(low << 1 | ~self.line), awake.eq(rest != 0)]
        with m.If(low[1] | self.busy):
            m.d.sync += rest.eq(self._hold)
        with m.Elif(rest != 0):
            m.d.sync += rest.eq(rest - 1)

        opening, opened = Signal(init=1), Signal(init=1)
        m.d.free += opening.eq(awake | ~self.rx | ~delayed.all())
        m.d.gate += opened.eq(opening)
        m.d.comb += self.gated.eq(self.free & opened)
        return m
