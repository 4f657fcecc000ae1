"""Rules of the layers with weights."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from math import gcd, prod
from typing import Generic, TypeVar

from ...hw.spram import BLOCK_DEPTH, blocks
from ...hw.window import Geometry
from ..folding import UNROLLED, Folding
from ..ir import Conv2d, Dense, Scores
from .rule import Memories, Rule, Shallow, widths

__all__ = ["MAX_LUT_BUFFER", "Conv2dRule", "DenseRule", "ScoresRule", "WeightedRule", "halves"]

#: Maximum bits of a buffer that is tried in flip-flops.
MAX_LUT_BUFFER = 128

#: Widest weight word, in bits, that a layer reads in one cycle.
_MAX_WORD = 8192

#: Deepest ROM, in words, that is tried in LUTs: a deeper one is cheaper in block RAM on every device.
_MAX_LUT_DEPTH = 64

#: Minimum number of words from which thresholds are tried in block RAM.
_MIN_PRESET_DEPTH = 17

#: Maximum cycles per image at which a layer is also tried unrolled. A unit that takes five cycles is about as
#: large, and one that takes more is smaller.
_UNROLLED_CYCLES = 6

#: Maximum bits of weights of an unrolled layer: the search builds its tables to know their number.
_MAX_UNROLLED = 1 << 14

W = TypeVar("W", Conv2d, Dense, Scores)


def halves(layer: Conv2d | Dense | Scores) -> int:
    """Binary weights that a weight is the sum of: two if they are ternary."""
    return 1 if layer.mask is None else 2


class WeightedRule(Rule[W], Generic[W]):
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

    def complete(self, folding: Folding) -> Folding:
        """Both pe and simd are chosen, but unrolled weights need all of both."""
        if not folding.unrolled:
            return folding
        pe, simd = self.limits
        return replace(folding, pe=pe, simd=simd)

    def pixel_lanes(self, simd: int) -> int | None:
        """Channels in a word of the line buffers, to which a pixel's weights are padded; None without them."""
        return None

    def slices(self, simd: int) -> int:
        """Beats of `simd` inputs that a vector of one neuron's inputs takes."""
        inputs = self.group_inputs
        if simd > inputs:
            return -(-self.layer.inputs // simd)
        return -(-inputs // simd) * (self.layer.inputs // inputs)

    def weight_words(self, pe: int, simd: int) -> int:
        """Words of the weight memory: for each group of outputs, half of ternary weights, and slice."""
        return -(-self.layer.outputs // pe) * halves(self.layer) * self.slices(simd)

    def _check_sprams(self, folding: Folding) -> None:
        if folding.store != "spram":
            return super()._check_sprams(folding)
        if folding.sprams is not None:
            most = blocks(folding.pe * folding.simd)
            self._require(
                type(folding.sprams) is int and 1 <= folding.sprams <= most,
                f"sprams must be in 1 ... {most}, not {folding.sprams!r}",
            )
        words = self.weight_words(folding.pe, folding.simd)
        self._require(
            words <= BLOCK_DEPTH,
            f"in SPRAM it can have {BLOCK_DEPTH:,} words of weights, but pe {folding.pe} and simd"
            f" {folding.simd} make {words:,}; increase either",
        )

    def _simds(self) -> list[int]:
        return widths(self.layer.inputs)

    def _pes(self, least: int, simd: int, shallow: Shallow) -> set[int]:
        """Numbers of outputs at once worth a try, at least `least`."""
        outputs = self.limits[0]
        # A power of two or a divisor meets the next layer's beats more easily.
        divisor = _divisor(outputs, least)
        words = self.slices(simd) * halves(self.layer) * self.layer.groups
        for n in range(outputs.bit_length() + 1):
            pe = min(divisor << n, outputs)
            if shallow(width=pe * simd, depth=words * -(-outputs // pe)):
                break
        else:
            pe = divisor
        return {least, min(1 << (least - 1).bit_length(), outputs), divisor, pe}

    def shapes(self, cycles: int, shallow: Shallow) -> Iterator[tuple[int, int]]:
        """For each simd the minimum pe, and the minimum that makes a weight ROM that is `shallow`."""
        outputs, positions = self.limits[0], self.positions * self.layer.groups
        for simd in self._simds():
            slices = self.slices(simd) * positions * self.layer.planes * halves(self.layer)
            if slices > cycles:
                continue
            for pe in self._pes(-(-outputs // (cycles // slices)), simd, shallow):
                if pe * simd <= _MAX_WORD:
                    yield pe, simd
        if cycles <= _UNROLLED_CYCLES and self._may_unroll:
            yield self.limits

    @property
    def _may_unroll(self) -> bool:
        """Whether it is tried unrolled: a single pass of no more weights than take seconds."""
        layer = self.layer
        return self.unrolls and layer.planes == halves(layer) == 1 and layer.weight_bits <= _MAX_UNROLLED

    def _replay_stores(self, simd: int, slices: int, groups: int) -> tuple[str, ...]:
        small = groups > 1 and simd * slices <= MAX_LUT_BUFFER
        return ("bram", "lut") if small else ("bram",)

    def foldings(self, pe: int, simd: int, memories: Memories) -> Iterator[Folding]:
        slices = -(-self.layer.inputs // simd)
        groups = -(-self.layer.outputs // pe) * halves(self.layer)
        stores = ("bram", "lut") if slices * groups <= _MAX_LUT_DEPTH else ("bram",)
        presets = ("bram", "lut") if groups >= _MIN_PRESET_DEPTH else ("lut",)
        if memories.patchable_store == "bram":
            stores = presets = ("bram",)
        for store, preset_store, replay_store in product(
            stores, presets, self._replay_stores(simd, slices, groups)
        ):
            yield Folding(
                pe=pe,
                simd=simd,
                store=store,
                preset_store=preset_store,
                replay_store=replay_store,
                registered=memories.registered,
            )
        if slices == groups == 1 and self._may_unroll and memories.patchable_store is None:
            yield Folding(pe=pe, simd=simd, store=UNROLLED)


class DenseRule(WeightedRule[Dense]):
    """The vector is whatever comes before."""

    unrolls = True


class ScoresRule(WeightedRule[Scores]):
    """As `DenseRule`."""

    title = "dense, scores"
    outputs = "scores"
    unrolls = True


class Conv2dRule(WeightedRule[Conv2d]):
    """`simd` channels of one pixel, or all channels of several pixels under the kernel; `pe` of one group."""

    title = "convolution"

    @property
    def limits(self) -> tuple[int, int]:
        return self.layer.outputs // self.layer.groups, self.layer.inputs

    @property
    def group_inputs(self) -> int:
        return self.layer.group_channels

    @property
    def positions(self) -> int:
        return prod(self.output_shape[:2])

    @property
    def rows(self) -> tuple[int, int] | None:
        return Geometry.rows_range(
            height=self.input_shape[0], kernel=self.layer.kernel, stride=self.layer.stride
        )

    @property
    def legal_pe(self) -> list[int]:
        """A beat of outputs must not reach from one group into the next."""
        most, _ = self.limits
        return [pe for pe in range(1, most + 1) if self.layer.groups == 1 or most % pe == 0]

    def legal_simd(self, simd: int) -> int:
        channels = self.layer.group_channels
        return simd if simd <= channels else simd // channels * channels

    def beat_pixels(self, simd: int) -> int:
        """All channels of a pixel if they do not fill its last beat: the image is one vector without gaps."""
        return self.layer.channels if self.layer.channels % simd else simd

    def pixel_lanes(self, simd: int) -> int | None:
        return min(simd, self.layer.group_channels)

    def nearest(self, folding: Folding) -> Folding:
        folding = super().nearest(folding)
        return replace(folding, pe=gcd(folding.pe, self.limits[0])) if self.layer.groups > 1 else folding

    def _check_simd(self, folding: Folding) -> None:
        self._require(
            folding.simd == self.legal_simd(folding.simd),
            f"simd must be at most the {self.layer.group_channels} channels of a pixel (of a group) or a"
            f" multiple of them, whole pixels under the kernel, not {folding.simd}",
        )
        outputs, _ = self.limits
        self._require(
            self.layer.groups == 1 or outputs % folding.pe == 0,
            f"pe must divide the {outputs} outputs of a group, which {folding.pe} does not",
        )

    def _simds(self) -> list[int]:
        channels = self.layer.group_channels
        return widths(channels) + [channels * pixels for pixels in widths(prod(self.layer.kernel), least=2)]

    def _pes(self, least: int, simd: int, shallow: Shallow) -> set[int]:
        if self.layer.groups == 1:
            return super()._pes(least, simd, shallow)
        return {_divisor(self.limits[0], least)}

    def _replay_stores(self, simd: int, slices: int, groups: int) -> tuple[str, ...]:
        return ("bram",)


def _divisor(number: int, least: int) -> int:
    """The minimum divisor of a number that is at least `least`."""
    return next(each for each in range(least, number + 1) if number % each == 0)
