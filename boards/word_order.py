"""The order of a network's numbers in the words of its memories, by the rules of ``docs/hardware.md``.

The rules are written here a second time, so that reading back does not rely on the code that laid the words
out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..compiler.ir import Conv2d, Dense, Scores, Threshold
from ..compiler.layers import rules
from ..compiler.pipeline import memory_path, stages
from ..hw.popcount import XnorPopcount

if TYPE_CHECKING:
    from ..compiler.design import Design
    from ..compiler.ir import Weighted
    from ..compiler.stage import Stage

__all__ = ["Numbers", "numbers"]

#: Of the shape of a memory, (depth, width), the places of its numbers' bits among the bits of the memory,
#: words end to end, and the numbers. Where a number has several bits, the places have one more axis, the
#: lowest bit first.
LayOut = Callable[[tuple[int, int]], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """The numbers of a layer in one memory.

    Parameters
    ----------
    path : str
        Of the memory, below the top level.
    layer : str
    what : str
        ``"weights"``, ``"thresholds"``, ``"offsets"`` or, of counts, ``"starts"``.
    decode : function
        Of the memory's words, a uint8 array of shape (depth, width), the words that hold the numbers.
    lay_out : `LayOut`
    """

    path: str
    layer: str
    what: str
    decode: Callable[[np.ndarray], np.ndarray]
    lay_out: LayOut


def numbers(design: Design) -> Iterator[Numbers]:
    """The numbers of every memory of a design, in the order of its layers."""
    for n, (rule, stage) in enumerate(zip(rules(design.network), stages(design), strict=True)):
        folded = rule.shape(stage.folding)
        match stage.layer:
            case Scores() as layer:
                yield from _unit(n, stage, folded, layer, "offsets", layer.offsets)
            case Conv2d() | Dense() as layer:
                if layer.thresholds is not None:
                    yield from _unit(n, stage, folded, layer, "thresholds", -layer.thresholds)
                else:  # counts of ternary weights start below 0
                    starts = None if layer.mask is None else np.zeros(layer.outputs, np.int64)
                    yield from _unit(n, stage, folded, layer, "starts", starts)
            case Threshold() as layer:
                yield Numbers(
                    path=f"core.{memory_path(stage.parts[0], 'rom.memory', n)}",
                    layer=layer.name,
                    what="thresholds",
                    decode=np.asarray,
                    lay_out=_thresholds(layer, *folded),
                )


def _unit(
    n: int, stage: Stage, folded: tuple[int, int], layer: Weighted, what: str, presets: np.ndarray | None
) -> Iterator[Numbers]:
    """The numbers of a layer with weights: those, and the starts of its accumulators if it has any."""
    unit, (pe, simd) = stage.unit, folded
    assert unit is not None
    yield Numbers(
        path=f"core.{memory_path(unit, 'weight_rom.memory', n)}",
        layer=layer.name,
        what="weights",
        decode=_decode(simd),
        lay_out=_weights(layer, pe, simd),
    )
    if presets is not None:
        yield Numbers(
            path=f"core.{memory_path(unit, 'preset_rom.memory', n)}",
            layer=layer.name,
            what=what,
            decode=np.asarray,
            lay_out=_presets(presets, layer, pe),
        )


def _decode(simd: int) -> Callable[[np.ndarray], np.ndarray]:
    """Weights from their code: each bit is the parity of the complements of its weight and those before it in
    its group.
    """
    begins = np.zeros(simd, bool)
    begins[np.cumsum((0, *XnorPopcount.groups(simd)))[:-1]] = True

    def decode(words: np.ndarray) -> np.ndarray:
        coded = words.reshape(-1, simd)
        before = np.roll(coded, 1, axis=1)
        before[:, begins] = 0
        return (1 ^ coded ^ before).reshape(words.shape)

    return decode


def _weights(layer: Weighted, pe: int, simd: int) -> LayOut:
    """Word (group, half, slice) of `pe` rows of `simd` weights, the first lowest.

    A convolution's slices are the pieces of each pixel under the kernel. A ternary weight is half the sum of
    two binary ones: 1, 1 or 0, 0, or for 0 first 1, then 0.
    """
    channels = layer.weights.shape[-1]
    pixels = layer.weights.shape[1:-1]
    lanes = min(simd, channels)  # more than that are whole pixels
    padded = -(-channels // lanes) * lanes
    inputs = math.prod(pixels) * padded
    slices = -(-inputs // simd)
    groups = -(-layer.outputs // pe)
    halves = 1 if layer.mask is None else 2
    expected = (
        layer.weights
        if layer.mask is None
        else np.stack([layer.weights | 1 - layer.mask, layer.weights & layer.mask], axis=1)
    )

    def lay_out(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        places = np.arange(math.prod(shape)).reshape(groups, halves, slices, pe, simd)
        # (group, lane), half, (slice, place in it)
        places = np.moveaxis(places, -2, 1).reshape(groups * pe, halves, slices * simd)
        places = places[: layer.outputs, :, :inputs].reshape(layer.outputs, halves, *pixels, padded)
        places = places[..., :channels]
        return (places[:, 0] if layer.mask is None else places), expected

    return lay_out


def _presets(presets: np.ndarray, layer: Weighted, pe: int) -> LayOut:
    """Word (group) of `pe` accumulators' starts: minus a threshold, an offset, or 0 for counts. With ternary
    weights they are twice that, less what the weights of 0 add.
    """
    expected = presets.astype(np.int64)
    if layer.mask is not None:
        unmasked = layer.mask.reshape(layer.outputs, -1).sum(axis=1, dtype=np.int64)
        expected = 2 * expected - ((1 << layer.planes) - 1) * (layer.inputs - unmasked)

    def lay_out(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        places = np.arange(math.prod(shape)).reshape(shape[0] * pe, shape[1] // pe)
        return places[: layer.outputs], expected

    return lay_out


def _thresholds(layer: Threshold, pe: int, simd: int) -> LayOut:
    """Word (beat) of `pe` channels: their thresholds, and above them the inversion, which is read as the sign
    of a single one.
    """
    channels, levels = layer.steps.shape

    def lay_out(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        places = np.arange(math.prod(shape)).reshape(shape[0] * pe, shape[1] // pe)
        width = (places.shape[1] - 1) // levels
        places = places[:channels]
        steps = layer.steps.astype(np.int64)
        if levels == 1:
            return places, steps[:, 0] - (layer.inverted.astype(np.int64) << width)
        # Of several, each is read by itself, its highest bit as its sign.
        expected = steps - (steps >> width - 1 << width)
        return places[:, : levels * width].reshape(channels, levels, width), expected

    return lay_out
