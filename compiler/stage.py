"""The parts that a layer becomes, as plain values that lowering, cycles, estimate and proofs read.

A stage is a layer, its folding and its parts: the parameters of hardware components, connected in order.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache
from typing import TypeVar

import numpy as np
from amaranth.hdl import ShapeLike, unsigned
from amaranth.lib import data

from ..hw import (
    add,
    binarize,
    deep_queue,
    fork,
    lookup,
    mvtu,
    planes,
    pool,
    replay,
    scale,
    sums,
    threshold,
    unrolled,
    width,
    window,
)
from ..hw.part import Part
from ..hw.window import Geometry
from .folding import Folding
from .ir import (
    Add,
    Binarize,
    Conv2d,
    Dense,
    Fork,
    Layer,
    Lookup,
    MaxPool,
    Network,
    Scores,
    SumPool,
    Threshold,
)
from .unrolled import unroll

__all__ = [
    "Stage",
    "Unit",
    "converters",
    "mvtu_parameters",
    "results_cycles",
    "scale_parameters",
    "shortcut",
    "stage",
    "unrolled_parameters",
]

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
        Connected in order.
    i_length, i_lanes : int
        Elements in the vectors that the first part takes, and in a beat of them.
    o_length, o_lanes : int
        The same for what the last part outputs.
    i_maximum : int
        Maximum of the elements that it takes.
    vectors : int
        Vectors per image that it takes.
    entry : tuple of width.Parameters
        Width converters before the first part, where the stage is one of a design.
    shortcut : tuple of Part
        Where the stage is one of a design: the queue of the shortcut that begins at a `Fork`, and the width
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
        """Beats per image that it takes."""
        return self.vectors * -(-self.i_length // self.i_lanes)

    @cached_property
    def cycles(self) -> int:
        """Cycles that the stage is busy per image, without the conversion before it."""
        beats, busy = self.i_beats, 0
        for part in self.parts:
            busy = max(busy, part.busy(beats))
            beats = part.o_beats(beats)
        return busy


def mvtu_parameters(
    layer: Conv2d | Dense | Scores, folding: Folding, *, patchable: bool = False
) -> mvtu.Parameters:
    """The matrix-vector-threshold unit of a layer with weights.

    An accumulator that starts from minus the threshold ends at or above zero exactly when the count reaches
    the threshold. A convolution counts over the words of the window; what is unused in a pixel's last word is
    given weights that never agree with its zeros. Scores that are scaled get their offsets afterwards.
    """

    def rows(bits: np.ndarray) -> tuple[int, ...]:
        """The weights or the mask of each output as one number."""
        if isinstance(layer, Conv2d):
            unused = -bits.shape[3] % lanes
            bits = np.pad(bits, ((0, 0), (0, 0), (0, 0), (0, unused)), constant_values=1)
        packed = np.packbits(bits.reshape(layer.outputs, -1).astype(bool), axis=1, bitorder="little")
        return tuple(int.from_bytes(row.tobytes(), "little") for row in packed)

    inputs = layer.inputs
    if isinstance(layer, Conv2d):
        lanes = _window_lanes(layer, folding)
        inputs = math.prod(layer.kernel) * -(-layer.weights.shape[3] // lanes) * lanes
    scores = isinstance(layer, Scores)
    # Counts are what is added or, in scores that are scaled, multiplied afterwards.
    counts = layer.scales is not None if scores else layer.thresholds is None
    if counts:
        presets = np.zeros(layer.outputs, int)
    else:
        presets = layer.offsets if scores else -layer.thresholds
    return mvtu.Parameters(
        inputs=inputs,
        weights=rows(layer.weights),
        masks=None if layer.mask is None else rows(layer.mask),
        presets=tuple(presets.tolist()),
        pe=folding.pe,
        simd=folding.simd,
        weight_store=folding.store,
        preset_store=folding.preset_store,
        registered=folding.registered,
        sprams=folding.sprams,
        patchable=patchable,
        planes=layer.planes,
        signs=not scores and not counts,
        max_count=layer.reach if counts else None,
    )


def unrolled_parameters(layer: Dense | Scores, folding: Folding) -> unrolled.Parameters:
    """The network of tables of a layer with weights."""
    unit = mvtu_parameters(layer, Folding(pe=1, simd=1))
    return _cached_unroll(
        levels=folding.levels, **{field.name: getattr(unit, field.name) for field in fields(unit)}
    )


@lru_cache(maxsize=16)  # the same layer is unrolled again and again
def _cached_unroll(*, levels: int, **unit: object) -> unrolled.Parameters:
    return unroll(mvtu.Parameters(**unit), levels=levels)


def _window_lanes(layer: Conv2d, folding: Folding) -> int:
    """Channels in a word of the line buffers of a convolution: never more than a pixel (of a group) has."""
    return min(folding.simd, layer.group_channels)


def _repeats(unit: mvtu.Parameters, *, groups: int = 1) -> int:
    """How often a unit needs each vector: for each beat of outputs (of one of `groups`), plane and pass."""
    return unit.groups // groups * unit.planes * unit.halves


def scale_parameters(layer: Scores, folding: Folding) -> scale.Parameters | None:
    """The scales and offsets of a layer of scores, in the order of its classes; None where it has no scales."""
    if layer.scales is None:
        return None
    return scale.Parameters(
        maximum=layer.reach,
        scales=tuple(layer.scales.tolist()),
        offsets=tuple(layer.offsets.tolist()),
        store=folding.preset_store,
    )


def results_cycles(network: Network) -> int:
    """Cycles in which the results of an image leave, whatever the folding: one per output, or what its
    scaling takes.
    """
    scaling = scale_parameters(network.layers[-1], Folding(pe=1, simd=1))
    return network.outputs * (scaling.cycles if scaling else 1)


def _elements(planes: int, lanes: int) -> data.ArrayLayout:
    """Shape of a beat of elements of so many bits."""
    return data.ArrayLayout(unsigned(planes), lanes)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Place:
    """What a layer's stage depends on besides the layer, as for `stage`."""

    folding: Folding
    shape: tuple[int, ...]
    i_maximum: int
    o_maximum: int
    unit: mvtu.Parameters | None

    @property
    def planes(self) -> int:
        """Bits of an element."""
        return self.i_maximum.bit_length()

    def stage(
        self,
        layer: Layer,
        *parts: Part,
        i_length: int,
        o_length: int,
        i_lanes: int | None = None,
        vectors: int = 1,
    ) -> Stage:
        return Stage(
            layer=layer,
            folding=self.folding,
            parts=parts,
            i_length=i_length,
            i_lanes=self.folding.simd if i_lanes is None else i_lanes,
            o_length=o_length,
            o_lanes=self.folding.pe,
            i_maximum=self.i_maximum,
            vectors=vectors,
        )


