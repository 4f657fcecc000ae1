"""Reduction of the words under a pooling window."""

from dataclasses import dataclass
from typing import ClassVar

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data

from .bits import bits
from .part import Part, PartComponent

__all__ = ["OrReduce", "Parameters"]


@dataclass(frozen=True, kw_only=True)
class Parameters(Part):
    """What an OR over words is created from.

    Parameters
    ----------
    lanes : :class:`int`
        Bits of a word.
    beats : :class:`int`
        Words in a result.
    """

    rtl_name: ClassVar[str] = "orreduce"

    lanes: int
    beats: int

    def __post_init__(self) -> None:
        for name in "lanes", "beats":
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)!r}")

    @property
    def i_shape(self) -> data.ArrayLayout:
        return bits(self.lanes)

    @property
    def o_shape(self) -> data.ArrayLayout:
        return bits(self.lanes)

    def o_beats(self, i_beats: int) -> int:
        return i_beats // self.beats

    def create(self) -> "OrReduce":
        return OrReduce(self)


class OrReduce(PartComponent[Parameters]):
    """The bitwise OR of every `beats` words: the maximum of bits that stand for -1 and +1.

    One word is taken per cycle; the result is valid a cycle after the last of its words. Back-pressure: the
    input stalls while a result waits.

    Parameters
    ----------
    parameters : :class:`Parameters`

    Members
    -------
    i, o : stream of :py:`bits(lanes)`
    """

    def elaborate(self, platform):
        m = Module()
        beat = Signal(range(self._parameters.beats))
        word = Signal.like(self.o.payload.as_value())
        last = beat == self._parameters.beats - 1
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
