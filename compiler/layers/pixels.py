"""Rules of the layers that take raw pixels."""

from collections.abc import Iterator
from math import prod
from typing import Generic, TypeVar

from ..ir import Binarize, Lookup
from .rule import Rule, Shallow, widths

__all__ = ["BinarizeRule", "LookupRule"]

P = TypeVar("P", Binarize, Lookup)


class PixelRule(Rule[P], Generic[P]):
    """`simd` pixels enter in each cycle, and their outputs leave."""

    takes = "pixel"

    @property
    def limits(self) -> tuple[int, int]:
        pixels = prod(self.input_shape)
        return self.pe_of(pixels), pixels

    @property
    def slowest(self) -> int:
        return prod(self.input_shape)

    def shapes(self, cycles: int, shallow: Shallow) -> Iterator[tuple[int, int]]:
        pixels = prod(self.input_shape)
        for simd in widths(pixels, least=-(-pixels // cycles)):
            yield self.pe_of(simd), simd


class BinarizeRule(PixelRule[Binarize]):
    """Each pixel is a bit for each of its levels."""

    title = "pixels to bits"

    def pe_of(self, simd: int) -> int:
        return simd * self.layer.levels


class LookupRule(PixelRule[Lookup]):
    """Each pixel is a number."""

    title = "pixels to numbers"
    outputs = "numbers"
