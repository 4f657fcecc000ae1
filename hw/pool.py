"""Reduction of the words under a pooling window."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .bits import bits

__all__ = ["OrReduce"]


class OrReduce(wiring.Component):
    """The bitwise OR of every `beats` words: the maximum of bits that stand for -1 and +1.

    One word is taken each cycle; the result is valid a cycle after the last of its words. Back-pressure: the
    input stalls while a result waits.

    Parameters
    ----------
    lanes : :class:`int`
        Bits of a word.
    beats : :class:`int`
        Words in a result.

    Members
    -------
    i, o : stream of :py:`bits(lanes)`
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, lanes, beats):
        for name, value in ("lanes", lanes), ("beats", beats):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value!r}")
        self._beats = beats
        super().__init__({"i": In(stream.Signature(bits(lanes))), "o": Out(stream.Signature(bits(lanes)))})

    @property
    def beats(self):
        return self._beats

    def elaborate(self, platform):
        m = Module()
        beat = Signal(range(self._beats))
        word = Signal.like(self.o.payload.as_value())
        last = beat == self._beats - 1
        m.d.comb += [self.i.ready.eq(~self.o.valid | self.o.ready), self.o.payload.eq(word)]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                word.eq(Mux(beat == 0, 0, word) | self.i.payload.as_value()),
                beat.eq(Mux(last, 0, beat + 1)),
                self.o.valid.eq(last),
            ]
        return m
