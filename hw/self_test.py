"""Stored images for a core, and whether its results are the expected ones: a test without a host."""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Array, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from . import width
from .argmax import result_layout
from .rom import Rom

__all__ = ["Parameters", "SelfTest", "signature"]

#: A polynomial of 32 bits that is primitive, that of the CRC-32.
_POLYNOMIAL = 0xEDB88320

_SIGNATURE_BITS = 32


def signature(scores: Sequence[int]) -> int:
    """What remains of a sequence of scores.

    Equal sequences have equal signatures, and two that differ in a single score have different ones. Others
    agree by chance in one of 2^32 cases.

    Parameters
    ----------
    scores : sequence of int
        Of all images, in the order in which a core outputs them; each fits 32 bits, two's complement.
    """
    state = 0
    for score in scores:
        shifted = (state >> 1) ^ (_POLYNOMIAL if state & 1 else 0)
        state = shifted ^ (score & 0xFFFFFFFF)
    return state


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """What a :class:`SelfTest` is created from.

    Parameters
    ----------
    codes : tuple of :class:`int`
        The code of each pixel of all images.
    bits : :class:`int`
        Bits of a code, 1 ... 8.
    levels : tuple of :class:`int`
        The boundaries between the codes of a pixel, as the host link has them; empty where a code is the
        pixel.
    pixels, lanes : :class:`int`
        Of an image, and of a beat of the core.
    outputs, score_width, top_k, signs
        As in :func:`.result_layout`.
    labels : tuple of :class:`int`
        What the core must decide of each image: its class, or the bits of its outputs, output 0 lowest.
    signature : :class:`int`
        That of all scores (:func:`signature`).
    store : :class:`str`
        Where the codes are stored: ``"bram"`` or ``"lut"``.
    patience : :class:`int`
        Cycles within which the next result must come.
    """

    codes: tuple[int, ...]
    bits: int
    levels: tuple[int, ...]
    pixels: int
    lanes: int
    outputs: int
    score_width: int
    top_k: int
    signs: bool
    labels: tuple[int, ...]
    signature: int
    store: str
    patience: int

    def __post_init__(self) -> None:
        if not self.labels or len(self.codes) != self.pixels * len(self.labels):
            raise ValueError(
                f"there must be {self.pixels} codes for each of {len(self.labels)} images, not"
                f" {len(self.codes)}"
            )
        if not 1 <= self.bits <= 8 or max(self.codes) >> self.bits:
            raise ValueError(
                f"codes must have the {self.bits!r} bits of 1 ... 8, but reach {max(self.codes)}"
            )
        if self.patience < 1:
            raise ValueError(f"patience must be at least 1, not {self.patience!r}")

    @property
    def codes_per_word(self) -> int:
        """Codes in a byte of the memory."""
        return 8 // self.bits

    @property
    def words(self) -> list[int]:
        """The contents of the memory: codes in bytes, the first lowest."""
        return [
            sum(code << (self.bits * n) for n, code in enumerate(self.codes[at : at + self.codes_per_word]))
            for at in range(0, len(self.codes), self.codes_per_word)
        ]


