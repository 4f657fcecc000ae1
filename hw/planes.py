"""Numbers to bit planes."""

from dataclasses import dataclass
from typing import ClassVar

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data

from .bits import bits
from .part import Part, PartComponent

__all__ = ["BitPlanes", "Parameters"]


@dataclass(frozen=True, kw_only=True)
class Parameters(Part):
    """What the selection of bit planes is created from.

    Parameters
    ----------
    lanes : :class:`int`
        Numbers in a beat.
    beats : :class:`int`
        Beats in a vector.
    planes : :class:`int`
        Bits of a number.
    """

    rtl_name: ClassVar[str] = "bitplanes"

    lanes: int
    beats: int
    planes: int

    def __post_init__(self) -> None:
        for name in "lanes", "beats", "planes":
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)!r}")

    @property
    def i_shape(self) -> data.ArrayLayout:
        return data.ArrayLayout(unsigned(self.planes), self.lanes)

    @property
    def o_shape(self) -> data.ArrayLayout:
        return bits(self.lanes)

    def create(self) -> "BitPlanes":
        return BitPlanes(self)


class BitPlanes(PartComponent[Parameters]):
    """Takes each vector of numbers once for each of their bits and outputs one bit plane each time, the
    highest first.

    Combinational: no latency, one beat per cycle, back-pressure passes through.

    Parameters
    ----------
    parameters : :class:`Parameters`

    Members
    -------
    i : :py:`In(stream.Signature(ArrayLayout(unsigned(planes), lanes)))`
    o : :py:`Out(stream.Signature(bits(lanes)))`
    """

    def elaborate(self, platform):
        m = Module()
        p = self._parameters

        beat = Signal(range(p.beats))
        plane = Signal(range(p.planes), init=p.planes - 1)
        last = beat == p.beats - 1
        m.d.comb += [
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready),
            self.o.payload.eq(Cat(number.bit_select(plane, 1) for number in self.i.payload)),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += beat.eq(Mux(last, 0, beat + 1))
            with m.If(last):
                m.d.sync += plane.eq(Mux(plane == 0, p.planes - 1, plane - 1))

        return m
