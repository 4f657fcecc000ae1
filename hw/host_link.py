"""The host's side of the core: framed, checksummed requests in, responses out.

The protocol is written in ``docs/link.md``; ``boards/frames.py`` is the host's end of it. ::

            +--------------------- HostLink -----------------------+
    i ------> slip.Decoder -> receiver --------------------------- > pixels -> core
            |                    | CRC-32 |      clear ---------- >            |
    o <------ slip.Encoder <- responder <------------------------- < results <-+
            +------------------------------------------------------+
"""

from amaranth.hdl import Array, Const, Module, Mux, Signal, unsigned
from amaranth.lib import crc, data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import bits_for

from .argmax import result_layout
from .flash_loader import LOADED
from .queue import Queue
from .rom import Rom
from .slip import Decoder, Encoder, frame_layout

__all__ = [
    "CLASSIFY",
    "FAILURE",
    "IDENTIFY",
    "LIMITS",
    "REASON_BUSY",
    "REASON_CHECKSUM",
    "REASON_COMMAND",
    "REASON_LENGTH",
    "REASON_WEIGHTS",
    "RESPONSE",
    "VERSION",
    "VERSION_SIGNS",
    "HostLink",
]

#: Version of the protocol, which identify tells.
VERSION = 1

#: That of a network that decides by the signs of its scores: its results end with a bit for each score
#: instead of a class.
VERSION_SIGNS = 2

#: Commands of requests; a response has the bit `RESPONSE` set.
IDENTIFY = 0x01
CLASSIFY = 0x02
RESPONSE = 0x80

#: Command of the response to a frame that is no valid request, and the reasons it gives.
FAILURE = 0xFF
REASON_CHECKSUM = 1
REASON_LENGTH = 2
REASON_COMMAND = 3
REASON_BUSY = 4
REASON_WEIGHTS = 5

#: The most that the protocol has room for: of pixels in an image and in a beat, of outputs, and of bits in a
#: score.
LIMITS = {"pixels": 2**32 - 1, "lanes": 2**8 - 1, "outputs": 2**16 - 1, "score_width": 32}

_NO_REASON = 0
_CRC_BYTES = 4
_SCORE_BYTES = 4
_LABEL_BYTES = 2  # of a class; the bits of signs take as many bytes as they fill