class SelfTest(wiring.Component):
    """Gives a core the same images again and again, and compares each result with the expected one.

    Parameters
    ----------
    parameters : :class:`Parameters`

    Members
    -------
    run : :py:`In(1)`
        Images are given while it is high.
    pixels : :py:`Out(stream.Signature(ArrayLayout(unsigned(8), lanes)))`
    results : :py:`In(stream.Signature(result_layout(...)))`
        Always ready.
    passed : :py:`Out(1)`
        High when all images have had the expected results at least once, and no result was another one since
        the reset.
    failed : :py:`Out(1)`
        High from the first wrong decision on, from the end of a round with wrong scores on, or when no result
        came in time.
    """

    def __init__(self, parameters: Parameters):
        self._parameters = p = parameters
        super().__init__(
            {
                "run": In(1),
                "pixels": Out(stream.Signature(data.ArrayLayout(unsigned(8), p.lanes))),
                "results": In(
                    stream.Signature(
                        result_layout(
                            score_width=p.score_width, outputs=p.outputs, top_k=p.top_k, signs=p.signs
                        )
                    )
                ),
                "passed": Out(1),
                "failed": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        self._give(m)
        self._compare(m)
        return m

    def _give(self, m: Module) -> None:
        """Pixels out of the memory, one per cycle but where a word is fetched."""
        p = self._parameters
        m.submodules.memory = rom = Rom(width=8, words=p.words, store=p.store)
        m.submodules.width = converter = width.Parameters(
            shape=unsigned(8), length=p.pixels, i_lanes=1, o_lanes=p.lanes
        ).create()
        connect(m, converter.o, flipped(self.pixels))

        address = Signal(range(len(p.words)))
        left = Signal(range(len(p.codes)), init=len(p.codes) - 1)  # codes after the present one
        word = Signal(8)
        place = Signal(range(p.codes_per_word))  # the code's in its word
        fetched = Signal()  # the next word is in the memory's register
        held = Signal()  # there are codes in `word`
        last_in_word = (place == p.codes_per_word - 1) | (left == 0)
        code = word[: p.bits]
        taken = converter.i.valid & converter.i.ready

        m.d.comb += [
            rom.addr.eq(address),
            rom.en.eq(~fetched),
            converter.i.valid.eq(held & self.run),
            converter.i.payload[0].eq(Array([0, *p.levels])[code] if p.levels else code),
        ]
        with m.If(~fetched):
            m.d.sync += [fetched.eq(1), address.eq(Mux(address == len(p.words) - 1, 0, address + 1))]
        with m.If(taken):
            m.d.sync += [
                word.eq(word >> p.bits),
                place.eq(Mux(last_in_word, 0, place + 1)),
                left.eq(Mux(left == 0, len(p.codes) - 1, left - 1)),
                held.eq(~last_in_word),
            ]
        with m.If(fetched & ~held):
            m.d.sync += [word.eq(rom.data), held.eq(1), fetched.eq(0)]

    def _compare(self, m: Module) -> None:
        """Results with those expected, behind a register for the clock's sake."""
        p = self._parameters
        result = Signal(self.results.payload.shape())
        there = Signal()
        last_image = len(p.labels) - 1
        image = Signal(range(last_image + 1))
        fresh = Signal(init=1)  # the next score is the first of a round
        state = Signal(_SIGNATURE_BITS)
        score = Signal(signed(_SIGNATURE_BITS))
        waited = Signal(range(p.patience + 1))
        wrong = Signal()  # the decision before was
        ended = Signal()  # it was the last of a round
        whole = Signal()  # there was a round
        labels = Array([Const(label, len(result.label)) for label in p.labels])
        shifted = (state >> 1) ^ Mux(state[0], _POLYNOMIAL, 0)

        m.d.comb += [self.results.ready.eq(1), score.eq(result.score), self.passed.eq(whole & ~self.failed)]
        m.d.sync += [result.eq(self.results.payload), there.eq(self.results.valid), wrong.eq(0), ended.eq(0)]
        with m.If(there):
            m.d.sync += [state.eq(Mux(fresh, 0, shifted) ^ score.as_unsigned()), fresh.eq(0)]
            with m.If(result.last):
                m.d.sync += wrong.eq(result.label != labels[image])
                with m.If(image == last_image):
                    m.d.sync += [image.eq(0), fresh.eq(1), ended.eq(1)]
                with m.Else():
                    m.d.sync += image.eq(image + 1)
        with m.If(there | ~self.run):
            m.d.sync += waited.eq(0)
        with m.Elif(waited != p.patience):
            m.d.sync += waited.eq(waited + 1)
        with m.If(ended):
            m.d.sync += whole.eq(1)
        with m.If(wrong | ended & (state != p.signature) | (waited == p.patience)):
            m.d.sync += self.failed.eq(1)
