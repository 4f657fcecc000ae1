"""The rule of convolutions."""

from collections.abc import Iterator
from dataclasses import replace
from math import gcd, prod

import numpy as np
from amaranth.hdl import unsigned

from ...hw import mvtu, width, window
from ...hw.part import Part
from ...hw.window import Geometry
from ..folding import ConvFolding
from ..ir import Conv2d
from .rule import Memories, Shallow, queued, widths
from .weighted import WeightedRule, divisor, minus_thresholds

__all__ = ["Conv2dRule"]


class Conv2dRule(WeightedRule[Conv2d, ConvFolding]):
    """`simd` channels of one pixel, or all channels of several pixels under the kernel; `pe` of one group."""

    title = "convolution"
    folded_as = ConvFolding

    @property
    def kernel(self) -> tuple[int, int] | None:
        return self.layer.kernel

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

    def pixel_lanes(self, simd: int) -> int:
        return min(simd, self.layer.group_channels)

    def nearest(self, folding: ConvFolding) -> ConvFolding:
        folding = super().nearest(folding)
        return replace(folding, pe=gcd(folding.pe, self.limits[0])) if self.layer.groups > 1 else folding

    def check(self, folding: ConvFolding) -> None:
        super().check(folding)
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
        return {divisor(self.limits[0], least)}

    def _replay_stores(self, simd: int, slices: int, groups: int) -> tuple[str, ...]:
        return ("bram",)

    def foldings(self, pe: int, simd: int, memories: Memories) -> Iterator[ConvFolding]:
        for folding in super().foldings(pe, simd, memories):
            yield replace(folding, queued=True)

    def _rows(self, bits: np.ndarray, simd: int) -> tuple[int, ...]:
        unused = -bits.shape[3] % self.pixel_lanes(simd)
        return super()._rows(np.pad(bits, ((0, 0), (0, 0), (0, 0), (0, unused)), constant_values=1), simd)

    def _unit_inputs(self, simd: int) -> int:
        lanes = self.pixel_lanes(simd)
        return prod(self.layer.kernel) * -(-self.layer.group_channels // lanes) * lanes

    def _presets(self) -> np.ndarray | None:
        return minus_thresholds(self.layer)

    @property
    def i_length(self) -> int:
        return self.layer.group_channels

    @property
    def o_length(self) -> int:
        return self.layer.outputs

    @property
    def vectors(self) -> int:
        return prod(self.input_shape[:2]) * self.layer.groups

    def i_lanes(self, folding: ConvFolding) -> int:
        return self.pixel_lanes(folding.simd)

    def parts(self, folding: ConvFolding, unit: mvtu.Parameters | None) -> tuple[Part, ...]:
        assert unit is not None  # a convolution is never unrolled
        lanes, repeats = self.i_lanes(folding), self._repeats(unit)
        if lanes == unit.simd:
            moves = queued(self._window(folding, repeats=repeats), folding)
            return *moves, *self._before_unit(unit, folding, repeats=1), unit
        # Several pixels under the kernel to a beat. They are repeated from there, so that the window has time
        # to output the next.
        gather = width.Parameters(
            shape=unsigned(unit.planes),
            length=unit.inputs,
            i_lanes=lanes,
            o_lanes=unit.simd,
            reset_less=folding.registered,
        )
        before = self._before_unit(unit, folding, repeats=repeats)
        return *queued(self._window(folding, repeats=1), folding), gather, *before, unit

    def _window(self, folding: ConvFolding, *, repeats: int) -> window.Parameters:
        layer, (height, columns, _) = self.layer, self.input_shape
        lanes = self.i_lanes(folding)
        slices = -(-layer.group_channels // lanes)  # of a group
        # In each lane that holds a channel the padding bit, 0 in those that hold none.
        channels = [min(lanes, layer.group_channels - n * lanes) for n in range(slices)]
        words = [(1 << layer.planes * each) - 1 for each in channels]
        return window.Parameters(
            shape=self.i_beat(folding),
            geometry=Geometry(
                height=height,
                width=columns,
                slices=layer.groups * slices,
                kernel=layer.kernel,
                stride=layer.stride,
                padding=layer.padding,
                groups=layer.groups,
                repeats=repeats,
                rows=folding.rows,  # type: ignore[arg-type]  # None is the minimum
            ),
            padding_words=tuple(word * layer.padding_bit for word in words) * layer.groups,
            store=folding.replay_store,
        )
