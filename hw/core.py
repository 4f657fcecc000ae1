"""The compute core: a chain of stream components from raw pixels to scores and what they decide."""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from . import argmax, best, mvtu, signs
from .part import Part
from .spram import LoadSignature

__all__ = ["Core", "Submodule"]


@dataclass(frozen=True, kw_only=True)
class Submodule:
    """A part in its place in the core.

    Parameters
    ----------
    name : :class:`str`
        Of the submodule in RTL.
    part : :class:`.Part`
    layer : :class:`int` or None
        The place of its layer in the network; None after the last layer.
    i : :class:`str`
        What its stream `i` is connected to: the name of a submodule whose `o` it is, or with the stream after
        a dot, as ``"fork_1.kept"``; "" is the input of the core.
    kept : :class:`str` or None
        The same for the stream `kept` of an :class:`.Add`.
    """

    name: str
    part: Part
    layer: int | None
    i: str = ""
    kept: str | None = None


class Core(wiring.Component):
    """Runs a whole network on a stream of images.

    Pixels enter raw, in row-major order, `lanes` per beat; for each image one result per output leaves, in
    their order, or one for its best class. Images may follow each other without a pause and several are in
    flight at once. A synchronous reset at any time empties the core: the next beat is the first of a new
    image. ::

        i -> parts of a layer -> [WidthConverter] -> ... -> [Scale] -> Argmax, Best or Signs -> o

    A shortcut leaves the chain at a :class:`.Fork` and comes back at its :class:`.Add`::

        Fork -> ... -> Add
          kept -> DeepQueue -> [WidthConverter] -> kept

    Parameters
    ----------
    submodules : sequence of :class:`Submodule`
        The first takes raw pixels, the last is :class:`.Argmax`, :class:`.Best` or :class:`.Signs`.
    pixels : :class:`int`
        Pixels of an image.

    Members
    -------
    i : :py:`In(stream.Signature(ArrayLayout(unsigned(8), lanes)))`
        Unused lanes of an image's last beat are ignored.
    o : :py:`Out(stream.Signature(result_layout(...)))`
    load : :py:`In(LoadSignature(len(ram_contents)))`
        Fills the RAMs of weights with `ram_contents` before the first image comes; only where there are such.
        A reset leaves them as they are.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, submodules: Sequence[Submodule], pixels: int) -> None:
        self._submodules = tuple(submodules)
        self._components = {each.name: each.part.create() for each in self._submodules}
        self._pixels = pixels
        decision = self._submodules[-1].part
        assert isinstance(decision, argmax.Parameters | best.Parameters | signs.Parameters), (
            "scores must be decided on"
        )
        self._decision = decision
        self._loaded = [
            component
            for component in self._components.values()
            if isinstance(component, mvtu.Mvtu) and component.parameters.weight_blocks
        ]
        self._ram_contents = tuple(words for each in self._loaded for words in each.parameters.ram_contents)
        super().__init__(
            {
                "i": In(stream.Signature(self._submodules[0].part.i_shape)),
                "o": Out(stream.Signature(self._decision.o_shape)),
                **({"load": In(LoadSignature(len(self._ram_contents)))} if self._ram_contents else {}),
            }
        )

    @property
    def submodules(self) -> tuple[Submodule, ...]:
        return self._submodules

    @property
    def lanes(self) -> int:
        """Pixels in a beat."""
        return self.i.payload.shape().length

    @property
    def pixels(self) -> int:
        """Pixels of an image."""
        return self._pixels

    @property
    def outputs(self) -> int:
        """Results per image: one for each score, or only that of the best class."""
        return self._decision.outputs

    @property
    def signs(self) -> bool:
        """Whether the results have a bit for each output, instead of classes."""
        return isinstance(self._decision, signs.Parameters)

    @property
    def top_k(self) -> int:
        """How many of an image's best classes the results report."""
        return self._decision.top_k if isinstance(self._decision, argmax.Parameters) else 1

    @property
    def ram_contents(self) -> tuple[tuple[int, ...], ...]:
        """What `load` must fill: for each block of RAM a tuple of 16-bit words, address 0 first; in the order
        of the layers.
        """
        return self._ram_contents

    @property
    def score_width(self) -> int:
        """Bits of a score, two's complement."""
        return self._decision.score_width

    @property
    def label_width(self) -> int:
        return len(self.o.payload.label)

    def elaborate(self, platform):
        m = Module()
        for each in self._submodules:
            m.submodules[each.name] = self._components[each.name]
        self._connect(m, [each for each in self._submodules if each.layer is not None])
        first = 0
        for component in self._loaded:
            end = first + component.parameters.weight_blocks
            m.d.comb += [
                component.load.en.eq(self.load.en[first:end]),
                component.load.addr.eq(self.load.addr),
                component.load.data.eq(self.load.data),
            ]
            first = end
        self._connect(m, [each for each in self._submodules if each.layer is None])
        connect(m, self._source(self._submodules[-1].name), flipped(self.o))
        return m

    def _connect(self, m: Module, submodules: list[Submodule]) -> None:
        """Connect the inputs of submodules; `kept` of one where the source is among them after its source."""
        waiting = {each.name for each in submodules}
        later = {}
        for each in submodules:
            component = self._components[each.name]
            connect(m, self._source(each.i), component.i)
            waiting.discard(each.name)
            if each.kept in waiting:
                later[each.kept] = component
            elif each.kept is not None:
                connect(m, self._source(each.kept), component.kept)
            if each.name in later:
                connect(m, component.o, later[each.name].kept)

    def _source(self, name: str) -> stream.Interface:
        """The stream that a submodule refers to by that name."""
        if not name:
            return flipped(self.i)
        submodule, _, port = name.partition(".")
        return getattr(self._components[submodule], port or "o")
