"""The components that a design becomes, as plain values: what lowering, cycles and estimate have in common."""

import math
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np

from ..hw import mvtu, scale, unrolled
from ..hw.window import Geometry
from .folding import Folding
from .ir import Add, Binarize, Conv2d, Fork, Layer, Lookup, MaxPool, Scores, SumPool, Threshold
from .layers import rules
from .unrolled import unroll

__all__ = [
    "Stage",
    "forks",
    "input_lanes",
    "mvtu_parameters",
    "passes",
    "results_cycles",
    "scale_parameters",
    "stage",
    "stages",
    "unrolled_parameters",
]


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """One layer.

    Parameters
    ----------
    layer : Layer
    folding : Folding
    i_length, i_lanes : int
        Elements in the vectors it takes, and in a beat of them, which is what a window gives.
    o_length, o_lanes : int
        The same for what it gives.
    i_greatest, o_greatest : int
        The greatest element in either; 0 behind a layer that gives scores.
    vectors : int
        Vectors of an image that it takes.
    window : Geometry or None
        The window that a convolution or pooling layer moves over its input.
    sums : Geometry or None
        What a `SumPool` adds over: windows that do not overlap, or where they did, those that `window` has
        given.
    unit : mvtu.Parameters or unrolled.Parameters or None
        The matrix-vector-threshold unit or what is unrolled, in a layer with weights.
    scaling : scale.Parameters or None
        What becomes of its counts, one by one, in a last layer whose classes have scales of their own.
    """

    layer: Layer
    folding: Folding
    i_length: int
    i_lanes: int
    o_length: int
    o_lanes: int
    i_greatest: int
    o_greatest: int
    vectors: int = 1
    window: Geometry | None = None
    sums: Geometry | None = None
    unit: mvtu.Parameters | unrolled.Parameters | None = None
    scaling: scale.Parameters | None = None

    @property
    def planes(self):
        """Bits of an element that it takes."""
        return self.unit.planes if self.unit else self.i_greatest.bit_length() if self.sums else 1

    @property
    def repeats(self):
        """How often a replay buffer gives each vector to the unit; 1 where there is none."""
        if not self.unit or self.folding.unrolled or self.window and not self.gathers:
            return 1
        return _repeats(self.layer, self.unit)

    @property
    def gathers(self):
        """Whether the words that a window gives are gathered to wider beats, several pixels under the kernel
        in each.
        """
        return bool(self.window and self.unit) and self.i_lanes < self.unit.simd

    @property
    def positions(self):
        """Positions of the window, at each of which the unit computes its outputs."""
        return self.window.out_height * self.window.out_width if self.window else 1

    @property
    def cycles(self):
        """Cycles that the stage is busy with one image, without the conversion before it."""
        if self.window:
            return max(self.window.cycles, self.unit.cycles * self.positions if self.unit else 0)
        if self.sums:
            return self.sums.words_in
        return self.unit.cycles if self.unit else self.vectors * -(-self.i_length // self.i_lanes)

    @property
    def kept_greatest(self):
        """The greatest element of what an `Add` adds."""
        return (self.o_greatest - self.i_greatest) // self.layer.scale


def mvtu_parameters(layer, folding, *, patchable=False):
    """The matrix-vector-threshold unit of a layer with weights.

    An accumulator that starts from minus the threshold ends at or above zero exactly when the count reaches
    the threshold. A convolution counts over the words of the window; what is unused in a pixel's last word is
    given weights that never agree with its zeros. Scores that are scaled get their offsets afterwards.
    """

    def rows(bits):
        """Weights or a mask, an output each, as a number each."""
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
        greatest_count=layer.reach if counts else None,
    )


def unrolled_parameters(layer, folding):
    """The network of tables of a layer with weights."""
    unit = mvtu_parameters(layer, Folding(pe=1, simd=1))
    return _unrolled(
        levels=folding.levels, **{field.name: getattr(unit, field.name) for field in fields(unit)}
    )


@lru_cache(maxsize=16)  # the compiler asks for the same layer again and again
def _unrolled(*, levels, **unit):
    return unroll(mvtu.Parameters(**unit), levels=levels)


def _window_lanes(layer, folding):
    """Channels in a word of the line buffers of a convolution: never more than a pixel (of a group) has."""
    return min(folding.simd, layer.weights.shape[3])


def _repeats(layer, unit):
    """How often the unit of a layer needs each vector: for each group of outputs that sees it, plane and
    pass.
    """
    return unit.groups // getattr(layer, "groups", 1) * unit.planes * unit.halves


def passes(layer):
    """How often the unit of a layer with weights needs each plane of a vector: twice where they are ternary."""
    return 1 if layer.mask is None else 2


