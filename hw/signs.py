"""Scores whose signs decide: a bit for each."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .argmax import result_layout

__all__ = ["Signs"]


class Signs(wiring.Component):
    """Passes the scores of an image on, and with the last of them a bit for each: 1 where the score is not
    negative.

    Combinational: no latency, one score per cycle, back-pressure passes through. The bits of the scores so
    far are in a shift register.

    Parameters
    ----------
    score_width : :class:`int`
        Bits of a score, two's complement.
    outputs : :class:`int`
        Scores per image.

    Members
    -------
    i : :py:`In(stream.Signature(ArrayLayout(signed(score_width), 1)))`
        Scores in the order of the outputs.
    o : :py:`Out(stream.Signature(result_layout(..., signs=True)))`
        The same; where `last` is set, bit `n` of `label` is that of output `n`. Before, the bits so far are
        at its top, and the others are anything.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, score_width, outputs):
        if outputs < 1:
            raise ValueError(f"outputs must be at least 1, not {outputs!r}")
        self._outputs = outputs
        super().__init__(
            {
                "i": In(stream.Signature(data.ArrayLayout(signed(score_width), 1))),
                "o": Out(
                    stream.Signature(result_layout(score_width=score_width, outputs=outputs, signs=True))
                ),
            }
        )

    def elaborate(self, platform):
        m = Module()

        score = self.i.payload[0]
        before = Signal(self._outputs - 1)  # the bits of the scores before, the latest on top
        index = Signal(range(self._outputs))
        m.d.comb += [
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready),
            self.o.payload.score.eq(score),
            self.o.payload.label.eq(Cat(before, ~score[-1])),
            self.o.payload.last.eq(index == self._outputs - 1),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                index.eq(Mux(self.o.payload.last, 0, index + 1)),
                before.eq(self.o.payload.label[1:]),
            ]

        return m
