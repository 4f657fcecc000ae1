"""Raw pixels to bits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data

from .bits import bits
from .part import Part, PartComponent

__all__ = ["Binarize", "Parameters", "period"]

_NEVER = 256  # greater than any pixel


def period(beats: Sequence) -> int:
    """The least number of beats after which `beats` repeats itself; it divides their number."""
    count = len(beats)
    return next(
        n for n in range(1, count + 1) if count % n == 0 and list(beats) == list(beats[:n]) * (count // n)
    )


@dataclass(frozen=True, kw_only=True)
class Parameters(Part):
    """What the comparators of pixels are created from.

    Parameters
    ----------
    thresholds : tuple of tuple of :class:`int`
        For each pixel of the image its levels, each 0 ... 256.
    lanes : :class:`int`
        Pixels in a beat; need not divide the image.
    """

    rtl_name: ClassVar[str] = "binarize"

    thresholds: tuple[tuple[int, ...], ...]
    lanes: int

    def __post_init__(self) -> None:
        if self.lanes < 1:
            raise ValueError(f"lanes must be at least 1, not {self.lanes!r}")

    @property
    def levels(self) -> int:
        """Thresholds of a pixel."""
        return len(self.thresholds[0])

    @property
    def i_shape(self) -> data.ArrayLayout:
        return data.ArrayLayout(unsigned(8), self.lanes)

    @property
    def o_shape(self) -> data.ArrayLayout:
        return bits(self.lanes * self.levels)

    def create(self) -> "Binarize":
        return Binarize(self)


class Binarize(PartComponent[Parameters]):
    """Compares each pixel with its thresholds: bit ``lane * levels + l`` is ``pixel >= threshold[l]``.

    Combinational: no latency, one beat per cycle, back-pressure passes through.

    Parameters
    ----------
    parameters : :class:`Parameters`

    Members
    -------
    i : :py:`In(stream.Signature(ArrayLayout(unsigned(8), lanes)))`
    o : :py:`Out(stream.Signature(bits(lanes * levels)))`
    """

    def elaborate(self, platform):
        m = Module()
        p = self._parameters

        # Lanes past the end of the image stay off, whatever their neighbours' thresholds are.
        padding = ((_NEVER,) * p.levels,) * (-len(p.thresholds) % p.lanes)
        thresholds = [*p.thresholds, *padding]
        beats = [thresholds[at : at + p.lanes] for at in range(0, len(thresholds), p.lanes)]
        # The thresholds of a pixel's channels repeat with the next pixel.
        beats = beats[: period(beats)]

        beat = Signal(range(len(beats)))
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += beat.eq(Mux(beat == len(beats) - 1, 0, beat + 1))

        m.d.comb += [self.o.valid.eq(self.i.valid), self.i.ready.eq(self.o.ready)]
        for lane in range(p.lanes):
            for level in range(p.levels):
                each = [pixels[lane][level] for pixels in beats]
                m.d.comb += self.o.payload[lane * p.levels + level].eq(
                    self.i.payload[lane] >= _select(m, beat, each, name=f"threshold_{lane}_{level}")
                )

        return m


def _select(m: Module, index: Signal, values: list[int], *, name: str) -> Signal | int:
    """The `index`-th of constant `values`; a constant where they are all the same."""
    if len(set(values)) == 1:
        return values[0]
    value = Signal(range(_NEVER + 1), name=name)
    with m.Switch(index):
        for n, each in enumerate(values):
            with m.Case(n):
                m.d.comb += value.eq(each)
    return value
