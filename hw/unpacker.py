"""Packed images to the codes of their pixels."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Unpacker"]


class Unpacker(wiring.Component):
    """Takes the codes of pixels out of bytes, the least significant bit first.

    One bit per cycle, so a byte takes at least 9 cycles. Bits of an image's last byte after its last code are
    dropped.

    Parameters
    ----------
    pixels : :class:`int`
        Codes of an image.
    bits : :class:`int`
        Bits of a code.

    Members
    -------
    i : :py:`In(stream.Signature(8))`
        Ready from a flip-flop.
    o : :py:`Out(stream.Signature(ArrayLayout(unsigned(bits), 1)))`
        From flip-flops.
    done : :py:`Out(1)`
        High in the cycle after an image's last code was taken; `i` is not ready before the cycle after that.
    """

    i: stream.Interface
    o: stream.Interface
    done: Signal

    def __init__(self, *, pixels: int, bits: int):
        if pixels < 1 or not 1 <= bits <= 8:
            raise ValueError(f"pixels must be at least 1 and bits in 1 ... 8, not {pixels!r} and {bits!r}")
        self._pixels = pixels
        self._bits = bits
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(data.ArrayLayout(unsigned(bits), 1))),
                "done": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        byte = Signal(8)
        held = Signal()  # there are bits in `byte`
        bit = Signal(range(8))  # the bit of the byte that comes next
        part = Signal(range(self._bits))  # the bit of the code that comes next
        left = Signal(range(self._pixels), init=self._pixels - 1)  # pixels after the present one
        last = Signal()  # from a flip-flop: there is none
        code = self.o.payload.as_value()

        m.d.comb += self.i.ready.eq(~held & ~self.o.valid & ~self.done)
        m.d.sync += [self.done.eq(0), last.eq(left == 0)]
        with m.If(self.i.ready):
            m.d.sync += [byte.eq(self.i.payload), held.eq(self.i.valid)]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [self.o.valid.eq(0), left.eq(Mux(last, self._pixels - 1, left - 1))]
            with m.If(last):
                m.d.sync += [self.done.eq(1), held.eq(0), bit.eq(0)]
        with m.If(held & ~self.o.valid):
            m.d.sync += [
                byte.eq(byte >> 1),
                bit.eq(bit + 1),
                held.eq(bit != 7),
                part.eq(Mux(part == self._bits - 1, 0, part + 1)),
                code.eq((code >> 1) | (byte[0] << self._bits - 1)),
                self.o.valid.eq(part == self._bits - 1),
            ]
        return m
