"""Rules of the layers that work element by element, each channel for itself."""

from collections.abc import Iterator

from ...hw import add, fork, mvtu, threshold
from ...hw.part import Part
from ..folding import LaneFolding, QueueFolding, ThresholdFolding
from ..ir import Add, Fork, Switch, Threshold
from .rule import Memories, Rule

__all__ = ["AddRule", "ForkRule", "SwitchRule", "ThresholdRule"]


class ForkRule(Rule[Fork, QueueFolding]):
    """`replay_store` is where the shortcut's queue is; the search chooses it at the `Add`."""

    title = "shortcut starts"
    outputs = "elements"
    folded_as = QueueFolding

    def parts(self, folding: QueueFolding, unit: mvtu.Parameters | None) -> tuple[Part, ...]:
        return (fork.Parameters(shape=self.i_beat(folding)),)


class SwitchRule(Rule[Switch, QueueFolding]):
    """No hardware but the queue of what it stores, which `simd` elements enter at once: the next layer takes
    what comes out of the queue of the `Fork`.
    """

    title = "shortcut turns back"
    outputs = "elements"
    folded_as = QueueFolding

    @property
    def o_length(self) -> int:
        return self.output_shape[-1]

    def parts(self, folding: QueueFolding, unit: mvtu.Parameters | None) -> tuple[Part, ...]:
        return ()


class AddRule(Rule[Add, LaneFolding]):
    """No memory of its own."""

    title = "shortcut ends"
    outputs = "sums"
    folded_as = LaneFolding

    def parts(self, folding: LaneFolding, unit: mvtu.Parameters | None) -> tuple[Part, ...]:
        maximum, kept_maximum = self.before.maximum, self.before.shortcuts[self.layer.fork].maximum
        return (
            add.Parameters(
                maximum=maximum, kept_maximum=kept_maximum, scale=self.layer.scale, lanes=folding.simd
            ),
        )


class ThresholdRule(Rule[Threshold, ThresholdFolding]):
    """The thresholds of several beats are a ROM. With several levels, the outputs are numbers."""

    title = "thresholds"
    folded_as = ThresholdFolding

    def foldings(self, pe: int, simd: int, memories: Memories) -> Iterator[ThresholdFolding]:
        for store in ("bram", "lut") if len(self.layer.thresholds) > pe else ("lut",):
            yield ThresholdFolding(simd=simd, preset_store=store)

    def parts(self, folding: ThresholdFolding, unit: mvtu.Parameters | None) -> tuple[Part, ...]:
        return (
            threshold.Parameters(
                thresholds=tuple(map(tuple, self.layer.steps.tolist())),
                inverted=tuple(self.layer.inverted.tolist()),
                width=self.before.maximum.bit_length(),
                lanes=folding.simd,
                store=folding.preset_store,
            ),
        )
