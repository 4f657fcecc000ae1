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
        Of each packet its first three bytes, or four where it requests a classification. Valid only in cycles
        in which it is ready, so it must lead to a queue.
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
        skipped = Signal(range(CRC_BYTES))
        # From flip-flops: the packet has one image more, or one byte; a byte that is no image's is taken.
        one, last, take = Signal(), Signal(), Signal()
        m.d.sync += [one.eq(count == 1), last.eq(skipped == CRC_BYTES - 1), take.eq(0)]
        m.d.comb += [self.header.payload.eq(self.i.payload), self.images.payload.eq(self.i.payload)]

        def pass_on() -> None:
            # Nobody else fills the queue of headers: where it has room, it has room in the next cycle.
            m.d.sync += take.eq(self.i.valid & self.header.ready & ~take)
            m.d.comb += [self.header.valid.eq(take), self.i.ready.eq(take)]

        with m.FSM():
            with m.State("Kind"):
                pass_on()
                m.d.sync += classify.eq(self.i.payload == RESPONSE | CLASSIFY)
                with m.If(take):
                    m.next = "Count"
            with m.State("Count"):
                pass_on()
                m.d.sync += count.eq(self.i.payload)
                with m.If(take):
                    m.next = "Sequence"
            with m.State("Sequence"):
                pass_on()
                with m.If(take):
                    m.next = "Kind"
                    with m.If(classify):
                        m.next = "Want"
            with m.State("Want"):
                pass_on()
                with m.If(take):
                    m.next = "Images"
            with m.State("Images"):
                m.d.comb += [self.images.valid.eq(self.i.valid), self.i.ready.eq(self.images.ready)]
                with m.If(self.done):
                    m.d.sync += count.eq(count - 1)
                    with m.If(one):
                        m.next = "Skip"
            with m.State("Skip"):
                m.d.sync += take.eq(self.i.valid & ~take)
                m.d.comb += self.i.ready.eq(take)
                with m.If(take):
                    m.d.sync += skipped.eq(skipped + 1)
                    with m.If(last):
                        m.next = "Kind"
        return m
