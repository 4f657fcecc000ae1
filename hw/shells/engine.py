"""A core that takes an image as words of a bus, in which the last is marked."""

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..core import Core
from ..width import Parameters as WidthParameters
from .gate import Gate, word_layout
from .parameters import Parameters

__all__ = ["Engine"]


class Engine(wiring.Component):
    """A core between the two ends of a :class:`.Gate`, with words in place of beats. ::

        i -> Gate -> WidthConverter -> codes to pixels -> Core -> Gate -> o

    Parameters
    ----------
    core : :class:`.Core`
        Without RAM to be loaded.
    parameters : :class:`.Parameters`

    Members
    -------
    i : :py:`In(stream.Signature(word_layout(width)))`
    o : :py:`Out(stream.Signature(core.o.payload.shape()))`
        Results of the images that had the right length.
    dropped : :py:`Out(1)`
        High for one cycle for each of the others.
    """

    i: stream.Interface
    o: stream.Interface
    dropped: Signal

    def __init__(self, *, core: Core, parameters: Parameters) -> None:
        if core.ram_contents:
            raise ValueError("a core in a shell must hold its weights in ROMs, not in RAM to be loaded")
        self._core = core
        self._parameters = parameters
        self._gate = Gate(
            words=parameters.words(core.pixels),
            width=parameters.width,
            result_shape=core.o.payload.shape(),
            in_flight=parameters.in_flight,
        )
        super().__init__(
            {
                "i": In(stream.Signature(word_layout(parameters.width))),
                "o": Out(core.signature.members["o"].signature),
                "dropped": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        p = self._parameters
        m.submodules.core = core = self._core
        m.submodules.gate = gate = self._gate
        m.submodules.width = width = WidthParameters(
            shape=unsigned(p.pixel_bits), length=core.pixels, i_lanes=p.word_pixels, o_lanes=core.lanes
        ).create()
        connect(m, flipped(self.i), gate.i)
        m.d.comb += [
            width.i.payload.eq(gate.o.payload),
            width.i.valid.eq(gate.o.valid),
            gate.o.ready.eq(width.i.ready),
            core.i.valid.eq(width.o.valid),
            width.o.ready.eq(core.i.ready),
            self.dropped.eq(gate.dropped),
        ]
        for pixel, code in zip(core.i.payload, width.o.payload, strict=True):
            self._pixel(m, pixel, code)
        connect(m, core.o, gate.results)
        connect(m, gate.kept, flipped(self.o))
        return m

    def _pixel(self, m: Module, pixel: data.View, code: data.View) -> None:
        """A pixel that the network takes for what its code stands for."""
        levels = self._parameters.levels
        if not levels:
            m.d.comb += pixel.eq(code)
            return
        with m.Switch(code):
            for value, level in enumerate((0, *levels[:-1])):
                with m.Case(value):
                    m.d.comb += pixel.eq(level)
            with m.Default():
                m.d.comb += pixel.eq(levels[-1])
