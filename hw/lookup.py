"""Raw pixels to other numbers."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Lookup"]

#: A table in so many runs of pixels that are moved by the same number is comparators and an adder, another a
#: ROM of LUTs.
_MOST_RUNS = 6


class Lookup(wiring.Component):
    """Gives for each pixel its number in a table.

    Combinational: no latency, one beat a cycle, back-pressure passes through. What a quantiser makes of
    pixels is often the pixel and a constant, in runs of many pixels; that costs no ROM.

    Parameters
    ----------
    table : sequence of 256 :class:`int`
        Of 0 ... 255, not all 0.
    pixels : :class:`int`
        Pixels of an image.
    lanes : :class:`int`
        Pixels in a beat; need not divide the image.

    Members
    -------
    i : :py:`In(stream.Signature(ArrayLayout(unsigned(8), lanes)))`
    o : :py:`Out(stream.Signature(ArrayLayout(unsigned(n), lanes)))`
        n are the bits of the greatest number.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, table, pixels, lanes):
        if lanes < 1:
            raise ValueError(f"lanes must be at least 1, not {lanes!r}")
        self._table = tuple(int(number) for number in table)
        if len(self._table) != 256 or min(self._table) < 0 or not 1 <= max(self._table) <= 255:
            raise ValueError(f"table must be 256 numbers of 0 ... 255, not all 0, not {self._table!r}")
        self._pixels = pixels
        self._lanes = lanes
        super().__init__(
            {
                "i": In(stream.Signature(data.ArrayLayout(unsigned(8), lanes))),
                "o": Out(stream.Signature(data.ArrayLayout(unsigned(max(self._table).bit_length()), lanes))),
            }
        )

    @property
    def lanes(self):
        return self._lanes

    @staticmethod
    def runs(table):
        """The table as (first pixel, number less pixel) of each run, or None where these are too many."""
        moved = [int(number) - pixel for pixel, number in enumerate(table)]
        found = [(pixel, each) for pixel, each in enumerate(moved) if pixel == 0 or each != moved[pixel - 1]]
        return found if len(found) <= _MOST_RUNS else None

    def elaborate(self, platform):
        m = Module()

        beats = -(-self._pixels // self._lanes)
        unused = beats * self._lanes - self._pixels
        last = Signal()
        if unused:
            beat = Signal(range(beats))
            with m.If(self.i.valid & self.i.ready):
                m.d.sync += beat.eq(Mux(beat == beats - 1, 0, beat + 1))
            m.d.comb += last.eq(beat == beats - 1)

        m.d.comb += [self.o.valid.eq(self.i.valid), self.i.ready.eq(self.o.ready)]
        for lane in range(self._lanes):
            number = Signal(8, name=f"number_{lane}")
            self._look_up(m, self.i.payload[lane], number)
            # Lanes past the end of the image are 0.
            m.d.comb += self.o.payload[lane].eq(
                Mux(last, 0, number) if lane >= self._lanes - unused else number
            )

        return m

    def _look_up(self, m, pixel, number):
        runs = self.runs(self._table)
        if runs is None:
            with m.Switch(pixel):
                for at, each in enumerate(self._table):
                    with m.Case(at):
                        m.d.comb += number.eq(each)
            return
        moved = runs[0][1]
        for start, each in runs[1:]:
            moved = Mux(pixel >= start, each, moved)
        m.d.comb += number.eq(pixel + moved)
