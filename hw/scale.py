"""A scale and an offset for each class, where one scale does not suit all."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data
from amaranth.utils import bits_for

from .part import Part, PartComponent
from .rom import STORES, Rom

__all__ = ["Parameters", "Scale"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Parameters(Part):
    """What the scaling of scores is created from, and what it computes in software.

    Parameters
    ----------
    maximum : :class:`int`
        Maximum count of a class; the minimum is 0.
    scales, offsets : tuple of :class:`int`
        For each class.
    store : :class:`str`
        Memory of both, ``"bram"`` or ``"lut"``.
    """

    rtl_name: ClassVar[str] = "scale"

    maximum: int
    scales: tuple[int, ...]
    offsets: tuple[int, ...]
    store: str = "lut"

    def __post_init__(self) -> None:
        if self.maximum < 1:
            raise ValueError(f"maximum must be at least 1, not {self.maximum!r}")
        if not 1 <= len(self.scales) == len(self.offsets):
            raise ValueError(
                f"each class must have a scale and an offset, not {len(self.scales)} and {len(self.offsets)}"
            )
        if self.store not in STORES:
            raise ValueError(f"store must be one of {', '.join(STORES)}, not {self.store!r}")

    @property
    def classes(self) -> int:
        return len(self.scales)

    @property
    def count_width(self) -> int:
        """Bits of a count."""
        return bits_for(self.maximum)

    @property
    def signed(self) -> bool:
        """Whether the highest bit of a scale is its sign."""
        return min(self.scales) < 0

    @property
    def scale_width(self) -> int:
        """Bits of a scale."""
        return _width(self.scales) if self.signed else bits_for(max(self.scales))

    @property
    def cycles(self) -> int:
        """Cycles per score: one for each bit of the scale, one for the offset, one to be passed on."""
        return self.scale_width + 2

    @property
    def offset_width(self) -> int:
        """Bits of an offset, two's complement."""
        return _width(self.offsets)

    @property
    def score_width(self) -> int:
        """Bits of a score, two's complement: those that the ends of every class need."""
        return _width(
            [
                offset + scale * count
                for scale, offset in zip(self.scales, self.offsets, strict=True)
                for count in (0, self.maximum)
            ]
        )

    @property
    def words(self) -> tuple[int, ...]:
        """The ROM: a word for each class, the scale below its offset."""
        return tuple(
            (scale & ((1 << self.scale_width) - 1))
            | (offset & ((1 << self.offset_width) - 1)) << self.scale_width
            for scale, offset in zip(self.scales, self.offsets, strict=True)
        )

    def compute(self, counts: Sequence[int]) -> list[int]:
        """The scores of one image's counts, in class order."""
        return [
            scale * count + offset
            for scale, offset, count in zip(self.scales, self.offsets, counts, strict=True)
        ]

    @property
    def i_shape(self) -> data.ArrayLayout:
        return data.ArrayLayout(unsigned(self.count_width), 1)

    @property
    def o_shape(self) -> data.ArrayLayout:
        return data.ArrayLayout(signed(self.score_width), 1)

    def busy(self, i_beats: int) -> int:
        return i_beats * self.cycles

    def create(self) -> "Scale":
        return Scale(self)


def _width(values: Iterable[int]) -> int:
    return max(bits_for(value, require_sign_bit=True) for value in values)


class Scale(PartComponent[Parameters]):
    """Computes ``scale * count + offset`` for each class, the classes in order.

    It shifts and adds, one bit of the scale per cycle, the lowest first: a score is valid `cycles` cycles
    after its count was taken, and the next count can be taken in that same cycle. Scores are few, while a
    multiplier in LUTs takes three times as many and is slower than all the rest of the core
    (``docs/hardware.md`` has the numbers).

    Parameters
    ----------
    parameters : :class:`Parameters`

    Members
    -------
    i : :py:`In(stream.Signature(ArrayLayout(unsigned(count_width), 1)))`
        Counts in class order.
    o : :py:`Out(stream.Signature(ArrayLayout(signed(score_width), 1)))`
    """

    def elaborate(self, platform):
        m = Module()
        p = self._parameters

        running = Signal()  # the score is being computed
        valid = Signal()  # it is computed and not yet taken
        step = Signal(range(p.scale_width + 1))  # the offset, then each bit of the scale
        last = step == p.scale_width
        take = Signal()
        m.d.comb += [
            self.i.ready.eq(~running & (~valid | self.o.ready)),
            self.o.valid.eq(valid),
            take.eq(self.i.valid & self.i.ready),
        ]

        index = Signal(range(p.classes))
        m.submodules.rom = rom = Rom(width=p.scale_width + p.offset_width, words=p.words, store=p.store)
        scale, offset = rom.data[: p.scale_width], rom.data[p.scale_width :].as_signed()
        m.d.comb += [rom.addr.eq(index), rom.en.eq(take)]

        addend = Signal(
            signed(p.score_width), reset_less=True
        )  # the count, times two for each step after the first bit's
        score = Signal(signed(p.score_width), reset_less=True)
        negative = last if p.signed else Const(0)  # the place of a sign counts below zero
        m.d.comb += self.o.payload[0].eq(score)
        with m.If(running & Cat(Const(1), scale).bit_select(step, 1)):
            bit = (addend ^ negative.replicate(p.score_width)).as_signed()
            m.d.sync += score.eq(score + Mux(step == 0, offset, bit) + negative)
        with m.If(running):
            m.d.sync += [step.eq(Mux(last, 0, step + 1)), running.eq(~last), valid.eq(last)]
            with m.If(step != 0):
                m.d.sync += addend.eq(addend << 1)
        with m.If(valid & self.o.ready):
            m.d.sync += valid.eq(0)
        with m.If(take):
            m.d.sync += [
                running.eq(1),
                score.eq(0),
                addend.eq(self.i.payload[0]),
                index.eq(Mux(index == p.classes - 1, 0, index + 1)),
            ]

        return m
