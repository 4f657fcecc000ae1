"""Shortcuts: the sum of two tensors of different layers, as `Fork` and `Add`, and a `Switch` where both sides
have layers.
"""

from dataclasses import replace
from typing import cast

import numpy as np

from ...errors import ModelError
from .. import ir
from .branches import closed, insert_side, latest, without_thresholds
from .chain import Chain
from .channels import complement
from .elements import as_counts, as_elements, reuse_bits
from .functions import Lines, find_lines
from .tensors import Counts, Elements, Place, Tensor, Where
from .thresholds import per_channel

__all__ = ["join"]

#: Steps whose ratio differs from a whole number by less than this part have that ratio.
_EQUAL = 1e-6


def join(chain: Chain, where: Place, first: Tensor, second: Tensor) -> Tensor:
    """``first + second``, where one is of the last layer and the other of an earlier one, or of neurons on an
    earlier one: the two sides of a sum.
    """
    first, second = reuse_bits(chain, first), reuse_bits(chain, second)
    _check_equal_elements(where, first, second)
    branches = [value for value in (first, second) if value.source.after == chain.end]
    if not branches:
        raise chain.not_the_end(where)
    branch = next((value for value in branches if isinstance(value.source, Counts)), branches[0])
    shortcut = second if branch is first else first
    switch = _switch(chain, shortcut)
    if switch is not None:
        return _add(chain, where, *_with_layers(chain, where, branch, shortcut, switch))
    if isinstance(branch.source, Counts) and (branch.source.pools or _lines(branch) is None):
        branch = as_elements(chain, where, branch)
    shortcut = _beginning(chain, where, shortcut)
    branch, shortcut = _with_equal_copies(chain, branch, shortcut)
    steps = _require_lines(where, shortcut).step
    branch = _with_signs(where, branch, steps)
    scale = _scale(where, branch, shortcut, steps / _require_lines(where, branch).step)
    if isinstance(branch.source, Counts):
        branch = as_counts(chain, where, branch)
    fork = ir.Fork(name=chain.new_name(None, "fork"))
    assert shortcut.source.after is not None
    chain.layers.insert(chain.position(latest(chain, shortcut.source.after)) + 1, fork)
    return _add(chain, where, branch, shortcut, fork.name, scale)


def _add(chain: Chain, where: Place, branch: Tensor, shortcut: Tensor, fork: str, scale: int) -> Tensor:
    """The sum of what the last layer outputs and what was stored under the name `fork`."""
    assert isinstance(branch.source, Elements) and isinstance(shortcut.source, Elements)
    lines, shortcut_lines = _require_lines(where, branch), _require_lines(where, shortcut)
    name = chain.append(ir.Add(name=chain.new_name(where, "add"), fork=fork, scale=scale))
    count = branch.source.count + scale * (shortcut.source.count - 1)
    key = np.stack([(lines.lowest + shortcut_lines.lowest).reshape(-1), lines.step.reshape(-1)], axis=1)
    functions, row = np.unique(key, axis=0, return_inverse=True)
    rows = functions[:, :1] + functions[:, 1:] * np.arange(count)
    return replace(
        branch,
        row=row.reshape(branch.shape),
        rows=rows.astype(branch.rows.dtype),
        origin=str(where),
        source=Elements(
            size=branch.source.size,
            count=count,
            after=name,
            channels=max(branch.source.channels, shortcut.source.channels),
            copies=shortcut.source.copies,
        ),
    )


def _switch(chain: Chain, value: Tensor) -> str | None:
    """The name of the `Switch` behind the layers of a side of a sum that does not end the chain; None if it
    has no layers of its own.
    """
    source, begin = value.source, chain.place(value.source)
    for switch in chain.branches:
        if chain.position(switch) == begin:
            return switch
    if not isinstance(source, Counts) or chain.layer_of(source) is not None:
        return None
    if not begin:
        return None
    _, switch = insert_side(chain, begin, begin)
    return switch


def _with_layers(
    chain: Chain, where: Place, branch: Tensor, shortcut: Tensor, switch: str
) -> tuple[Tensor, Tensor, str, int]:
    """Both sides of a sum as the output of their layers, the name of the `Switch`, and the scale of what it
    stores. `shortcut` is what is before the `Switch`, unless its steps are the smaller ones.
    """
    place = chain.position(switch)
    if isinstance(branch.source, Counts) and place == len(chain.layers) - 1:
        branch = replace(branch, source=replace(branch.source, after=switch))
    rest = chain.layers[place:]
    del chain.layers[place:]
    shortcut = replace(shortcut, source=replace(shortcut.source, after=chain.end))
    lines = None if isinstance(branch.source, Counts) else _lines(branch)
    shortcut = _as_numbers(chain, where, shortcut, np.ones(1) if lines is None else lines.step)
    chain.layers += rest
    steps = _require_lines(where, shortcut).step
    branch = _as_numbers(chain, where, branch, steps)
    ratio = steps / _require_lines(where, branch).step
    if np.abs(ratio).max() < 1 - _EQUAL:
        fork = chain.position(cast(ir.Switch, rest[0]).fork)
        place = chain.position(switch)
        one, two = chain.layers[fork + 1 : place], chain.layers[place + 1 :]
        if closed(two):
            chain.layers[fork + 1 :] = [*two, rest[0], *one]
            branch, shortcut, ratio = shortcut, branch, 1 / ratio
    scale = _scale(where, branch, shortcut, ratio)
    chain.branches.pop(switch, None)
    return branch, shortcut, switch, scale


