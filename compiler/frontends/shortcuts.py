"""Shortcuts: the sum of two tensors of different layers, as `Fork` and `Add`."""

from dataclasses import replace
from typing import cast

import numpy as np

from ...errors import ModelError
from .. import ir
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
    """``first + second``, where one is of the last layer and the other, the shortcut, of an earlier one."""
    first, second = reuse_bits(chain, first), reuse_bits(chain, second)
    _check_equal_elements(where, first, second)
    branches = [value for value in (first, second) if value.source.after == chain.end]
    if not branches or len(branches) == 2 and all(isinstance(value.source, Counts) for value in branches):
        raise _projection(where, first, second)
    branch = next((value for value in branches if isinstance(value.source, Counts)), branches[0])
    shortcut = second if branch is first else first
    if isinstance(branch.source, Counts) and (branch.source.pools or _lines(branch) is None):
        branch = as_elements(chain, where, branch)
    shortcut = _beginning(chain, where, shortcut, branch)
    branch, shortcut = _with_equal_copies(chain, branch, shortcut)
    shortcut_lines = _require_lines(where, shortcut)
    lines = _require_lines(where, branch)
    if isinstance(branch.source, Counts):
        falls = np.zeros(branch.source.outputs, bool)
        falls[branch.index % branch.source.outputs] = np.sign(lines.step) != np.sign(shortcut_lines.step)
        branch = complement(where, branch, falls)
        lines = _require_lines(where, branch)
    scale = _scale(where, branch, shortcut, shortcut_lines.step / lines.step)
    if isinstance(branch.source, Counts):
        branch = as_counts(chain, where, branch)
    assert isinstance(branch.source, Elements) and isinstance(shortcut.source, Elements)
    fork = ir.Fork(name=chain.new_name(None, "fork"))
    chain.layers.insert(chain.position(shortcut.source.after) + 1, fork)
    name = chain.append(ir.Add(name=chain.new_name(where, "add"), fork=fork.name, scale=scale))
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


def _projection(where: Where, first: Tensor, second: Tensor) -> ModelError:
    return ModelError(
        f"{where}: adds {first.origin} and {second.origin}, but a shortcut must have no layer of its own (no"
        " projection); use the identity as shortcut, or bits of an earlier layer"
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


def _beginning(chain: Chain, where: Where, shortcut: Tensor, branch: Tensor) -> Tensor:
    """The shortcut as elements of the output of its layer."""
    source = shortcut.source
    if isinstance(source, Counts):
        if source.pools:
            raise ModelError(
                f"{where}: a shortcut must have one number per element, but {shortcut.origin} is a MaxPool of"
                " sums, which has several; quantise it before the shortcut"
            )
        if source.name not in chain.thresholded:
            raise _projection(where, shortcut, branch)
        return _without_thresholds(chain, shortcut, source)
    if not isinstance(source, Elements) or source.after is None:
        raise ModelError(
            f"{where}: a shortcut must not begin at raw pixels; quantise them to bits before the shortcut"
        )
    return shortcut


def _without_thresholds(chain: Chain, value: Tensor, source: Counts) -> Tensor:
    """A tensor of neurons that became bits, as one of their counts.

    Their thresholds become a layer of their own, after the counts.
    """
    place = chain.position(source.name)
    layer = cast(ir.Conv2d, chain.layers[place])  # or Dense, alike here
    complemented = (layer.weights != source.weights).reshape(source.outputs, -1).any(axis=1)
    value = complement("a shortcut", value, complemented)
    if layer.thresholds is not None:
        threshold = ir.Threshold(
            name=chain.new_name(None, "threshold"),
            thresholds=layer.thresholds,
            inverted=np.zeros_like(layer.thresholds),
        )
        chain.layers[place : place + 1] = [replace(layer, thresholds=None), threshold]
    return replace(
        value,
        source=Elements(size=source.size, count=source.count, after=source.name, channels=source.outputs),
    )


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
