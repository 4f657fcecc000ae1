"""The rule of convolutions."""

from collections.abc import Iterator
from dataclasses import replace
from math import gcd, prod
from typing import Any

import numpy as np
from amaranth.hdl import unsigned

from ...hw import mvtu, patches, splitter, width, window
from ...hw.part import Part
from ...hw.window import Geometry
from ..folding import ConvFolding, WeightedFolding
from ..ir import Conv2d
from .rule import Memories, queued, widths
from .weighted import MANY_BEATS, WeightedRule, minus_thresholds

__all__ = ["Conv2dRule"]


#: Maximum number of positions at once that is tried.
_MOST_AT_ONCE = 5


def least_of(row: int, most: int) -> int:
    """The fewest positions at once that take no more steps over a row than `most`."""
    return -(-row // -(-row // min(row, most)))


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
        folding = replace(folding, patches=folding.patches and self._may_have_patches(folding))
        folding = replace(folding, at_once=min(folding.at_once, self._row(folding)))
        if not self._has_line_buffers(folding):
            folding = replace(folding, rows=None, queued=False)
        return replace(folding, pe=gcd(folding.pe, self.limits[0])) if self.layer.groups > 1 else folding

    def fastest(self, *, pe: int, simd: int) -> ConvFolding:
        """With patches if there may be, and all positions of a row at once."""
        found = self.folding(pe=pe, simd=simd)
        found = replace(found, patches=self._may_have_patches(found))
        return replace(found, at_once=self._row(found))

    def check(self, folding: ConvFolding) -> None:
        super().check(folding)
        self._require(
            folding.simd == self.legal_simd(folding.simd),
            f"simd must be at most the {self.layer.group_channels} channels of a pixel (of a group) or a"
            f" multiple of them, whole pixels under the kernel, not {folding.simd}",
        )
        self._require(
            not folding.patches or self._may_have_patches(folding),
            f"patches need a layer of one group and all {self.layer.channels} channels at once, not"
            f" {folding.simd}, so they must be left out",
        )
        most = self._row(folding)
        self._require(folding.at_once <= most, f"at_once must be in 1 ... {most}, not {folding.at_once}")
        self._require(
            self._has_line_buffers(folding) or folding.rows is None and not folding.queued,
            "patches of one row need no line buffers, so rows and queued must be left out",
        )
        outputs, _ = self.limits
        self._require(
            self.layer.groups == 1 or outputs % folding.pe == 0,
            f"pe must divide the {outputs} outputs of a group, which {folding.pe} does not",
        )

    def _may_have_patches(self, folding: ConvFolding) -> bool:
        return self.layer.groups == 1 and folding.simd >= self.layer.channels

    def _row(self, folding: ConvFolding) -> int:
        """Positions of a row; those along a sequence are a row for patches."""
        return self.positions if folding.patches and self.along_sequence else self.output_shape[1]

    def _has_line_buffers(self, folding: ConvFolding) -> bool:
        """Whether pixels are held before patches: those of one row come in the order of their columns."""
        return not folding.patches or self._rows_under != (1, 1, (0, 0))

    @property
    def _rows_under(self) -> tuple[int, int, tuple[int, int]]:
        """Rows of the kernel, stride and padding of patches. Along a sequence, columns take their place."""
        if self.along_sequence:
            return 1, 1, (0, 0)
        return self.layer.kernel[0], self.layer.stride[0], self.layer.padding[0]

    def _simds(self) -> list[int]:
        channels = self.layer.group_channels
        return widths(channels) + [channels * pixels for pixels in widths(prod(self.layer.kernel), least=2)]

    def _pes(self) -> list[int]:
        if self.layer.groups == 1:
            return super()._pes()
        most, _ = self.limits
        return [pe for pe in range(1, most + 1) if most % pe == 0]

    def _replay_stores(self, simd: int, slices: int, groups: int) -> tuple[str, ...]:
        return ("bram",)

    def foldings(self, pe: int, simd: int, memories: Memories) -> Iterator[ConvFolding]:
        whole = simd == prod(self.layer.kernel) * self.layer.channels > self.layer.channels
        for folding in super().foldings(pe, simd, memories):
            first = replace(folding, patches=whole and self._may_have_patches(folding))
            first = replace(first, queued=self._has_line_buffers(first))
            yield first
            if folding.store == "bram" or first.patches:
                store = "bram" if self.layer.outputs // pe >= MANY_BEATS else "lut"
                for at_once in self._several(first):
                    yield replace(first, at_once=at_once, splitter_store=store)

    def _several(self, folding: ConvFolding) -> list[int]:
        """Numbers of positions at once worth a try: two, and about four."""
        row = self._row(folding)
        return sorted({least_of(row, at_once) for at_once in (2, _MOST_AT_ONCE)} - {1})

    def least_cycles(self, pe: int, simd: int) -> int:
        fastest = self.fastest(pe=pe, simd=simd)
        row = self._row(fastest)
        return super().least_cycles(pe, simd) // row * -(-row // least_of(row, _MOST_AT_ONCE))

    def folded_unit(self, folding: WeightedFolding) -> dict[str, Any]:
        assert isinstance(folding, ConvFolding)
        return {**super().folded_unit(folding), "vectors": folding.at_once}

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
        first: tuple[Part, ...]
        if folding.patches:
            patch = self._patch(folding)
            first, lanes = (patch,), patch.o_shape.length // folding.at_once
            if self._has_line_buffers(folding):
                first = *queued(self._columns(folding, patch), folding), patch
        else:
            once = lanes != unit.simd  # several pixels are repeated from where they come together
            first = queued(self._window(folding, repeats=1 if once else repeats), folding)
            repeats = repeats if once else 1
        if lanes != unit.simd:
            gather = width.Parameters(
                shape=unsigned(unit.planes),
                length=unit.inputs * folding.at_once,
                i_lanes=lanes * folding.at_once,
                o_lanes=unit.simd * folding.at_once,
            )
            first = *first, gather
        before = self._before_unit(unit, folding, repeats=repeats)
        return *first, *before, unit, *self._in_turn(folding, unit)

    def _in_turn(self, folding: ConvFolding, unit: mvtu.Parameters) -> tuple[Part, ...]:
        """What outputs the positions that were computed together one after the other."""
        if folding.at_once == 1:
            return ()
        parameters = splitter.Parameters(
            element=unit.element,
            lanes=unit.pe,
            at_once=folding.at_once,
            beats=unit.groups,
            row=self._row(folding),
            pace=unit.beats,
            store=folding.splitter_store,
        )
        return (parameters,)

    def _patch(self, folding: ConvFolding) -> patches.Parameters:
        layer, (height, columns, _) = self.layer, self.input_shape
        along = self.along_sequence
        axis = 0 if along else 1
        return patches.Parameters(
            pixel=self.i_beat(folding),
            width=height * columns if along else columns,
            kernel=(1, layer.kernel[0]) if along else layer.kernel,
            stride=layer.stride[axis],
            padding=layer.padding[axis],
            padding_word=((1 << layer.planes * layer.channels) - 1) * layer.padding_bit,
            at_once=folding.at_once,
        )

    def _columns(self, folding: ConvFolding, patch: patches.Parameters) -> window.Parameters:
        """The line buffers before patches: they output the pixels under the kernel column by column."""
        height, columns, _ = self.input_shape
        rows, stride, padding = self._rows_under
        return window.Parameters(
            shape=patch.pixel,
            geometry=Geometry(
                height=height,
                width=columns,
                slices=1,
                kernel=(rows, 1),
                stride=(stride, 1),
                padding=(padding, (0, 0)),
                rows=folding.rows,  # type: ignore[arg-type]  # None is the minimum
            ),
            padding_words=(patch.padding_word,),
            store=folding.replay_store,
        )

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
                at_once=folding.at_once,
                rows=folding.rows,  # type: ignore[arg-type]  # None is the minimum
            ),
            padding_words=tuple(word * layer.padding_bit for word in words) * layer.groups,
            store=folding.replay_store,
        )
