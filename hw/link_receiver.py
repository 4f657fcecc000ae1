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
        p, store, beat = self._parameters, self.store, self.i.payload

        # A beat is decoded in one cycle and acted on in the next.
        act, wait = Signal(), Signal()
        full_enough = Signal()  # from a flip-flop: what is in the store must be read first
        if p.flow_control:
            m.d.sync += full_enough.eq(~store.roomy & ~store.drained)
        is_identify, is_classify, can_want = Signal(), Signal(), Signal()
        m.d.comb += self.i.ready.eq(act)
        m.d.sync += [
            act.eq(self.i.valid & ~act & ~wait),
            is_identify.eq(beat.data == IDENTIFY),
            is_classify.eq(beat.data == CLASSIFY),
            can_want.eq((beat.data <= p.ranks) | (beat.data == WANT_ALL)),
        ]
        byte, end = act & ~beat.end, act & beat.end

        classify, known, wanted = Signal(), Signal(), Signal()
        busy, missing = Signal(), Signal()
        count = Signal(8)  # whole images so far
        left = Signal(range(p.image_bytes + CRC_BYTES))  # bytes up to the next length that is right, less one
        last = Signal()  # from a flip-flop: the next byte is that
        whole, long = Signal(), Signal()
        full = Signal()  # from a flip-flop: there are as many images as there may be
        damaged = Signal()
        reason = Signal(3)
        m.d.sync += [
            store.data.eq(beat.data),
            *(getattr(store, name).eq(0) for name in ("put", "set", "step", "commit", "rollback")),
        ]
        m.d.sync += [last.eq(left == 0), full.eq(count == p.frame_images)]
        with m.If(end):
            m.d.sync += damaged.eq(~beat.intact)

        with m.FSM():
            with m.State("Command"):
                m.d.comb += [self.idle.eq(1), wait.eq(full_enough)]
                m.d.sync += [busy.eq(0), count.eq(0), whole.eq(0), long.eq(0), wanted.eq(1)]
                with m.If(byte):
                    m.d.sync += store.put.eq(store.some)
                    m.d.sync += [
                        classify.eq(is_classify),
                        known.eq(is_classify | is_identify),
                        missing.eq(is_classify & self.missing),
                    ]
                    m.next = "Reserve"
                    with m.If(~store.some):
                        m.next = "Skip"
            with m.State("Reserve"):
                m.d.sync += store.put.eq(1)
                m.next = "Sequence"
            with m.State("Sequence"):
                m.d.sync += left.eq(CRC_BYTES - 1)
                with m.If(byte):
                    m.d.sync += store.put.eq(1)
                    m.next = "Rest"
                    with m.If(classify):
                        m.next = "Want"
                with m.If(end):
                    m.d.sync += store.rollback.eq(1)
                    m.next = "Command"
            with m.State("Want"):
                m.d.sync += left.eq(p.image_bytes + CRC_BYTES - 1)
                with m.If(byte):
                    m.d.sync += store.put.eq(1)
                    m.d.sync += wanted.eq(can_want)
                    m.next = "Rest"
                with m.If(end):
                    m.next = "Judge"
            with m.State("Rest"):
                m.d.comb += wait.eq(full_enough & classify & ~busy)
                with m.If(byte):
                    m.d.sync += store.put.eq(classify & store.roomy & ~busy)
                    m.d.sync += [
                        busy.eq(busy | (classify & ~store.roomy)),
                        left.eq(Mux(last, p.image_bytes - 1, left - 1)),
                        whole.eq(last),
                        count.eq(count + last),
                        long.eq(long | full | (whole & ~classify)),
                    ]
                with m.If(end):
                    m.next = "Judge"
            with m.State("Skip"), m.If(end):
                m.next = "Command"
            with m.State("Judge"):
                with m.If(busy):
                    m.d.sync += reason.eq(REASON_BUSY)
                with m.Elif(damaged):
                    m.d.sync += reason.eq(REASON_CHECKSUM)
                with m.Elif(~known):
                    m.d.sync += reason.eq(REASON_COMMAND)
                with m.Elif(~whole | long):
                    m.d.sync += reason.eq(REASON_LENGTH)
                with m.Elif(~wanted):
                    m.d.sync += reason.eq(REASON_WANT)
                with m.Elif(missing):
                    m.d.sync += reason.eq(REASON_WEIGHTS)
                with m.Else():
                    m.d.sync += reason.eq(NO_REASON)
                m.next = "Kind"
            with m.State("Kind"):
                m.d.sync += store.set.eq(1)
                m.d.sync += store.data.eq(reason)
                with m.If(reason == NO_REASON):
                    m.d.sync += store.data.eq(Mux(classify, RESPONSE | CLASSIFY, RESPONSE | IDENTIFY))
                m.next = "Count"
            with m.State("Count"):
                m.d.sync += [store.set.eq(1), store.data.eq(count)]
                m.next = "Short"
                with m.If(classify & (reason == NO_REASON)):
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
        return m
