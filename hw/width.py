"""Conversion of a vector from beats of one width to beats of another."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

from amaranth.hdl import Module, Mux, Shape, ShapeLike, Signal
from amaranth.lib import data
from amaranth.lib.wiring import connect, flipped

from .part import Part, PartComponent

__all__ = ["Parameters", "WidthConverter", "conversions"]


def conversions(*, i_length: int, i_lanes: int, o_length: int, o_lanes: int) -> list[tuple[int, int, int]]:
    """The width converters between two components, as pairs of a length and the lanes of both sides.

    The first component outputs vectors of `i_length` elements in beats of `i_lanes`, the second takes vectors
    of `o_length`. One length is a multiple of the other: the pixels of an image are vectors, and the image is
    one. Unused lanes of a short vector's last beat must not end up inside a long one, so the beats between
    are cut to a width that leaves none.

    Returns
    -------
    list of (int, int, int)
        (length, i_lanes, o_lanes) for each :class:`WidthConverter`, in order; none where the beats already
        agree.
    """
    short = min(i_length, o_length)
    if i_length == o_length or short % i_lanes == 0:
        steps = [(o_length, i_lanes, o_lanes)]
    elif short % o_lanes == 0:
        steps = [(i_length, i_lanes, o_lanes)]
    else:
        between = math.gcd(short, o_lanes)
        steps = [(i_length, i_lanes, between), (o_length, between, o_lanes)]
    return [step for step in steps if step[1] != step[2]]


@dataclass(frozen=True, kw_only=True)
class Parameters(Part):
    """What a width converter is created from.

    Parameters
    ----------
    shape : :class:`ShapeLike`
        Shape of one element.
    length : :class:`int`
        Elements in a vector.
    i_lanes, o_lanes : :class:`int`
        Elements in a beat.
    """

    rtl_name: ClassVar[str] = "widthconverter"

    shape: ShapeLike
    length: int
    i_lanes: int
    o_lanes: int

    def __post_init__(self) -> None:
        for name in "length", "i_lanes", "o_lanes":
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)!r}")

    @property
    def narrow_lanes(self) -> int:
        """Elements in the narrowest beat on the way: that which divides both."""
        return math.gcd(self.i_lanes, self.o_lanes)

    @property
    def i_shape(self) -> data.ArrayLayout:
        return data.ArrayLayout(self.shape, self.i_lanes)

    @property
    def o_shape(self) -> data.ArrayLayout:
        return data.ArrayLayout(self.shape, self.o_lanes)

    def _vectors(self, i_beats: int) -> int:
        return i_beats // -(-self.length // self.i_lanes)

    def o_beats(self, i_beats: int) -> int:
        return self._vectors(i_beats) * -(-self.length // self.o_lanes)

    def busy(self, i_beats: int) -> int:
        return self._vectors(i_beats) * -(-self.length // self.narrow_lanes)

    def create(self) -> "WidthConverter":
        return WidthConverter(self)


class WidthConverter(PartComponent[Parameters]):
    """Repacks vectors of `length` elements from beats of `i_lanes` elements to beats of `o_lanes`.

    Each vector starts in lane 0 of a beat; unused lanes of its last beat are 0 on both sides.

    * Equal widths are wires: no latency.
    * A multiple (``o_lanes = k * i_lanes``) gathers beats: one beat is taken per cycle, the wide beat is
      valid one cycle after its last part.
    * A fraction (``i_lanes = k * o_lanes``) cuts beats: one beat is output per cycle without pause, the first
      one cycle after its wide beat.
    * Any other pair goes through the greatest common divisor: a cutter, then a gatherer.

    Where there is room the registers follow the input before it is valid, so their clock enables do not wait
    for `i.valid`.

    Parameters
    ----------
    parameters : :class:`Parameters`

    Members
    -------
    i : :py:`In(stream.Signature(ArrayLayout(shape, i_lanes)))`
    o : :py:`Out(stream.Signature(ArrayLayout(shape, o_lanes)))`
    """

    def elaborate(self, platform):
        m = Module()
        p = self._parameters
        if p.i_lanes == p.o_lanes:
            connect(m, flipped(self.i), flipped(self.o))
        elif p.i_lanes % p.o_lanes == 0:
            self._cut(m)
        elif p.o_lanes % p.i_lanes == 0:
            self._gather(m)
        else:
            m.submodules.cut = cut = replace(p, o_lanes=p.narrow_lanes).create()
            m.submodules.gather = gather = replace(p, i_lanes=p.narrow_lanes).create()
            connect(m, flipped(self.i), cut.i)
            connect(m, cut.o, gather.i)
            connect(m, gather.o, flipped(self.o))
        return m

    def _cut(self, m: Module) -> None:
        p = self._parameters
        beats = -(-p.length // p.i_lanes)
        parts = p.i_lanes // p.o_lanes
        last_parts = -(-(p.length - (beats - 1) * p.i_lanes) // p.o_lanes)

        word = Signal(Shape.cast(self.i.payload.shape()), reset_less=True)
        left = Signal(range(parts))  # parts of `word` to be output after this one
        last = Signal(init=1)  # whether that is none, from a flip-flop of its own: both streams wait for it
        beat = Signal(range(beats))  # position of the next wide beat in its vector
        ends = Signal(init=beats == 1)  # from a flip-flop: the next one is the last of its vector
        next_parts = Mux(ends, last_parts, parts)
        part_width = Shape.cast(self.o.payload.shape()).width
        move = Signal()

        m.d.comb += [
            move.eq(~self.o.valid | self.o.ready),
            self.o.payload.eq(word[:part_width]),
            self.i.ready.eq(last & move),
        ]
        with m.If(move):
            m.d.sync += [left.eq(left - 1), last.eq(left == 1), word.eq(word >> part_width)]
            with m.If(last):
                m.d.sync += [
                    self.o.valid.eq(self.i.valid),
                    word.eq(self.i.payload),
                    left.eq(next_parts - 1),
                    last.eq(~self.i.valid | (next_parts == 1)),
                ]
        if beats > 1:
            with m.If(self.i.valid & self.i.ready):
                m.d.sync += [beat.eq(Mux(ends, 0, beat + 1)), ends.eq(beat == beats - 2)]

    def _gather(self, m: Module) -> None:
        p = self._parameters
        beats = -(-p.length // p.i_lanes)
        parts = p.o_lanes // p.i_lanes
        whole = beats % parts == 0

        slots = [
            Signal(Shape.cast(self.i.payload.shape()), name=f"slot_{n}", reset_less=True)
            for n in range(parts)
        ]
        at = Signal(parts, init=1)  # one-hot: the slot of the next beat
        beat = Signal(range(beats))
        ends = Signal(init=beats == 1)  # from a flip-flop: the next beat is the last of its vector
        full = Signal()
        last = at[-1] if whole else at[-1] | ends

        m.d.comb += [self.o.valid.eq(full), self.i.ready.eq(~full | self.o.ready)]
        for n, slot in enumerate(slots):
            m.d.comb += self.o.payload.as_value().word_select(n, len(slot)).eq(slot)
        with m.If(self.o.ready):
            m.d.sync += full.eq(0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [full.eq(last), at.eq(Mux(last, 1, at << 1))]
            if whole:
                # A shift register needs no address; every slot is written anew for each wide beat.
                for slot, above in zip(slots, slots[1:] + [self.i.payload.as_value()], strict=True):
                    m.d.sync += slot.eq(above)
            elif beats > 1:
                m.d.sync += [beat.eq(Mux(ends, 0, beat + 1)), ends.eq(beat == beats - 2)]
        if not whole:
            # The first beat empties the slots of those that may not come.
            for n, slot in enumerate(slots):
                with m.If((at[n] | at[0]) & self.i.ready):
                    m.d.sync += slot.eq(Mux(at[n], self.i.payload, 0))
