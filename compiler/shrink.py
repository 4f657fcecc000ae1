"""A failing design made small: greedy delta debugging over layers, sizes and numbers.

One thing is made smaller at a time, whatever follows is fitted to it so that the design stays legal, and what
still fails is kept. Every field of every layer is tried by its type alone (an array along each axis, a
number, an option), so a new kind of layer needs a line here only where it must be fitted to what comes before
it.
"""

import dataclasses
import math
from functools import partial
from itertools import islice

import numpy as np

from ..errors import ModelError
from .ir import (
    PIXEL_LEVELS,
    Add,
    Binarize,
    Conv2d,
    Dense,
    MaxPool,
    Network,
    Scores,
    Signal,
    SumPool,
    Threshold,
)
from .layers import rules

__all__ = ["shrink"]


def shrink(design, images, fails, *, tries=300, progress=lambda tried, design: None):
    """The smallest failing design and images that can be reached step by step.

    Parameters
    ----------
    design : Design
    images : uint8 array, shape (N, *image_shape)
    fails : callable
        ``fails(design, images)``: whether a design still fails on its images; it holds for those given.
    tries : int
        How often `fails` may be called.
    progress : callable
        Called with the number of tries and the smallest design so far.

    Returns
    -------
    Design, uint8 array
        No single step makes them smaller and still fails, unless the tries ran out.
    """
    at, tried, changed = 0, 0, False
    while True:
        for n, edit in enumerate(islice(_edits(design, images), at, None), at):
            try:
                smaller = edit()
            except ModelError:
                continue  # no legal design
            if not _measure(*smaller) < _measure(design, images):
                continue
            if tried == tries:
                return design, images
            tried += 1
            progress(tried, design)
            if fails(*smaller):
                # The same place once more: what could be cut in half can often be cut again.
                (design, images), at, changed = smaller, n, True
                break
        else:
            if not changed:
                return design, images
            at, changed = 0, False


def _measure(design, images):
    """What must become less with each step, the weightiest first, so that shrinking ends."""
    layers = design.network.layers
    arrays = [array for layer in layers for array in _arrays(layer).values()]
    numbers = [number for layer in layers for _, number in _numbers(layer)]
    return (
        len(layers),
        design.network.pixels + sum(array.size for array in arrays),
        len(images),
        sum(numbers),
        design.top_k + design.patchable,
        sum(folding.pe + folding.simd + len(_unusual(folding)) for folding in design.foldings),
        sum(map(_bits, arrays)),
        np.count_nonzero(images),
    )


def _bits(array):
    """Bits of the absolute values of all elements."""
    return int(np.ceil(np.log2(np.abs(array.astype(np.float64)) + 1)).sum())


