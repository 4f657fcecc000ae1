"""What a layer becomes, as plain values that lowering, cycles, estimate and proofs read.

A stage is a layer, its folding and its parts: the parameters of hardware components, connected in order. The
rules of `sbgen.compiler.layers` choose the parts.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from amaranth.hdl import ShapeLike, unsigned
from amaranth.lib.data import ArrayLayout

from ..hw import deep_queue, mvtu, unrolled, width
from ..hw.part import Part
from .folding import Folding, QueueFolding
from .ir import Layer

__all__ = ["Stage", "Unit", "converters", "shortcut"]

#: What computes a layer with weights.
Unit = mvtu.Parameters | unrolled.Parameters

P = TypeVar("P", bound=Part)


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """One layer.

    Parameters
    ----------
    layer : Layer
    folding : Folding
    parts : tuple of Part
        Connected in order; none of a `Switch`.
    i_length, i_lanes : int
        Elements in the vectors that the first part takes, and in a beat of them.
    o_length, o_lanes : int
        The same for what the last part outputs.
    i_maximum : int
        Maximum of the elements that it takes.
    vectors : int
        Vectors that it takes per image, or per batch of `images`.
    images : int
        Images that it computes together.
    entry : tuple of width.Parameters
        Width converters before the first part, where the stage is one of a design.
    shortcut : tuple of Part
        Where the stage is one of a design: the queue of what a `Fork` or a `Switch` stores, and the width
        converters before an `Add` of the shortcut that ends there.
    """

    layer: Layer
    folding: Folding
    parts: tuple[Part, ...]
    i_length: int
    i_lanes: int
    o_length: int
    o_lanes: int
    i_maximum: int
    vectors: int = 1
    images: int = 1
    entry: tuple[width.Parameters, ...] = ()
    shortcut: tuple[Part, ...] = ()

    def part(self, kind: type[P]) -> P | None:
        """The part of that kind, or None."""
        return next((part for part in self.parts if isinstance(part, kind)), None)

    @cached_property
    def unit(self) -> Unit | None:
        """What computes a layer with weights; None in others."""
        return next((part for part in self.parts if isinstance(part, Unit)), None)

    @property
    def o_element(self) -> ShapeLike:
        """Shape of an element that it outputs."""
        return self.parts[-1].o_shape.elem_shape

    @property
    def i_beats(self) -> int:
        """Beats that it takes per batch of `images`."""
        return self.vectors * -(-self.i_length // self.i_lanes)

    @cached_property
    def cycles(self) -> int:
        """Cycles that the stage is busy per image, rounded up, without the conversion before it."""
        beats = busy = self.i_beats
        for part in self.parts:
            busy = max(busy, part.busy(beats))
            beats = part.o_beats(beats)
        return -(-busy // self.images)


def converters(
    shape: ShapeLike, *, i_length: int, i_lanes: int, o_length: int, o_lanes: int
) -> tuple[width.Parameters, ...]:
    """The width converters of elements of that shape between two parts, as `sbgen.hw.width.conversions`."""
    steps = width.conversions(i_length=i_length, i_lanes=i_lanes, o_length=o_length, o_lanes=o_lanes)
    return tuple(
        width.Parameters(shape=shape, length=length, i_lanes=narrow, o_lanes=wide)
        for length, narrow, wide in steps
    )


def shortcut(stage: Stage, depth: int) -> deep_queue.Parameters:
    """The queue of what the stage of a `Fork` or a `Switch` stores, for so many beats."""
    assert isinstance(stage.folding, QueueFolding)
    shape = ArrayLayout(unsigned(stage.i_maximum.bit_length()), stage.i_lanes)
    return deep_queue.Parameters(shape=shape, depth=depth, store=stage.folding.replay_store)
