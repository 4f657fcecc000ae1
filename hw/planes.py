"""Numbers to bit planes."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .bits import bits

__all__ = ["BitPlanes"]


class BitPlanes(wiring.Component):
    """Takes each vector of numbers once for each of their bits and gives one bit plane each time, the highest
    first.

    Combinational: no latency, one beat a cycle, back-pressure passes through.

    Parameters
    ----------
    lanes : :class:`int`
        Numbers in a beat.
    beats : :class:`int`
        Beats in a vector.
    planes : :class:`int`
        Bits of a number.

    Members
    -------
    i : :py:`In(stream.Signature(ArrayLayout(unsigned(planes), lanes)))`
    o : :py:`Out(stream.Signature(bits(lanes)))`
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, lanes, beats, planes):
        for name, value in ("lanes", lanes), ("beats", beats), ("planes", planes):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value!r}")
        self._beats = beats
        self._planes = planes
        super().__init__(
            {
                "i": In(stream.Signature(data.ArrayLayout(unsigned(planes), lanes))),
                "o": Out(stream.Signature(bits(lanes))),
            }
        )

    def elaborate(self, platform):
        m = Module()

        beat = Signal(range(self._beats))
        plane = Signal(range(self._planes), init=self._planes - 1)
        last = beat == self._beats - 1
        m.d.comb += [
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready),
            self.o.payload.eq(Cat(number.bit_select(plane, 1) for number in self.i.payload)),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += beat.eq(Mux(last, 0, beat + 1))
            with m.If(last):
                m.d.sync += plane.eq(Mux(plane == 0, self._planes - 1, plane - 1))

        return m
