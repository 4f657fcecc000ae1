"""A unit between two shift registers, so that it needs six pins whatever its width."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Scan"]


class Scan(wiring.Component):
    """A unit with streams `i` and `o` between shift registers.

    Parameters
    ----------
    unit : component
    also : sequence of Signal
        Further inputs of the unit, which the first shift register drives as well.
    """

    def __init__(self, unit, also=()):
        self.unit, self.also = unit, tuple(also)
        super().__init__(
            {
                "d": In(1),
                "i_valid": In(1),
                "i_ready": Out(1),
                "q": Out(1),
                "o_valid": Out(1),
                "o_ready": In(1),
            }
        )

    @property
    def bits(self):
        """Flip-flops of the two shift registers."""
        inputs = Cat(self.unit.i.payload, *self.also)
        return len(inputs), len(Value.cast(self.unit.o.payload))

    def elaborate(self, platform):
        m = Module()
        m.submodules.unit = unit = self.unit
        given, taken = (Signal(bits) for bits in self.bits)
        m.d.sync += given.eq(Cat(given, self.d)[1:])
        m.d.sync += taken.eq(taken >> 1)
        with m.If(unit.o.valid):
            m.d.sync += taken.eq(unit.o.payload)
        m.d.comb += [
            Cat(unit.i.payload, *self.also).eq(given),
            unit.i.valid.eq(self.i_valid),
            self.i_ready.eq(unit.i.ready),
            self.q.eq(taken[0]),
            self.o_valid.eq(unit.o.valid),
            unit.o.ready.eq(self.o_ready),
        ]
        return m
