"""The FPGA's end of the host link: framed, checksummed requests in, responses out.

The protocol is specified in ``docs/link.md``; ``boards/messages.py`` is the host's end. ::

    i -> slip.Decoder -> Checker -> Receiver -> PacketStore -> Reader -> Unpacker -> WidthConverter -> pixels
                                                                 | header
    o <- slip.Encoder <- Appender <------------------------- Responder <- ResultBytes <- Ranks <- results
"""

from amaranth.hdl import Array, Const, Module, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from . import width
from .argmax import result_layout
from .flash_loader import LOADED
from .frame_check import Appender, Checker
from .link_parameters import Parameters
from .link_reader import Reader
from .link_receiver import Receiver
from .link_responder import Responder
from .packet_store import PacketStore
from .queue import Queue
from .ranks import Ranks
from .result_bytes import ResultBytes
from .rom import Rom
from .slip import Decoder, Encoder, frame_layout
from .unpacker import Unpacker

__all__ = ["HostLink", "Parameters"]

#: Bytes of the longest header of a packet, so that the images after it need not wait for the response before.
_HEADER_BYTES = 4


class HostLink(wiring.Component):
    """Answers requests on a byte stream with the results of a core.

    A request is stored until its checksum is known. Only then its images go to the core, so the core only
    ever sees whole, verified images, and it is never cleared. Frames are answered in the order in which they
    came. All paths between the line, the store, the core and the responder end in flip-flops.

    The checksum takes one bit per cycle, and so do packed images; a line must need at least 10 cycles for a
    byte. :class:`.Parameters` has the cycles of an image.

    Parameters
    ----------
    parameters : :class:`.Parameters`
    digest : :class:`bytes`
        First 8 bytes of the SHA-256 of the network.
    byte_cycles : :class:`int`
        Cycles of a byte on the line, as identify reports them.
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
    pixels : :py:`Out(stream.Signature(ArrayLayout(unsigned(8), lanes)))`
        To the core: for each code of a pixel the least pixel that has it.
    results : :py:`In(stream.Signature(result_layout(...)))`
        From the core.
    busy : :py:`Out(1)`
        From the first byte of a request to the last of its response. From a flip-flop.
    state, checksum : :py:`In(2)`, :py:`In(32)`
        Those of a :class:`.FlashLoader`; only if `loads`.

    Raises
    ------
    ValueError
        `identity_store` is combined with `loads`.
    """

    i: stream.Interface
    o: stream.Interface
    pixels: stream.Interface
    results: stream.Interface
    busy: Signal

    def __init__(
        self,
        parameters: Parameters,
        *,
        digest: bytes,
        byte_cycles: int,
        loads: bool = False,
        identity_store: str | None = None,
    ):
        if len(digest) != 8:
            raise ValueError(f"digest must be 8 bytes, not {digest!r}")
        if loads and identity_store is not None:
            raise ValueError("the identity cannot be in a ROM if it includes the state of loaded weights")
        self._parameters = p = parameters
        self._loads = loads
        self._identity = p.identity(digest=digest, byte_cycles=byte_cycles, loads=loads)
        self._identity_store = identity_store
        results = result_layout(score_width=p.score_width, outputs=p.outputs, top_k=p.top_k, signs=p.signs)
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(8)),
                "pixels": Out(stream.Signature(data.ArrayLayout(unsigned(8), p.lanes))),
                "results": In(stream.Signature(results)),
                "busy": Out(1),
                **({"state": In(2), "checksum": In(32)} if loads else {}),
            }
        )

    @property
    def parameters(self) -> Parameters:
        return self._parameters

    @property
    def identity(self) -> bytes:
        """Payload of the response to identify; if `loads`, state and checksum follow it."""
        return self._identity

    def elaborate(self, platform):
        m = Module()
        p = self._parameters
        receiver = self._receive(m)
        m.submodules.store = store = PacketStore(depth=p.depth, store=p.store)
        m.submodules.reader = reader = Reader()
        m.submodules.header = header = Queue(shape=unsigned(8), depth=_HEADER_BYTES - 1)
        m.submodules.header_byte = header_byte = Queue(shape=unsigned(8), depth=1)
        identity = [Const(value, 8) for value in self._identity]
        if self._loads:
            identity += [self.state, *(self.checksum.word_select(n, 8) for n in range(4))]
        m.submodules.responder = responder = Responder(identity_bytes=len(identity))
        connect(m, receiver.store, store.write)
        connect(m, store.o, reader.i)
        connect(m, reader.header, header.i)
        connect(m, header.o, header_byte.i)
        connect(m, header_byte.o, responder.header)
        self._unpack(m, reader)
        self._identify(m, responder, identity)
        self._send(m, responder)
        waiting = header.o.valid | header_byte.o.valid
        m.d.sync += self.busy.eq(~(receiver.idle & store.empty & ~waiting & responder.idle))
        return m

    def _receive(self, m: Module) -> Receiver:
        """The way from the line to the store."""
        m.submodules.decoder = decoder = Decoder()
        m.submodules.register = register = Queue(shape=frame_layout, depth=1)
        m.submodules.checker = checker = Checker()
        m.submodules.receiver = receiver = Receiver(self._parameters)
        connect(m, flipped(self.i), decoder.i)
        connect(m, decoder.o, register.i)
        connect(m, register.o, checker.i)
        connect(m, checker.o, receiver.i)
        if self._loads:
            m.d.sync += receiver.missing.eq(self.state != LOADED)
        return receiver

    def _unpack(self, m: Module, reader: Reader) -> None:
        """The way from the store to the core."""
        p = self._parameters
        m.submodules.unpacker = unpacker = Unpacker(pixels=p.pixels, bits=p.pixel_bits)
        m.submodules.code = code = Queue(shape=unpacker.o.payload.shape(), depth=1)
        m.submodules.width = converter = width.Parameters(
            shape=unsigned(p.pixel_bits), length=p.pixels, i_lanes=1, o_lanes=p.lanes
        ).create()
        connect(m, reader.images, unpacker.i)
        connect(m, unpacker.o, code.i)
        # A code comes in every other cycle at most, so the converter may wait for a wide beat to leave before
        # it takes the next code: then no path leads from the core's handshake to its enables.
        free = ~converter.o.valid if p.lanes > 1 else Const(1)
        m.d.comb += [
            converter.i.payload.eq(code.o.payload),
            converter.i.valid.eq(code.o.valid & free),
            code.o.ready.eq(converter.i.ready & free),
            reader.done.eq(unpacker.done),
            self.pixels.valid.eq(converter.o.valid),
            converter.o.ready.eq(self.pixels.ready),
        ]
        for lane in range(p.lanes):
            code_ = converter.o.payload[lane]
            pixel = code_ if not p.levels else self._representative(code_)
            m.d.comb += self.pixels.payload[lane].eq(pixel)

    def _representative(self, code: Value) -> Value:
        """The least pixel of a code."""
        values = [0, *self._parameters.levels]
        return Array(Const(value, 8) for value in values)[code]

    def _identify(self, m: Module, responder: Responder, identity: list[Value]) -> None:
        """The bytes of the answer to identify."""
        if self._identity_store is None:
            m.d.sync += responder.identity.eq(Array(identity)[responder.index])
            return
        m.submodules.identity_rom = rom = Rom(
            width=8, words=self._identity, store=self._identity_store, patchable=True
        )
        m.d.comb += [rom.addr.eq(responder.index), rom.en.eq(1), responder.identity.eq(rom.data)]

    def _send(self, m: Module, responder: Responder) -> None:
        """The way from the core to the line."""
        p = self._parameters
        # Registers separate the core's handshakes and adders from the link's state machines.
        m.submodules.result = result = Queue(shape=self.results.payload.shape(), depth=1)
        m.submodules.result_bytes = result_bytes = ResultBytes(p)
        m.submodules.appender = appender = Appender()
        m.submodules.encoder = encoder = Encoder()
        connect(m, flipped(self.results), result.i)
        if p.signs:
            connect(m, result.o, result_bytes.i)
        else:
            m.submodules.ranks = ranks = Ranks(score_width=p.score_width, outputs=p.outputs, top_k=p.top_k)
            connect(m, result.o, ranks.i)
            connect(m, ranks.o, result_bytes.i)
        connect(m, result_bytes.o, responder.results)
        m.d.comb += [
            result_bytes.want.eq(responder.want),
            result_bytes.enable.eq(responder.enable),
            responder.done.eq(result_bytes.done),
        ]
        m.submodules.response = response = Queue(shape=frame_layout, depth=1)
        connect(m, responder.o, response.i)
        connect(m, response.o, appender.i)
        m.submodules.frame = frame = Queue(shape=frame_layout, depth=1)
        connect(m, appender.o, frame.i)
        connect(m, frame.o, encoder.i)
        connect(m, encoder.o, flipped(self.o))
