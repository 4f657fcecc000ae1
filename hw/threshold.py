"""Numbers to bits, or to numbers of a few bits."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from amaranth.hdl import Const, Module, Mux, Signal, unsigned
from amaranth.lib import data
from amaranth.utils import bits_for

from .bits import bits
from .part import Part, PartComponent
from .rom import STORES, Rom

__all__ = ["Parameters", "Threshold"]


@dataclass(frozen=True, kw_only=True)
class Parameters(Part):
    """What a comparison of numbers with thresholds is created from.

    Parameters
    ----------
    thresholds : tuple of tuple of :class:`int`
        For each element of a vector as many as for every other, not negative.
    inverted : tuple of :class:`int`
        0 or 1 for each element of a vector.
    width : :class:`int`
        Bits of a number.
    lanes : :class:`int`
        Numbers in a beat; need not divide the vector.
    store : :class:`str`
        Memory of the thresholds, ``"bram"`` or ``"lut"``.
    """

    rtl_name: ClassVar[str] = "threshold"

    thresholds: tuple[tuple[int, ...], ...]
    inverted: tuple[int, ...]
    width: int
    lanes: int
    store: str

    def __post_init__(self) -> None:
        for name in "width", "lanes":
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)!r}")
        if len(self.inverted) != len(self.thresholds):
            raise ValueError(
                f"{len(self.thresholds)} elements need as many inversions, not {len(self.inverted)}"
            )
        if len({len(levels) for levels in self.thresholds} | {0}) != 2:
            raise ValueError("each element must have the same number of thresholds, at least 1")
        if self.store not in STORES:
            raise ValueError(f"store must be one of {', '.join(STORES)}, not {self.store!r}")

    @property
    def beats(self) -> int:
        """Beats of a vector."""
        return -(-len(self.thresholds) // self.lanes)

    @property
    def threshold_width(self) -> int:
        """Bits of a threshold."""
        return bits_for(max(1, *(threshold for levels in self.thresholds for threshold in levels)))

    @property
    def levels(self) -> int:
        """Thresholds of an element."""
        return len(self.thresholds[0])

    @property
    def lane_width(self) -> int:
        """Bits of a lane of a word of the ROM."""
        return self.levels * self.threshold_width + 1

    @property
    def o_width(self) -> int:
        """Bits of an output."""
        return bits_for(self.levels)

    @cached_property
    def words(self) -> tuple[int, ...]:
        """The ROM: a word per beat; of each lane, first lowest, the thresholds, the first lowest, above them
        the inversion."""
        width, words = self.threshold_width, []
        for first in range(0, len(self.thresholds), self.lanes):
            lanes = slice(first, first + self.lanes)
            pairs = list(zip(self.thresholds[lanes], self.inverted[lanes], strict=True))
            unused = (1,) * self.levels, 0  # the 0 of an unused lane stays below 1
            pairs += [unused] * (self.lanes - len(pairs))
            word = 0
            for lane, (levels, inverted) in enumerate(pairs):
                fields = *levels, inverted
                content = sum(field << place * width for place, field in enumerate(fields))
                word |= content << lane * self.lane_width
            words.append(word)
        return tuple(words)

    @property
    def i_shape(self) -> data.ArrayLayout:
        return data.ArrayLayout(unsigned(self.width), self.lanes)

    @property
    def o_shape(self) -> data.ArrayLayout:
        return bits(self.lanes) if self.levels == 1 else data.ArrayLayout(unsigned(self.o_width), self.lanes)

    def create(self) -> "Threshold":
        return Threshold(self)


class Threshold(PartComponent[Parameters]):
    """Compares each number of a vector with a threshold of its own: ``(x >= threshold) ^ inverted``. With
    several thresholds the output is the number of them that x reaches, or, inverted, does not reach.

    One beat is taken per cycle and leaves two cycles later: the first register is parallel to the ROM's, the
    second follows the comparison. Back-pressure: both stand still while a result waits. Unused lanes of a
    vector's last beat stay 0.

    Parameters
    ----------
    parameters : :class:`Parameters`

    Members
    -------
    i : :py:`In(stream.Signature(ArrayLayout(unsigned(width), lanes)))`
    o : :py:`Out(stream.Signature(bits(lanes)))`, or an ArrayLayout of numbers of `o_width` bits
    """

    def elaborate(self, platform):
        m = Module()
        p = self._parameters
        width, words = p.threshold_width, p.words
        x = Signal.like(self.i.payload)
        held = Signal()
        go = Signal()
        m.d.comb += [go.eq(~self.o.valid | self.o.ready), self.i.ready.eq(go)]
        with m.If(go):
            m.d.sync += [x.eq(self.i.payload), held.eq(self.i.valid), self.o.valid.eq(held)]

        if len(set(words)) == 1:
            chosen = Const(words[0], p.lanes * p.lane_width)
        else:
            m.submodules.rom = rom = Rom(width=p.lanes * p.lane_width, words=words, store=p.store)
            beat = Signal(range(len(words)))
            m.d.comb += [rom.addr.eq(beat), rom.en.eq(go)]
            with m.If(go & self.i.valid):
                m.d.sync += beat.eq(Mux(beat == len(words) - 1, 0, beat + 1))
            chosen = rom.data
        for lane in range(p.lanes):
            word = chosen.word_select(lane, p.lane_width)
            reached = [x[lane] >= word.word_select(level, width) for level in range(p.levels)]
            inverted, count = word[-1], sum(reached)
            with m.If(go):
                m.d.sync += self.o.payload[lane].eq(
                    reached[0] ^ inverted if p.levels == 1 else Mux(inverted, p.levels - count, count)
                )
        return m
