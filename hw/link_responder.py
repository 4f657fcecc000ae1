"""The sending half of a host link: results and failures to responses."""

from functools import reduce
from operator import or_

from amaranth.hdl import Array, Module, Mux, Signal, Value, ValueLike
from amaranth.lib import crc, stream
from amaranth.utils import bits_for

from .link_signals import LinkSignals
from .protocol import CLASSIFY, CRC_BYTES, FAILURE, IDENTIFY, NO_REASON, RESPONSE, SCORE_BYTES
from .rom import Rom

__all__ = ["respond"]


def respond(
    m: Module,
    s: LinkSignals,
    *,
    results: stream.Interface,
    checksum: crc.Processor,
    identity: list[Value],
    identity_rom: Rom | None,
    label_bytes: int,
) -> None:
    """Send the response to each frame. Here too a byte is judged in one cycle and acted on in the next:
    nothing changes while a byte is held.
    """
    result_bytes = SCORE_BYTES + label_bytes
    index = Signal(range(max(len(identity), result_bytes)))  # of the byte in its field
    words = Signal(8 * result_bytes)
    score = words[: 8 * SCORE_BYTES].as_signed()
    m.d.comb += [score.eq(results.payload.score), words[8 * SCORE_BYTES :].eq(results.payload.label)]

    last = Signal()
    wraps = Signal()  # the next byte is at index 0 again
    sends = Signal()
    m.d.sync += sends.eq(0)
    m.d.comb += s.send.eq(sends & ~s.held & ~s.abandon)

    def field(byte: ValueLike, *, then: str, length: int = 1, check: int = 0, end: int = 0) -> None:
        """Send the byte `byte` of a field; go on to `then` with its last."""
        m.d.comb += s.value.eq(byte)
        m.d.sync += [sends.eq(~s.abandon), last.eq(index == length - 1), wraps.eq(index == length - 1)]
        with m.If(s.send):
            m.d.sync += [s.is_pixel.eq(0), s.is_check.eq(check), s.is_end.eq(end)]
            with m.If(last):
                m.next = then
        with m.If(s.abandon):
            m.next = "Rest"

    identity_byte = _identity_byte(m, identity, identity_rom, index)
    with m.FSM(name="responder") as responder:
        with m.State("Rest"):
            m.d.comb += s.resting.eq(1)
            with m.If(s.decided):
                m.d.sync += s.failure.eq(s.reason != NO_REASON)
                m.next = "Open"
        with m.State("Open"):
            field(0, then="Command", end=1)
        with m.State("Command"):
            answered = Mux(s.classify, RESPONSE | CLASSIFY, RESPONSE | IDENTIFY)
            field(Mux(s.failure, FAILURE, answered), then="Sequence")
        with m.State("Sequence"):
            with m.If(s.failure):
                field(s.sequence, then="Reason")
            with m.Elif(s.classify):
                field(s.sequence, then="Result")
            with m.Else():
                field(s.sequence, then="Identity")
        with m.State("Reason"):
            field(s.reason, then="Check")
        with m.State("Identity"):
            field(identity_byte, then="Check", length=len(identity))
        with m.State("Result"), m.If(results.valid):
            # The bytes of a score and, after the last score, those of the label.
            result_byte = words.word_select(index[: bits_for(result_bytes - 1)], 8)
            field(result_byte, then="Check", length=result_bytes)
            with m.If((index == SCORE_BYTES - 1) & ~results.payload.last):
                m.d.sync += wraps.eq(1)
            m.d.comb += results.ready.eq(s.send & wraps)
        with m.State("Check"):
            field(checksum.crc[:8], then="Close", length=CRC_BYTES, check=1)
        with m.State("Close"):
            field(0, then="Rest", end=1)

    with m.If(s.abandon | (s.send & wraps)):
        m.d.sync += index.eq(0)
    with m.Elif(s.send):
        m.d.sync += index.eq(index + 1)
    before_sequence = (responder.ongoing(name) for name in ("Open", "Command", "Sequence"))
    m.d.comb += s.sequence_free.eq(~reduce(or_, before_sequence))


def _identity_byte(m: Module, identity: list[Value], rom: Rom | None, index: Value) -> Value:
    """The byte of the identity at `index`."""
    if rom is None:
        return Array(identity)[index]
    # The index is stable while its byte rotates, which covers the cycle of latency of a ROM.
    m.submodules.identity_rom = rom
    m.d.comb += [rom.addr.eq(index), rom.en.eq(1)]
    return rom.data
