"""From a design to hardware."""

from ..hw import mvtu
from ..hw.binarize import Binarize
from ..hw.core import Core
from .ir import Scores

__all__ = ["lower", "mvtu_parameters"]


def mvtu_parameters(layer, folding):
    """The matrix-vector-threshold unit of a `Dense` or `Scores` layer.

    An accumulator that starts from minus the threshold ends at or above zero exactly when the count reaches the threshold.
    """
    scores = isinstance(layer, Scores)
    return mvtu.Parameters(
        weights=tuple(map(tuple, layer.weights.tolist())),
        presets=tuple((layer.offsets if scores else -layer.thresholds).tolist()),
        pe=folding.pe, simd=folding.simd, weight_store=folding.store, preset_store=folding.preset_store,
        signs=not scores)


def lower(design):
    """The core that computes `design`."""
    (first, lanes), *rest = design.stages
    return Core(
        binarize=Binarize(thresholds=first.thresholds.tolist(), lanes=lanes.simd),
        layers=[mvtu_parameters(layer, folding) for layer, folding in rest],
        replay_stores=[folding.replay_store for _, folding in rest],
        pixels=design.network.pixels)
