"""Rules of the pooling layers."""

from collections.abc import Iterator
from math import prod
from typing import Any, Generic, TypeVar

from ...hw import maximum, mvtu, pool, sums, window
from ...hw.part import Part
from ...hw.window import Geometry
from ..folding import WindowFolding
from ..ir import MaxPool, SumPool
from .rule import Memories, Rule, queued

__all__ = ["MaxPoolRule", "SumPoolRule"]

P = TypeVar("P", MaxPool, SumPool)


class PoolRule(Rule[P, WindowFolding], Generic[P]):
    """`simd` channels of a pixel enter in each cycle."""

    folded_as = WindowFolding

    @property
    def kernel(self) -> tuple[int, int] | None:
        return self.layer.kernel

    @property
    def rows(self) -> tuple[int, int] | None:
        return Geometry.rows_range(
            height=self.input_shape[0], kernel=self.layer.kernel, stride=self.layer.stride
        )

    def foldings(self, pe: int, simd: int, memories: Memories) -> Iterator[WindowFolding]:
        yield WindowFolding(simd=simd, queued=True)

    def _geometry(self, folding: WindowFolding, **more: Any) -> Geometry:
        height, width, channels = self.input_shape
        return Geometry(
            height=height,
            width=width,
            slices=-(-channels // folding.simd),
            kernel=self.layer.kernel,
            stride=self.layer.stride,
            **more,
        )

    def _window(self, folding: WindowFolding, **more: Any) -> window.Parameters:
        """The window, which outputs the words of each position one after the other."""
        slices = -(-self.i_length // folding.simd)
        return window.Parameters(
            shape=self.i_beat(folding),
            geometry=self._geometry(folding, groups=slices, rows=folding.rows, **more),
            padding_words=(0,) * slices,
            store=folding.replay_store,
        )

    @property
    def slowest(self) -> int:
        return max(prod(self.input_shape), prod(self.output_shape) * prod(self.layer.kernel))


class MaxPoolRule(PoolRule[MaxPool]):
    """Line buffers hold the rows under the kernel."""

    title = "max pooling"

    def parts(self, folding: WindowFolding, unit: mvtu.Parameters | None) -> tuple[Part, ...]:
        beats, width = prod(self.layer.kernel), self.before.maximum.bit_length()
        words: Part = (
            pool.Parameters(lanes=folding.simd, beats=beats)
            if width == 1
            else maximum.Parameters(lanes=folding.simd, width=width, beats=beats)
        )
        return *queued(self._window(folding, padding=self.layer.padding), folding), words


class SumPoolRule(PoolRule[SumPool]):
    """Windows that do not overlap are added as they come, without line buffers."""

    title = "sum pooling"
    outputs = "sums"

    @property
    def rows(self) -> tuple[int, int] | None:
        return super().rows if self.layer.overlaps else None

    def foldings(self, pe: int, simd: int, memories: Memories) -> Iterator[WindowFolding]:
        for store in "bram", "lut":
            yield WindowFolding(simd=simd, replay_store=store, queued=self.layer.overlaps)

    def parts(self, folding: WindowFolding, unit: mvtu.Parameters | None) -> tuple[Part, ...]:
        before: tuple[Part, ...] = ()
        geometry = self._geometry(folding)
        if self.layer.overlaps:
            # Each window comes whole, as a row of its own.
            before, words = queued(self._window(folding), folding), prod(self.layer.kernel)
            geometry = Geometry(height=1, width=words, slices=1, kernel=(1, words), stride=(1, words))
        adder = sums.Parameters(
            lanes=folding.simd, geometry=geometry, store=folding.replay_store, maximum=self.before.maximum
        )
        return *before, adder
