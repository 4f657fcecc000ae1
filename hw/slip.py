"""Frames on a line of bytes: SLIP (RFC 1055).

A frame is its bytes, with END and ESC escaped, followed by an END. Senders also send an END before it, which
ends any noise on the line; the receiver ignores the empty frames that result.
"""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["END", "ESC", "ESC_END", "ESC_ESC", "Decoder", "Encoder", "frame_layout"]

#: Ends a frame.
END = 0xC0
#: Escapes the next byte ...
ESC = 0xDB
#: ... which stands for END ...
ESC_END = 0xDC
#: ... or for ESC.
ESC_ESC = 0xDD

#: One beat of a frame: a byte or, with `end` set, the end of the frame, which carries no byte.
frame_layout = data.StructLayout({"data": 8, "end": 1})


class Decoder(wiring.Component):
    """Bytes on the line to frames.

    Combinational except for one flip-flop. An ESC is consumed without output. Any byte may arrive at any
    time: a byte that must not follow ESC stands for itself, as RFC 1055 advises, and the checksum of the
    frame detects the error.

    Members
    -------
    i : :py:`In(stream.Signature(8))`
    o : :py:`Out(stream.Signature(frame_layout))`
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self):
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(frame_layout))})

    def elaborate(self, platform):
        m = Module()

        escaped = Signal()
        is_end = self.i.payload == END
        is_esc = (self.i.payload == ESC) & ~escaped

        m.d.comb += [
            self.o.valid.eq(self.i.valid & ~is_esc),
            self.i.ready.eq(self.o.ready | is_esc),
            self.o.payload.end.eq(is_end),
            self.o.payload.data.eq(self.i.payload),
        ]
        with m.If(escaped), m.Switch(self.i.payload):
            with m.Case(ESC_END):
                m.d.comb += self.o.payload.data.eq(END)
            with m.Case(ESC_ESC):
                m.d.comb += self.o.payload.data.eq(ESC)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += escaped.eq(is_esc)

        return m


class Encoder(wiring.Component):
    """Frames to bytes on the line.

    Combinational except for one flip-flop. END and ESC in a frame take two bytes.

    Members
    -------
    i : :py:`In(stream.Signature(frame_layout))`
    o : :py:`Out(stream.Signature(8))`
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self):
        super().__init__({"i": In(stream.Signature(frame_layout)), "o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()

        second = Signal()  # the byte after ESC
        is_end = self.i.payload.data == END
        special = (is_end | (self.i.payload.data == ESC)) & ~self.i.payload.end

        m.d.comb += [
            self.o.valid.eq(self.i.valid),
            self.i.ready.eq(self.o.ready & (~special | second)),
            self.o.payload.eq(self.i.payload.data),
        ]
        with m.If(self.i.payload.end):
            m.d.comb += self.o.payload.eq(END)
        with m.Elif(special):
            m.d.comb += self.o.payload.eq(Mux(second, Mux(is_end, ESC_END, ESC_ESC), ESC))
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += second.eq(special & ~second)

        return m
