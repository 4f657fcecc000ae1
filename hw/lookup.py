"""Raw pixels to other numbers."""

from dataclasses import dataclass
from typing import ClassVar

from amaranth.hdl import Module, Mux, Signal, Value, unsigned
from amaranth.lib import data

from .part import Part, PartComponent

__all__ = ["Lookup", "Parameters"]

#: A table of at most so many runs, in each of which one number is added to the pixel, becomes comparators and
#: an adder; another a ROM of LUTs.
_MOST_RUNS = 6


@dataclass(frozen=True, kw_only=True)
class Parameters(Part):
    """What a table of pixels is created from.

    Parameters
    ----------
    table : tuple of 256 :class:`int`
        Of 0 ... 255, not all 0.
    pixels : :class:`int`
        Pixels of an image.
    lanes : :class:`int`
        Pixels in a beat; need not divide the image.
    """

    rtl_name: ClassVar[str] = "lookup"

    table: tuple[int, ...]
    pixels: int
    lanes: int

    def __post_init__(self) -> None:
        if self.lanes < 1:
            raise ValueError(f"lanes must be at least 1, not {self.lanes!r}")
        if len(self.table) != 256 or min(self.table) < 0 or not 1 <= max(self.table) <= 255:
            raise ValueError(f"table must be 256 numbers of 0 ... 255, not all 0, not {self.table!r}")

    @property
    def width(self) -> int:
        """Bits of the maximum."""
        return max(self.table).bit_length()

    @property
    def runs(self) -> list[tuple[int, int]] | None:
        """The table as (first pixel, number less pixel) of each run, or None where these are too many."""
        moved = [number - pixel for pixel, number in enumerate(self.table)]
        runs = [(pixel, each) for pixel, each in enumerate(moved) if pixel == 0 or each != moved[pixel - 1]]
        return runs if len(runs) <= _MOST_RUNS else None

    @property
    def i_shape(self) -> data.ArrayLayout:
        return data.ArrayLayout(unsigned(8), self.lanes)

    @property
    def o_shape(self) -> data.ArrayLayout:
        return data.ArrayLayout(unsigned(self.width), self.lanes)

    def create(self) -> "Lookup":
        return Lookup(self)


class Lookup(PartComponent[Parameters]):
    """Replaces each pixel by its number in a table.

    Combinational: no latency, one beat per cycle, back-pressure passes through. A quantiser often adds a
    constant to the pixel, in runs of many pixels; that costs no ROM.

    Parameters
    ----------
    parameters : :class:`Parameters`

    Members
    -------
    i : :py:`In(stream.Signature(ArrayLayout(unsigned(8), lanes)))`
    o : :py:`Out(stream.Signature(ArrayLayout(unsigned(width), lanes)))`
    """

    def elaborate(self, platform):
        m = Module()
        p = self._parameters

        beats = -(-p.pixels // p.lanes)
        unused = beats * p.lanes - p.pixels
        last = Signal()
        if unused:
            beat = Signal(range(beats))
            with m.If(self.i.valid & self.i.ready):
                m.d.sync += beat.eq(Mux(beat == beats - 1, 0, beat + 1))
            m.d.comb += last.eq(beat == beats - 1)

        m.d.comb += [self.o.valid.eq(self.i.valid), self.i.ready.eq(self.o.ready)]
        for lane in range(p.lanes):
            number = Signal(8, name=f"number_{lane}")
            self._look_up(m, self.i.payload[lane], number)
            # Lanes past the end of the image are 0.
            m.d.comb += self.o.payload[lane].eq(Mux(last, 0, number) if lane >= p.lanes - unused else number)

        return m

    def _look_up(self, m: Module, pixel: Value, number: Signal) -> None:
        runs = self._parameters.runs
        if runs is None:
            with m.Switch(pixel):
                for at, each in enumerate(self._parameters.table):
                    with m.Case(at):
                        m.d.comb += number.eq(each)
            return
        moved = runs[0][1]
        for start, each in runs[1:]:
            moved = Mux(pixel >= start, each, moved)
        m.d.comb += number.eq(pixel + moved)
