"""The class with the greatest score."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

__all__ = ["Argmax", "result_layout"]


def result_layout(*, score_width, classes):
    """One beat of results: a class's score, the best class so far, and whether this class is the image's last."""
    return data.StructLayout({"score": signed(score_width), "label": bits_for(classes - 1), "last": 1})


class Argmax(wiring.Component):
    """Passes the scores of an image on, and with them the class that has the greatest so far.

    Equal scores go to the lower class. Combinational: no latency, one score a cycle, back-pressure passes through.

    Parameters
    ----------
    score_width : :class:`int`
        Bits of a score, two's complement.
    classes : :class:`int`
        Scores in an image.

    Members
    -------
    i : :py:`In(stream.Signature(ArrayLayout(signed(score_width), 1)))`
        Scores in class order.
    o : :py:`Out(stream.Signature(result_layout(...)))`
        The same, with `label` the best class up to this one; where `last` is set it is the class of the image.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, score_width, classes):
        if classes < 1:
            raise ValueError(f"classes must be at least 1, not {classes!r}")
        self._score_width = score_width
        self._classes = classes
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(signed(score_width), 1))),
            "o": Out(stream.Signature(result_layout(score_width=score_width, classes=classes))),
        })

    def elaborate(self, platform):
        m = Module()

        index = Signal(range(self._classes))
        best_score = Signal(signed(self._score_width))
        best_label = Signal(bits_for(self._classes - 1))
        # The sign of a difference is one carry chain; a comparison would become several levels of logic.
        difference = Signal(signed(self._score_width + 1))
        better = (index == 0) | difference[-1]

        m.d.comb += [
            difference.eq(best_score - self.i.payload[0]),
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready),
            self.o.payload.score.eq(self.i.payload[0]),
            self.o.payload.label.eq(Mux(better, index, best_label)),
            self.o.payload.last.eq(index == self._classes - 1),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                index.eq(Mux(self.o.payload.last, 0, index + 1)),
                best_label.eq(self.o.payload.label),
            ]
            with m.If(better):
                m.d.sync += best_score.eq(self.i.payload[0])

        return m