def _binarize(layer: Binarize, at: _Place) -> Stage:
    thresholds = tuple(map(tuple, layer.thresholds.tolist()))
    part = binarize.Parameters(thresholds=thresholds, lanes=at.folding.simd)
    return at.stage(layer, part, i_length=layer.inputs, o_length=layer.outputs)


def _lookup(layer: Lookup, at: _Place) -> Stage:
    pixels = math.prod(at.shape)
    part = lookup.Parameters(table=tuple(layer.table.tolist()), pixels=pixels, lanes=at.folding.simd)
    return at.stage(layer, part, i_length=pixels, o_length=pixels)


def _elementwise(layer: Add | Fork | Threshold, at: _Place, part: Part) -> Stage:
    *sides, channels = at.shape
    return at.stage(layer, part, i_length=channels, o_length=channels, vectors=math.prod(sides))


def _add(layer: Add, at: _Place) -> Stage:
    kept_maximum = (at.o_maximum - at.i_maximum) // layer.scale
    part = add.Parameters(
        maximum=at.i_maximum, kept_maximum=kept_maximum, scale=layer.scale, lanes=at.folding.simd
    )
    return _elementwise(layer, at, part)


def _fork(layer: Fork, at: _Place) -> Stage:
    return _elementwise(layer, at, fork.Parameters(shape=_elements(at.planes, at.folding.simd)))


