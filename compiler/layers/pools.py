"""Rules of the pooling layers."""

from collections.abc import Iterator
from math import prod
from typing import Generic, TypeVar

from ...hw.window import Geometry
from ..folding import Folding
from ..ir import MaxPool, SumPool
from .rule import Memories, Rule

__all__ = ["MaxPoolRule", "SumPoolRule"]

P = TypeVar("P", MaxPool, SumPool)


class PoolRule(Rule[P], Generic[P]):
    """`simd` channels of a pixel enter in each cycle."""

    @property
    def rows(self) -> tuple[int, int] | None:
        return Geometry.rows_range(
            height=self.input_shape[0], kernel=self.layer.kernel, stride=self.layer.stride
        )

    @property
    def slowest(self) -> int:
        return max(prod(self.input_shape), prod(self.output_shape) * prod(self.layer.kernel))


class MaxPoolRule(PoolRule[MaxPool]):
    """Line buffers hold the rows under the kernel."""

    title = "max pool"

    def foldings(self, pe: int, simd: int, memories: Memories) -> Iterator[Folding]:
        yield Folding(pe=pe, simd=simd, replay_store="bram")


class SumPoolRule(PoolRule[SumPool]):
    """Windows that do not overlap are added as they come, without line buffers."""

    title = "sum pool"
    outputs = "sums"

    @property
    def rows(self) -> tuple[int, int] | None:
        return super().rows if self.layer.overlaps else None

    def foldings(self, pe: int, simd: int, memories: Memories) -> Iterator[Folding]:
        for store in "bram", "lut":
            yield Folding(pe=pe, simd=simd, replay_store=store)