def _as_numbers(chain: Chain, where: Place, value: Tensor, steps: np.ndarray) -> Tensor:
    """A tensor of the end of the chain as what a layer outputs, one number per element, that rises where
    `steps` do.
    """
    if _lines(value) is None or isinstance(value.source, Counts) and value.source.pools:
        value = as_elements(chain, where, value)
    if isinstance(value.source, Counts):
        value = as_counts(chain, where, _with_signs(where, value, steps))
    assert isinstance(value.source, Elements)
    if value.source.copies > 1:
        layer, _, value = _as_integers(chain, value, value.source)
        chain.append(layer)
    return value


def _with_signs(where: Where, value: Tensor, steps: np.ndarray) -> Tensor:
    """A tensor that rises where `steps` do, if it is of neurons, which can count the other way."""
    if not isinstance(value.source, Counts):
        return value
    falls = np.zeros(value.source.outputs, bool)
    falls[value.index % value.source.outputs] = np.sign(_require_lines(where, value).step) != np.sign(steps)
    return complement(where, value, falls)


def _check_equal_elements(where: Where, first: Tensor, second: Tensor) -> None:
    if (
        first.shape != second.shape
        or not np.array_equal(first.index, second.index)
        or not first.inside.all()
        or (first.source.size != first.index.size)
    ):
        raise ModelError(
            f"{where}: the branches of a sum must be equal element by element, but {first.origin} has the"
            f" shape {first.shape} and {second.origin} {second.shape}, padded, moved or cut; use the identity"
            " as shortcut"
        )


def _scale(where: Where, branch: Tensor, shortcut: Tensor, ratio: np.ndarray) -> int:
    """The whole number that all ratios of steps are."""
    scale = int(np.rint(ratio.flat[0]))
    if np.abs(ratio - scale).max() > _EQUAL * max(scale, 1) or scale < 1:
        odd = ratio.flat[np.argmax(np.abs(ratio - scale))]
        raise ModelError(
            f"{where}: a step of the shortcut from {shortcut.origin} must be the same whole multiple of a"
            f" step of {branch.origin} in every channel, but is {odd:g} times it; scale both branches alike"
            " (one fixed scale, and batch norm after the sum)"
        )
    return scale


def _lines(value: Tensor) -> Lines | None:
    """The line of every element's function, arrays of the tensor's shape, or None."""
    source, used = value.source, np.unique(value.row)
    if isinstance(source, Counts):
        channel = np.zeros(len(value.rows), np.int64)
        channel[value.row] = value.index % source.channels
        lines = find_lines(value.rows[used], source.reach[channel[used]])
    else:
        lines = find_lines(value.rows[used], source.count - 1)
    place = np.searchsorted(used, value.row)
    return lines and Lines(lowest=lines.lowest[place], step=lines.step[place])


def _require_lines(where: Where, value: Tensor) -> Lines:
    lines = _lines(value)
    if lines is None:
        raise ModelError(
            f"{where}: must add values in even steps, but {value.origin} has uneven ones (or a scale of 0);"
            " add the branches before an activation, or after a quantiser"
        )
    return lines


def _beginning(chain: Chain, where: Where, shortcut: Tensor) -> Tensor:
    """A shortcut without layers of its own as elements of the output of the layer where it begins."""
    source = shortcut.source
    if isinstance(source, Counts):
        if source.pools:
            raise ModelError(
                f"{where}: a shortcut must have one number per element, but {shortcut.origin} is a MaxPool of"
                " sums, which has several; quantise it before the shortcut"
            )
        return without_thresholds(chain, where, shortcut, source)
    if not isinstance(source, Elements) or source.after is None:
        raise ModelError(
            f"{where}: a shortcut must not begin at raw pixels; quantise them to bits before the shortcut"
        )
    return shortcut


def _with_equal_copies(chain: Chain, branch: Tensor, shortcut: Tensor) -> tuple[Tensor, Tensor]:
    """Both tensors with one number per element, unless they already have the same number of bits.

    The shortcut becomes sums before its `Fork`, and bits again after it.
    """
    source = shortcut.source
    assert isinstance(source, Elements)
    same = isinstance(branch.source, Elements) and branch.source.copies == source.copies
    if source.copies > 1 and not same:
        layer, sums, shortcut = _as_integers(chain, shortcut, source)
        place = chain.position(source.after) + 1
        chain.layers.insert(place, layer)
        thresholds = np.tile(np.arange(1, source.count), source.channels)
        bits = per_channel(
            chain,
            "bits",
            np.ones((len(thresholds), 1), np.uint8),
            thresholds,
            channels=source.channels,
            planes=sums.planes,
            shape=chain.shape(place + 1),
        )
        chain.layers.insert(place + 1, bits)
        source = sums
    if isinstance(branch.source, Elements) and branch.source.copies > source.copies:
        layer, _, branch = _as_integers(chain, branch, branch.source)
        chain.append(layer)
    return branch, shortcut


def _as_integers(
    chain: Chain, value: Tensor, source: Elements
) -> tuple[ir.Dense | ir.Conv2d, Elements, Tensor]:
    """The layer that adds an element's bits, its output, and the tensor as a function of these sums.

    The caller puts the layer into the chain.
    """
    layer = per_channel(
        chain,
        "sums",
        np.ones((source.channels, source.copies), np.uint8),
        None,
        channels=source.channels,
        planes=source.planes,
        shape=chain.shape(chain.position(source.after) + 1),
    )
    # On a vector, the layer could by its form count all its inputs. There the lines go on.
    used, steps = np.unique(value.row), np.zeros(len(value.rows))
    steps[used] = (value.rows[used, -1] - value.rows[used, 0]) / (source.count - 1)
    more = value.rows[:, -1:] + steps[:, None] * np.arange(1, layer.reach + 2 - source.count)
    sums = replace(source, after=layer.name, count=layer.reach + 1, copies=1)
    rows = np.hstack([value.rows, more.astype(value.rows.dtype)])
    return layer, sums, replace(value, rows=rows, source=sums)
