"""The compute core: a chain of stream components from raw pixels to scores and what they decide."""

from dataclasses import dataclass

from amaranth.hdl import Module, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from .argmax import Argmax, result_layout
from .mvtu import Mvtu
from .signs import Signs
from .spram import LoadSignature
from .width import WidthConverter, conversions

__all__ = ["Core", "Stage"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """The components of one layer.

    Parameters
    ----------
    parts : tuple of :class:`wiring.Component`
        Connected in order by their `o` and `i`.
    i_length, o_length : :class:`int`
        Elements in the vectors that the first takes and the last gives.
    queue : :class:`.DeepQueue` or None
        At a :class:`.Fork`, the only part: what its shortcut waits in.
    fork : :class:`int` or None
        At an :class:`.Add`, the only part: the stage whose shortcut it takes.
    """

    parts: tuple
    i_length: int
    o_length: int
    queue: object = None
    fork: int | None = None


class Core(wiring.Component):
    """Runs a whole network on a stream of images.

    Pixels enter raw, in row-major order, `lanes` a beat; for each image one result per output leaves, in
    their order. Images may follow each other without a pause and several are in flight at once. A synchronous
    reset at any time empties the core: the next beat is the first of a new image. ::

        i -> stages[0] -> [WidthConverter] -> stages[1] -> ... -> [WidthConverter] -> [Scale] -> Argmax or
        Signs -> o

    A shortcut leaves the chain at a :class:`.Fork` and comes back at its :class:`.Add`::

        Fork -> ... -> Add
          kept -> DeepQueue -> [WidthConverter] -> kept

    Parameters
    ----------
    stages : sequence of :class:`Stage`
        The first takes raw pixels, the last gives one sum per output.
    lanes : :class:`int`
        Pixels in a beat of the input.
    pixels : :class:`int`
        Pixels of an image.
    outputs : :class:`int`
        Scores of an image.
    scale : :class:`.Scale`, optional
        What makes scores of the last stage's sums; without it they are the scores.
    top : :class:`int`
        How many of an image's best classes the results tell; 1 where `signs`.
    signs : :class:`bool`
        Whether the sign of each score decides, instead of the greatest of them.
    reset_less : :class:`bool`
        Whether the payloads of the width converters have no reset.

    Members
    -------
    i : :py:`In(stream.Signature(ArrayLayout(unsigned(8), lanes)))`
        Unused lanes of an image's last beat are ignored.
    o : :py:`Out(stream.Signature(result_layout(...)))`
    load : :py:`In(LoadSignature(len(image)))`
        Fills the RAMs that weights live in, with `image`, before the first image comes; only where there are
        such. A reset leaves them as they are.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, stages, lanes, pixels, outputs, scale=None, top=1, signs=False, reset_less=False):
        self._stages = tuple(stages)
        self._lanes = lanes
        self._pixels = pixels
        self._outputs = outputs
        self._scale = scale
        self._top = top
        self._signs = signs
        self._reset_less = reset_less
        self._loaded = [
            part
            for stage in self._stages
            for part in stage.parts
            if isinstance(part, Mvtu) and part.parameters.weight_blocks
        ]
        self._image = tuple(words for part in self._loaded for words in part.parameters.ram_contents)
        super().__init__(
            {
                "i": In(stream.Signature(data.ArrayLayout(unsigned(8), self.lanes))),
                "o": Out(
                    stream.Signature(
                        result_layout(score_width=self.score_width, outputs=outputs, top=top, signs=signs)
                    )
                ),
                **({"load": In(LoadSignature(len(self.image)))} if self.image else {}),
            }
        )

    @property
    def stages(self):
        return self._stages

    @property
    def lanes(self):
        """Pixels in a beat."""
        return self._lanes

    @property
    def pixels(self):
        """Pixels in an image."""
        return self._pixels

    @property
    def outputs(self):
        """Scores of an image, and so results."""
        return self._outputs

    @property
    def signs(self):
        """Whether the results tell a bit for each output, instead of classes."""
        return self._signs

    @property
    def top(self):
        """How many of an image's best classes the results tell."""
        return self._top

    @property
    def image(self):
        """What `load` must fill: for each block of RAM a tuple of 16-bit words, address 0 first; in the order
        of the layers.
        """
        return self._image

    @property
    def score_width(self):
        """Bits of a score, two's complement."""
        return (self._scale or self._stages[-1].parts[-1]).o.payload.shape().elem_shape.width

    @property
    def label_width(self):
        return len(self.o.payload.label)

    def elaborate(self, platform):
        m = Module()

        source, length, kept = flipped(self.i), self._pixels, {}
        for n, stage in enumerate(self._stages):
            source = self._convert(m, f"width_{n}", source, length, stage.i_length, stage.parts[0].i)
            for part in stage.parts:
                m.submodules[f"{type(part).__name__.lower()}_{n}"] = part
                connect(m, source, part.i)
                source = part.o
            length = stage.o_length
            if stage.queue is not None:
                m.submodules[f"shortcut_{n}"] = stage.queue
                connect(m, stage.parts[0].kept, stage.queue.i)
                kept[n] = stage.queue.o
            if stage.fork is not None:
                add = stage.parts[0].kept
                connect(m, self._convert(m, f"kept_{n}", kept[stage.fork], length, length, add), add)

        first = 0
        for part in self._loaded:
            end = first + part.parameters.weight_blocks
            m.d.comb += [
                part.load.en.eq(self.load.en[first:end]),
                part.load.addr.eq(self.load.addr),
                part.load.data.eq(self.load.data),
            ]
            first = end

        if self._signs:
            decision = Signs(score_width=self.score_width, outputs=self._outputs)
        else:
            decision = Argmax(score_width=self.score_width, classes=self._outputs, top=self._top)
        ends = (self._scale, decision) if self._scale else (decision,)
        source = self._convert(m, "width_out", source, length, self._outputs, ends[0].i)
        for part in ends:
            m.submodules[type(part).__name__.lower()] = part
            connect(m, source, part.i)
            source = part.o
        connect(m, source, flipped(self.o))

        return m

    def _convert(self, m, name, source, i_length, o_length, sink):
        i_layout, o_layout = source.payload.shape(), sink.payload.shape()
        steps = conversions(
            i_length=i_length, i_lanes=i_layout.length, o_length=o_length, o_lanes=o_layout.length
        )
        for n, (length, i_lanes, o_lanes) in enumerate(steps):
            m.submodules[f"{name}_{n}"] = converter = WidthConverter(
                shape=i_layout.elem_shape,
                length=length,
                i_lanes=i_lanes,
                o_lanes=o_lanes,
                reset_less=self._reset_less,
            )
            connect(m, source, converter.i)
            source = converter.o
        return source
