"""Numbers to bits."""

from amaranth.hdl import Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from .bits import bits
from .rom import Rom

__all__ = ["Threshold"]


class Threshold(wiring.Component):
    """Compares each number of a vector with a threshold of its own: ``(x >= threshold) ^ inverted``.

    One beat is taken each cycle and leaves two cycles later: the first register beside the ROM's, the second
    behind the comparison. Back-pressure: both stand still while a result waits. Unused lanes of a vector's
    last beat stay 0.

    Parameters
    ----------
    thresholds, inverted : sequence of :class:`int`
        One for each element of a vector; thresholds not negative.
    width : :class:`int`
        Bits of a number.
    lanes : :class:`int`
        Numbers in a beat; need not divide the vector.
    store : :class:`str`
        Where the thresholds live, ``"bram"`` or ``"lut"``.

    Members
    -------
    i : :py:`In(stream.Signature(ArrayLayout(unsigned(width), lanes)))`
    o : :py:`Out(stream.Signature(bits(lanes)))`
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, thresholds, inverted, width, lanes, store):
        for name, value in ("width", width), ("lanes", lanes):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value!r}")
        self._thresholds, self._inverted = tuple(thresholds), tuple(inverted)
        if len(self._inverted) != len(self._thresholds):
            raise ValueError(
                f"{len(self._thresholds)} thresholds need as many inversions, not {len(self._inverted)}"
            )
        self._lanes = lanes
        self._store = store
        super().__init__(
            {
                "i": In(stream.Signature(data.ArrayLayout(unsigned(width), lanes))),
                "o": Out(stream.Signature(bits(lanes))),
            }
        )

    @property
    def threshold_width(self):
        return bits_for(max(1, *self._thresholds))

    @property
    def words(self):
        """The ROM: a word a beat; of each lane, the first lowest, the threshold and above it the inversion."""
        width, words = self.threshold_width, []
        for at in range(0, len(self._thresholds), self._lanes):
            pairs = list(
                zip(
                    self._thresholds[at : at + self._lanes],
                    self._inverted[at : at + self._lanes],
                    strict=True,
                )
            )
            pairs += [(1, 0)] * (self._lanes - len(pairs))  # the 0 of an unused lane stays below 1
            words.append(
                sum(
                    (threshold | inverted << width) << lane * (width + 1)
                    for lane, (threshold, inverted) in enumerate(pairs)
                )
            )
        return tuple(words)

    def elaborate(self, platform):
        m = Module()
        width, words = self.threshold_width, self.words
        x = Signal.like(self.i.payload)
        held = Signal()
        go = Signal()
        m.d.comb += [go.eq(~self.o.valid | self.o.ready), self.i.ready.eq(go)]
        with m.If(go):
            m.d.sync += [x.eq(self.i.payload), held.eq(self.i.valid), self.o.valid.eq(held)]

        if len(set(words)) == 1:
            chosen = Const(words[0], self._lanes * (width + 1))
        else:
            m.submodules.rom = rom = Rom(width=self._lanes * (width + 1), words=words, store=self._store)
            beat = Signal(range(len(words)))
            m.d.comb += [rom.addr.eq(beat), rom.en.eq(go)]
            with m.If(go & self.i.valid):
                m.d.sync += beat.eq(Mux(beat == len(words) - 1, 0, beat + 1))
            chosen = rom.data
        for lane in range(self._lanes):
            word = chosen.word_select(lane, width + 1)
            with m.If(go):
                m.d.sync += self.o.payload[lane].eq((x[lane] >= word[:width]) ^ word[width])
        return m
