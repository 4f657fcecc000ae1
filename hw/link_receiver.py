"""The receiving half of a host link: requests to pixels, and to what is to be answered."""

from amaranth.hdl import Module, Mux, Value, ValueLike
from amaranth.lib import crc, stream

from .link_signals import LinkSignals
from .protocol import (
    CLASSIFY,
    CRC_BYTES,
    IDENTIFY,
    NO_REASON,
    REASON_BUSY,
    REASON_CHECKSUM,
    REASON_COMMAND,
    REASON_LENGTH,
    REASON_WEIGHTS,
)

__all__ = ["receive"]


def receive(
    m: Module,
    s: LinkSignals,
    *,
    request: stream.Interface,
    checksum: crc.Processor,
    pixels: int,
    weights_missing: Value | None,
) -> None:
    """Parse requests; decide whether a frame is valid, and if not, for what reason.

    Parameters
    ----------
    request : stream of :data:`.frame_layout`
    checksum : CRC of the byte register
    pixels : :class:`int`
        Pixels in an image.
    weights_missing : Value or None
        Whether the weights are not loaded; None if there is nothing to load.
    """
    _judge(m, s, request)
    damaged, left = s.damaged, s.left
    byte_comes = s.act & ~request.payload.end
    end_comes = s.act & request.payload.end

    with m.If(s.going_round & s.is_check & (s.byte[0] != checksum.crc[0])):
        m.d.sync += damaged.eq(1)

    with m.FSM(name="receiver"):
        with m.State("Command"):
            m.d.comb += s.in_command.eq(1)
            m.d.sync += damaged.eq(0)
            with m.If(byte_comes):
                _take(m, s)
                _store_command(m, s, request.payload.data, weights_missing)
                m.next = "Sequence"
        with m.State("Sequence"):
            m.d.comb += s.in_sequence.eq(1)
            with m.If(byte_comes):
                _take(m, s)
                m.d.sync += [
                    s.sequence.eq(request.payload.data),
                    left.eq(Mux(s.classify, pixels - 1, CRC_BYTES - 1)),
                ]
                with m.If(s.reason != NO_REASON):
                    m.next = "Skip"
                with m.Elif(s.classify):
                    m.next = "Pixels"
                with m.Else():
                    m.next = "Check"
            _end_of_frame(m, s, end_comes, REASON_LENGTH)
        with m.State("Pixels"):
            with m.If(byte_comes):
                _take(m, s, pixel=1)
                m.d.sync += left.eq(left - 1)
                with m.If(left == 0):
                    m.d.sync += left.eq(CRC_BYTES - 1)
                    m.next = "Check"
            _end_of_frame(m, s, end_comes, REASON_LENGTH)
        with m.State("Check"):
            with m.If(byte_comes):
                _take(m, s, check=1)
                m.d.sync += left.eq(left - 1)
                with m.If(left == 0):
                    m.next = "End"
            _end_of_frame(m, s, end_comes, REASON_LENGTH)
        with m.State("End"):
            with m.If(byte_comes):
                m.d.sync += s.reason.eq(REASON_LENGTH)
                m.next = "Skip"
            _end_of_frame(m, s, end_comes, Mux(damaged, REASON_CHECKSUM, NO_REASON))
        with m.State("Skip"):
            _end_of_frame(m, s, end_comes, NO_REASON)
        with m.State("Answer"):
            m.d.comb += s.decided.eq(1)
            with m.If(s.resting):
                m.next = "Command"


def _judge(m: Module, s: LinkSignals, request: stream.Interface) -> None:
    """Judge a beat of the request in one cycle, act on it in the next.

    During a response a beat bypasses the CRC, since its frame will be answered busy anyway.
    """
    gives_way = s.in_command & ~request.payload.end & s.failure & (s.held | ~s.resting)
    m.d.comb += request.ready.eq(s.act)
    m.d.sync += [
        s.act.eq(
            request.valid
            & ~s.act
            & ~s.decided
            & (s.sequence_free | ~s.in_sequence)
            & (~s.held | ~s.resting)
            & ~gives_way
        ),
        s.late.eq(~s.resting),
        s.abandon.eq(request.valid & ~s.abandon & gives_way),
    ]


def _store_command(m: Module, s: LinkSignals, command: Value, weights_missing: Value | None) -> None:
    """Store what a command asks for, and the first reason to refuse it."""
    known = (command == IDENTIFY) | (command == CLASSIFY)
    m.d.sync += s.reason.eq(Mux(s.late, REASON_BUSY, Mux(known, NO_REASON, REASON_COMMAND)))
    if weights_missing is not None:
        with m.If(~s.late & (command == CLASSIFY) & weights_missing):
            m.d.sync += s.reason.eq(REASON_WEIGHTS)
    with m.If(~s.late):
        m.d.sync += s.classify.eq(command == CLASSIFY)


def _take(m: Module, s: LinkSignals, *, pixel: int = 0, check: int = 0) -> None:
    """Load the byte into the byte register, unless a response occupies it."""
    with m.If(~s.late):
        m.d.comb += s.accept.eq(1)
        m.d.sync += [s.is_pixel.eq(pixel), s.is_check.eq(check), s.is_end.eq(0)]


def _end_of_frame(m: Module, s: LinkSignals, end_comes: Value, reason: ValueLike) -> None:
    """At the end of a frame, go on to answer it, with the first reason to refuse it or else with `reason`."""
    with m.If(end_comes):
        with m.If(s.reason == NO_REASON):
            m.d.sync += s.reason.eq(reason)
        m.next = "Answer"
