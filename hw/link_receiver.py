"""The receiving end of a host link: it checks requests and stores them."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .frame_check import checked_layout
from .link_parameters import Parameters
from .packet_store import WriteSignature
from .protocol import (
    CLASSIFY,
    CRC_BYTES,
    IDENTIFY,
    NO_REASON,
    REASON_BUSY,
    REASON_CHECKSUM,
    REASON_COMMAND,
    REASON_LENGTH,
    REASON_WANT,
    REASON_WEIGHTS,
    RESPONSE,
    WANT_ALL,
)

__all__ = ["Receiver"]


class Receiver(wiring.Component):
    """Stores each frame as a packet of what is to be answered.

    ::

        classify    0x82, images, sequence, want, images..., CRC
        identify    0x81, 0, sequence
        a failure   reason, 0, sequence

    The first two bytes of a packet are written last, when the frame has proved to be what it should. A frame
    of fewer than two bytes, or one that does not even find room for a failure, leaves no packet.

    With flow control a frame waits for what it does not find room for, until nothing else is in the store.

    Parameters
    ----------
    parameters : :class:`.Parameters`

    Members
    -------
    i : :py:`In(stream.Signature(checked_layout))`
        Frames; at least 10 cycles from one byte that is taken to the next.
    store : :py:`Out(WriteSignature())`
        From flip-flops.
    missing : :py:`In(1)`
        The weights are not loaded: classify is refused.
    idle : :py:`Out(1)`
        Between two frames.
    """

    i: stream.Interface
    store: wiring.PureInterface
    missing: Signal
    idle: Signal

    def __init__(self, parameters: Parameters):
        self._parameters = parameters
        super().__init__(
            {
                "i": In(stream.Signature(checked_layout)),
                "store": Out(WriteSignature()),
                "missing": In(1),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        beat = self.i.payload
        frame = _Frame(self._parameters)
        wait = Signal()
        self._decode(m, frame, wait)
        with m.FSM() as states:
            self._begin(m, frame, wait)
            self._go_on(m, frame, wait)
            self._judge(m, frame)
            self._end(m, frame)
        # A state lasts longer than the two cycles of a byte.
        m.d.sync += frame.rest.eq(self.i.valid & ~self.i.ready & ~wait & ~beat.end & states.ongoing("Rest"))
        self._count(m, frame)
        return m

    def _decode(self, m: Module, frame: "_Frame", wait: Signal) -> None:
        """A beat is decoded in one cycle, unless it must wait, and acted on in the next."""
        p, store, beat = self._parameters, self.store, self.i.payload
        act = Signal()
        takes = self.i.valid & ~act & ~wait
        m.d.comb += self.i.ready.eq(act)
        m.d.sync += [
            act.eq(takes),
            frame.byte.eq(takes & ~beat.end),
            frame.end.eq(takes & beat.end),
            frame.is_identify.eq(beat.data == IDENTIFY),
            frame.is_classify.eq(beat.data == CLASSIFY),
            frame.can_want.eq((beat.data <= p.ranks) | (beat.data == WANT_ALL)),
            frame.last.eq(frame.left == 0),
            frame.full.eq(frame.count == p.frame_images),
            frame.stores.eq(frame.classify & store.roomy & ~frame.busy),
            store.data.eq(beat.data),
            *(getattr(store, name).eq(0) for name in ("put", "set", "step", "commit", "rollback")),
        ]
        if p.flow_control:
            m.d.sync += frame.waits.eq(~store.roomy & ~store.drained)
        with m.If(frame.end):
            m.d.sync += frame.damaged.eq(~beat.intact)

    def _begin(self, m: Module, frame: "_Frame", wait: Signal) -> None:
        """The command, room for the bytes that are written last, and the sequence number."""
        store = self.store
        with m.State("Command"):
            m.d.comb += [self.idle.eq(1), wait.eq(frame.waits)]
            m.d.sync += [
                frame.busy.eq(0),
                frame.count.eq(0),
                frame.whole.eq(0),
                frame.long.eq(0),
                frame.wanted.eq(1),
            ]
            with m.If(frame.byte):
                m.d.sync += store.put.eq(store.some)
                m.d.sync += [
                    frame.classify.eq(frame.is_classify),
                    frame.known.eq(frame.is_classify | frame.is_identify),
                    frame.missing.eq(frame.is_classify & self.missing),
                ]
                m.next = "Reserve"
                with m.If(~store.some):
                    m.next = "Skip"
        with m.State("Skip"), m.If(frame.end):
            m.next = "Command"
        with m.State("Reserve"):
            m.d.sync += store.put.eq(1)
            m.next = "Sequence"
        with m.State("Sequence"):
            m.d.sync += frame.left.eq(CRC_BYTES - 1)
            with m.If(frame.byte):
                m.d.sync += store.put.eq(1)
                m.next = "Rest"
                with m.If(frame.classify):
                    m.next = "Want"
            with m.If(frame.end):
                m.d.sync += store.rollback.eq(1)
                m.next = "Command"

    def _go_on(self, m: Module, frame: "_Frame", wait: Signal) -> None:
        """What is wanted, the images and the checksum."""
        p, store = self._parameters, self.store
        with m.State("Want"):
            m.d.sync += frame.left.eq(p.image_bytes + CRC_BYTES - 1)
            with m.If(frame.byte):
                m.d.sync += store.put.eq(1)
                m.d.sync += frame.wanted.eq(frame.can_want)
                m.next = "Rest"
            with m.If(frame.end):
                m.next = "Judge"
        with m.State("Rest"):
            m.d.comb += wait.eq(frame.waits & frame.classify & ~frame.busy)
            with m.If(frame.end):
                m.next = "Judge"

    def _count(self, m: Module, frame: "_Frame") -> None:
        """Store and count a byte of the images or the checksum."""
        with m.If(frame.rest):
            m.d.sync += [
                self.store.put.eq(frame.stores),
                frame.busy.eq(frame.busy | (frame.classify & ~frame.stores)),
                frame.left.eq(Mux(frame.last, self._parameters.image_bytes - 1, frame.left - 1)),
                frame.whole.eq(frame.last),
                frame.count.eq(frame.count + frame.last),
                frame.long.eq(frame.long | frame.full | (frame.whole & ~frame.classify)),
            ]

    def _judge(self, m: Module, frame: "_Frame") -> None:
        """The reason why the frame is no valid request, if there is one."""
        reasons = [
            (frame.busy, REASON_BUSY),
            (frame.damaged, REASON_CHECKSUM),
            (~frame.known, REASON_COMMAND),
            (~frame.whole | frame.long, REASON_LENGTH),
            (~frame.wanted, REASON_WANT),
            (frame.missing, REASON_WEIGHTS),
        ]
        with m.State("Judge"):
            m.d.sync += frame.reason.eq(NO_REASON)
            for holds, reason in reversed(reasons):  # the first that holds is assigned last
                with m.If(holds):
                    m.d.sync += frame.reason.eq(reason)
            m.next = "Kind"

    def _end(self, m: Module, frame: "_Frame") -> None:
        """The first two bytes of the packet, and its end; that of a failure is short."""
        store = self.store
        with m.State("Kind"):
            m.d.sync += store.set.eq(1)
            m.d.sync += store.data.eq(frame.reason)
            with m.If(frame.reason == NO_REASON):
                m.d.sync += store.data.eq(Mux(frame.classify, RESPONSE | CLASSIFY, RESPONSE | IDENTIFY))
            m.next = "Count"
        with m.State("Count"):
            m.d.sync += [store.set.eq(1), store.data.eq(frame.count)]
            m.next = "Short"
            with m.If(frame.classify & (frame.reason == NO_REASON)):
                m.next = "Commit"
        with m.State("Commit"):
            m.d.sync += store.commit.eq(1)
            m.next = "Command"
        with m.State("Short"):
            m.d.sync += store.step.eq(1)
            m.next = "Roll back"
        with m.State("Roll back"):
            m.d.sync += store.rollback.eq(1)
            m.next = "Command"


class _Frame:
    """What is known of the frame under way, all of it in flip-flops.

    Attributes
    ----------
    byte, end
        A byte of it, or its end, is acted on in this cycle.
    rest
        The same of a byte of the images or the checksum.
    is_identify, is_classify, can_want
        That byte is a command, or something that the board can send.
    classify, known, missing
        What its command was, and whether the weights for it were missing.
    wanted
        What it wants can be sent.
    left, last
        Bytes up to the next length that is right, less one, and whether that is none.
    count, full
        Whole images so far, and whether there are as many as there may be.
    whole, long
        Its length is right so far, or too large.
    waits, stores, busy
        What is in the store must be read first; its bytes are stored; one of them found no room.
    damaged, reason
        Its checksum was wrong; why it is no valid request.
    """

    def __init__(self, p: Parameters) -> None:
        self.byte = Signal()
        self.end = Signal()
        self.rest = Signal()
        self.is_identify = Signal()
        self.is_classify = Signal()
        self.can_want = Signal()
        self.classify = Signal()
        self.known = Signal()
        self.missing = Signal()
        self.wanted = Signal()
        self.last = Signal()
        self.full = Signal()
        self.whole = Signal()
        self.long = Signal()
        self.waits = Signal()
        self.stores = Signal()
        self.busy = Signal()
        self.damaged = Signal()
        self.left = Signal(range(p.image_bytes + CRC_BYTES))
        self.count = Signal(8)
        self.reason = Signal(3)