class HostLink(wiring.Component):
    """Answers requests from a line of bytes with what a core computes.

    A request's pixels go to the core as they come; its results are let out only when the request's checksum
    was right, so that no response is ever made from a damaged image. Whatever else ends with an END is
    answered by a failure with its reason, and leaves no trace: the core is cleared before the next request. A
    frame that comes while a response is under way is answered *busy* after it; a failure, on the other hand,
    gives way to the next request at once, so that noise before a request does not cost the request.

    One bit of the CRC is computed each cycle: a byte takes 8 cycles in either direction, less than a serial
    line needs to bring it.

    Parameters
    ----------
    pixels : :class:`int`
        Pixels in an image.
    lanes : :class:`int`
        Pixels in a beat of the core; only told by identify.
    outputs : :class:`int`
        Results the core gives for an image.
    score_width : :class:`int`
        Bits of a score, two's complement, at most 32.
    digest : :class:`bytes`
        First 8 bytes of the SHA-256 of the network.
    signs : :class:`bool`
        Whether the core's results tell a bit for each output instead of a class.
    loads : :class:`bool`
        Whether weights are loaded at start-up: identify tells their state, and classify is refused until they
        are there.
    identity_store : :class:`str`, optional
        Where the answer to identify lives so that it can be replaced in a bitstream, ``"bram"`` or ``"lut"``;
        when left out, it cannot.

    Members
    -------
    i, o : :py:`In(stream.Signature(8))`, :py:`Out(stream.Signature(8))`
        The line.
    pixels : :py:`Out(stream.Signature(ArrayLayout(unsigned(8), 1)))`
        To the core.
    results : :py:`In(stream.Signature(result_layout(...)))`
        From the core.
    clear : :py:`Out(1)`
        Reset the core (and what is between it and `pixels`): high while no request is in work, for at least 8
        cycles before the first pixel of each request. From a flip-flop.
    state, checksum : :py:`In(2)`, :py:`In(32)`
        Those of a :class:`.FlashLoader`; only where `loads`.
    """

    i: stream.Interface
    o: stream.Interface
    pixels: stream.Interface
    results: stream.Interface

    def __init__(
        self, *, pixels, lanes, outputs, score_width, digest, signs=False, loads=False, identity_store=None
    ):
        for name, value in (
            ("pixels", pixels),
            ("lanes", lanes),
            ("outputs", outputs),
            ("score_width", score_width),
        ):
            if not 1 <= value <= LIMITS[name]:
                raise ValueError(f"{name} must be in 1 ... {LIMITS[name]}, not {value!r}")
        if len(digest) != 8:
            raise ValueError(f"digest must be 8 bytes, not {digest!r}")
        self._pixels = pixels
        self._loads = loads
        self._label_bytes = -(-outputs // 8) if signs else _LABEL_BYTES
        self._identity = (
            bytes([VERSION_SIGNS if signs else VERSION, lanes])
            + outputs.to_bytes(2, "little")
            + pixels.to_bytes(4, "little")
            + bytes(digest)
        )
        if loads and identity_store is not None:
            raise ValueError("a link that tells what was loaded cannot have its identity in a ROM")
        self._identity_store = identity_store
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(8)),
                "pixels": Out(stream.Signature(data.ArrayLayout(unsigned(8), 1))),
                "results": In(
                    stream.Signature(result_layout(score_width=score_width, outputs=outputs, signs=signs))
                ),
                "clear": Out(1, init=1),
                **({"state": In(2), "checksum": In(32)} if loads else {}),
            }
        )

    @property
    def identity(self):
        """Payload of the response to identify; where `loads`, state and checksum follow it."""
        return self._identity

    def elaborate(self, platform):
        m = Module()

        abandon = Signal()  # a failure under way gives way to a request
        m.submodules.decoder = decoder = Decoder()
        m.submodules.register = register = Queue(shape=frame_layout, depth=1)
        m.submodules.encoder = encoder = Encoder()
        m.submodules.crc = checksum = crc.catalog.CRC32_ISO_HDLC(data_width=1).create()
        connect(m, flipped(self.i), decoder.i)
        connect(m, decoder.o, register.i)
        connect(m, encoder.o, flipped(self.o))
        request, response = register.o, encoder.i

        # One byte at a time, of the request while the responder rests and else of the response, is loaded,
        # goes round once past the CRC, and is then passed on to the core or to the line. A byte of a
        # checksum, sent or received, feeds the CRC with `~crc[0]`: its feedback is zero then, and it is a
        # shift register that gives the checksum in the order of the line. So it needs no multiplexer to be
        # sent, and no comparator of 32 bits to be checked.
        byte = Signal(8)
        held = Signal()
        going_round = Signal()
        step = Signal(3)
        is_pixel = Signal()
        is_response = Signal()
        is_end = Signal(init=1)  # it stands for an END; until the next byte, the CRC is at its start
        is_check = Signal()
        taken = Signal()  # by the core or the line, in the cycle before
        accept = Signal()  # load a byte of the request
        send = Signal()  # load a byte of the response
        value = Signal(8)
        full = held & ~going_round
        m.d.comb += [
            checksum.start.eq(is_end),
            checksum.valid.eq(going_round & ~is_end),
            checksum.data.eq(Mux(is_check, ~checksum.crc[0], byte[0])),
            self.pixels.payload[0].eq(byte),
            self.pixels.valid.eq(full & is_pixel & ~taken),
            response.payload.data.eq(byte),
            response.payload.end.eq(is_end),
            response.valid.eq(full & is_response & ~taken),
        ]
        m.d.sync += taken.eq(
            Mux(is_pixel, self.pixels.valid & self.pixels.ready, response.valid & response.ready)
        )
        with m.If(accept | send):
            m.d.sync += [
                held.eq(1),
                going_round.eq(1),
                byte.eq(Mux(send, value, request.payload.data)),
                is_response.eq(send),
            ]
        with m.Elif(abandon):
            m.d.sync += [held.eq(0), going_round.eq(0), step.eq(0), is_end.eq(1)]
        with m.Elif(going_round):
            m.d.sync += [byte.eq(byte.rotate_right(1)), step.eq(step + 1), going_round.eq(step != 7)]
        with m.Elif(taken | ~(is_pixel | is_response)):
            m.d.sync += held.eq(0)

        # Receiver.
        resting = Signal()  # the responder does nothing
        classify = Signal()
        sequence = Signal(8)
        sequence_free = Signal()  # the responder does not need it any more
        reason = Signal(range(REASON_WEIGHTS + 1))
        failure = Signal()  # the response, under way or last, is a failure
        damaged = Signal()  # a bit of the checksum differs
        decided = Signal()  # a frame has ended and is to be answered
        left = Signal(range(max(self._pixels, _CRC_BYTES)))  # bytes of the field behind the present one

        # A beat of the request is judged in one cycle and acted on in the next. While a response is under way
        # it passes by the CRC: its frame will be answered busy anyway.
        in_command = Signal()
        in_sequence = Signal()
        act = Signal()
        late = Signal()
        gives_way = in_command & ~request.payload.end & failure & (held | ~resting)
        m.d.comb += request.ready.eq(act)
        m.d.sync += [
            act.eq(
                request.valid
                & ~act
                & ~decided
                & (sequence_free | ~in_sequence)
                & (~held | ~resting)
                & ~gives_way
            ),
            late.eq(~resting),
            abandon.eq(request.valid & ~abandon & gives_way),
        ]
        byte_comes = act & ~request.payload.end
        end_comes = act & request.payload.end

        with m.If(going_round & is_check & (byte[0] != checksum.crc[0])):
            m.d.sync += damaged.eq(1)

        def take(*, pixel=0, check=0):
            with m.If(~late):
                m.d.comb += accept.eq(1)
                m.d.sync += [is_pixel.eq(pixel), is_check.eq(check), is_end.eq(0)]

        def end_of_frame(found):
            with m.If(end_comes):
                with m.If(reason == _NO_REASON):
                    m.d.sync += reason.eq(found)
                m.next = "Answer"

        with m.FSM(name="receiver"):
            with m.State("Command"):
                m.d.comb += in_command.eq(1)
                m.d.sync += damaged.eq(0)
                with m.If(byte_comes):
                    take()
                    known = (request.payload.data == IDENTIFY) | (request.payload.data == CLASSIFY)
                    m.d.sync += reason.eq(Mux(late, REASON_BUSY, Mux(known, _NO_REASON, REASON_COMMAND)))
                    if self._loads:
                        with m.If(~late & (request.payload.data == CLASSIFY) & (self.state != LOADED)):
                            m.d.sync += reason.eq(REASON_WEIGHTS)
                    with m.If(~late):
                        m.d.sync += classify.eq(request.payload.data == CLASSIFY)
                    m.next = "Sequence"

            with m.State("Sequence"):
                m.d.comb += in_sequence.eq(1)
                with m.If(byte_comes):
                    take()
                    m.d.sync += [
                        sequence.eq(request.payload.data),
                        left.eq(Mux(classify, self._pixels - 1, _CRC_BYTES - 1)),
                    ]
                    with m.If(reason != _NO_REASON):
                        m.next = "Skip"
                    with m.Elif(classify):
                        m.next = "Pixels"
                    with m.Else():
                        m.next = "Check"
                end_of_frame(REASON_LENGTH)

            with m.State("Pixels"):
                with m.If(byte_comes):
                    take(pixel=1)
                    m.d.sync += left.eq(left - 1)
                    with m.If(left == 0):
                        m.d.sync += left.eq(_CRC_BYTES - 1)
                        m.next = "Check"
                end_of_frame(REASON_LENGTH)

            with m.State("Check"):
                with m.If(byte_comes):
                    take(check=1)
                    m.d.sync += left.eq(left - 1)
                    with m.If(left == 0):
                        m.next = "End"
                end_of_frame(REASON_LENGTH)

            with m.State("End"):
                with m.If(byte_comes):
                    m.d.sync += reason.eq(REASON_LENGTH)
                    m.next = "Skip"
                end_of_frame(Mux(damaged, REASON_CHECKSUM, _NO_REASON))

            with m.State("Skip"):
                end_of_frame(_NO_REASON)

            with m.State("Answer"):
                m.d.comb += decided.eq(1)
                with m.If(resting):
                    m.next = "Command"

        m.d.sync += self.clear.eq(resting & in_command)

        # Responder.
        identity = [Const(value, 8) for value in self._identity]
        if self._loads:
            identity += [self.state, *(self.checksum.word_select(n, 8) for n in range(4))]
        result_bytes = _SCORE_BYTES + self._label_bytes
        index = Signal(range(max(len(identity), result_bytes)))  # of the byte in its field
        words = Signal(8 * result_bytes)
        score = words[: 8 * _SCORE_BYTES].as_signed()
        m.d.comb += [
            score.eq(self.results.payload.score),
            words[8 * _SCORE_BYTES :].eq(self.results.payload.label),
        ]

        # Judged in one cycle and acted on in the next, here too: nothing changes while a byte is held.
        last = Signal()
        wraps = Signal()  # the next byte is at index 0 again
        sends = Signal()
        m.d.sync += sends.eq(0)
        m.d.comb += send.eq(sends & ~held & ~abandon)

        def field(byte, *, then, length=1, check=0, end=0):
            """Send the byte `byte` of a field; go on to `then` with its last."""
            m.d.comb += value.eq(byte)
            m.d.sync += [sends.eq(~abandon), last.eq(index == length - 1), wraps.eq(index == length - 1)]
            with m.If(send):
                m.d.sync += [is_pixel.eq(0), is_check.eq(check), is_end.eq(end)]
                with m.If(last):
                    m.next = then
            with m.If(abandon):
                m.next = "Rest"

        if self._identity_store is None:
            told = Array(identity)[index]
        else:
            # An index stays for as long as its byte goes round, so that the cycle that a ROM takes is there.
            m.submodules.identity_rom = rom = Rom(
                width=8, words=self._identity, store=self._identity_store, patchable=True
            )
            m.d.comb += [rom.addr.eq(index), rom.en.eq(1)]
            told = rom.data

        with m.FSM(name="responder") as responder:
            with m.State("Rest"):
                m.d.comb += resting.eq(1)
                with m.If(decided):
                    m.d.sync += failure.eq(reason != _NO_REASON)
                    m.next = "Open"

            with m.State("Open"):
                field(0, then="Command", end=1)

            with m.State("Command"):
                field(
                    Mux(failure, FAILURE, Mux(classify, RESPONSE | CLASSIFY, RESPONSE | IDENTIFY)),
                    then="Sequence",
                )

            with m.State("Sequence"):
                with m.If(failure):
                    field(sequence, then="Reason")
                with m.Elif(classify):
                    field(sequence, then="Result")
                with m.Else():
                    field(sequence, then="Identity")

            with m.State("Reason"):
                field(reason, then="Check")

            with m.State("Identity"):
                field(told, then="Check", length=len(identity))

            with m.State("Result"), m.If(self.results.valid):
                # The bytes of a score and, behind the last score, those of the label.
                field(
                    words.word_select(index[: bits_for(result_bytes - 1)], 8),
                    then="Check",
                    length=result_bytes,
                )
                with m.If((index == _SCORE_BYTES - 1) & ~self.results.payload.last):
                    m.d.sync += wraps.eq(1)
                m.d.comb += self.results.ready.eq(send & wraps)

            with m.State("Check"):
                field(checksum.crc[:8], then="Close", length=_CRC_BYTES, check=1)

            with m.State("Close"):
                field(0, then="Rest", end=1)

        with m.If(abandon | (send & wraps)):
            m.d.sync += index.eq(0)
        with m.Elif(send):
            m.d.sync += index.eq(index + 1)

        m.d.comb += sequence_free.eq(
            ~(responder.ongoing("Open") | responder.ongoing("Command") | responder.ongoing("Sequence"))
        )

        return m
