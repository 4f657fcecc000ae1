"""A changed design made legal again: each layer is fitted to its input, each folding to its layer."""

import math
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from .design import Design
from .folding import Folding
from .ir import (
    PIXEL_LEVELS,
    Add,
    Binarize,
    Conv2d,
    Dense,
    Layer,
    MaxPool,
    Network,
    Padding,
    Scores,
    Shape,
    Signal,
    SumPool,
    Threshold,
    Weighted,
    has_weights,
)
from .layers import rules

__all__ = ["arrays_of", "chain", "changed", "refit"]


def arrays_of(layer: Layer) -> dict[str, np.ndarray]:
    """Arrays of a layer, by the names of their fields."""
    values = {each.name: getattr(layer, each.name) for each in fields(layer)}
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


def changed(layer: Layer, **changes: Any) -> Layer:
    """The layer with some fields changed; thresholds stay the same share of the reach, padding less than the
    kernel.
    """
    if has_weights(layer):
        weights = changes.get("weights", layer.weights)
        thresholds = changes.get("thresholds", arrays_of(layer).get("thresholds"))
        reach = weights[0].size * ((1 << changes.get("planes", layer.planes)) - 1)
        if thresholds is not None:
            changes["thresholds"] = -(-thresholds * (reach + 1) // (layer.reach + 1))
    if isinstance(layer, Conv2d):
        changes["padding"] = _padding(changes.get("padding", layer.padding), weights.shape[1:3])
    return replace(layer, **changes)


def _padding(padding: Padding, kernel: Shape) -> Padding:
    """At most so much padding as a kernel allows."""
    (above, below), (left, right) = padding
    rows, columns = kernel[0] - 1, kernel[1] - 1
    return (min(above, rows), min(below, rows)), (min(left, columns), min(right, columns))


def _kernel(layer: Conv2d | MaxPool | SumPool, shape: Shape) -> tuple[int, int]:
    """The kernel, no larger than a padded image."""
    rows, columns = (
        min(size, of + sum(around))
        for size, of, around in zip(layer.kernel, shape[:2], layer.padding, strict=True)
    )
    return rows, columns


def _resized(array: np.ndarray, axis: int, size: int) -> np.ndarray:
    """Cut, or repeated from its start, to `size` along an axis."""
    return array.take(np.arange(size) % array.shape[axis], axis=axis)


def _inputs(layer: Weighted, axis: int, size: int, **changes: Any) -> Layer:
    """A layer with weights whose arrays have `size` along the axis of the inputs."""
    arrays = {
        name: _resized(array, axis, size) for name, array in arrays_of(layer).items() if array.ndim > axis
    }
    return changed(layer, **{**arrays, **changes})


def _fit(layer: Layer, shape: Shape, maximum: int) -> Layer:
    """The layer, changed to take an input of that shape and maximum element if that can be."""
    match layer:
        case Binarize():
            return replace(layer, thresholds=_resized(layer.thresholds, 0, math.prod(shape)))
        case Dense() | Scores():
            return _inputs(layer, 1, math.prod(shape), planes=maximum.bit_length())
        case Conv2d() if len(shape) == 3:
            rows, columns = _kernel(layer, shape)
            cut = {
                name: array[:, :rows, :columns] for name, array in arrays_of(layer).items() if array.ndim == 4
            }
            smaller = changed(layer, **cut)
            assert isinstance(smaller, Conv2d)
            groups = math.gcd(layer.groups, shape[2])
            return _inputs(smaller, 3, shape[2] // groups, groups=groups, planes=maximum.bit_length())
        case MaxPool() if len(shape) == 3:
            kernel = _kernel(layer, shape)
            return replace(layer, kernel=kernel, padding=_padding(layer.padding, kernel))
        case SumPool() if len(shape) == 3:
            return replace(layer, kernel=_kernel(layer, shape))
        case Threshold():
            return replace(
                layer,
                thresholds=np.minimum(_resized(layer.thresholds, 0, shape[-1]), maximum + 1),
                inverted=_resized(layer.inverted, 0, shape[-1]),
            )
    return layer


def refit(design: Design, image_shape: Shape, pairs: Sequence[tuple[Layer, Folding]]) -> Design:
    """The design, but of these layers and foldings, each layer fitted to the one before it; one output
    decides by its sign.

    Raises
    ------
    ModelError
        When there is no such design.
    """
    network = chain(design.network.decision, image_shape, [layer for layer, _ in pairs])
    by_argmax = network.decision == "argmax"
    foldings = (rule.nearest(folding) for rule, (_, folding) in zip(rules(network), pairs, strict=True))
    return replace(
        design,
        network=network,
        foldings=tuple(foldings),
        top_k=min(design.top_k, network.classes) if by_argmax else 1,
        label_only=design.label_only and by_argmax and network.scores.scales is None,
    )


def chain(decision: str, image_shape: Shape, given: Sequence[Layer]) -> Network:
    """The network of layers, each fitted to the one before it."""
    layers, signals, n = list(given), [Signal(shape=tuple(image_shape), maximum=PIXEL_LEVELS - 1)], 0
    again = 2 * len(layers)
    while n < len(layers):
        layer = layers[n] = _fit(layers[n], signals[n].shape, signals[n].maximum)
        if isinstance(layer, Add) and again and layer.fork in signals[n].shortcuts:
            channels = signals[n].shortcuts[layer.fork].shape[-1]
            last = _last_weighted(layers[:n], layer.fork)
            if signals[n].shape[-1] != channels and last is not None:
                wider = _with_outputs(layers[last], channels)
                if wider is not None:
                    # What the shortcut bridges must output as many channels as it took; once more from there.
                    layers[last], n = wider, last
                    again -= 1  # two shortcuts may want different sizes of the same layer
                    del signals[n + 1 :]
                    continue
        signals.append(layer.after(signals[n]))
        n += 1
    outputs = signals[-1].shape[0]
    return Network(
        name="shrunk",
        image_shape=tuple(image_shape),
        layers=tuple(layers),
        decision="sign" if outputs == 1 else decision,
        labels=tuple(map(str, range(2 if outputs == 1 else outputs))),
    )


def _last_weighted(layers: Sequence[Layer], fork: str) -> int | None:
    """The place of the last layer with weights after the `Fork` or `Switch` of that name, or None."""
    begin = next(n for n, layer in enumerate(layers) if layer.name == fork)
    return max((n for n, layer in enumerate(layers) if n > begin and has_weights(layer)), default=None)


def _with_outputs(layer: Layer, outputs: int) -> Layer | None:
    """A layer with weights with so many outputs; None if it has as many."""
    arrays = arrays_of(layer)
    if len(arrays["weights"]) == outputs:
        return None
    changes: dict[str, Any] = {name: _resized(array, 0, outputs) for name, array in arrays.items()}
    return replace(layer, **changes)
