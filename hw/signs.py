"""Scores whose signs decide: a bit for each."""

from dataclasses import dataclass
from typing import ClassVar

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data

from .argmax import result_layout
from .part import Part, PartComponent

__all__ = ["Parameters", "Signs"]


@dataclass(frozen=True, kw_only=True)
class Parameters(Part):
    """What a decision by signs is created from.

    Parameters
    ----------
    score_width : :class:`int`
        Bits of a score, two's complement.
    outputs : :class:`int`
        Scores per image.
    """

    rtl_name: ClassVar[str] = "signs"

    score_width: int
    outputs: int

    def __post_init__(self) -> None:
        if self.outputs < 1:
            raise ValueError(f"outputs must be at least 1, not {self.outputs!r}")

    @property
    def i_shape(self) -> data.ArrayLayout:
        return data.ArrayLayout(signed(self.score_width), 1)

    @property
    def o_shape(self) -> data.StructLayout:
        return result_layout(score_width=self.score_width, outputs=self.outputs, signs=True)

    def create(self) -> "Signs":
        return Signs(self)


class Signs(PartComponent[Parameters]):
    """Passes the scores of an image on, and with the last of them a bit for each: 1 where the score is not
    negative.

    Combinational: no latency, one score per cycle, back-pressure passes through. The bits of the scores so
    far are in a shift register.

    Parameters
    ----------
    parameters : :class:`Parameters`

    Members
    -------
    i : :py:`In(stream.Signature(ArrayLayout(signed(score_width), 1)))`
        Scores in the order of the outputs.
    o : :py:`Out(stream.Signature(result_layout(..., signs=True)))`
        The same; where `last` is set, bit `n` of `label` is that of output `n`. Before, the bits so far are
        at its top, and the others are anything.
    """

    def elaborate(self, platform):
        m = Module()

        score = self.i.payload[0]
        before = Signal(self._parameters.outputs - 1)  # the bits of the scores before, the latest on top
        index = Signal(range(self._parameters.outputs))
        m.d.comb += [
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready),
            self.o.payload.score.eq(score),
            self.o.payload.label.eq(Cat(before, ~score[-1])),
            self.o.payload.last.eq(index == self._parameters.outputs - 1),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                index.eq(Mux(self.o.payload.last, 0, index + 1)),
                before.eq(self.o.payload.label[1:]),
            ]

        return m
