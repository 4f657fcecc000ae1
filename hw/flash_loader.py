"""Loads memories that the bitstream cannot initialise from a SPI flash. ::

cs   ~|____ 0xAB ____|~~ pause ~~|____ 0x03, address ____ data ... ____|~~~
load                                                 en en en ...
"""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import crc, wiring
from amaranth.lib.wiring import In, Out

from .spram import BLOCK_DEPTH, BLOCK_WIDTH, LoadSignature

__all__ = ["LOADED", "LOADING", "READ", "RELEASE", "WRONG", "FlashLoader"]

#: Commands of every SPI flash: release from deep power-down, and read from a 24-bit address on.
RELEASE = 0xAB
READ = 0x03

#: States of `FlashLoader.state`.
LOADING = 0
LOADED = 1
WRONG = 2


class FlashLoader(wiring.Component):
    """Copies the contents of a flash into blocks of RAM after each reset, and reports whether their checksum
    is right.

    The flash runs at half the clock rate, in SPI mode 0. A bit is sampled at the next falling edge of the
    flash clock, two cycles after the edge that makes the flash send it, which leaves time for both pads and
    the flash.

    Parameters
    ----------
    address : :class:`int`
        Address of the first byte in the flash, 0 ... 2**24 - 1.
    words : sequence of :class:`int`
        Number of 16-bit words of each block, 1 ... `BLOCK_DEPTH`. The blocks follow each other in the flash,
        low byte first.
    checksum : :class:`int`
        CRC-32 (as in ``zlib.crc32``) of all their bytes.
    pause : :class:`int`
        Cycles for the flash to wake up.

    Members
    -------
    cs, clk, copi : :py:`Out(1)`
        To the flash; `cs` is high while it is selected. From flip-flops, except `copi`.
    cipo : :py:`In(1)`
    load : :py:`Out(LoadSignature(len(words)))`
    state : :py:`Out(2)`
        `LOADING`, then `LOADED` or `WRONG`.
    checksum : :py:`Out(32)`
        CRC-32 of the bytes read; valid after `LOADING`.
    """

    def __init__(self, *, address: int, words: Sequence[int], checksum: int, pause: int):
        if not 0 <= address < 1 << 24:
            raise ValueError(f"address must be in 0 ... {(1 << 24) - 1}, not {address!r}")
        if not words or not all(1 <= count <= BLOCK_DEPTH for count in words):
            raise ValueError(f"words must be counts in 1 ... {BLOCK_DEPTH}, not {words!r}")
        self._address = address
        self._words = tuple(words)
        self._expected = checksum
        self._pause = pause
        super().__init__(
            {
                "cs": Out(1),
                "clk": Out(1),
                "copi": Out(1),
                "cipo": In(1),
                "load": Out(LoadSignature(len(self._words))),
                "state": Out(2, init=LOADING),
                "checksum": Out(32),
            }
        )

    @property
    def cycles(self) -> int:
        """Cycles from a reset until the checksum is compared: two per bit, and a few between transfers."""
        bits = 8 + 32 + BLOCK_WIDTH * sum(self._words)
        return 2 * bits + self._pause + 8

    def elaborate(self, platform):
        m = Module()

        m.submodules.crc = checksum = crc.catalog.CRC32_ISO_HDLC(data_width=1).create()
        request = Const(READ << 24 | self._address, 32)
        left = Signal(range(max(32, self._pause)), init=7)  # bits, or cycles of the pause, after this one
        falls = Signal()  # a bit is over
        word = Signal(BLOCK_WIDTH)  # as received: bytes in order, most significant bit first
        byte = Signal(8)  # the previous one, which enters the CRC least significant bit first
        block = Signal(len(self._words), init=1)
        ends_block = (Cat(self.load.addr == count - 1 for count in self._words) & block).any()
        m.d.comb += [
            falls.eq(self.cs & self.clk),
            checksum.data.eq(byte[0]),
            self.checksum.eq(checksum.crc),
            self.load.data.eq(Cat(word[8:], word[:8])),
        ]
        m.d.sync += self.clk.eq(self.cs & ~self.clk)
        with m.If(falls):
            m.d.sync += [left.eq(left - 1), word.eq(Cat(self.cipo, word)), byte.eq(byte[1:])]
            with m.If(left[:3] == 0):
                m.d.sync += byte.eq(Cat(self.cipo, word))
        m.d.sync += self.load.en.eq(0)
        with m.If(self.load.en.any()):
            m.d.sync += self.load.addr.eq(self.load.addr + 1)
            with m.If(ends_block):
                m.d.sync += [self.load.addr.eq(0), block.eq(block << 1)]

        with m.FSM():
            with m.State("Release"):
                m.d.sync += self.cs.eq(1)
                m.d.comb += self.copi.eq(Const(RELEASE, 8).bit_select(left[:3], 1))
                with m.If(falls & (left == 0)):
                    m.d.sync += [self.cs.eq(0), left.eq(self._pause - 1)]
                    m.next = "Pause"

            with m.State("Pause"):
                m.d.sync += left.eq(left - 1)
                with m.If(left == 0):
                    m.d.sync += [self.cs.eq(1), left.eq(31)]
                    m.next = "Request"

            with m.State("Request"):
                m.d.comb += [self.copi.eq(request.bit_select(left[:5], 1)), checksum.start.eq(1)]
                with m.If(falls & (left == 0)):
                    m.d.sync += left.eq(BLOCK_WIDTH - 1)
                    m.next = "First"

            # The first byte arrives; there is none yet for the CRC.
            with m.State("First"), m.If(falls & (left[:3] == 0)):
                m.next = "Data"

            with m.State("Data"):
                m.d.comb += checksum.valid.eq(falls)
                with m.If(falls & (left == 0)):
                    m.d.sync += [left.eq(BLOCK_WIDTH - 1), self.load.en.eq(block)]
                with m.If(self.load.en[-1] & ends_block):
                    m.next = "Last"

            with m.State("Last"):  # the last byte enters the CRC
                m.d.comb += checksum.valid.eq(falls)
                with m.If(falls & (left[:3] == 0)):
                    m.d.sync += self.cs.eq(0)
                    m.next = "Check"

            with m.State("Check"):
                m.d.sync += self.state.eq(Mux(checksum.crc == self._expected, LOADED, WRONG))

        return m
