"""The chain of layers that a frontend builds while it walks through a graph."""

import re
from collections.abc import Iterable
from dataclasses import replace

from ...errors import ModelError
from .. import ir
from ..pixel_type import UINT8, PixelType
from .tensors import Counts, Place, Source, Tensor, Where

__all__ = ["Chain"]

_LONGEST_NAME = 40


class Chain:
    """The layers so far.

    Attributes
    ----------
    layers : list of ir.Layer
    image_shape : tuple of int
        As in `ir.Network`.
    pixel_type : PixelType
    as_bits : dict
        Tensors that became bits, by the ``id`` of their source: the tensor, and the same tensor as a function
        of these bits.
    branches : dict
        Each `Switch` that no Add has joined so far, by its name: what made it.
    """

    def __init__(self) -> None:
        self.layers: list[ir.Layer] = []
        self.image_shape: tuple[int, ...] = ()
        self.pixel_type: PixelType = UINT8
        self.as_bits: dict[int, tuple[Tensor, Tensor]] = {}
        self.branches: dict[str, Where] = {}
        self._bits: dict[str, str] = {}
        self._names: set[str] = set()

    def network(
        self, *, name: str, scores: ir.Scores, decision: str, labels: Iterable[object] | None = None
    ) -> ir.Network:
        """The network of the layers so far and `scores`; the default labels are numbers."""
        for where in self.branches.values():
            raise self.not_the_end(where)
        if not labels:
            labels = range(2 if scores.outputs == 1 else scores.outputs)
        return ir.Network(
            name=name,
            image_shape=self.image_shape,
            layers=(*self.layers, scores),
            labels=tuple(map(str, labels)),
            pixel_type=self.pixel_type,
            decision=decision,
        )

    def shape(self, layers: int | None = None) -> tuple[int, ...]:
        """Shape of the output of the last layer, or of the first `layers`."""
        shape, taken = self.image_shape, {}
        for layer in self.layers[:layers]:
            taken[layer.name] = shape
            shape = taken[layer.fork] if isinstance(layer, ir.Switch) else layer.output_shape(shape)
        return shape

    def positions(self, source: Source) -> tuple[int, ...] | None:
        """Rows and columns of a source; None if it is a vector."""
        shape = self.shape(self.place(source))
        if isinstance(source, Counts) and len(shape) > 1:
            shape = shape if len(shape) == 3 else (*shape, 1)
            for layer in (source.layer(None), *source.pools):
                shape = layer.output_shape(shape)
        return None if len(shape) == 1 else tuple(shape[:2])

    @property
    def end(self) -> str | None:
        """Name of the last layer."""
        return self.layers[-1].name if self.layers else None

    def append(self, layer: ir.Layer) -> str:
        """Add a layer at the end; returns its name."""
        self.layers.append(layer)
        return layer.name

    def position(self, name: str | None) -> int:
        """Index of the layer with that name."""
        names: list[str | None] = [layer.name for layer in self.layers]
        return names.index(name)

    def new_name(self, place: Place | None, kind: str) -> str:
        """A name that no layer has: that of `place` as an identifier or else `kind`, or a numbered one."""
        name = re.sub(r"\W+", "_", place.name, flags=re.ASCII).strip("_")[:_LONGEST_NAME] if place else kind
        if not name or name[0].isdigit():
            name = kind
        number, candidate = 0, name
        while candidate in self._names:
            number += 1
            candidate = f"{name}_{number}"
        self._names.add(candidate)
        return candidate

    def check_end(self, where: Where, source: Source) -> None:
        """Raise a `ModelError` unless the next layer can take `source`."""
        if source.after != self.end:
            raise self.not_the_end(where)

    def not_the_end(self, where: Where) -> ModelError:
        """The error for a node that begins a branch which no Add joins again."""
        return ModelError(
            f"{where}: uses the output of an earlier layer again, but a network must be one chain of layers;"
            " its only branches are the two sides of a sum, which an Add joins before anything else uses them"
        )

    def layer_of(self, source: Counts) -> ir.Weighted | None:
        """The layer that the neurons became; None as long as they are none."""
        found = (layer for layer in self.layers if layer.name == source.name and ir.has_weights(layer))
        return next(found, None)

    def bits_move(self, before: str, after: str) -> None:
        """The bits that a layer output are from now on those of another, after it."""
        self._bits[before] = after
        for key, (value, bits) in self.as_bits.items():
            if bits.source.after == before:
                self.as_bits[key] = value, replace(bits, source=replace(bits.source, after=after))

    def place(self, source: Source) -> int:
        """The place behind the layer before a source: that with its integers, or whose output its neurons
        take.
        """
        after = source.after
        if after is None:
            return 0
        if isinstance(source, Counts) and source.input_maximum == 1:
            after = self._bits.get(after, after)
        return self.position(after) + 1
