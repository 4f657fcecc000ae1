"""The scores of an image's best classes."""

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from .argmax import result_layout

__all__ = ["Ranks", "ranked_layout"]


def ranked_layout(*, score_width: int, outputs: int, top_k: int) -> data.StructLayout:
    """One beat of ranked results: an output's score, whether it is the image's last, and for each rank the
    class and its score so far.
    """
    rank = data.StructLayout({"label": bits_for(outputs - 1), "score": signed(score_width)})
    return data.StructLayout(
        {"score": signed(score_width), "last": 1, "ranks": data.ArrayLayout(rank, top_k)}
    )


class Ranks(wiring.Component):
    """Adds to the classes that an :class:`.Argmax` ranks their scores.

    A rank whose class is the present output has the present score. The ranks below it take over that of the
    rank above, and all others are as before; so no score is compared again. Combinational.

    Parameters
    ----------
    score_width : :class:`int`
        Bits of a score.
    outputs : :class:`int`
        Scores per image.
    top_k : :class:`int`
        Ranks.

    Members
    -------
    i : :py:`In(stream.Signature(result_layout(...)))`
    o : :py:`Out(stream.Signature(ranked_layout(...)))`
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, score_width: int, outputs: int, top_k: int):
        self._score_width = score_width
        self._outputs = outputs
        self._top_k = top_k
        i_shape = result_layout(score_width=score_width, outputs=outputs, top_k=top_k)
        o_shape = ranked_layout(score_width=score_width, outputs=outputs, top_k=top_k)
        super().__init__({"i": In(stream.Signature(i_shape)), "o": Out(stream.Signature(o_shape))})

    def elaborate(self, platform):
        m = Module()
        beat = self.i.payload
        index = Signal(unsigned(bits_for(self._outputs - 1)))
        m.d.comb += [
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready),
            self.o.payload.score.eq(beat.score),
            self.o.payload.last.eq(beat.last),
        ]
        taken = self.i.valid & self.i.ready
        with m.If(taken):
            m.d.sync += index.eq(Mux(beat.last, 0, index + 1))

        above = None  # of the rank above: its score before, and whether it or one above it has changed
        for n in range(self._top_k):
            label = beat.runners_up[n - 1] if n else beat.label
            score = Signal(signed(self._score_width), name=f"score_{n}")
            changed = Signal(name=f"changed_{n}")
            here = label == index
            now = Mux(here, beat.score, score)
            m.d.comb += changed.eq(here)
            if above:
                above_score, above_changed = above
                now = Mux(above_changed, above_score, now)
                m.d.comb += changed.eq(here | above_changed)
            rank = self.o.payload.ranks[n]
            m.d.comb += [rank.label.eq(label), rank.score.eq(now)]
            with m.If(taken):
                m.d.sync += score.eq(now)
            above = score, changed
        return m
