"""A register of its own for part of the logic that a signal drives."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["FanOut"]


class FanOut(wiring.Component):
    """A fan-out register: one of several with the same input, which synthesis must not merge into one.

    Each is a module whose hierarchy is kept until everything else is mapped (see `sbgen.compiler.verilog`),
    so that place and route can put it next to the logic that it drives.

    Parameters
    ----------
    width : :class:`int`
        Bits.

    Members
    -------
    i : :py:`In(width)`
    o : :py:`Out(width)`
        `i` of the previous cycle. Has no reset.
    """

    i: Signal
    o: Signal

    def __init__(self, width: int):
        super().__init__({"i": In(width), "o": Out(width)})

    def elaborate(self, platform):
        m = Module()
        held = Signal(len(self.i), reset_less=True)
        m.d.sync += held.eq(self.i)
        m.d.comb += self.o.eq(held)
        return m
