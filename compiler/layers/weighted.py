"""Rules of the layers with weights."""

from collections.abc import Iterator
from dataclasses import fields, replace
from functools import lru_cache
from itertools import product
from math import inf, prod
from typing import Any, Generic, TypeVar

import numpy as np
from amaranth.hdl import Shape, unsigned
from amaranth.lib.data import ArrayLayout

from ...hw import collector, discard, mvtu, planes, replay, scale, short_queue, splitter, unrolled
from ...hw.part import Part
from ...hw.spram import BLOCK_DEPTH, blocks
from ..folding import Folding, Rom, Spram, Unrolled, UnrolledScores, WeightedFolding
from ..ir import Conv2d, Dense, Scores
from ..unrolled import unroll
from .rule import Memories, Rule, widths

__all__ = [
    "MANY_BEATS",
    "MAX_LUT_BUFFER",
    "DenseRule",
    "ScoresRule",
    "WeightedRule",
    "divisors",
    "halves",
    "minus_thresholds",
]

#: Maximum bits of a buffer that is tried in flip-flops.
MAX_LUT_BUFFER = 128

#: Widest weight word, in bits, that a layer reads in one cycle.
_MAX_WORD = 8192

#: Deepest ROM, in words, that is tried in LUTs: a deeper one is cheaper in block RAM on every device.
_MAX_LUT_DEPTH = 64

#: Minimum number of words from which thresholds are tried in block RAM.
_MIN_PRESET_DEPTH = 17

#: Maximum cycles per image at which a large layer is also tried unrolled. With as many words of weights in
#: LUTs, 16 to each, a folded layer takes a fourth of a LUT for a weight.
_UNROLLED_CYCLES = 16

#: Maximum bits of weights of a layer that is small.
_SMALL = 256

#: Minimum number of beats of a position for which its results are tried in a block RAM.
MANY_BEATS = 12

#: Maximum bits of a batch's results that wait in flip-flops for their turn.
_MAX_LUT_RESULTS = 256

#: Batches between collector and splitter for which a layer alone is made; a design has as many as it needs.
_BATCHES_AHEAD = 4

#: Maximum connections of an unrolled layer: the search builds its tables to know their number.
_MAX_UNROLLED = 1 << 14

#: Maximum inputs of a neuron of a sparse layer, which takes so few tables that it is always tried unrolled.
_FEW_INPUTS = 8

W = TypeVar("W", Conv2d, Dense, Scores)
V = TypeVar("V", Dense, Scores)
F = TypeVar("F", bound=Folding)


def halves(layer: Conv2d | Dense | Scores) -> int:
    """Binary weights that a weight is the sum of: two if they are ternary."""
    return 1 if layer.mask is None else 2


