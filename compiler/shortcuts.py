"""Shortcuts: two tensors of different layers that are added, as `Fork` and `Add`."""

from dataclasses import replace

import numpy as np

from ..errors import ModelError
from . import ir
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
        raise ModelError(f"{where}: adds what comes from {value.origin}, which is no line of even steps (or has a scale of 0); add "
                         "the branches before an activation, or behind a quantiser")
    return lines


def _open(chain, value):
    """The tensor of neurons that became bits, as one of their counts: thresholds become a layer of their own behind them."""
    source = value.source
    at = chain.position(source.name)
    layer = chain.layers[at]
    turned = (layer.weights != source.weights).reshape(source.outputs, -1).any(axis=1)
    value = chain.complemented(None, value, turned)
    if layer.thresholds is not None:
        chain.layers[at:at + 1] = [
            replace(layer, thresholds=None),
            ir.Threshold(name=chain.name(None, "threshold"), thresholds=layer.thresholds,
                         inverted=np.zeros_like(layer.thresholds))]
    return replace(value, source=Elements(size=source.size, count=source.count, behind=source.name, channels=source.outputs))


def join(chain, where, first, second):
    """``first + second`` where one comes from the last layer and the other from one before: the end of a shortcut."""
    first, second = chain.again(first), chain.again(second)
    if first.shape != second.shape or not np.array_equal(first.index, second.index) or (first.index < 0).any() or (
            first.source.size != first.index.size):
        raise ModelError(f"{where}: the branches of a sum must be equal element by element, but {first.origin} gives the shape "
                         f"{first.shape} and {second.origin} {second.shape}, padded, moved or cut; let the shortcut be the "
                         "identity")
    branches = [value for value in (first, second) if value.source.behind == chain.end]
    if not branches or len(branches) == 2 and all(isinstance(value.source, Counts) for value in branches):
        raise ModelError(f"{where}: adds {first.origin} and {second.origin}, a shortcut with a layer of its own (a projection), "
                         "which is not built; let the shortcut be the identity, or bits of an earlier layer")
    branch = next((value for value in branches if isinstance(value.source, Counts)), branches[0])
    kept = second if branch is first else first
    if isinstance(branch.source, Counts) and _lines(branch) is None:
        branch = chain.elements(where, branch)
    for value in (branch, kept):
        source = value.source
        if isinstance(source, Counts) and source.pools or isinstance(source, Elements) and source.copies > 1:
            raise ModelError(f"{where}: adds what comes from {value.origin}, of which there is more than one number an element (an "
                             "activation of several bits, or a MaxPool of sums); quantise it to 1 bit")
    if isinstance(kept.source, Counts):
        if kept.source.name not in chain.thresholded:
            raise ModelError(f"{where}: adds {kept.origin} and {branch.origin}, a shortcut with a layer of its own (a projection), "
                             "which is not built; let the shortcut be the identity, or bits of an earlier layer")
        kept = _open(chain, kept)
    elif not isinstance(kept.source, Elements) or kept.source.behind is None:
        raise ModelError(f"{where}: adds raw pixels to a later layer; quantise them to bits before")
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
        raise ModelError(f"{where}: a step of the shortcut from {kept.origin} must be the same whole multiple of a step of "
                         f"{branch.origin} in every channel, but is {odd:g} times it; scale both branches alike (one fixed scale, "
                         "and batch norm behind the sum)")
    if isinstance(branch.source, Counts):
        branch = chain.counts(where, branch)
    fork = ir.Fork(name=chain.name(None, "fork"))
    chain.layers.insert(chain.position(kept.source.behind) + 1, fork)
    name = chain.append(ir.Add(name=chain.name(where, "add"), fork=fork.name, scale=scale))
    count = branch.source.count + scale * (kept.source.count - 1)
    key = np.stack([(least + least_kept).reshape(-1), step.reshape(-1)], axis=1)
    lines, row = np.unique(key, axis=0, return_inverse=True)
    rows = lines[:, :1] + lines[:, 1:] * np.arange(count)
    return replace(branch, row=row.reshape(branch.shape), rows=rows.astype(branch.rows.dtype), origin=str(where), source=Elements(
        size=branch.source.size, count=count, behind=name, channels=max(branch.source.channels, kept.source.channels)))
