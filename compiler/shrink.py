"""The smallest design that still fails: greedy delta debugging over layers, sizes and numbers.

One thing at a time becomes smaller, whatever follows is fitted to it so that the design stays legal, and the
result is taken if it still fails. Every field of every layer is tried by its type alone (an array along each
axis, a number, an option). So a new kind of layer needs a line here only if it must be fitted to its input.
"""

from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from ..errors import ModelError
from .design import Design
from .folding import Folding
from .ir import Layer, Network, Shape
from .layers import Rule, rules
from .refit import arrays_of, changed, refit

__all__ = ["shrink"]

#: A design and its images.
Case = tuple[Design, np.ndarray]


def shrink(
    design: Design,
    images: np.ndarray,
    fails: Callable[[Design, np.ndarray], bool],
    *,
    tries: int = 300,
    progress: Callable[[int, Design], None] = lambda tried, design: None,
) -> Case:
    """The smallest failing design and images that can be reached step by step.

    Parameters
    ----------
    design : Design
    images : uint8 array, shape (N, *image_shape)
    fails : callable
        ``fails(design, images)``: whether a design still fails on its images; it holds for those given.
    tries : int
        Maximum number of calls of `fails`.
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


def _measure(design: Design, images: np.ndarray) -> tuple[Any, ...]:
    """What must decrease with each step, the most important first, so that shrinking ends."""
    layers = design.network.layers
    arrays = [array for layer in layers for array in arrays_of(layer).values()]
    numbers = [
        number for layer in layers for each in fields(layer) for number in _numbers(getattr(layer, each.name))
    ]
    return (
        len(layers),
        design.network.pixels + sum(array.size for array in arrays),
        len(images),
        sum(numbers),
        design.top_k + design.patchable + design.label_only + design.batch,
        sum(
            sum(rule.shape(folding)) + (folding != _plain(rule, folding)) + len(_unusual(folding))
            for rule, folding in zip(rules(design.network), design.foldings, strict=True)
        ),
        sum(map(_bits, arrays)),
        np.count_nonzero(images),
    )


def _bits(array: np.ndarray) -> int:
    """Bits of the absolute values of all elements."""
    return int(np.ceil(np.log2(np.abs(array.astype(np.float64)) + 1)).sum())


def _edits(design: Design, images: np.ndarray) -> Iterator[Callable[[], Case]]:
    """Every step to something smaller, the boldest first: functions that return a design and images, or raise
    `ModelError`.
    """
    pairs, shape = list(design.stages), design.network.image_shape

    def refitted(image_shape: Shape, pairs: list[tuple[Layer, Folding]], images: np.ndarray) -> Case:
        return refit(design, image_shape, pairs), images

    def with_layer(n: int, change: Callable[[], Layer]) -> Case:
        return refitted(shape, [*pairs[:n], (change(), pairs[n][1]), *pairs[n + 1 :]], images)

    def with_folding(n: int, folding: Folding) -> Case:
        return refitted(shape, [*pairs[:n], (pairs[n][0], folding), *pairs[n + 1 :]], images)

    def with_fields(**changes: Any) -> Case:
        return replace(design, **changes), images

    def with_images(images: np.ndarray) -> Case:
        return design, images

    for keep in _parts(len(images)):
        yield partial(with_images, images[keep])
    for drop in _droppable(design.network):
        yield partial(refitted, shape, [pair for n, pair in enumerate(pairs) if n not in drop], images)
    for axis, size in enumerate(shape):
        for keep in _parts(size):
            cut = images.take(keep, axis=axis + 1)
            yield partial(refitted, cut.shape[1:], pairs, cut)
    for n, (layer, _) in enumerate(pairs):
        for change in _changes(layer):
            yield partial(with_layer, n, change)
    for n, (rule, folding) in enumerate(zip(rules(design.network), design.foldings, strict=True)):
        pe, simd = rule.shape(folding)
        for less in _less(pe)[1:]:
            yield partial(with_folding, n, rule.resized(folding, pe=less, simd=simd))
        for less in _less(simd)[1:]:
            yield partial(with_folding, n, rule.resized(folding, pe=pe, simd=less))
        yield partial(with_folding, n, _plain(rule, folding))
        for name, default in _unusual(folding).items():
            yield partial(with_folding, n, replace(folding, **{name: default}))
    for top in _less(design.top_k):
        yield partial(with_fields, top_k=top)
    for batch in _less(design.batch):
        yield partial(with_fields, batch=batch)
    yield partial(with_fields, patchable=False)
    yield partial(with_fields, label_only=False)
    for n, (layer, _) in enumerate(pairs):
        for name, array in arrays_of(layer).items():
            for less in np.zeros_like(array), np.sign(array) * (np.abs(array) // 2):
                yield partial(with_layer, n, partial(_with, layer, {name: less}))
    yield partial(with_images, np.zeros_like(images))


def _with(layer: Layer, change: dict[str, Any]) -> Layer:
    return replace(layer, **change)


def _parts(size: int) -> Iterator[np.ndarray]:
    """Places of a row of `size` to leave: either half, then all but one of up to eight."""
    everything = np.arange(size)
    if size > 1:
        yield everything[: size // 2]
        yield everything[size // 2 :]
    if size > 2:
        for n in range(size - 1, -1, -max(1, size // 8)):
            yield np.delete(everything, n)


def _less(number: int) -> list[int]:
    """Smaller numbers, the smallest first."""
    return sorted({0, 1, number // 2, number - 1} & set(range(number)))


def _droppable(network: Network) -> Iterator[set[int]]:
    """Sets of layers to leave out: whole shortcuts with what they bridge, shortcuts alone, one side of a sum,
    single layers.
    """
    ends, added = network.shortcuts, dict(network.shortcuts)
    for at, end in ends:
        # Shortcuts that overlap go together.
        first, last = at, end
        for _ in ends:
            first = min(begin for begin, until in ends if until >= first and begin <= last)
            last = max(until for begin, until in ends if until >= first and begin <= last)
        yield set(range(first, last + 1))
        yield {at, end}
    for switch, fork in network.switches.items():
        yield {*range(fork, switch + 1), added[switch]}
        yield {fork, *range(switch, added[switch] + 1)}
    for n in sorted(set(range(len(network.layers) - 1)).difference(*ends)):
        yield {n}


def _plain(rule: Rule, folding: Folding) -> Folding:
    """The folding with everything but pe and simd as by default."""
    pe, simd = rule.shape(folding)
    return rule.folding(pe=pe, simd=simd)


def _unusual(folding: Folding) -> dict[str, Any]:
    """Fields that do not have their default: ``{name: default}``."""
    return {
        each.name: each.default
        for each in fields(folding)
        if each.default is not MISSING and getattr(folding, each.name) != each.default
    }


def _changes(layer: Layer) -> Iterator[Callable[[], Layer]]:
    """Functions that return a smaller layer of the same kind."""
    arrays = arrays_of(layer)
    for each in fields(layer):
        if each.name in arrays and each.default is None:
            yield partial(replace, layer, **{each.name: None})
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
            yield partial(changed, layer, **{name: arrays[name].take(keep, axis=axis) for name in names})
    for each in fields(layer):
        for value in _smaller(getattr(layer, each.name)):
            yield partial(changed, layer, **{each.name: value})


def _smaller(value: object) -> Iterator[object]:
    """The value of a field with one of its numbers smaller, for each number and each smaller one."""
    if type(value) is int:
        yield from _less(value)
    elif isinstance(value, tuple):
        for n, item in enumerate(value):
            for less in _smaller(item):
                yield *value[:n], less, *value[n + 1 :]


def _numbers(value: object) -> Iterator[int]:
    """Numbers in the value of a field."""
    if type(value) is int:
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _numbers(item)
