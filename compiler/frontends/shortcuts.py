"""Shortcuts: two tensors of different layers that are added, as `Fork` and `Add`."""

from dataclasses import replace

import numpy as np

from ...errors import ModelError
from .. import ir
from .tabulate import Counts, Elements, straight

__all__ = ["join"]


def _lines(value):
    """Lowest value and step of every element's function, or None."""
    source, used = value.source, np.unique(value.row)
    if isinstance(source, Counts):
        channel = np.zeros(len(value.rows), np.int64)
        channel[value.row] = value.index % source.channels
        lines = straight(value.rows[used], source.reach[channel[used]])
    else:
        lines = straight(value.rows[used], source.count - 1)
    at = np.searchsorted(used, value.row)
    return lines and (lines[0][at], lines[1][at])


def _straight(where, value):
    lines = _lines(value)
    if lines is None:
        raise ModelError(
            f"{where}: adds what comes from {value.origin}, which is no line of even steps (or has a scale of"
            " 0); add the branches before an activation, or behind a quantiser"
        )
    return lines


def _open(chain, value):
    """The tensor of neurons that became bits, as one of their counts: thresholds become a layer of their own
    behind them.
    """
    source = value.source
    at = chain.position(source.name)
    layer = chain.layers[at]
    turned = (layer.weights != source.weights).reshape(source.outputs, -1).any(axis=1)
    value = chain.complemented(None, value, turned)
    if layer.thresholds is not None:
        chain.layers[at : at + 1] = [
            replace(layer, thresholds=None),
            ir.Threshold(
                name=chain.name(None, "threshold"),
                thresholds=layer.thresholds,
                inverted=np.zeros_like(layer.thresholds),
            ),
        ]
    return replace(
        value,
        source=Elements(size=source.size, count=source.count, behind=source.name, channels=source.outputs),
    )


def _as_integers(chain, value):
    """The layer that adds an element's bits, and the tensor as one of these sums; its place in the chain is
    the caller's.
    """
    source = value.source
    layer = chain.each(
        "sums",
        np.ones((source.channels, source.copies), np.uint8),
        None,
        channels=source.channels,
        planes=source.greatest.bit_length(),
        shape=chain.shape(chain.position(source.behind) + 1),
    )
    # A layer on a vector counts, by its form, to all its inputs; there the lines go on.
    used, steps = np.unique(value.row), np.zeros(len(value.rows))
    steps[used] = (value.rows[used, -1] - value.rows[used, 0]) / (source.count - 1)
    more = value.rows[:, -1:] + steps[:, None] * np.arange(1, layer.reach + 2 - source.count)
    return layer, replace(
        value,
        rows=np.hstack([value.rows, more.astype(value.rows.dtype)]),
        source=replace(source, behind=layer.name, count=layer.reach + 1, copies=1),
    )


def _alike(chain, branch, kept):
    """Both tensors with one number per element, where they have not the same number of bits already.

    What is kept becomes sums before its `Fork`, and bits again behind it.
    """
    copies = kept.source.copies
    if copies > 1 and not (isinstance(branch.source, Elements) and branch.source.copies == copies):
        layer, sums = _as_integers(chain, kept)
        at = chain.position(kept.source.behind) + 1
        chain.layers.insert(at, layer)
        thresholds = np.tile(np.arange(1, kept.source.count), kept.source.channels)
        chain.layers.insert(
            at + 1,
            chain.each(
                "bits",
                np.ones((len(thresholds), 1), np.uint8),
                thresholds,
                channels=kept.source.channels,
                planes=sums.source.greatest.bit_length(),
                shape=chain.shape(at + 1),
            ),
        )
        kept = sums
    if isinstance(branch.source, Elements) and branch.source.copies > kept.source.copies:
        layer, branch = _as_integers(chain, branch)
        chain.append(layer)
    return branch, kept


