"""Branches: layers on a tensor that is not the end of the chain, as the second side of a sum."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from .. import ir
from .chain import Chain
from .channels import complement
from .tensors import Counts, Elements, Tensor, Where

__all__ = ["at_end", "closed", "insert_side", "latest", "without_thresholds"]


def at_end(chain: Chain, where: Where, value: Tensor) -> Tensor:
    """The tensor as one of the end of the chain: of an earlier layer by a `Fork` after it and a `Switch`.

    Raises
    ------
    ModelError
        It is not the output of a layer, or shortcuts lead out of the layers since then.
    """
    source = value.source
    if isinstance(source, Counts) and not source.pools and chain.layer_of(source) is not None:
        value = without_thresholds(chain, where, value, source)
        source = value.source
    if source.after == chain.end:
        return value
    if not isinstance(source, Elements) or source.after is None:
        raise chain.not_the_end(where)
    after = latest(chain, source.after)
    if after != chain.end:
        begin = chain.position(after) + 1
        if not closed(chain.layers[begin:]):
            raise chain.not_the_end(where)
        _, after = insert_side(chain, begin, len(chain.layers))
        chain.branches[after] = where
    return replace(value, source=replace(source, after=after))


def latest(chain: Chain, name: str) -> str:
    """The last layer that outputs what that one does: itself, or the `Switch` of a sum that begins there and
    is not joined yet.
    """
    for switch in chain.branches:
        begin, fork = chain.position(name) + 1, cast(ir.Switch, chain.layers[chain.position(switch)]).fork
        if begin <= chain.position(fork) < begin + _forks(chain, begin):
            name = switch
    return name


def insert_side(chain: Chain, begin: int, end: int) -> tuple[str, str]:
    """Make the layers from `begin` to before `end` the first side of a sum; returns the names of the `Fork`
    in front of it and of the `Switch` behind it.
    """
    fork = ir.Fork(name=chain.new_name(None, "fork"))
    switch = ir.Switch(name=chain.new_name(None, "switch"), fork=fork.name)
    chain.layers.insert(end, switch)
    chain.layers.insert(begin, fork)
    return fork.name, switch.name


def _forks(chain: Chain, begin: int) -> int:
    """How many layers from there on are `Fork`."""
    count = 0
    while isinstance(chain.layers[begin + count], ir.Fork):
        count += 1
    return count


def closed(layers: Sequence[ir.Layer]) -> bool:
    """Whether every shortcut that begins or ends on these layers does both."""
    stored = {layer.name for layer in layers if isinstance(layer, ir.Fork | ir.Switch)}
    return stored == {layer.fork for layer in layers if isinstance(layer, ir.Add | ir.Switch)}


def without_thresholds(chain: Chain, where: Where, value: Tensor, source: Counts) -> Tensor:
    """A tensor of neurons that became a layer, as one of their counts.

    Their thresholds become a layer of their own, after the counts.
    """
    layer = cast(ir.Conv2d | None, chain.layer_of(source))  # or Dense, alike here
    if (
        layer is None or layer.outputs != source.outputs
    ):  # with several thresholds each, for a function that turns
        raise chain.not_the_end(where)
    place = chain.position(source.name)
    complemented = (layer.weights != source.weights).reshape(source.outputs, -1).any(axis=1)
    value = complement("a shortcut", value, complemented)
    if layer.thresholds is not None:
        threshold = ir.Threshold(
            name=chain.new_name(None, "threshold"),
            thresholds=layer.thresholds,
            inverted=np.zeros_like(layer.thresholds),
        )
        chain.layers[place : place + 1] = [replace(layer, thresholds=None), threshold]
        chain.bits_move(layer.name, threshold.name)
    return replace(
        value,
        source=Elements(size=source.size, count=source.count, after=source.name, channels=source.outputs),
    )