class WeightedRule(Rule[W, F], Generic[W, F]):
    """`simd` inputs are counted for each of `pe` outputs in each cycle."""

    title = "dense"

    @property
    def limits(self) -> tuple[int, int]:
        return self.layer.outputs, self.layer.inputs

    @property
    def slowest(self) -> int:
        products = prod(self.output_shape) * self.layer.inputs * self.layer.planes * halves(self.layer)
        return max(prod(self.input_shape), products)

    @property
    def group_inputs(self) -> int:
        """Inputs from which a slice never reaches into the next ones."""
        return self.layer.inputs

    def shape(self, folding: F) -> tuple[int, int]:
        """Both pe and simd are chosen, but unrolled weights need all of both."""
        return (folding.pe, folding.simd) if isinstance(folding, WeightedFolding) else self.limits

    def resized(self, folding: F, *, pe: int, simd: int) -> F:
        """Weights that are no longer all used at once are not unrolled either."""
        if isinstance(folding, WeightedFolding):
            return replace(folding, pe=pe, simd=simd)
        return folding if (pe, simd) == self.limits else self.folding(pe=pe, simd=simd)

    def pixel_lanes(self, simd: int) -> int | None:
        """Channels in a word of the line buffers, to which weights are padded; None without line buffers."""
        return None

    def _rows(self, bits: np.ndarray, simd: int) -> tuple[int, ...]:
        """The weights or the mask of each output as one number."""
        packed = np.packbits(bits.reshape(self.layer.outputs, -1).astype(bool), axis=1, bitorder="little")
        return tuple(int.from_bytes(row.tobytes(), "little") for row in packed)

    def _unit_inputs(self, simd: int) -> int:
        """Inputs of a neuron, with those that fill the last word of a pixel."""
        return self.layer.inputs

    def _presets(self) -> np.ndarray | None:
        """What the sums of a unit start from; None if it outputs counts."""
        raise NotImplementedError

    def unit(self, folding: F, *, patchable: bool = False) -> mvtu.Parameters | None:
        """The matrix-vector-threshold unit; None for unrolled weights.

        A sum that starts from minus the threshold ends at or above zero exactly if the count reaches the
        threshold. A convolution counts over the words of the window; what is unused in a pixel's last word
        has weights that never agree with its zeros. Scaled scores get their offsets afterwards.
        """
        if not isinstance(folding, WeightedFolding):
            return None
        layer, presets = self.layer, self._presets()
        counts = presets is None
        return mvtu.Parameters(
            inputs=self._unit_inputs(folding.simd),
            weights=self._rows(layer.weights, folding.simd),
            masks=None if layer.mask is None else self._rows(layer.mask, folding.simd),
            presets=tuple((np.zeros(layer.outputs, int) if presets is None else presets).tolist()),
            **self.folded_unit(folding),
            patchable=patchable,
            planes=layer.planes,
            signs=self.outputs == "bits" and not counts,
            max_count=layer.reach if counts else None,
        )

    def folded_unit(self, folding: WeightedFolding) -> dict[str, Any]:
        """What the unit's parameters take from a folding."""
        weights = folding.weights
        return {
            "pe": folding.pe,
            "simd": folding.simd,
            "weight_store": weights.store,
            "sprams": weights.count if isinstance(weights, Spram) else None,
            "preset_store": folding.preset_store,
            "registered": folding.registered,
        }

    def _before_unit(
        self, unit: mvtu.Parameters, folding: WeightedFolding, *, repeats: int
    ) -> tuple[Part, ...]:
        """What is before the unit: each vector is repeated, and split into its bit planes."""
        parts: list[Part] = []
        if repeats > 1:
            shape = ArrayLayout(unsigned(unit.planes), unit.simd * unit.vectors)
            parts.append(
                replay.Parameters(shape=shape, beats=unit.slices, repeats=repeats, store=folding.replay_store)
            )
        if unit.planes > 1:
            lanes = unit.simd * unit.vectors
            parts.append(planes.Parameters(lanes=lanes, beats=unit.plane_beats, planes=unit.planes))
        return tuple(parts)

    def _repeats(self, unit: mvtu.Parameters) -> int:
        """How often the unit needs each vector: for each beat of outputs (of a group), plane and half."""
        return unit.groups // self.layer.groups * unit.planes * unit.halves

    def slices(self, simd: int) -> int:
        """Beats of `simd` inputs that a vector of one neuron's inputs takes."""
        inputs = self.group_inputs
        if simd > inputs:
            return -(-self.layer.inputs // simd)
        return -(-inputs // simd) * (self.layer.inputs // inputs)

    def weight_words(self, pe: int, simd: int) -> int:
        """Words of the weight memory: for each group of outputs, half of ternary weights, and slice."""
        return -(-self.layer.outputs // pe) * halves(self.layer) * self.slices(simd)

    def check(self, folding: F) -> None:
        super().check(folding)
        if not (isinstance(folding, WeightedFolding) and isinstance(folding.weights, Spram)):
            return
        most, count = blocks(folding.pe * folding.simd), folding.weights.count
        self._require(count is None or count <= most, f"sprams must be in 1 ... {most}, not {count}")
        words = self.weight_words(folding.pe, folding.simd)
        self._require(
            words <= BLOCK_DEPTH,
            f"in SPRAM it can have {BLOCK_DEPTH:,} words of weights, but pe {folding.pe} and simd"
            f" {folding.simd} make {words:,}; increase either",
        )

    def _simds(self) -> list[int]:
        return widths(self.layer.inputs)

    def _pes(self) -> list[int]:
        """Numbers of outputs at once worth a try: also divisors times powers of two, which meet the beats of
        the next layer more easily.
        """
        outputs: int = self.limits[0]
        even: set[int] = {divisor << n for divisor in divisors(outputs) for n in range(outputs.bit_length())}
        return sorted({*widths(outputs), *(pe for pe in even if pe <= outputs)})

    def shapes(self) -> Iterator[tuple[int, int]]:
        for simd in self._simds():
            for pe in self._pes():
                if pe * simd <= _MAX_WORD:
                    yield pe, simd
        if self.may_be_wired and prod(self.limits) > _MAX_WORD:
            yield self.limits

    def _wired(self, pe: int, simd: int) -> bool:
        """Whether a folding of this pe and simd may have its weights wired in."""
        return self.may_be_wired and (pe, simd) == self.limits

    def least_cycles(self, pe: int, simd: int) -> int:
        if self._wired(pe, simd):
            return 1
        vectors = self.positions * self.layer.groups * self.layer.planes * halves(self.layer)
        return -(-(-(-self.limits[0] // pe) * self.slices(simd) * vectors) // self.images)

    def most_cycles(self, pe: int, simd: int) -> float:
        large = self.layer.weight_bits > _SMALL and not self.is_sparse
        return _UNROLLED_CYCLES if large and self._wired(pe, simd) else inf

    def counters(self, pe: int, simd: int) -> int:
        return 0 if self._wired(pe, simd) else pe * self.images

    @property
    def may_be_wired(self) -> bool:
        """Whether it is tried unrolled: a single pass of no more connections than take seconds."""
        layer = self.layer
        if self.batch > 1:
            return False
        return self.unrolled_as is not None and layer.planes == 1 and layer.connections <= _MAX_UNROLLED

    @property
    def is_sparse(self) -> bool:
        """Whether its neurons, or the scores' classes, see few of the inputs and can be wired in."""
        layer = self.layer
        few = layer.fan_in <= _FEW_INPUTS or layer.connections <= layer.inputs * _FEW_INPUTS
        return layer.mask is not None and few and self.may_be_wired

    def _replay_stores(self, simd: int, slices: int, groups: int) -> tuple[str, ...]:
        small = groups > 1 and simd * slices <= MAX_LUT_BUFFER
        return ("bram", "lut") if small else ("bram",)

    def foldings(self, pe: int, simd: int, memories: Memories) -> Iterator[F]:
        slices = -(-self.layer.inputs // simd)
        groups = -(-self.layer.outputs // pe) * halves(self.layer)
        stores = ("bram", "lut") if slices * groups <= _MAX_LUT_DEPTH else ("bram",)
        presets = ("bram", "lut") if groups >= _MIN_PRESET_DEPTH else ("lut",)
        if memories.patchable_store == "bram":
            stores = presets = ("bram",)
        for store, preset_store, replay_store in product(
            stores, presets, self._replay_stores(simd, slices, groups)
        ):
            yield self.folding(
                pe=pe,
                simd=simd,
                weights=Rom(store),
                preset_store=preset_store,
                replay_store=replay_store,
                registered=memories.registered,
            )
        if (pe, simd) == self.limits and self.may_be_wired and memories.patchable_store is None:
            yield self.unrolled(table_inputs=memories.table_inputs)


class VectorRule(WeightedRule[V, WeightedFolding | Unrolled], Generic[V]):
    """The input is one vector."""

    folded_as = WeightedFolding
    unrolled_as = Unrolled

    @property
    def images(self) -> int:
        return self.batch

    @property
    def i_together(self) -> int:
        return self.batch if self.after_dense else 1

    @property
    def _o_together(self) -> int:
        """Images whose bits are output side by side, for the next dense layer."""
        return self.batch if self.before_dense else 1

    @property
    def i_length(self) -> int:
        return self.layer.inputs * self.i_together

    @property
    def o_length(self) -> int:
        return self.layer.outputs * self._o_together

    @property
    def vectors(self) -> int:
        return self.batch // self.i_together

    def i_lanes(self, folding: WeightedFolding | Unrolled) -> int:
        return super().i_lanes(folding) * self.i_together

    def o_lanes(self, folding: WeightedFolding | Unrolled) -> int:
        return super().o_lanes(folding) * self._o_together

    def check(self, folding: WeightedFolding | Unrolled) -> None:
        super().check(folding)
        self._require(
            self.batch == 1 or isinstance(folding, WeightedFolding),
            f"weights that are wired in are all used in each cycle, so a batch must be of 1 image, not of"
            f" {self.batch}; give other --pe and --simd, or leave --batch out",
        )

    def folded_unit(self, folding: WeightedFolding) -> dict[str, Any]:
        return {
            **super().folded_unit(folding),
            "vectors": self.batch,
            "interleaved": self.batch > 1 and self.before_dense,
        }

    def parts(self, folding: WeightedFolding | Unrolled, unit: mvtu.Parameters | None) -> tuple[Part, ...]:
        if isinstance(folding, Unrolled):
            return (self._unrolled(folding),)
        assert unit is not None
        first: tuple[Part, ...] = self._collector(unit, folding)
        first += self._before_unit(unit, folding, repeats=1 if first else self._repeats(unit))
        last: tuple[Part, ...] = self._in_turn(unit)
        return (*first, unit, *last)

    def _collector(self, unit: mvtu.Parameters, folding: WeightedFolding) -> tuple[Part, ...]:
        """What takes the images of a batch and repeats them, unless they come side by side."""
        if self.batch == 1 or self.after_dense:
            return ()
        parameters = collector.Parameters(
            shape=ArrayLayout(unsigned(unit.planes), unit.simd),
            beats=unit.slices,
            batch=self.batch,
            repeats=self._repeats(unit),
            store=folding.replay_store,
        )
        return (parameters,)

    def _in_turn(self, unit: mvtu.Parameters) -> tuple[Part, ...]:
        """What outputs the images of a batch one after the other, if the next layer is not dense."""
        if self.batch == 1 or self.before_dense:
            return ()
        parameters = splitter.Parameters(
            element=unit.element,
            lanes=unit.pe,
            at_once=self.batch,
            beats=unit.groups,
            row=self.batch,
            pace=unit.beats,
        )
        if sum(parameters.depths) * Shape.cast(parameters.word).width > _MAX_LUT_RESULTS:
            parameters = replace(parameters, store="bram")
        left_out = discard.Parameters(
            shape=parameters.o_shape, beats=unit.groups, batch=self.batch, depth=_BATCHES_AHEAD
        )
        # The choice among the images and the comparison of scores are too much for a cycle.
        return parameters, left_out, short_queue.Parameters(shape=left_out.o_shape)

    def _unrolled(self, folding: Unrolled) -> unrolled.Parameters:
        """The network of tables."""
        unit = self.unit(WeightedFolding(pe=1, simd=1))
        assert unit is not None
        return _cached_unroll(
            levels=folding.levels,
            size=folding.table_inputs,
            **{field.name: getattr(unit, field.name) for field in fields(unit)},
        )


@lru_cache(maxsize=16)  # the same layer is unrolled again and again
def _cached_unroll(*, levels: int, size: int, **unit: Any) -> unrolled.Parameters:
    return unroll(mvtu.Parameters(**unit), levels=levels, size=size)


class DenseRule(VectorRule[Dense]):
    """Neurons."""

    def _presets(self) -> np.ndarray | None:
        return minus_thresholds(self.layer)


class ScoresRule(VectorRule[Scores]):
    """Neurons whose counts are scores. `preset_store` is also where scales are."""

    title = "dense, scores"
    outputs = "scores"
    unrolled_as = UnrolledScores

    def _presets(self) -> np.ndarray | None:
        return self.layer.offsets if self.layer.scales is None else None

    def scaling(self, folding: Folding) -> scale.Parameters | None:
        """The scales and offsets, in the order of the classes; None without scales."""
        if self.layer.scales is None:
            return None
        assert isinstance(folding, WeightedFolding | UnrolledScores)
        return scale.Parameters(
            maximum=self.layer.reach,
            scales=tuple(self.layer.scales.tolist()),
            offsets=tuple(self.layer.offsets.tolist()),
            store=folding.preset_store,
        )

    @property
    def results_cycles(self) -> int:
        """Cycles in which the results of an image leave, whatever the folding: one per output, or what its
        scaling takes.
        """
        scaling = self.scaling(self.folding(pe=1, simd=1))
        return self.layer.outputs * (scaling.cycles if scaling else 1)


def minus_thresholds(layer: Conv2d | Dense) -> np.ndarray | None:
    """What the sums of a layer's unit start from; None if it outputs counts."""
    return None if layer.thresholds is None else -layer.thresholds


def divisors(number: int) -> list[int]:
    """All divisors of a number, in order."""
    return [each for each in range(1, number + 1) if number % each == 0]