def scale_parameters(layer, folding):
    """The scales and offsets of a layer of scores, in the order of its classes; None where it has no scales."""
    if layer.scales is None:
        return None
    return scale.Parameters(
        greatest=layer.reach,
        scales=tuple(layer.scales.tolist()),
        offsets=tuple(layer.offsets.tolist()),
        store=folding.preset_store,
    )


def results_cycles(network):
    """Cycles in which the results of an image leave, whatever the folding: one per output, or what its
    scaling takes.
    """
    scaling = scale_parameters(network.layers[-1], Folding(pe=1, simd=1))
    return network.outputs * (scaling.cycles if scaling else 1)


def stage(layer, folding, input_shape, *, i_greatest, o_greatest, unit=None):
    """The stage of a layer whose input has that shape.

    Parameters
    ----------
    i_greatest, o_greatest : int
        As in `Network.maxima`, before and behind the layer.
    unit : mvtu.Parameters, optional
        The layer's unit, where it is already at hand.
    """
    common = {
        "layer": layer,
        "folding": folding,
        "i_lanes": folding.simd,
        "o_lanes": folding.pe,
        "i_greatest": i_greatest,
        "o_greatest": o_greatest,
    }
    match layer:
        case Add() | Fork() | Threshold():
            channels = input_shape[-1]
            return Stage(**common, i_length=channels, o_length=channels, vectors=math.prod(input_shape[:-1]))
        case Binarize():
            return Stage(**common, i_length=layer.inputs, o_length=layer.outputs)
        case Lookup():
            pixels = int(np.prod(input_shape))
            return Stage(**common, i_length=pixels, o_length=pixels)
        case MaxPool() | SumPool():
            height, width, channels = input_shape
            slices = -(-channels // folding.simd)
            windows = {
                "height": height,
                "width": width,
                "slices": slices,
                "kernel": layer.kernel,
                "stride": layer.stride,
            }
            common |= {"i_length": channels, "o_length": channels, "vectors": height * width}
            if isinstance(layer, MaxPool):
                return Stage(
                    **common,
                    window=Geometry(**windows, padding=layer.padding, groups=slices, rows=folding.rows),
                )
            if not layer.overlaps:
                return Stage(**common, sums=Geometry(**windows))
            # Each window comes whole, as a row of its own.
            area = layer.kernel[0] * layer.kernel[1]
            return Stage(
                **common,
                window=Geometry(**windows, groups=slices, rows=folding.rows),
                sums=Geometry(height=1, width=area, slices=1, kernel=(1, area), stride=(1, area)),
            )
    unit = unit or (unrolled_parameters if folding.unrolled else mvtu_parameters)(layer, folding)
    if not isinstance(layer, Conv2d):
        return Stage(
            **common,
            i_length=layer.inputs,
            o_length=layer.outputs,
            unit=unit,
            scaling=scale_parameters(layer, folding) if isinstance(layer, Scores) else None,
        )
    height, width, channels = input_shape
    lanes = _window_lanes(layer, folding)
    slices = layer.groups * -(-channels // layer.groups // lanes)
    # What is gathered is repeated from there, so that the window has time to give the next.
    repeats = _repeats(layer, unit) if folding.simd == lanes else 1
    return Stage(
        **common | {"i_lanes": lanes},
        i_length=channels // layer.groups,
        o_length=layer.outputs,
        unit=unit,
        vectors=height * width * layer.groups,
        window=Geometry(
            height=height,
            width=width,
            slices=slices,
            kernel=layer.kernel,
            stride=layer.stride,
            padding=layer.padding,
            groups=layer.groups,
            repeats=repeats,
            rows=folding.rows,
        ),
    )


def input_lanes(design):
    """Pixels in a beat of the core's input."""
    return rules(design.network)[0].beat_pixels(design.foldings[0].simd)


def stages(design):
    """The stages of a design, in order."""
    network = design.network
    return [
        stage(
            layer,
            folding,
            shape,
            i_greatest=before,
            o_greatest=behind,
            unit=(
                mvtu_parameters(layer, folding, patchable=True)
                if design.patchable and layer.weight_bits
                else None
            ),
        )
        for (layer, folding), shape, before, behind in zip(
            design.stages, network.shapes, network.maxima, network.maxima[1:], strict=False
        )
    ]


def forks(network):
    """For each `Add`, by its place among the layers, the place of its `Fork`."""
    places = {layer.name: n for n, layer in enumerate(network.layers)}
    return {n: places[layer.fork] for n, layer in enumerate(network.layers) if isinstance(layer, Add)}