def join(chain, where, first, second):
    """``first + second`` where one comes from the last layer and the other from one before: the end of a
    shortcut.
    """
    first, second = chain.again(first), chain.again(second)
    if (
        first.shape != second.shape
        or not np.array_equal(first.index, second.index)
        or (first.index < 0).any()
        or (first.source.size != first.index.size)
    ):
        raise ModelError(
            f"{where}: the branches of a sum must be equal element by element, but {first.origin} gives the"
            f" shape {first.shape} and {second.origin} {second.shape}, padded, moved or cut; let the shortcut"
            " be the identity"
        )
    branches = [value for value in (first, second) if value.source.behind == chain.end]
    if not branches or len(branches) == 2 and all(isinstance(value.source, Counts) for value in branches):
        raise ModelError(
            f"{where}: adds {first.origin} and {second.origin}, a shortcut with a layer of its own (a"
            " projection), which is not built; let the shortcut be the identity, or bits of an earlier layer"
        )
    branch = next((value for value in branches if isinstance(value.source, Counts)), branches[0])
    kept = second if branch is first else first
    if isinstance(branch.source, Counts) and (branch.source.pools or _lines(branch) is None):
        branch = chain.elements(where, branch)
    if isinstance(kept.source, Counts) and kept.source.pools:
        raise ModelError(
            f"{where}: adds what comes from {kept.origin}, a MaxPool of sums, of which there is more than one"
            " number per element; quantise it before"
        )
    if isinstance(kept.source, Counts):
        if kept.source.name not in chain.thresholded:
            raise ModelError(
                f"{where}: adds {kept.origin} and {branch.origin}, a shortcut with a layer of its own (a"
                " projection), which is not built; let the shortcut be the identity, or bits of an earlier"
                " layer"
            )
        kept = _open(chain, kept)
    elif not isinstance(kept.source, Elements) or kept.source.behind is None:
        raise ModelError(f"{where}: adds raw pixels to a later layer; quantise them to bits before")
    branch, kept = _alike(chain, branch, kept)
    least_kept, step_kept = _straight(where, kept)
    least, step = _straight(where, branch)
    if isinstance(branch.source, Counts):
        turned = np.zeros(branch.source.outputs, bool)
        turned[branch.index % branch.source.outputs] = np.sign(step) != np.sign(step_kept)
        branch = chain.complemented(where, branch, turned)
        least, step = _straight(where, branch)
    ratio = step_kept / step
    scale = int(np.rint(ratio.flat[0]))
    if np.abs(ratio - scale).max() > 1e-6 * max(scale, 1) or scale < 1:
        odd = ratio.flat[np.argmax(np.abs(ratio - scale))]
        raise ModelError(
            f"{where}: a step of the shortcut from {kept.origin} must be the same whole multiple of a step of"
            f" {branch.origin} in every channel, but is {odd:g} times it; scale both branches alike (one"
            " fixed scale, and batch norm behind the sum)"
        )
    if isinstance(branch.source, Counts):
        branch = chain.counts(where, branch)
    fork = ir.Fork(name=chain.name(None, "fork"))
    chain.layers.insert(chain.position(kept.source.behind) + 1, fork)
    name = chain.append(ir.Add(name=chain.name(where, "add"), fork=fork.name, scale=scale))
    count = branch.source.count + scale * (kept.source.count - 1)
    key = np.stack([(least + least_kept).reshape(-1), step.reshape(-1)], axis=1)
    lines, row = np.unique(key, axis=0, return_inverse=True)
    rows = lines[:, :1] + lines[:, 1:] * np.arange(count)
    return replace(
        branch,
        row=row.reshape(branch.shape),
        rows=rows.astype(branch.rows.dtype),
        origin=str(where),
        source=Elements(
            size=branch.source.size,
            count=count,
            behind=name,
            channels=max(branch.source.channels, kept.source.channels),
            copies=kept.source.copies,
        ),
    )
