"""The host's side of the core: framed, checksummed requests in, responses out.

The protocol is written in ``docs/link.md``; ``boards/frames.py`` is the host's end of it. ::

            +--------------------- HostLink -----------------------+
    i ------> slip.Decoder -> receiver --------------------------- > pixels -> core
            |                    | CRC-32 |      clear ---------- >            |
    o <------ slip.Encoder <- responder <------------------------- < results <-+
            +------------------------------------------------------+
"""

from amaranth.hdl import Array, Const, Module, Mux, ResetInserter, Signal, unsigned
from amaranth.lib import crc, data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from .argmax import result_layout
from .slip import Decoder, Encoder

__all__ = ["CLASSIFY", "FAILURE", "IDENTIFY", "REASON_BUSY", "REASON_CHECKSUM", "REASON_COMMAND", "REASON_LENGTH",
           "RESPONSE", "VERSION", "HostLink"]

#: Version of the protocol, which identify tells.
VERSION = 1

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

_NO_REASON = 0
_CRC_BYTES = 4
_SCORE_BYTES = 4
_LABEL_BYTES = 2


class HostLink(wiring.Component):
    """Answers requests from a line of bytes with what a core computes.

    A request's pixels go to the core as they come; its results are let out only when the request's checksum was
    right, so that no response is ever made from a damaged image. Whatever else ends with an END is answered by a
    failure with its reason, and leaves no trace: the core is cleared before the next request. A frame that comes
    while a response is under way is answered *busy* after it; a failure, on the other hand, gives way to the next
    request at once, so that noise before a request does not cost the request.

    One bit of the CRC is computed each cycle: a byte takes 8 cycles in either direction, less than a serial line
    needs to bring it.

    Parameters
    ----------
    pixels : :class:`int`
        Pixels in an image.
    lanes : :class:`int`
        Pixels in a beat of the core; only told by identify.
    classes : :class:`int`
        Results the core gives for an image.
    score_width : :class:`int`
        Bits of a score, two's complement, at most 32.
    digest : :class:`bytes`
        First 8 bytes of the SHA-256 of the network.

    Members
    -------
    i, o : :py:`In(stream.Signature(8))`, :py:`Out(stream.Signature(8))`
        The line.
    pixels : :py:`Out(stream.Signature(ArrayLayout(unsigned(8), 1)))`
        To the core.
    results : :py:`In(stream.Signature(result_layout(...)))`
        From the core.
    clear : :py:`Out(1)`
        Reset the core (and what is between it and `pixels`): high while no request is in work, for at least 8 cycles
        before the first pixel of each request. From a flip-flop.
    """

    i: stream.Interface
    o: stream.Interface
    pixels: stream.Interface
    results: stream.Interface

    def __init__(self, *, pixels, lanes, classes, score_width, digest):
        for name, value, limit in (("pixels", pixels, 2**32 - 1), ("lanes", lanes, 2**8 - 1),
                                   ("classes", classes, 2**16 - 1), ("score_width", score_width, 32)):
            if not 1 <= value <= limit:
                raise ValueError(f"{name} must be in 1 ... {limit}, not {value!r}")
        if len(digest) != 8:
            raise ValueError(f"digest must be 8 bytes, not {digest!r}")
        self._pixels = pixels
        self._identity = (bytes([VERSION, lanes]) + classes.to_bytes(2, "little") + pixels.to_bytes(4, "little")
                          + bytes(digest))
        super().__init__({
            "i": In(stream.Signature(8)),
            "o": Out(stream.Signature(8)),
            "pixels": Out(stream.Signature(data.ArrayLayout(unsigned(8), 1))),
            "results": In(stream.Signature(result_layout(score_width=score_width, classes=classes))),
            "clear": Out(1, init=1),
        })

    @property
    def identity(self):
        """Payload of the response to identify."""
        return self._identity

    def elaborate(self, platform):
        m = Module()

        abandon = Signal()  # a failure under way gives way to a request
        m.submodules.decoder = decoder = Decoder()
        m.submodules.encoder = encoder = ResetInserter(abandon)(Encoder())
        m.submodules.crc = checksum = crc.catalog.CRC32_ISO_HDLC(data_width=1).create()
        connect(m, flipped(self.i), decoder.i)
        connect(m, encoder.o, flipped(self.o))
        request, response = decoder.o, encoder.i
        m.d.comb += self.pixels.payload[0].eq(request.payload.data)

        # The one CRC serves the receiver while the responder rests, and else the responder: a byte in 8 steps.
        # Fed with `~crc[0]` its feedback is zero and it becomes a shift register that gives the checksum in the order
        # of the line. So it is sent without a multiplexer, and compared without a comparator of 32 bits.
        resting = Signal()
        byte = Signal(8)
        step = Signal(3)
        stepping = Signal()
        stepped = Signal()  # at the last step of a byte
        checking = Signal()
        bit = byte.bit_select(step, 1)
        m.d.comb += [
            checksum.valid.eq(stepping),
            checksum.data.eq(Mux(checking, ~checksum.crc[0], bit)),
            stepped.eq(stepping & (step == 7)),
        ]
        with m.If(abandon):
            m.d.sync += step.eq(0)
        with m.Elif(stepping):
            m.d.sync += step.eq(step + 1)

        # Receiver.
        is_byte = request.valid & ~request.payload.end
        is_end = request.valid & request.payload.end
        classify = Signal()
        sequence = Signal(8)
        reason = Signal(range(REASON_BUSY + 1))
        damaged = Signal()  # a bit of the checksum differs
        left = Signal(range(max(self._pixels, _CRC_BYTES)))  # bytes of the field behind the present one
        feeding = Signal()  # the present byte goes into the CRC
        decided = Signal()  # a frame has ended and is to be answered
        sequence_free = Signal()
        failure = Signal()  # the response, under way or last, is a failure
        # While a response has the CRC, the bytes of the next frame pass unchecked: it will be answered busy anyway.
        taken = is_byte & (stepped | ~resting)

        def end_of_frame(found):
            with m.If(is_end):
                m.d.comb += request.ready.eq(1)
                with m.If(reason == _NO_REASON):
                    m.d.sync += reason.eq(found)
                m.next = "Answer"

        with m.FSM(name="receiver") as receiver:
            with m.State("Command"):
                m.d.comb += [
                    abandon.eq(is_byte & failure & ~resting),
                    feeding.eq(is_byte),
                    checksum.start.eq(resting & (step == 0)),
                    request.ready.eq(is_end | (taken & ~abandon)),
                ]
                with m.If(taken & ~abandon):
                    m.next = "Sequence"
                    with m.If(resting):
                        known = (request.payload.data == IDENTIFY) | (request.payload.data == CLASSIFY)
                        m.d.sync += [
                            classify.eq(request.payload.data == CLASSIFY),
                            reason.eq(Mux(known, _NO_REASON, REASON_COMMAND)),
                        ]
                    with m.Else():
                        m.d.sync += reason.eq(REASON_BUSY)

            with m.State("Sequence"):
                # The responder needs the old number until it has sent it.
                m.d.comb += feeding.eq(is_byte)
                with m.If(taken & sequence_free):
                    m.d.comb += request.ready.eq(1)
                    m.d.sync += [
                        sequence.eq(request.payload.data),
                        left.eq(Mux(classify, self._pixels - 1, _CRC_BYTES - 1)),
                        damaged.eq(0),
                    ]
                    with m.If(reason != _NO_REASON):
                        m.next = "Skip"
                    with m.Elif(classify):
                        m.next = "Pixels"
                    with m.Else():
                        m.next = "Check"
                end_of_frame(REASON_LENGTH)

            with m.State("Pixels"):
                # The last step waits until the pixel is taken.
                m.d.comb += [
                    self.pixels.valid.eq(is_byte & (step == 7)),
                    feeding.eq(is_byte & ((step != 7) | self.pixels.ready)),
                ]
                with m.If(taken):
                    m.d.comb += request.ready.eq(1)
                    m.d.sync += left.eq(left - 1)
                    with m.If(left == 0):
                        m.d.sync += left.eq(_CRC_BYTES - 1)
                        m.next = "Check"
                end_of_frame(REASON_LENGTH)

            with m.State("Check"):
                m.d.comb += [feeding.eq(is_byte), checking.eq(1)]
                with m.If(stepping & (bit != checksum.crc[0])):
                    m.d.sync += damaged.eq(1)
                with m.If(taken):
                    m.d.comb += request.ready.eq(1)
                    m.d.sync += left.eq(left - 1)
                    with m.If(left == 0):
                        m.next = "End"
                end_of_frame(REASON_LENGTH)

            with m.State("End"):
                with m.If(is_byte):
                    m.d.sync += reason.eq(REASON_LENGTH)
                    m.next = "Skip"
                end_of_frame(Mux(damaged, REASON_CHECKSUM, _NO_REASON))

            with m.State("Skip"):
                m.d.comb += request.ready.eq(1)
                end_of_frame(_NO_REASON)

            with m.State("Answer"):
                m.d.comb += decided.eq(1)
                with m.If(resting):
                    m.next = "Command"

        m.d.sync += self.clear.eq(resting & receiver.ongoing("Command"))

        # Responder.
        index = Signal(range(len(self._identity)))  # of the byte in its field
        sent = Signal()  # the present byte has left and goes into the CRC
        words = Signal(8 * (_SCORE_BYTES + _LABEL_BYTES))
        score = words[:8 * _SCORE_BYTES].as_signed()
        m.d.comb += [score.eq(self.results.payload.score), words[8 * _SCORE_BYTES:].eq(self.results.payload.label)]

        def send(value):
            m.d.comb += [byte.eq(value), response.payload.data.eq(value), response.valid.eq(~sent), stepping.eq(sent)]
            with m.If(response.valid & response.ready):
                m.d.sync += sent.eq(1)
            with m.If(stepped):
                m.d.sync += [sent.eq(0), index.eq(index + 1)]

        def send_end(then):
            m.d.comb += [response.payload.end.eq(1), response.valid.eq(1)]
            with m.If(response.ready):
                m.next = then

        def go_on(last, then):
            with m.If(stepped & last):
                m.d.sync += index.eq(0)
                m.next = then

        def give_way():
            with m.If(abandon):
                m.d.sync += [sent.eq(0), index.eq(0)]
                m.next = "Rest"

        with m.FSM(name="responder") as responder:
            with m.State("Rest"):
                m.d.comb += [resting.eq(1), byte.eq(request.payload.data), stepping.eq(feeding)]
                with m.If(decided):
                    m.d.sync += failure.eq(reason != _NO_REASON)
                    m.next = "Open"

            with m.State("Open"):
                m.d.comb += checksum.start.eq(1)
                send_end("Command")
                give_way()

            with m.State("Command"):
                send(Mux(failure, FAILURE, Mux(classify, RESPONSE | CLASSIFY, RESPONSE | IDENTIFY)))
                go_on(1, "Sequence")
                give_way()

            with m.State("Sequence"):
                send(sequence)
                with m.If(failure):
                    go_on(1, "Reason")
                with m.Elif(classify):
                    go_on(1, "Result")
                with m.Else():
                    go_on(1, "Identity")
                give_way()

            with m.State("Reason"):
                send(reason)
                go_on(1, "Check")
                give_way()

            with m.State("Identity"):
                send(Array(Const(value, 8) for value in self._identity)[index])
                go_on(index == len(self._identity) - 1, "Check")

            with m.State("Result"), m.If(self.results.valid):
                # The bytes of a score and, behind the last score, those of the label.
                send(words.word_select(index[:3], 8))
                with m.If(stepped & (index == _SCORE_BYTES - 1) & ~self.results.payload.last):
                    m.d.comb += self.results.ready.eq(1)
                    m.d.sync += index.eq(0)
                with m.If(stepped & (index == _SCORE_BYTES + _LABEL_BYTES - 1)):
                    m.d.comb += self.results.ready.eq(1)
                    go_on(1, "Check")

            with m.State("Check"):
                m.d.comb += checking.eq(1)
                send(checksum.crc[:8])
                go_on(index == _CRC_BYTES - 1, "Close")
                give_way()

            with m.State("Close"):
                send_end("Rest")
                give_way()

        m.d.comb += sequence_free.eq(
            ~(responder.ongoing("Open") | responder.ongoing("Command") | responder.ongoing("Sequence")))

        return m
