"""The maximum of the numbers under a pooling window."""

from dataclasses import dataclass
from typing import ClassVar

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data

from .part import Part, PartComponent

__all__ = ["Maximum", "Parameters"]


@dataclass(frozen=True, kw_only=True)
class Parameters(Part):
    """What a maximum over words of numbers is created from; of bits it is `sbgen.hw.pool`.

    Parameters
    ----------
    lanes : :class:`int`
        Numbers in a word.
    width : :class:`int`
        Bits of a number.
    beats : :class:`int`
        Words in a result.
    """

    rtl_name: ClassVar[str] = "maximum"

    lanes: int
    width: int
    beats: int

    def __post_init__(self) -> None:
        for name in "lanes", "width", "beats":
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)!r}")

    @property
    def i_shape(self) -> data.ArrayLayout:
        return data.ArrayLayout(unsigned(self.width), self.lanes)

    @property
    def o_shape(self) -> data.ArrayLayout:
        return self.i_shape

    def o_beats(self, i_beats: int) -> int:
        return i_beats // self.beats

    def create(self) -> "Maximum":
        return Maximum(self)


class Maximum(PartComponent[Parameters]):
    """The maximum of each lane over every `beats` words.

    One word is taken per cycle; the result is valid a cycle after the last of its words. Back-pressure: the
    input stalls while a result waits.

    Parameters
    ----------
    parameters : :class:`Parameters`

    Members
    -------
    i, o : stream of :py:`ArrayLayout(unsigned(width), lanes)`
    """

    def elaborate(self, platform):
        m = Module()
        p = self._parameters
        beat = Signal(range(p.beats))
        highest = Signal.like(self.o.payload)
        first, last = beat == 0, beat == p.beats - 1
        m.d.comb += [self.i.ready.eq(~self.o.valid | self.o.ready), self.o.payload.eq(highest)]
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [beat.eq(Mux(last, 0, beat + 1)), self.o.valid.eq(last)]
            for lane in range(p.lanes):
                with m.If(first | (self.i.payload[lane] > highest[lane])):
                    m.d.sync += highest[lane].eq(self.i.payload[lane])
        return m
