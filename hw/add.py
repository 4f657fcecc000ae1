"""Two streams to their sum."""

from dataclasses import dataclass
from typing import ClassVar

from amaranth.hdl import Module, unsigned
from amaranth.lib import data, stream
from amaranth.lib.wiring import In
from amaranth.utils import bits_for

from .part import Part, PartComponent

__all__ = ["Add", "Parameters"]


@dataclass(frozen=True, kw_only=True)
class Parameters(Part):
    """What an adder of two streams is created from.

    Parameters
    ----------
    maximum, kept_maximum : :class:`int`
        The maximum on `i` and on `kept`, from which all widths follow.
    scale : :class:`int`
        Factor of `kept`.
    lanes : :class:`int`
        Numbers in a beat.
    """

    rtl_name: ClassVar[str] = "add"

    maximum: int
    kept_maximum: int
    scale: int
    lanes: int

    def __post_init__(self) -> None:
        for name in "maximum", "kept_maximum", "scale", "lanes":
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)!r}")

    def _numbers(self, maximum: int) -> data.ArrayLayout:
        return data.ArrayLayout(unsigned(bits_for(maximum)), self.lanes)

    @property
    def i_shape(self) -> data.ArrayLayout:
        return self._numbers(self.maximum)

    @property
    def kept_shape(self) -> data.ArrayLayout:
        """Shape of the payload of `kept`."""
        return self._numbers(self.kept_maximum)

    @property
    def o_shape(self) -> data.ArrayLayout:
        return self._numbers(self.maximum + self.scale * self.kept_maximum)

    def create(self) -> "Add":
        return Add(self)


class Add(PartComponent[Parameters]):
    """Joins two streams of numbers: ``i + scale * kept``, lane by lane.

    A beat is taken from both at once, when both have one; the sum is valid in the next cycle. One beat per
    cycle. Back-pressure: both inputs stall while a sum waits.

    Parameters
    ----------
    parameters : :class:`Parameters`

    Members
    -------
    i : :py:`In(stream.Signature(ArrayLayout(range(maximum + 1), lanes)))`
    kept : :py:`In(stream.Signature(ArrayLayout(range(kept_maximum + 1), lanes)))`
    o : :py:`Out(stream.Signature(ArrayLayout(range(maximum + scale * kept_maximum + 1), lanes)))`
    """

    kept: stream.Interface

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(parameters, kept=In(stream.Signature(parameters.kept_shape)))

    def elaborate(self, platform):
        m = Module()
        room = ~self.o.valid | self.o.ready
        m.d.comb += [self.i.ready.eq(room & self.kept.valid), self.kept.ready.eq(room & self.i.valid)]
        with m.If(room):
            m.d.sync += self.o.valid.eq(self.i.valid & self.kept.valid)
            for number, kept, total in zip(self.i.payload, self.kept.payload, self.o.payload, strict=True):
                m.d.sync += total.eq(number + self._parameters.scale * kept)
        return m
