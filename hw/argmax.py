"""The class with the maximum score, or the best few."""

from dataclasses import dataclass
from typing import ClassVar

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data
from amaranth.utils import bits_for

from .part import Part, PartComponent

__all__ = ["Argmax", "Parameters", "result_layout"]


def result_layout(
    *, score_width: int, outputs: int, top_k: int = 1, signs: bool = False
) -> data.StructLayout:
    """One beat of results: an output's score, the best class so far, the next best where `top_k` is more than
    1, and whether this output is the image's last. Where the `signs` of the scores decide, `label` has a bit
    for each output instead of a class.
    """
    label = outputs if signs else bits_for(outputs - 1)
    others = {"runners_up": data.ArrayLayout(label, top_k - 1)} if top_k > 1 else {}
    return data.StructLayout({"score": signed(score_width), "label": label, **others, "last": 1})


@dataclass(frozen=True, kw_only=True)
class Parameters(Part):
    """What the choice of the best classes is created from.

    Parameters
    ----------
    score_width : :class:`int`
        Bits of a score, two's complement.
    classes : :class:`int`
        Scores per image.
    top_k : :class:`int`
        How many of the best classes are reported, 1 ... classes.
    """

    rtl_name: ClassVar[str] = "argmax"

    score_width: int
    classes: int
    top_k: int = 1

    def __post_init__(self) -> None:
        if self.classes < 1:
            raise ValueError(f"classes must be at least 1, not {self.classes!r}")
        if not 1 <= self.top_k <= self.classes:
            raise ValueError(f"top_k must be in 1 ... {self.classes}, not {self.top_k!r}")

    @property
    def outputs(self) -> int:
        """Results per image."""
        return self.classes

    @property
    def i_shape(self) -> data.ArrayLayout:
        return data.ArrayLayout(signed(self.score_width), 1)

    @property
    def o_shape(self) -> data.StructLayout:
        return result_layout(score_width=self.score_width, outputs=self.classes, top_k=self.top_k)

    def create(self) -> "Argmax":
        return Argmax(self)


class Argmax(PartComponent[Parameters]):
    """Passes the scores of an image on, and with them the classes that have the maximum so far.

    Equal scores go to the lower class. Combinational: no latency, one score per cycle, back-pressure passes
    through. Each rank is a score, a label and a comparison; a score that beats a rank moves that rank and all
    below it down by one.

    Parameters
    ----------
    parameters : :class:`Parameters`

    Members
    -------
    i : :py:`In(stream.Signature(ArrayLayout(signed(score_width), 1)))`
        Scores in class order.
    o : :py:`Out(stream.Signature(result_layout(...)))`
        The same, with `label` the best class up to this one and `runners_up` the next, the better first;
        where `last` is set they are those of the image. Ranks that no class of the image has reached yet hold
        anything.
    """

    def elaborate(self, platform):
        m = Module()
        p = self._parameters

        score = self.i.payload[0]
        take = self.i.valid & self.i.ready
        index = Signal(range(p.classes))
        m.d.comb += [
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready),
            self.o.payload.score.eq(score),
            self.o.payload.last.eq(index == p.classes - 1),
        ]
        with m.If(take):
            m.d.sync += index.eq(Mux(self.o.payload.last, 0, index + 1))

        above = None  # of the rank before: whether the score beats it, its score and its label
        for rank in range(p.top_k):
            rank_score = Signal(signed(p.score_width), name=f"score_{rank}")
            rank_label = Signal(bits_for(p.classes - 1), name=f"label_{rank}")
            # The sign of a difference is one carry chain; a comparison would become several levels of logic.
            difference = Signal(signed(p.score_width + 1), name=f"difference_{rank}")
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
