"""Rules of the layers that work element by element, each channel for itself."""

from collections.abc import Iterator

from ..folding import Folding
from ..ir import Add, Fork, Threshold
from .rule import Memories, Rule

__all__ = ["AddRule", "ForkRule", "ThresholdRule"]


class ForkRule(Rule[Fork]):
    """`replay_store` is where the shortcut's queue is; the search chooses it at the `Add`."""

    title = "fork"
    outputs = "elements"


class AddRule(Rule[Add]):
    """No memory of its own."""

    title = "add"
    outputs = "sums"


class ThresholdRule(Rule[Threshold]):
    """The thresholds of several beats are a ROM."""

    title = "threshold"

    def foldings(self, pe: int, simd: int, memories: Memories) -> Iterator[Folding]:
        for store in ("bram", "lut") if len(self.layer.thresholds) > pe else ("lut",):
            yield Folding(pe=pe, simd=simd, preset_store=store)
