"""Rules of the layers that take raw pixels."""

from collections.abc import Iterator
from math import prod
from typing import Generic, TypeVar

import numpy as np

from ...hw import binarize, lookup, mvtu
from ...hw.part import Part
from ..folding import LaneFolding
from ..ir import PIXEL_LEVELS, Binarize, Lookup
from .rule import Rule, widths

__all__ = ["BinarizeRule", "LookupRule"]

P = TypeVar("P", Binarize, Lookup)


class PixelRule(Rule[P, LaneFolding], Generic[P]):
    """`simd` pixels enter in each cycle, and their outputs leave."""

    takes = "pixel"
    folded_as = LaneFolding

    @property
    def limits(self) -> tuple[int, int]:
        pixels = prod(self.input_shape)
        return self.pe_of(pixels), pixels

    @property
    def slowest(self) -> int:
        return prod(self.input_shape)

    @property
    def i_length(self) -> int:
        return prod(self.input_shape)

    @property
    def o_length(self) -> int:
        return self.pe_of(self.i_length)

    @property
    def vectors(self) -> int:
        return 1

    def shapes(self) -> Iterator[tuple[int, int]]:
        for simd in widths(self.i_length):
            yield self.pe_of(simd), simd

    def least_cycles(self, pe: int, simd: int) -> int:
        return -(-self.i_length // simd)


class BinarizeRule(PixelRule[Binarize]):
    """Each pixel is a bit for each of its levels."""

    title = "pixels to bits"

    @property
    def boundaries(self) -> tuple[int, ...]:
        return tuple(sorted(set(self.layer.thresholds.ravel().tolist()) & set(range(1, PIXEL_LEVELS))))

    def pe_of(self, simd: int) -> int:
        return simd * self.layer.levels

    def parts(self, folding: LaneFolding, unit: mvtu.Parameters | None) -> tuple[Part, ...]:
        return (binarize.Parameters(thresholds=self.layer.pixel_levels, lanes=folding.simd),)


class LookupRule(PixelRule[Lookup]):
    """Each pixel is a number."""

    title = "pixels to numbers"
    outputs = "numbers"

    @property
    def boundaries(self) -> tuple[int, ...]:
        return tuple((np.flatnonzero(np.diff(self.layer.table)) + 1).tolist())

    def parts(self, folding: LaneFolding, unit: mvtu.Parameters | None) -> tuple[Part, ...]:
        table = tuple(self.layer.table.tolist())
        return (lookup.Parameters(table=table, pixels=self.i_length, lanes=folding.simd),)
