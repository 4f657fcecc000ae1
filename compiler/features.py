"""What a design and its images have of all that a flow must hold for, as one table of named predicates.

`random_network` draws; here is what came of it, so that a count is of what was really tried.
"""

from collections import namedtuple

from ..hw.mvtu import WEIGHT_STORES
from . import ir
from .folding import UNROLLED
from .reference import evaluate
from .stage import input_lanes

__all__ = ["FEATURES", "features"]

_Case = namedtuple("_Case", "design network layers scores")


def _layer(kind):
    return lambda case: any(isinstance(layer, kind) for layer in case.layers)


def _any(predicate, kind=object):
    """Whether a predicate holds for a layer of a kind."""
    return lambda case: any(isinstance(layer, kind) and predicate(layer) for layer in case.layers)


def _folding(predicate):
    """Whether a predicate holds for the folding of a layer with weights."""
    return lambda case: any(layer.weight_bits and predicate(folding) for layer, folding in case.design.stages)


def _pair(predicate):
    """Whether a predicate holds for two shortcuts, the one that begins first given first."""
    return lambda case: any(
        predicate(*one, *two)
        for n, one in enumerate(case.network.shortcuts)
        for two in case.network.shortcuts[n + 1 :]
    )


def _counts_into(kind):
    """Whether counts go into a layer of a kind, outside of shortcuts."""
    return lambda case: any(
        layer.weight_bits
        and not isinstance(layer, ir.Scores)
        and layer.thresholds is None
        and isinstance(behind, kind)
        and not any(fork < n < add for fork, add in case.network.shortcuts)
        for n, (layer, behind) in enumerate(zip(case.layers, case.layers[1:], strict=False))
    )


def _wide_sums(case):
    return any(
        isinstance(layer, ir.Threshold) and greatest >= 2**24
        for layer, greatest in zip(case.layers, case.network.maxima, strict=False)
    )


def _tie(case):
    return case.network.decision == "argmax" and bool(
        ((case.scores == case.scores.max(axis=1, keepdims=True)).sum(axis=1) > 1).any()
    )


def _sides(sides):
    return lambda case: len(case.network.image_shape) > 1 and sides(min(case.network.image_shape[:2]))


_windowed = ir.Conv2d | ir.MaxPool | ir.SumPool

#: Each feature's name, and whether a case has it: the design, its network and layers, and the scores of its
#: images.
FEATURES = {
    **{kind.__name__: _layer(kind) for kind in ir.Layer.__args__},
    "grouped convolution": _any(lambda layer: layer.groups > 1, ir.Conv2d),
    "padding of 1": _any(lambda layer: layer.padding_bit and any(map(any, layer.padding)), ir.Conv2d),
    "padded maximum": _any(lambda layer: any(map(any, layer.padding)), ir.MaxPool),
    "sum of integers": lambda case: any(
        isinstance(layer, ir.SumPool) and greatest > 1
        for layer, greatest in zip(case.layers, case.network.maxima, strict=False)
    ),
    "kernel over 4": _any(lambda layer: max(layer.kernel) > 4, _windowed),
    "stride over 3": _any(lambda layer: max(layer.stride) > 3, _windowed),
    "more than 3 levels": _any(lambda layer: layer.levels > 3, ir.Binarize),
    "ternary weights": _any(lambda layer: getattr(layer, "mask", None) is not None),
    "input of several bits": _any(lambda layer: getattr(layer, "planes", 1) > 1),
    "input of more than 8 bits": _any(lambda layer: getattr(layer, "planes", 1) > 8),
    "counts into Dense": _counts_into(ir.Dense),
    "counts into Conv2d": _counts_into(ir.Conv2d),
    "counts into Scores": _counts_into(ir.Scores),
    "nested shortcuts": _pair(lambda fork, add, fork2, add2: add2 < add),
    "interleaved shortcuts": _pair(lambda fork, add, fork2, add2: fork2 < add < add2),
    "empty shortcut": lambda case: any(add == fork + 1 for fork, add in case.network.shortcuts),
    "sums over 2**24": _wide_sums,
    "images over 12 x 12": _sides(lambda side: side > 12),
    "images of 128 x 128": _sides(lambda side: side >= 128),
    "more than 12 outputs": lambda case: case.network.outputs > 12,
    "one output": lambda case: case.network.outputs == 1,
    "multi-label": lambda case: case.network.multi_label,
    "a sign of 0": lambda case: case.network.decision == "sign" and bool((case.scores == 0).any()),
    "scaled classes": _any(lambda layer: layer.scales is not None, ir.Scores),
    "offsets over 2**29": _any(lambda layer: abs(layer.offsets).max() > 2**29, ir.Scores),
    "tie of the best score": _tie,
    "top > 1": lambda case: case.design.top_k > 1,
    "patchable": lambda case: case.design.patchable,
    "first layer over 16 pixels wide": lambda case: input_lanes(case.design) > 16,
    **{
        f"weights {store}": _folding(lambda folding, store=store: folding.store == store)
        for store in (*WEIGHT_STORES, UNROLLED)
    },
}


def features(design, images):
    """Names of the `FEATURES` that a design has, with its images (uint8, shape (N, *image_shape), N at least
    1).
    """
    case = _Case(design, design.network, design.network.layers, evaluate(design.network, images)[0])
    return [name for name, has in FEATURES.items() if has(case)]