def _threshold(layer: Threshold, at: _Place) -> Stage:
    part = threshold.Parameters(
        thresholds=tuple(layer.thresholds.tolist()),
        inverted=tuple(layer.inverted.tolist()),
        width=at.planes,
        lanes=at.folding.simd,
        store=at.folding.preset_store,
    )
    return _elementwise(layer, at, part)


def _pool(layer: MaxPool | SumPool, at: _Place, *parts: Part) -> Stage:
    height, columns, channels = at.shape
    return at.stage(layer, *parts, i_length=channels, o_length=channels, vectors=height * columns)


def _pool_geometry(layer: MaxPool | SumPool, at: _Place, **more: object) -> Geometry:
    height, columns, channels = at.shape
    slices = -(-channels // at.folding.simd)
    sizes = {"height": height, "width": columns, "slices": slices}
    return Geometry(**sizes, kernel=layer.kernel, stride=layer.stride, **more)


def _pool_window(layer: MaxPool | SumPool, at: _Place, **more: object) -> window.Parameters:
    """The window of a pool, which outputs the words of each position one after the other."""
    slices = -(-at.shape[2] // at.folding.simd)
    return window.Parameters(
        shape=_elements(at.planes, at.folding.simd),
        geometry=_pool_geometry(layer, at, groups=slices, rows=at.folding.rows, **more),
        padding_words=(0,) * slices,
        store=at.folding.replay_store,
    )


def _max_pool(layer: MaxPool, at: _Place) -> Stage:
    words = layer.kernel[0] * layer.kernel[1]
    moves = _pool_window(layer, at, padding=layer.padding)
    return _pool(layer, at, moves, pool.Parameters(lanes=at.folding.simd, beats=words))


def _sum_pool(layer: SumPool, at: _Place) -> Stage:
    parts: tuple[Part, ...] = ()
    if layer.overlaps:
        # Each window comes whole, as a row of its own.
        words = layer.kernel[0] * layer.kernel[1]
        geometry = Geometry(height=1, width=words, slices=1, kernel=(1, words), stride=(1, words))
        parts = (_pool_window(layer, at),)
    else:
        geometry = _pool_geometry(layer, at)
    adder = sums.Parameters(
        lanes=at.folding.simd, geometry=geometry, store=at.folding.replay_store, maximum=at.i_maximum
    )
    return _pool(layer, at, *parts, adder)


def _before_unit(unit: mvtu.Parameters, *, repeats: int, store: str) -> list[Part]:
    """What is before a unit: each vector is repeated, and split into its bit planes."""
    parts: list[Part] = []
    if repeats > 1:
        shape = _elements(unit.planes, unit.simd)
        parts.append(replay.Parameters(shape=shape, beats=unit.slices, repeats=repeats, store=store))
    if unit.planes > 1:
        parts.append(planes.Parameters(lanes=unit.simd, beats=unit.plane_beats, planes=unit.planes))
    return parts


def _dense(layer: Dense | Scores, at: _Place) -> Stage:
    parts: tuple[Part, ...]
    if at.folding.unrolled:
        parts = (unrolled_parameters(layer, at.folding),)
    else:
        unit = at.unit or mvtu_parameters(layer, at.folding)
        parts = (*_before_unit(unit, repeats=_repeats(unit), store=at.folding.replay_store), unit)
    return at.stage(layer, *parts, i_length=layer.inputs, o_length=layer.outputs)


def _conv2d(layer: Conv2d, at: _Place) -> Stage:
    height, columns, channels = at.shape
    folding, unit = at.folding, at.unit or mvtu_parameters(layer, at.folding)
    lanes = _window_lanes(layer, folding)
    slices = -(-channels // layer.groups // lanes)  # of a group
    repeats, gathers = _repeats(unit, groups=layer.groups), lanes < unit.simd
    moves = window.Parameters(
        shape=_elements(unit.planes, lanes),
        geometry=Geometry(
            height=height,
            width=columns,
            slices=layer.groups * slices,
            kernel=layer.kernel,
            stride=layer.stride,
            padding=layer.padding,
            groups=layer.groups,
            repeats=1 if gathers else repeats,
            rows=folding.rows,
        ),
        padding_words=_padding_words(layer, slices=slices, lanes=lanes, planes=unit.planes),
        store=folding.replay_store,
    )
    parts: list[Part] = [moves]
    if gathers:  # several pixels under the kernel to a beat
        parts.append(
            width.Parameters(
                shape=unsigned(unit.planes),
                length=unit.inputs,
                i_lanes=lanes,
                o_lanes=unit.simd,
                reset_less=folding.registered,
            )
        )
    # What is gathered is repeated from there, so that the window has time to output the next.
    parts += _before_unit(unit, repeats=repeats if gathers else 1, store=folding.replay_store)
    return at.stage(
        layer,
        *parts,
        unit,
        i_length=channels // layer.groups,
        i_lanes=lanes,
        o_length=layer.outputs,
        vectors=height * columns * layer.groups,
    )


def _padding_words(layer: Conv2d, *, slices: int, lanes: int, planes: int) -> tuple[int, ...]:
    """The padding bit in each lane of a pixel's words that holds a channel, 0 in those that hold none."""
    channels = layer.channels // layer.groups
    words = [(1 << planes * min(lanes, channels - at * lanes)) - 1 for at in range(slices)]
    return tuple(word * layer.padding_bit for word in words) * layer.groups


_STAGES: dict[type[Layer], Callable[..., Stage]] = {
    Add: _add,
    Binarize: _binarize,
    Conv2d: _conv2d,
    Dense: _dense,
    Fork: _fork,
    Lookup: _lookup,
    MaxPool: _max_pool,
    Scores: _dense,
    SumPool: _sum_pool,
    Threshold: _threshold,
}


def stage(
    layer: Layer,
    folding: Folding,
    input_shape: tuple[int, ...],
    *,
    i_maximum: int,
    o_maximum: int,
    unit: mvtu.Parameters | None = None,
) -> Stage:
    """The stage of a layer whose input has that shape.

    Parameters
    ----------
    i_maximum, o_maximum : int
        Maximum of the elements before and after the layer; 0 after one that outputs scores.
    unit : mvtu.Parameters, optional
        The layer's unit, where the caller has it already.
    """
    at = _Place(folding=folding, shape=input_shape, i_maximum=i_maximum, o_maximum=o_maximum, unit=unit)
    return _STAGES[type(layer)](layer, at)


def converters(
    shape: ShapeLike, *, i_length: int, i_lanes: int, o_length: int, o_lanes: int, reset_less: bool = False
) -> tuple[width.Parameters, ...]:
    """The width converters of elements of that shape between two parts, as `sbgen.hw.width.conversions`."""
    steps = width.conversions(i_length=i_length, i_lanes=i_lanes, o_length=o_length, o_lanes=o_lanes)
    return tuple(
        width.Parameters(shape=shape, length=length, i_lanes=narrow, o_lanes=wide, reset_less=reset_less)
        for length, narrow, wide in steps
    )


def shortcut(stage: Stage, depth: int) -> deep_queue.Parameters:
    """The queue of the shortcut that begins at the stage of a `Fork`, for so many beats."""
    return deep_queue.Parameters(shape=stage.parts[-1].o_shape, depth=depth, store=stage.folding.replay_store)
