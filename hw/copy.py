"""A register of its own for the logic around it, where one for all would stand far from most."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Copy"]


class Copy(wiring.Component):
    """A register that synthesis leaves apart from others of the same input, which it would make one.

    Each is a module that is kept until all the rest is mapped (see `sbgen.compiler.verilog`), so that place
    and route may put it beside the logic that it drives.

    Parameters
    ----------
    width : :class:`int`
        Bits.

    Members
    -------
    i : :py:`In(width)`
    o : :py:`Out(width)`
        `i` of the cycle before. Has no reset.
    """

    i: Signal
    o: Signal

    def __init__(self, width):
        super().__init__({"i": In(width), "o": Out(width)})

    def elaborate(self, platform):
        m = Module()
        held = Signal(len(self.i), reset_less=True)
        m.d.sync += held.eq(self.i)
        m.d.comb += self.o.eq(held)
        return m
