"""Two streams to their sum."""

from amaranth.hdl import Module, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

__all__ = ["Add"]


class Add(wiring.Component):
    """Joins two streams of numbers: ``i + scale * kept``, lane by lane.

    A beat is taken from both at once, when both have one; the sum is valid in the next cycle. One beat a
    cycle. Back-pressure: both inputs stall while a sum waits.

    Parameters
    ----------
    greatest, kept_greatest : :class:`int`
        The greatest number on `i` and on `kept`, from which all widths follow.
    scale : :class:`int`
    lanes : :class:`int`
        Numbers in a beat.

    Members
    -------
    i : :py:`In(stream.Signature(ArrayLayout(range(greatest + 1), lanes)))`
    kept : :py:`In(stream.Signature(ArrayLayout(range(kept_greatest + 1), lanes)))`
    o : :py:`Out(stream.Signature(ArrayLayout(range(greatest + scale * kept_greatest + 1), lanes)))`
    """

    i: stream.Interface
    kept: stream.Interface
    o: stream.Interface

    def __init__(self, *, greatest, kept_greatest, scale, lanes):
        for name, value in (
            ("greatest", greatest),
            ("kept_greatest", kept_greatest),
            ("scale", scale),
            ("lanes", lanes),
        ):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value!r}")
        self._scale = scale

        def numbers(most):
            return stream.Signature(data.ArrayLayout(unsigned(bits_for(most)), lanes))

        super().__init__(
            {
                "i": In(numbers(greatest)),
                "kept": In(numbers(kept_greatest)),
                "o": Out(numbers(greatest + scale * kept_greatest)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        room = ~self.o.valid | self.o.ready
        m.d.comb += [self.i.ready.eq(room & self.kept.valid), self.kept.ready.eq(room & self.i.valid)]
        with m.If(room):
            m.d.sync += self.o.valid.eq(self.i.valid & self.kept.valid)
            for number, kept, total in zip(self.i.payload, self.kept.payload, self.o.payload, strict=True):
                m.d.sync += total.eq(number + self._scale * kept)
        return m
