"""What a design and its images have of all that a flow must hold for, as one table of named predicates.

`random_network` draws designs; features are read from a design itself, so that counts are of what was tried.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..hw.mvtu import WEIGHT_STORES
from . import ir
from .design import Design
from .folding import UNROLLED, ConvFolding, Folding, WindowFolding
from .ir import Network
from .pipeline import input_lanes
from .reference import evaluate

__all__ = ["FEATURES", "features"]


class _Case(NamedTuple):
    """A design, its network and layers, and the scores of its images."""

    design: Design
    network: Network
    layers: tuple[ir.Layer, ...]
    scores: np.ndarray


#: Whether a case has a feature.
Predicate = Callable[[_Case], bool]


def _any(predicate: Callable[[Any], bool], kind: Any = object) -> Predicate:
    """Whether a predicate holds for a layer of a kind."""
    return lambda case: any(isinstance(layer, kind) and predicate(layer) for layer in case.layers)


def _any_folding(predicate: Callable[[Any], bool], kind: type[Folding]) -> Predicate:
    """Whether a predicate holds for a folding of a kind."""
    return lambda case: any(isinstance(each, kind) and predicate(each) for each in case.design.foldings)


def _layer(kind: type[ir.Layer]) -> Predicate:
    return _any(lambda layer: True, kind)


def _any_weighted(predicate: Callable[[ir.Weighted], bool]) -> Predicate:
    return lambda case: any(ir.has_weights(layer) and predicate(layer) for layer in case.layers)


def _any_sum(kind: type[ir.Layer], least: int) -> Predicate:
    """Whether a layer of a kind takes elements of at least so much."""
    return lambda case: any(
        isinstance(layer, kind) and maximum >= least
        for layer, maximum in zip(case.layers, case.network.maxima, strict=False)
    )


def _weights_in(store: str) -> Predicate:
    """Whether the weights of a layer are in a store."""
    return lambda case: any(folding.store == store for folding in case.design.foldings)


def _pair(predicate: Callable[[int, int, int, int], bool]) -> Predicate:
    """Whether a predicate holds for two shortcuts: places where the first is stored and taken, then those of
    the one that begins after it.
    """
    return lambda case: any(
        predicate(*one, *two)
        for n, one in enumerate(case.network.shortcuts)
        for two in case.network.shortcuts[n + 1 :]
    )


def _counts_into(kind: type[ir.Layer]) -> Predicate:
    """Whether counts go into a layer of a kind, outside of shortcuts."""
    return lambda case: any(
        isinstance(layer, ir.Conv2d | ir.Dense)
        and layer.thresholds is None
        and isinstance(case.layers[n + 1], kind)
        and not any(fork < n < add for fork, add in case.network.shortcuts)
        for n, layer in enumerate(case.layers[:-1])
    )


def _tie(case: _Case) -> bool:
    return case.network.decision == "argmax" and bool(
        ((case.scores == case.scores.max(axis=1, keepdims=True)).sum(axis=1) > 1).any()
    )


def _sides(sides: Callable[[int], bool]) -> Predicate:
    return lambda case: len(case.network.image_shape) > 1 and sides(min(case.network.image_shape[:2]))


_windowed = ir.Conv2d | ir.MaxPool | ir.SumPool

#: Each feature's name, and whether a case has it: the design, its network and layers, and the scores of its
#: images.
FEATURES: dict[str, Predicate] = {
    **{kind.__name__: _layer(kind) for kind in ir.Layer.__args__},
    "grouped convolution": _any(lambda layer: layer.groups > 1, ir.Conv2d),
    "groups of what a fork passes on": lambda case: any(
        isinstance(layer, ir.Fork | ir.Switch) and getattr(case.layers[n + 1], "groups", 1) > 1
        for n, layer in enumerate(case.layers)
    ),
    "groups of pixels": lambda case: next(
        getattr(layer, "groups", 1) > 1 for layer in case.layers if not isinstance(layer, ir.Lookup)
    ),
    "padding of 1": _any(lambda layer: layer.padding_bit and any(map(any, layer.padding)), ir.Conv2d),
    "padded maximum": _any(lambda layer: any(map(any, layer.padding)), ir.MaxPool),
    "several thresholds": _any(lambda layer: layer.levels > 1, ir.Threshold),
    "maximum of integers": _any_sum(ir.MaxPool, 2),
    "sum of integers": _any_sum(ir.SumPool, 2),
    "kernel over 4": _any(lambda layer: max(layer.kernel) > 4, _windowed),
    "stride over 3": _any(lambda layer: max(layer.stride) > 3, _windowed),
    "more than 3 levels": _any(lambda layer: layer.levels > 3, ir.Binarize),
    "ternary weights": _any_weighted(lambda layer: layer.mask is not None),
    "input of several bits": _any_weighted(lambda layer: layer.planes > 1),
    "input of more than 8 bits": _any_weighted(lambda layer: layer.planes > 8),
    "counts into Dense": _counts_into(ir.Dense),
    "counts into Conv2d": _counts_into(ir.Conv2d),
    "counts into Scores": _counts_into(ir.Scores),
    "nested shortcuts": _pair(lambda fork, add, fork2, add2: add2 < add),
    "interleaved shortcuts": _pair(lambda fork, add, fork2, add2: fork2 < add < add2),
    "sides of a sum that step over an image": lambda case: any(
        len(shape := case.network.shapes[switch]) == 3 and shape[:2] != case.network.shapes[fork][:2]
        for switch, fork in case.network.switches.items()
    ),
    "empty shortcut": lambda case: any(add == fork + 1 for fork, add in case.network.shortcuts),
    "sums over 2**24": _any_sum(ir.Threshold, 2**24),
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
    "batch": lambda case: case.design.batch > 1,
    "incomplete batch": lambda case: len(case.scores) % case.design.batch > 0,
    "label only": lambda case: case.design.label_only,
    "few connections": _any_weighted(lambda layer: layer.mask is not None and layer.fan_in <= 8),
    "first layer over 16 pixels wide": lambda case: input_lanes(case.design) > 16,
    "several positions at once": _any_folding(lambda folding: folding.at_once > 1, ConvFolding),
    "patches": _any_folding(lambda folding: folding.patches, ConvFolding),
    "queue behind a window": _any_folding(lambda folding: folding.queued, WindowFolding),
    **{f"weights {store}": _weights_in(store) for store in (*WEIGHT_STORES, UNROLLED)},
}


def features(design: Design, images: np.ndarray) -> list[str]:
    """Names of the `FEATURES` that a design has, with its images (uint8, shape (N, *image_shape), N at least
    1).
    """
    case = _Case(design, design.network, design.network.layers, evaluate(design.network, images)[0])
    return [name for name, has in FEATURES.items() if has(case)]
