"""The sending end of a host link: it answers requests in their order."""

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .protocol import FAILURE
from .slip import frame_layout

__all__ = ["Responder"]

#: Where the bytes of a response come from.
_HEADER, _RESULTS, _IDENTITY, _KIND = range(4)


class Responder(wiring.Component):
    """Sends a response for each packet of a :class:`.Reader`.

    Parameters
    ----------
    identity_bytes : :class:`int`
        Bytes of the answer to identify.

    Members
    -------
    header : :py:`In(stream.Signature(8))`
        What is to be answered.
    want, enable : :py:`Out(8)`, :py:`Out(1)`
    results : :py:`In(stream.Signature(8))`
    done : :py:`In(1)`
        The results of an image, by :class:`.ResultBytes`.
    index : :py:`Out(range(identity_bytes))`
        Which byte of the identity is needed.
    identity : :py:`In(8)`
        That byte, from two cycles later on.
    o : :py:`Out(stream.Signature(frame_layout))`
        Responses without their checksums. Valid only in cycles in which it is ready, except with results, so
        it must lead to a queue.
    idle : :py:`Out(1)`
        Between two responses.
    """

    header: stream.Interface
    want: Signal
    enable: Signal
    results: stream.Interface
    done: Signal
    index: Signal
    identity: Signal
    o: stream.Interface
    idle: Signal

    def __init__(self, *, identity_bytes: int):
        self._identity_bytes = identity_bytes
        super().__init__(
            {
                "header": In(stream.Signature(8)),
                "want": Out(8),
                "enable": Out(1),
                "results": In(stream.Signature(8)),
                "done": In(1),
                "index": Out(range(identity_bytes)),
                "identity": In(8),
                "o": Out(stream.Signature(frame_layout)),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        header, o = self.header, self.o
        kind = Signal(8)
        count = Signal(8)  # images that are not answered
        # From flip-flops: this is the last image, or the last byte of the identity; the byte that a state
        # waits for or sends goes. A byte that can go in one cycle can go in the next one too.
        one, last, go = Signal(), Signal(), Signal()
        m.d.sync += [one.eq(count == 1), last.eq(self.index == self._identity_bytes - 1), go.eq(0)]
        # What is sent, from flip-flops too: they follow the state by a cycle, and no byte goes before that.
        sources = header.payload, self.results.payload, self.identity, kind
        source, ones, end = Signal(range(len(sources))), Signal(), Signal()
        m.d.sync += [ones.eq(0), end.eq(0)]
        m.d.comb += [o.payload.data.eq(Array(sources)[source] | ones.replicate(8)), o.payload.end.eq(end)]

        def read() -> None:
            m.d.sync += go.eq(header.valid & ~go)
            m.d.comb += header.ready.eq(go)

        def send(number: int) -> None:
            m.d.sync += [go.eq(o.ready & ~go), source.eq(number)]
            m.d.comb += o.valid.eq(go)

        with m.FSM():
            with m.State("Kind"):
                read()
                m.d.comb += self.idle.eq(1)
                m.d.sync += kind.eq(header.payload)
                with m.If(go):
                    m.next = "Command"
            with m.State("Command"):
                send(_KIND)
                assert FAILURE == 0xFF
                m.d.sync += ones.eq(~kind[7])
                with m.If(go):
                    m.next = "Count"
            with m.State("Count"):
                read()
                m.d.sync += [count.eq(header.payload), self.index.eq(0)]
                with m.If(go):
                    m.next = "Sequence"
            with m.State("Sequence"):
                send(_HEADER)
                m.d.sync += go.eq(header.valid & o.ready & ~go)
                m.d.comb += header.ready.eq(go)
                with m.If(go):
                    with m.If(~kind[7]):
                        m.next = "Reason"
                    with m.Elif(kind[1]):
                        m.next = "Want"
                    with m.Else():
                        m.next = "Identity"
            with m.State("Reason"):
                send(_KIND)
                with m.If(go):
                    m.next = "End"
            with m.State("Identity"):
                send(_IDENTITY)
                with m.If(go):
                    m.d.sync += self.index.eq(self.index + 1)
                    with m.If(last):
                        m.next = "End"
            with m.State("Want"):
                read()
                m.d.sync += self.want.eq(header.payload)
                with m.If(go):
                    m.next = "Settle"
            with m.State("Settle"):
                m.d.sync += source.eq(_RESULTS)
                m.next = "Images"
            with m.State("Images"):
                m.d.comb += [
                    self.enable.eq(1),
                    o.valid.eq(self.results.valid),
                    self.results.ready.eq(o.ready),
                ]
                with m.If(self.done):
                    m.d.sync += count.eq(count - 1)
                    with m.If(one):
                        m.next = "End"
            with m.State("End"):
                send(_KIND)  # or anything: an end carries no byte
                m.d.sync += end.eq(1)
                with m.If(go):
                    m.next = "Kind"
        return m
