"""The reading end of a host link's store: images to the core, and what is to be answered to the responder."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .protocol import CLASSIFY, CRC_BYTES, RESPONSE

__all__ = ["Reader"]


class Reader(wiring.Component):
    """Takes packets of a :class:`.Receiver` apart.

    Members
    -------
    i : :py:`In(stream.Signature(8))`
        The packets, one after the other.
    header : :py:`Out(stream.Signature(8))`
        Of each packet its first three bytes, or four where it requests a classification.
    images : :py:`Out(stream.Signature(8))`
        The bytes of images.
    done : :py:`In(1)`
        An image's last byte has been used; as of :class:`.Unpacker`.
    """

    i: stream.Interface
    header: stream.Interface
    images: stream.Interface
    done: Signal

    def __init__(self):
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "header": Out(stream.Signature(8)),
                "images": Out(stream.Signature(8)),
                "done": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        classify = Signal()
        count = Signal(8)  # images of the packet that are not done
        one = Signal()  # from a flip-flop: that is one
        m.d.sync += one.eq(count == 1)
        skipped = Signal(range(CRC_BYTES))
        passes = self.i.valid & self.header.ready
        m.d.comb += [self.header.payload.eq(self.i.payload), self.images.payload.eq(self.i.payload)]

        def pass_on() -> None:
            m.d.comb += [self.header.valid.eq(self.i.valid), self.i.ready.eq(self.header.ready)]

        with m.FSM():
            with m.State("Kind"):
                pass_on()
                m.d.sync += classify.eq(self.i.payload == RESPONSE | CLASSIFY)
                with m.If(passes):
                    m.next = "Count"
            with m.State("Count"):
                pass_on()
                m.d.sync += count.eq(self.i.payload)
                with m.If(passes):
                    m.next = "Sequence"
            with m.State("Sequence"):
                pass_on()
                with m.If(passes):
                    m.next = "Kind"
                    with m.If(classify):
                        m.next = "Want"
            with m.State("Want"):
                pass_on()
                with m.If(passes):
                    m.next = "Images"
            with m.State("Images"):
                m.d.comb += [self.images.valid.eq(self.i.valid), self.i.ready.eq(self.images.ready)]
                with m.If(self.done):
                    m.d.sync += count.eq(count - 1)
                    with m.If(one):
                        m.next = "Skip"
            with m.State("Skip"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(self.i.valid):
                    m.d.sync += skipped.eq(skipped + 1)
                    with m.If(skipped == CRC_BYTES - 1):
                        m.next = "Kind"
        return m
