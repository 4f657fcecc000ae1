"""The compute core: a chain of stream components from raw pixels to scores and classes."""

from amaranth.hdl import Module, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from .argmax import Argmax, result_layout
from .replay import ReplayBuffer
from .width import WidthConverter

__all__ = ["Core"]


class Core(wiring.Component):
    """Runs a whole network on a stream of images.

    Pixels enter raw, in row-major order, `lanes` a beat; for each image one result a class leaves, in class order. Images may
    follow each other without a pause and several are in flight at once. A synchronous reset at any time empties the core: the
    next beat is the first of a new image. ::

        i -> Binarize -> [ WidthConverter -> ReplayBuffer -> Mvtu ]... -> WidthConverter -> Argmax -> o

    Parameters
    ----------
    binarize : :class:`.Binarize`
    layers : sequence of :class:`.mvtu.Parameters`
        The last one gives sums, the scores; all others give signs.
    replay_stores : sequence of :class:`str`
        For each layer where its input vector is kept, ``"bram"`` or ``"lut"``; unused where a layer needs its input
        once only.
    pixels : :class:`int`
        Pixels of an image.

    Members
    -------
    i : :py:`In(stream.Signature(ArrayLayout(unsigned(8), lanes)))`
        Unused lanes of an image's last beat are ignored.
    o : :py:`Out(stream.Signature(result_layout(...)))`
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, binarize, layers, replay_stores, pixels):
        self._binarize = binarize
        self._layers = tuple(layers)
        self._replay_stores = tuple(replay_stores)
        self._pixels = pixels
        if any(not layer.signs for layer in self._layers[:-1]) or self._layers[-1].signs:
            raise ValueError("every layer but the last must give signs, and the last one sums")
        super().__init__({
            "i": In(stream.Signature(data.ArrayLayout(unsigned(8), binarize.lanes))),
            "o": Out(stream.Signature(result_layout(score_width=self.score_width, classes=self.classes))),
        })

    @property
    def lanes(self):
        """Pixels in a beat."""
        return self._binarize.lanes

    @property
    def pixels(self):
        """Pixels in an image."""
        return self._pixels

    @property
    def classes(self):
        return self._layers[-1].outputs

    @property
    def score_width(self):
        """Bits of a score, two's complement."""
        return self._layers[-1].sum_width

    @property
    def label_width(self):
        return len(self.o.payload.label)

    def elaborate(self, platform):
        m = Module()

        m.submodules.binarize = self._binarize
        connect(m, flipped(self.i), self._binarize.i)

        source, element, lanes = self._binarize.o, unsigned(1), self._binarize.lanes * self._binarize.levels
        for n, (layer, store) in enumerate(zip(self._layers, self._replay_stores, strict=True)):
            source = self._convert(m, f"width_{n}", source, element, layer.inputs, lanes, layer.simd)
            if layer.groups > 1:
                m.submodules[f"replay_{n}"] = replay = ReplayBuffer(
                    shape=source.payload.shape(), beats=layer.slices, repeats=layer.groups, store=store)
                connect(m, source, replay.i)
                source = replay.o
            m.submodules[f"mvtu_{n}"] = mvtu = layer.create()
            connect(m, source, mvtu.i)
            source, element, lanes = mvtu.o, layer.element, layer.pe

        source = self._convert(m, "width_out", source, element, self.classes, lanes, 1)
        m.submodules.argmax = argmax = Argmax(score_width=self.score_width, classes=self.classes)
        connect(m, source, argmax.i)
        connect(m, argmax.o, flipped(self.o))

        return m

    @staticmethod
    def _convert(m, name, source, element, length, i_lanes, o_lanes):
        if i_lanes == o_lanes:
            return source
        m.submodules[name] = converter = WidthConverter(
            shape=element, length=length, i_lanes=i_lanes, o_lanes=o_lanes)
        connect(m, source, converter.i)
        return converter.o