def _edits(design, images):
    """Every step to something smaller, the boldest first: functions that give a design and images, or raise
    `ModelError`.
    """
    pairs, shape = list(design.stages), design.network.image_shape
    fitted = partial(_fitted, design)
    for keep in _parts(len(images)):
        yield lambda keep=keep: (design, images[keep])
    for drop in _droppable(design.network):
        yield partial(fitted, shape, [pair for n, pair in enumerate(pairs) if n not in drop], images)
    for axis, size in enumerate(shape):
        for keep in _parts(size):
            cut = images.take(keep, axis=axis + 1)
            yield partial(fitted, cut.shape[1:], pairs, cut)
    for n, (layer, folding) in enumerate(pairs):
        for change in _changes(layer):
            yield lambda n=n, folding=folding, change=change: fitted(
                shape, [*pairs[:n], (change(), folding), *pairs[n + 1 :]], images
            )
    for n, (layer, folding) in enumerate(pairs):
        for change in [
            {name: value} for name in ("pe", "simd") for value in _less(getattr(folding, name)) if value
        ] + [{name: default} for name, default in _unusual(folding).items()]:
            yield lambda n=n, layer=layer, folding=folding, change=change: fitted(
                shape, [*pairs[:n], (layer, dataclasses.replace(folding, **change)), *pairs[n + 1 :]], images
            )
    for top in _less(design.top_k):
        yield partial(_replaced, design, images, top_k=top)
    yield partial(_replaced, design, images, patchable=False)
    for n, (layer, folding) in enumerate(pairs):
        for name, array in _arrays(layer).items():
            for less in np.zeros_like(array), np.sign(array) * (np.abs(array) // 2):
                yield lambda n=n, layer=layer, folding=folding, name=name, less=less: fitted(
                    shape,
                    [*pairs[:n], (dataclasses.replace(layer, **{name: less}), folding), *pairs[n + 1 :]],
                    images,
                )
    yield lambda: (design, np.zeros_like(images))


def _parts(size):
    """What to keep of a row of `size`: either half, then all but one of up to eight."""
    everything = np.arange(size)
    if size > 1:
        yield everything[: size // 2]
        yield everything[size // 2 :]
    if size > 2:
        for n in range(size - 1, -1, -max(1, size // 8)):
            yield np.delete(everything, n)


def _less(number):
    """Smaller numbers, the smallest first."""
    return sorted({0, 1, number // 2, number - 1} & set(range(number)))


def _droppable(network):
    """Sets of layers to leave out: whole shortcuts with what they bridge, shortcuts alone, single layers."""
    ends = network.shortcuts
    for at, end in ends:
        # Shortcuts that overlap go together.
        first, last = at, end
        for _ in ends:
            first = min(begin for begin, until in ends if until >= first and begin <= last)
            last = max(until for begin, until in ends if until >= first and begin <= last)
        yield set(range(first, last + 1))
        yield {at, end}
    for n in sorted(set(range(len(network.layers) - 1)).difference(*ends)):
        yield {n}


def _arrays(layer):
    values = {each.name: getattr(layer, each.name) for each in dataclasses.fields(layer)}
    return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


def _numbers(layer):
    """(function that gives the field's new value for a number, the number) of each number in the fields of a
    layer.
    """

    def leaves(value, wrap):
        if type(value) is int:
            yield wrap, value
        elif isinstance(value, tuple):
            for n, item in enumerate(value):
                yield from leaves(item, lambda new, n=n: wrap((*value[:n], new, *value[n + 1 :])))

    for each in dataclasses.fields(layer):
        yield from leaves(getattr(layer, each.name), lambda new, name=each.name: {name: new})


def _unusual(folding):
    """Fields with a default that do not have it: ``{name: default}``."""
    return {
        each.name: each.default
        for each in dataclasses.fields(folding)
        if each.default is not dataclasses.MISSING and getattr(folding, each.name) != each.default
    }


def _changes(layer):
    """Functions that give a smaller layer of the same kind."""
    arrays = _arrays(layer)
    for each in dataclasses.fields(layer):
        if each.name in arrays and each.default is None:
            yield partial(dataclasses.replace, layer, **{each.name: None})
    # Arrays that agree in their sizes up to an axis are cut together along it.
    together = {
        (
            axis,
            tuple(
                name for name, other in arrays.items() if other.shape[: axis + 1] == array.shape[: axis + 1]
            ),
        ): size
        for array in arrays.values()
        for axis, size in enumerate(array.shape)
    }
    for (axis, names), size in together.items():
        for keep in _parts(size):
            yield partial(_with, layer, **{name: arrays[name].take(keep, axis=axis) for name in names})
    for wrap, number in _numbers(layer):
        for less in _less(number):
            yield partial(_with, layer, wrap, less)


def _with(layer, wrap=None, number=None, /, **changes):
    """The layer with some fields changed; its thresholds keep their place in what can be reached, its padding
    its kernel.
    """
    changes |= wrap(number) if wrap else {}
    weights = changes.get("weights", getattr(layer, "weights", None))
    if weights is not None and getattr(layer, "thresholds", None) is not None:
        reach = weights[0].size * ((1 << changes.get("planes", layer.planes)) - 1)
        thresholds = changes.get("thresholds", layer.thresholds)
        changes["thresholds"] = -(-thresholds * (reach + 1) // (layer.reach + 1))
    if isinstance(layer, Conv2d):
        padding = changes.get("padding", layer.padding)
        changes["padding"] = tuple(
            tuple(min(rows, size - 1) for rows in pair)
            for pair, size in zip(padding, weights.shape[1:3], strict=True)
        )
    return dataclasses.replace(layer, **changes)


def _resized(array, axis, size):
    """Cut, or repeated from its start, to `size` along an axis."""
    return array.take(np.arange(size) % array.shape[axis], axis=axis)


def _inputs(layer, axis, size, **changes):
    """A layer with weights whose arrays have `size` along the axis of the inputs."""
    arrays = {
        name: _resized(array, axis, size) for name, array in _arrays(layer).items() if array.ndim > axis
    }
    return _with(layer, **arrays, **changes)


def _fit(layer, shape, greatest):
    """The layer, changed to take an input of that shape and greatest element where that can be."""
    match layer:
        case Binarize():
            return dataclasses.replace(layer, thresholds=_resized(layer.thresholds, 0, math.prod(shape)))
        case Dense() | Scores():
            return _inputs(layer, 1, math.prod(shape), planes=greatest.bit_length())
        case Conv2d() if len(shape) == 3:
            groups = math.gcd(layer.groups, shape[2])
            rows, columns = (
                min(size, of + sum(padding))
                for size, of, padding in zip(layer.kernel, shape, layer.padding, strict=False)
            )
            cut = _with(
                layer,
                **{
                    name: array[:, :rows, :columns]
                    for name, array in _arrays(layer).items()
                    if array.ndim == 4
                },
            )
            return _inputs(cut, 3, shape[2] // groups, groups=groups, planes=greatest.bit_length())
        case MaxPool() if len(shape) == 3:
            kernel = tuple(
                min(size, of + sum(around))
                for size, of, around in zip(layer.kernel, shape, layer.padding, strict=False)
            )
            return dataclasses.replace(
                layer,
                kernel=kernel,
                padding=tuple(
                    tuple(min(rows, size - 1) for rows in around)
                    for around, size in zip(layer.padding, kernel, strict=True)
                ),
            )
        case SumPool() if len(shape) == 3:
            return dataclasses.replace(layer, kernel=tuple(map(min, layer.kernel, shape)))
        case Threshold():
            return dataclasses.replace(
                layer,
                thresholds=np.minimum(_resized(layer.thresholds, 0, shape[-1]), greatest + 1),
                inverted=_resized(layer.inverted, 0, shape[-1]),
            )
        case _:
            return layer


def _replaced(design, images, **changes):
    """The design with other fields, and the images."""
    return dataclasses.replace(design, **changes), images


def _fitted(design, image_shape, pairs, images):
    """The design, but of these layers and foldings, each layer fitted to the one before it, and the images;
    one output decides by its sign.

    Raises
    ------
    ModelError
        When there is no such design.
    """
    network = _chain(design.network.decision, image_shape, [layer for layer, _ in pairs])
    foldings = (rule.nearest(folding) for rule, (_, folding) in zip(rules(network), pairs, strict=True))
    return (
        dataclasses.replace(
            design,
            network=network,
            foldings=tuple(foldings),
            top_k=min(design.top_k, network.classes) if network.decision == "argmax" else 1,
        ),
        images,
    )


def _last_weighted(layers, fork):
    """The place of the last layer with weights after the `Fork` of that name, or None."""
    begin = next(n for n, layer in enumerate(layers) if layer.name == fork)
    return max((n for n, layer in enumerate(layers) if n > begin and layer.weight_bits), default=None)


def _chain(decision, image_shape, layers):
    """The network of layers, each fitted to the one before it."""
    layers, signals, n = list(layers), [Signal(shape=tuple(image_shape), maximum=PIXEL_LEVELS - 1)], 0
    again = 2 * len(layers)
    while n < len(layers):
        layer = layers[n] = _fit(layers[n], signals[n].shape, signals[n].maximum)
        if isinstance(layer, Add):
            channels = signals[n].shortcuts[layer.fork].shape[-1]
            last = _last_weighted(layers[:n], layer.fork)
            if signals[n].shape[-1] != channels and last and layers[last].outputs != channels and again:
                # What the shortcut bridges must output as many channels as it took; once more from there.
                layers[last] = dataclasses.replace(
                    layers[last],
                    **{name: _resized(array, 0, channels) for name, array in _arrays(layers[last]).items()},
                )
                n, again = last, again - 1  # two shortcuts may want different sizes of the same layer
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
