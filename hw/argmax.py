"""The class with the greatest score, or the best few."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

__all__ = ["Argmax", "result_layout"]


def result_layout(*, score_width, outputs, top=1, signs=False):
    """One beat of results: an output's score, the best class so far, the next best where `top` is more than
    1, and whether this output is the image's last. Where the `signs` of the scores decide, `label` has a bit
    for each output instead of a class.
    """
    label = outputs if signs else bits_for(outputs - 1)
    others = {"runners_up": data.ArrayLayout(label, top - 1)} if top > 1 else {}
    return data.StructLayout({"score": signed(score_width), "label": label, **others, "last": 1})


class Argmax(wiring.Component):
    """Passes the scores of an image on, and with them the classes that have the greatest so far.

    Equal scores go to the lower class. Combinational: no latency, one score a cycle, back-pressure passes
    through. Each rank is a score, a label and a comparison; a score that beats a rank moves it and all behind
    it down by one.

    Parameters
    ----------
    score_width : :class:`int`
        Bits of a score, two's complement.
    classes : :class:`int`
        Scores in an image.
    top : :class:`int`
        How many of the best are told, 1 ... classes.

    Members
    -------
    i : :py:`In(stream.Signature(ArrayLayout(signed(score_width), 1)))`
        Scores in class order.
    o : :py:`Out(stream.Signature(result_layout(...)))`
        The same, with `label` the best class up to this one and `runners_up` those behind it, the better
        first; where `last` is set they are those of the image. Ranks that no class of the image has reached
        yet hold anything.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, score_width, classes, top=1):
        if classes < 1:
            raise ValueError(f"classes must be at least 1, not {classes!r}")
        if not 1 <= top <= classes:
            raise ValueError(f"top must be in 1 ... {classes}, not {top!r}")
        self._score_width = score_width
        self._classes = classes
        self._top = top
        super().__init__(
            {
                "i": In(stream.Signature(data.ArrayLayout(signed(score_width), 1))),
                "o": Out(stream.Signature(result_layout(score_width=score_width, outputs=classes, top=top))),
            }
        )

    def elaborate(self, platform):
        m = Module()

        score = self.i.payload[0]
        take = self.i.valid & self.i.ready
        index = Signal(range(self._classes))
        m.d.comb += [
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready),
            self.o.payload.score.eq(score),
            self.o.payload.last.eq(index == self._classes - 1),
        ]
        with m.If(take):
            m.d.sync += index.eq(Mux(self.o.payload.last, 0, index + 1))

        above = None  # of the rank before: whether the score beats it, its score and its label
        for rank in range(self._top):
            rank_score = Signal(signed(self._score_width), name=f"score_{rank}")
            rank_label = Signal(bits_for(self._classes - 1), name=f"label_{rank}")
            # The sign of a difference is one carry chain; a comparison would become several levels of logic.
            difference = Signal(signed(self._score_width + 1), name=f"difference_{rank}")
            better = (index <= rank) | difference[-1]  # no class has reached the rank yet, or it is beaten
            new_score, new_label = score, Mux(better, index, rank_label)
            if above:
                beaten, above_score, above_label = above
                new_score, new_label = Mux(beaten, above_score, score), Mux(beaten, above_label, new_label)
            output = self.o.payload.runners_up[rank - 1] if rank else self.o.payload.label
            m.d.comb += [difference.eq(rank_score - score), output.eq(new_label)]
            with m.If(take):
                m.d.sync += rank_label.eq(new_label)
                with m.If(better):
                    m.d.sync += rank_score.eq(new_score)
            above = better, rank_score, rank_label

        return m
