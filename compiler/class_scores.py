"""The last layer of a frontend: integer scores that order the classes as a graph's scores do."""

import numpy as np

from ..errors import ModelError
from . import ir
from .tabulate import ROUNDING, Counts

__all__ = ["integer_scores", "last_layer"]

#: Scores are kept below this, well inside the 32 bits of the host link.
_MOST = 1 << 30

#: Common denominators of the classes' scales that are tried first, before their bits are.
_DENOMINATORS = 64


def last_layer(chain, value):
    """The `Scores` layer of a tensor (1, classes) of counts."""
    where = f"the output behind {value.origin}"
    source = value.source
    if not isinstance(source, Counts) or source.pools or source.weights.ndim != 2:
        raise ModelError(f"{where} must be the scores of a MatMul or Gemm of bits that are not quantised again")
    chain.check_end(where, source)
    if not np.array_equal(value.index.reshape(-1), np.arange(source.outputs)):
        raise ModelError(f"{where} must have each of {source.outputs} classes once and in order; leave out what moves them")
    if source.behind is None:
        raise ModelError(f"{where} must have a layer before it; a network of one layer on raw pixels is not built")
    rising = chain.rising(where, value)
    rows = rising.rows[:source.outputs].astype(np.float64)
    scales, offsets = integer_scores(where, rows, source.reach)
    layer = source.make(weights=rising.source.weights, thresholds=None)
    return ir.Scores(name=layer.name, weights=layer.weights, planes=layer.planes, mask=layer.mask, offsets=offsets, scales=scales)


def integer_scores(where, rows, reach):
    """Scales (None: all 1) and offsets that make of counts integers in the order of all scores.

    Parameters
    ----------
    where : str
        Begins messages.
    rows : array, shape (classes, counts)
        The score of class `c` at the count `k`, rising with k.
    reach : integer array, shape (classes,)
        The greatest count of each class.

    Returns
    -------
    Any two scores of the classes that differ by more than the roundings of float32 have the order of their integers. Where
    the classes have one scale, or scales and offsets with a small common denominator, the integers are exact, ties included.
    """
    counts = [np.arange(each + 1) for each in reach]
    scores = np.concatenate([row[:len(k)] for row, k in zip(rows, counts, strict=True)])
    classes, k = np.repeat(np.arange(len(rows)), reach + 1), np.concatenate(counts)
    if len(np.unique(scores)) < min(3, len(scores)) <= reach.max() + 1:
        raise ModelError(f"{where} must tell all counts of the last layer apart, but gives some the same score; end the graph "
                         "at the MatMul or Gemm")
    lowest, highest = rows[:, 0], rows[np.arange(len(rows)), reach]
    steps = (highest - lowest) / np.maximum(reach, 1)
    size = np.abs(scores).max()
    if np.ptp(steps) <= 1e-4 * steps.max() and (reach == reach[0]).all():
        offsets = _shared(scores, classes, k, lowest, steps, reach[0])
        if offsets is not None:
            return None, offsets
    off = np.abs(scores - lowest[classes] - steps[classes] * k)
    if off.max() > 2 * ROUNDING * size:
        at = int(classes[np.argmax(off)])
        raise ModelError(f"{where} must be a line of each class's count or the same function of all of them, but class {at} is off "
                         f"a line by {off.max():g}; end the graph at the scores of the last MatMul or Gemm, a scale and a bias")
    for unit, exact in _units(lowest, steps, reach):
        scales, offsets = np.rint(steps / unit), np.rint(lowest / unit)
        integers = (scales[classes] * k + offsets[classes]).astype(np.int64)
        if np.abs(offsets).max() > _MOST or np.abs(integers).max() > 2 * _MOST - 1 or scales.max() > _MOST:
            continue
        if exact and np.abs(integers * unit - scores).max() > ROUNDING * size:
            continue
        if _ordered(scores, integers, ROUNDING * size):
            scales, offsets = scales.astype(np.int64), offsets.astype(np.int64)
            return (None if (scales == 1).all() else scales), offsets
    raise ModelError(f"{where} must keep the order of its scores as integers of 31 bits, but the classes' scales "
                     f"{steps.min():g} ... {steps.max():g} and biases {lowest.min():g} ... {lowest.max():g} are too far apart; "
                     "train the last layer with one scale for all classes (no batch norm behind it, or one for all)")


def _shared(scores, classes, k, lowest, steps, reach):
    """Offsets in whole steps of the count that keep the order of all scores exactly, or None."""
    places = lowest / steps.mean()
    if not np.array_equal(scores, np.rint(lowest)[classes] + k):
        places = places - places[0]  # not counts themselves, so only the difference between classes means something
    if np.abs(places).max() > _MOST:
        return None
    offsets = np.rint(places).astype(np.int64)
    integers = offsets[classes] + k
    order = np.lexsort((integers, scores))
    more, rises = np.diff(integers[order]), np.diff(scores[order]) > 0
    return offsets if np.array_equal(more > 0, rises) and not (more < 0).any() else None


def _units(lowest, steps, reach):
    """What one of the integers may be worth: common denominators, then ever smaller ones; whether it must be exact."""
    if np.array_equal(np.stack([lowest, steps]), np.rint(np.stack([lowest, steps]))):
        yield 1.0, True  # integers already
    least = steps[steps > 0].min()
    for denominator in range(1, _DENOMINATORS + 1):
        yield least / denominator, True
    size = max(np.abs(lowest).max(), np.abs(lowest + steps * reach).max())
    for bits in range(8, 31):
        yield size / (1 << bits), False


def _ordered(scores, integers, tolerance):
    """Whether scores farther apart than `tolerance` are integers in the same order."""
    order = np.argsort(scores, kind="stable")
    scores, integers = scores[order], integers[order]
    below = np.searchsorted(scores, scores - tolerance, side="left")  # so many are less by more than the tolerance
    most = np.maximum.accumulate(integers)
    return bool((integers[below > 0] > most[below[below > 0] - 1]).all())
