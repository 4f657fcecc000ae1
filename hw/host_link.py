"""The FPGA's end of the host link: framed, checksummed requests in, responses out.

The protocol is specified in ``docs/link.md``; ``boards/frames.py`` is the host's end. ::

            +--------------------- HostLink -----------------------+
    i ------> slip.Decoder -> receiver --------------------------- > pixels -> core
            |                    | CRC-32 |      clear ---------- >            |
    o <------ slip.Encoder <- responder <------------------------- < results <-+
            +------------------------------------------------------+
"""

from amaranth.hdl import Const, Module, Mux, Signal, unsigned
from amaranth.lib import crc, data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from .argmax import result_layout
from .flash_loader import LOADED
from .link_receiver import receive
from .link_responder import respond
from .link_signals import LinkSignals
from .protocol import CRC_BYTES, LABEL_BYTES, LIMITS, VERSION, VERSION_SIGNS
from .queue import Queue
from .rom import Rom
from .slip import Decoder, Encoder, frame_layout

__all__ = ["HostLink"]


class HostLink(wiring.Component):
    """Answers requests on a byte stream with the results of a core.

    The pixels of a request go to the core as they arrive. Results are sent only if the checksum of the
    request was right, so no response is ever computed from a damaged image. Anything else that ends with an
    END is answered by a failure with its reason and has no further effect: the core is cleared before the
    next request. A frame that arrives during a response is answered *busy* after it. A failure, in contrast,
    is abandoned as soon as the next request begins, so noise before a request does not cost the request.

    The CRC takes one bit per cycle, so a byte takes 8 cycles in either direction: less than a serial line
    needs to transfer it.

    Parameters
    ----------
    pixels : :class:`int`
        Pixels in an image.
    lanes : :class:`int`
        Pixels in a beat of the core; only reported by identify.
    outputs : :class:`int`
        Results per image.
    score_width : :class:`int`
        Bits of a score, two's complement, at most 32.
    digest : :class:`bytes`
        First 8 bytes of the SHA-256 of the network.
    signs : :class:`bool`
        Whether the results of the core have one bit per output instead of a class.
    loads : :class:`bool`
        Whether weights are loaded at start-up: identify reports their state, and classify is refused until
        they are loaded.
    identity_store : :class:`str`, optional
        Memory of the answer to identify, ``"bram"`` or ``"lut"``, so that it can be replaced in a bitstream.
        Without it the answer is fixed.

    Members
    -------
    i, o : :py:`In(stream.Signature(8))`, :py:`Out(stream.Signature(8))`
        The line.
    pixels : :py:`Out(stream.Signature(ArrayLayout(unsigned(8), 1)))`
        To the core.
    results : :py:`In(stream.Signature(result_layout(...)))`
        From the core.
    clear : :py:`Out(1)`
        Reset of the core and of what is between it and `pixels`: high between requests, for at least 8 cycles
        before the first pixel of each request. From a flip-flop.
    state, checksum : :py:`In(2)`, :py:`In(32)`
        Those of a :class:`.FlashLoader`; only if `loads`.

    Raises
    ------
    ValueError
        A number exceeds `protocol.LIMITS`, or `identity_store` is combined with `loads`.
    """

    i: stream.Interface
    o: stream.Interface
    pixels: stream.Interface
    results: stream.Interface

    def __init__(
        self,
        *,
        pixels: int,
        lanes: int,
        outputs: int,
        score_width: int,
        digest: bytes,
        signs: bool = False,
        loads: bool = False,
        identity_store: str | None = None,
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
        self._label_bytes = -(-outputs // 8) if signs else LABEL_BYTES
        self._identity = (
            bytes([VERSION_SIGNS if signs else VERSION, lanes])
            + outputs.to_bytes(2, "little")
            + pixels.to_bytes(4, "little")
            + bytes(digest)
        )
        if loads and identity_store is not None:
            raise ValueError("the identity cannot be in a ROM if it includes the state of loaded weights")
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
    def identity(self) -> bytes:
        """Payload of the response to identify; if `loads`, state and checksum follow it."""
        return self._identity

    def elaborate(self, platform):
        m = Module()
        s = LinkSignals(max(self._pixels, CRC_BYTES))
        m.submodules.decoder = decoder = Decoder()
        m.submodules.register = register = Queue(shape=frame_layout, depth=1)
        m.submodules.encoder = encoder = Encoder()
        m.submodules.crc = checksum = crc.catalog.CRC32_ISO_HDLC(data_width=1).create()
        connect(m, flipped(self.i), decoder.i)
        connect(m, decoder.o, register.i)
        connect(m, encoder.o, flipped(self.o))
        self._shift(m, s, register.o, encoder.i, checksum)
        receive(
            m,
            s,
            request=register.o,
            checksum=checksum,
            pixels=self._pixels,
            weights_missing=self.state != LOADED if self._loads else None,
        )
        m.d.sync += self.clear.eq(s.resting & s.in_command)
        identity = [Const(value, 8) for value in self._identity]
        if self._loads:
            identity += [self.state, *(self.checksum.word_select(n, 8) for n in range(4))]
        identity_rom = None
        if self._identity_store is not None:
            identity_rom = Rom(width=8, words=self._identity, store=self._identity_store, patchable=True)
        respond(
            m,
            s,
            results=self.results,
            checksum=checksum,
            identity=identity,
            identity_rom=identity_rom,
            label_bytes=self._label_bytes,
        )
        return m

    def _shift(
        self,
        m: Module,
        s: LinkSignals,
        request: stream.Interface,
        response: stream.Interface,
        checksum: crc.Processor,
    ) -> None:
        """The byte register: load a byte, rotate it once past the CRC, pass it on to the core or the line.

        The byte is one of the response, or else, while the responder rests, one of the request. For a byte of
        a checksum, sent or received, the CRC is fed with `~crc[0]`: its feedback is then zero, and it is a
        shift register that outputs the checksum in the order of the line. Sending the checksum thus needs no
        multiplexer, and checking it no 32-bit comparator.
        """
        taken = Signal()  # by the core or the line, in the previous cycle
        full = s.held & ~s.going_round
        m.d.comb += [
            checksum.start.eq(s.is_end),
            checksum.valid.eq(s.going_round & ~s.is_end),
            checksum.data.eq(Mux(s.is_check, ~checksum.crc[0], s.byte[0])),
            self.pixels.payload[0].eq(s.byte),
            self.pixels.valid.eq(full & s.is_pixel & ~taken),
            response.payload.data.eq(s.byte),
            response.payload.end.eq(s.is_end),
            response.valid.eq(full & s.is_response & ~taken),
        ]
        m.d.sync += taken.eq(
            Mux(s.is_pixel, self.pixels.valid & self.pixels.ready, response.valid & response.ready)
        )
        with m.If(s.accept | s.send):
            m.d.sync += [
                s.held.eq(1),
                s.going_round.eq(1),
                s.byte.eq(Mux(s.send, s.value, request.payload.data)),
                s.is_response.eq(s.send),
            ]
        with m.Elif(s.abandon):
            m.d.sync += [s.held.eq(0), s.going_round.eq(0), s.step.eq(0), s.is_end.eq(1)]
        with m.Elif(s.going_round):
            m.d.sync += [
                s.byte.eq(s.byte.rotate_right(1)),
                s.step.eq(s.step + 1),
                s.going_round.eq(s.step != 7),
            ]
        with m.Elif(taken | ~(s.is_pixel | s.is_response)):
            m.d.sync += s.held.eq(0)
