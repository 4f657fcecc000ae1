"""Checksums of frames: they are checked where frames come in, and appended where frames go out."""

from amaranth.hdl import Module, Mux, ResetInserter, Signal
from amaranth.lib import crc, data, stream, wiring
from amaranth.lib.wiring import In, Out

from .protocol import CRC_BYTES
from .slip import frame_layout

__all__ = ["Appender", "Checker", "checked_layout"]

#: One beat of a frame that is checked: as of :data:`.frame_layout`, and with `end` whether the checksum was
#: right.
checked_layout = data.StructLayout({"data": 8, "end": 1, "intact": 1})


class Checker(wiring.Component):
    """Passes a frame on, and reports at its end whether its last bytes are the CRC-32 of those before.

    The checksum is computed bit by bit, so a byte takes at least 10 cycles. A serial line needs longer.

    Members
    -------
    i : :py:`In(stream.Signature(frame_layout))`
    o : :py:`Out(stream.Signature(checked_layout))`
        With the bytes of the checksum. From flip-flops.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self):
        super().__init__(
            {"i": In(stream.Signature(frame_layout)), "o": Out(stream.Signature(checked_layout))}
        )

    def elaborate(self, platform):
        m = Module()
        start = Signal()  # of a frame: a reset takes no logic, the checksum's own `start` would
        checksum = crc.catalog.CRC32_ISO_HDLC(data_width=1).create()
        m.submodules.crc = ResetInserter(start)(checksum)
        beat = self.o.payload
        step = Signal(range(8))
        m.d.comb += checksum.data.eq(beat.data[0])
        with m.FSM():
            with m.State("Take"):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += [beat.data.eq(self.i.payload.data), beat.end.eq(self.i.payload.end)]
                with m.If(self.i.valid):
                    m.next = "Go round"
            with m.State("Go round"):
                # Once past the checksum, bit by bit.
                m.d.comb += checksum.valid.eq(~beat.end)
                # A right checksum leaves a certain residue in the register.
                m.d.sync += beat.intact.eq(checksum.match_detected & beat.end)
                m.d.sync += [beat.data.eq(beat.data.rotate_right(1)), step.eq(step + 1)]
                with m.If(step == 7):
                    m.next = "Give"
            with m.State("Give"):
                m.d.comb += [self.o.valid.eq(1), start.eq(beat.end & self.o.ready)]
                with m.If(self.o.ready):
                    m.next = "Take"
        return m


class Appender(wiring.Component):
    """Opens each frame with an END, and appends the CRC-32 of its bytes.

    The checksum is computed bit by bit, so a byte takes at least 10 cycles. A serial line needs longer.

    Members
    -------
    i : :py:`In(stream.Signature(frame_layout))`
    o : :py:`Out(stream.Signature(frame_layout))`
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self):
        super().__init__({"i": In(stream.Signature(frame_layout)), "o": Out(stream.Signature(frame_layout))})

    def elaborate(self, platform):
        m = Module()
        start = Signal()  # of a frame: a reset takes no logic, the checksum's own `start` would
        checksum = crc.catalog.CRC32_ISO_HDLC(data_width=1).create()
        m.submodules.crc = ResetInserter(start)(checksum)
        byte = Signal(8)
        step = Signal(range(8))
        turned = Signal()  # from a flip-flop: this is the last step
        ended = Signal()  # the frame's own bytes are sent
        left = Signal(range(CRC_BYTES + 1))  # bytes of the checksum still to be sent
        none = Signal()  # from a flip-flop: that is none
        # The checksum takes a bit in the cycle after its step, and starts in the one after, so its enable and
        # its reset are flip-flops.
        bit, shift = Signal(), Signal()
        m.d.sync += [turned.eq(step == 6), none.eq(left == 0), bit.eq(byte[0]), shift.eq(0), start.eq(0)]
        # A byte of the checksum feeds its own complement back: that shifts the register without any change.
        m.d.comb += [
            checksum.valid.eq(shift),
            checksum.data.eq(Mux(ended, ~checksum.crc[0], bit)),
            self.o.payload.data.eq(byte),
        ]
        with m.FSM():
            with m.State("Open"):
                m.d.comb += [self.o.valid.eq(self.i.valid), self.o.payload.end.eq(1)]
                m.d.sync += [start.eq(1), ended.eq(0), left.eq(CRC_BYTES)]
                with m.If(self.o.valid & self.o.ready):
                    m.next = "Take"
            with m.State("Take"):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += byte.eq(self.i.payload.data)
                with m.If(self.i.valid & self.i.payload.end):
                    m.d.sync += ended.eq(1)
                    m.next = "Check"
                with m.Elif(self.i.valid):
                    m.next = "Go round"
            with m.State("Check"):
                m.d.sync += [byte.eq(checksum.crc[:8]), left.eq(left - 1)]
                m.next = "Go round"
                with m.If(none):
                    m.next = "Close"
            with m.State("Go round"):
                m.d.sync += [shift.eq(1), byte.eq(byte.rotate_right(1)), step.eq(step + 1)]
                with m.If(turned):
                    m.next = "Give"
            with m.State("Give"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.next = "Take"
                    with m.If(ended):
                        m.next = "Check"
            with m.State("Close"):
                m.d.comb += [self.o.valid.eq(1), self.o.payload.end.eq(1)]
                with m.If(self.o.ready):
                    m.next = "Open"
        return m
