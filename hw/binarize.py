"""Raw pixels to bits."""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .bits import bits

__all__ = ["Binarize", "period"]

_NEVER = 256  # greater than any pixel


def period(beats):
    """Number of beats after which what stands in them repeats: the least that divides their number.

    Parameters
    ----------
    beats : list
    """
    return next(
        n for n in range(1, len(beats) + 1) if len(beats) % n == 0 and beats == beats[:n] * (len(beats) // n)
    )


class Binarize(wiring.Component):
    """Compares each pixel with its thresholds: bit ``lane * levels + l`` is ``pixel >= threshold[l]``.

    Combinational: no latency, one beat a cycle, back-pressure passes through.

    Parameters
    ----------
    thresholds : sequence of sequences of :class:`int`
        For each pixel of the image its levels, each 0 ... 256.
    lanes : :class:`int`
        Pixels in a beat; need not divide the image.

    Members
    -------
    i : :py:`In(stream.Signature(ArrayLayout(unsigned(8), lanes)))`
    o : :py:`Out(stream.Signature(bits(lanes * levels)))`
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, thresholds, lanes):
        if lanes < 1:
            raise ValueError(f"lanes must be at least 1, not {lanes!r}")
        self._thresholds = tuple(tuple(int(level) for level in pixel) for pixel in thresholds)
        self._levels = len(self._thresholds[0])
        self._lanes = lanes
        super().__init__(
            {
                "i": In(stream.Signature(data.ArrayLayout(unsigned(8), lanes))),
                "o": Out(stream.Signature(bits(lanes * self._levels))),
            }
        )

    @property
    def lanes(self):
        return self._lanes

    @property
    def levels(self):
        return self._levels

    def elaborate(self, platform):
        m = Module()

        # Lanes past the end of the image stay off, whatever their neighbours' thresholds are.
        padding = ((_NEVER,) * self._levels,) * (-len(self._thresholds) % self._lanes)
        thresholds = self._thresholds + padding
        beats = [thresholds[at : at + self._lanes] for at in range(0, len(thresholds), self._lanes)]
        # Those of the channels of a pixel come again with the next pixel.
        beats = beats[: period(beats)]

        beat = Signal(range(len(beats)))
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += beat.eq(Mux(beat == len(beats) - 1, 0, beat + 1))

        m.d.comb += [self.o.valid.eq(self.i.valid), self.i.ready.eq(self.o.ready)]
        for lane in range(self._lanes):
            for level in range(self._levels):
                each = [pixels[lane][level] for pixels in beats]
                m.d.comb += self.o.payload[lane * self._levels + level].eq(
                    self.i.payload[lane] >= _select(m, beat, each, name=f"threshold_{lane}_{level}")
                )

        return m


def _select(m, index, values, *, name):
    """The `index`-th of constant `values`; a constant where they are all the same."""
    if len(set(values)) == 1:
        return values[0]
    value = Signal(range(_NEVER + 1), name=name)
    with m.Switch(index):
        for n, each in enumerate(values):
            with m.Case(n):
                m.d.comb += value.eq(each)
    return value
