"""The last layer of outputs that decide by their signs: integer scores with the signs of a graph's scores."""

from dataclasses import replace

import numpy as np

from ...errors import ModelError
from .. import ir
from .tabulate import ROUNDING

__all__ = ["are_bits", "bit_scores", "signed_scores"]

#: Scores are kept below this, well inside the 32 bits of the host link.
_MOST = 1 << 30

#: Common denominators of the outputs' scales that are tried first, before their bits are.
_DENOMINATORS = 64


def are_bits(value):
    """Whether each output of a tensor has no more than two values: behind a quantiser or a comparison it is a
    bit.
    """
    return all(len(np.unique(row)) <= 2 for row in value.rows[np.unique(value.row)])


def bit_scores(chain, where, value):
    """The layer of bits in the chain, and after it a score of -1 or +1 for each."""
    # Where nothing is negative, a comparison or an unsigned quantiser has 0 for an output that is off.
    least = value.rows[np.unique(value.row)].min()
    rows = np.where(value.rows > 0 if least == 0 else value.rows >= 0, np.float32(1), np.float32(-1))
    value = chain.elements(where, replace(value, rows=rows))
    outputs, source = value.index.size, value.source
    index = value.index.reshape(-1)
    if not np.array_equal(index, np.arange(source.size)) or source.count != 2:
        raise ModelError(
            f"{where} must have each of {source.size} bits once and in order; leave out what moves them"
        )
    low, high = (value.rows[value.row.reshape(-1), bit] >= 0 for bit in range(2))
    on = np.where(high & low, 1, np.where(high | low, 0, -1))
    eye = np.eye(outputs, dtype=np.uint8)
    rises = np.where(low & ~high, 0, 1).astype(np.uint8)
    return ir.Scores(
        name=chain.name(None, "scores"),
        weights=np.where(eye == 1, rises[:, None], 1).astype(np.uint8),
        mask=eye if outputs > 1 else None,
        scales=np.where(on == 0, 2, 0),
        offsets=np.where(on == 0, -1, on),
    )


def signed_scores(where, rows, reach):
    """Scales (None: all 1) and offsets that make of counts integers of the same sign, zero included, and
    order.

    Parameters
    ----------
    where : str
        Begins messages.
    rows : array, shape (outputs, counts)
        The score of output `o` at the count `k`, rising with k.
    reach : integer array, shape (outputs,)
        The greatest count of each output.

    Returns
    -------
    Each integer is negative, zero or positive exactly as its score is, and rises with the count as its score
    does. Between the outputs their order is that of the scores where integers of 31 bits can have it, to
    within the roundings of float32.

    Raises
    ------
    ModelError
        An output has the same score for some counts and another for others.
    """
    outputs = len(rows)
    highest, lowest = rows[np.arange(outputs), reach], rows[:, 0]
    counts = np.arange(rows.shape[1])
    flat = (np.diff(rows, axis=1) <= 0) & (counts[1:] <= reach[:, None])
    if (flat.any(1) & (highest > lowest)).any():
        raise ModelError(
            f"{where} must tell all counts of the last layer apart, but gives some the same score; end the"
            " graph at the MatMul or Gemm"
        )
    steps = np.where(reach > 0, (highest - lowest) / np.maximum(reach, 1), 0)
    inside = counts <= reach[:, None]
    signs = np.sign(rows)
    zero = ((signs == 0) & inside).any(1)
    negative = ((signs < 0) & inside).sum(1)

    def fitted(scales, offsets):
        """The same lines, moved as little as their signs need."""
        turns = (negative > 0) & (negative <= reach)
        if (
            turns & ~zero & (scales == 1)
        ).any():  # a score that goes from negative to positive needs room for it
            scales, offsets = 2 * scales, 2 * offsets
        first = (
            scales * negative
        )  # the part of the first score that is not negative that comes from the count
        below = np.where(negative > 0, -1 - (first - scales), _MOST)
        above = np.where(negative <= reach, 1 - first, -_MOST)
        return scales, np.where(zero, -first, np.clip(offsets, above, below))

    def integers(scales, offsets):
        return (scales[:, None] * counts + offsets[:, None])[inside]

    size, scores = np.abs(rows[inside]).max(), rows[inside]
    off = np.abs(rows - lowest[:, None] - steps[:, None] * counts)[inside]
    whole = np.stack([lowest, steps])
    if np.array_equal(whole, np.rint(whole)) and np.abs(rows[inside]).max() <= _MOST and off.max() == 0:
        divisor = max(
            1, int(np.gcd.reduce(whole.astype(np.int64), axis=None))
        )  # what all scores are multiples of
        scales, offsets = steps.astype(np.int64) // divisor, lowest.astype(np.int64) // divisor
        return (None if (scales == 1).all() else scales), offsets
    if outputs > 1 and steps.max() > 0 and off.max() <= 2 * ROUNDING * size:
        for unit, exact in _units(lowest, steps, reach):
            scales, offsets = np.rint(steps / unit), np.rint(lowest / unit)
            if max(scales.max(), np.abs(offsets).max()) > _MOST / 2 or ((scales == 0) & (steps > 0)).any():
                continue
            scales, offsets = fitted(scales.astype(np.int64), offsets.astype(np.int64))
            found = integers(scales, offsets)
            if (
                np.abs(found).max() > _MOST
                or exact
                and not _equal_where_equal(scores, found, ROUNDING * size)
            ):
                continue
            if _ordered(scores, found, ROUNDING * size):
                return (None if (scales == 1).all() else scales), offsets
    # One output, or outputs too far apart: each in its own unit.
    units = np.where(steps > 0, steps, 1)
    most = _MOST // 2 - reach
    offsets = np.rint(np.clip(lowest / units, -most, most)).astype(np.int64)
    scales, offsets = fitted(
        (steps > 0).astype(np.int64), np.where(steps > 0, offsets, np.sign(lowest)).astype(np.int64)
    )
    return (None if (scales == 1).all() else scales), offsets


def _units(lowest, steps, reach):
    """What one of the integers may be worth: common denominators, then ever smaller ones; whether ties must
    be exact.
    """
    least = steps[steps > 0].min()
    for denominator in range(1, _DENOMINATORS + 1):
        yield least / denominator, True
    size = max(np.abs(lowest).max(), np.abs(lowest + steps * reach).max())
    for bits in range(8, 31):
        yield size / (1 << bits), False


def _equal_where_equal(scores, integers, tolerance):
    """Whether scores within `tolerance` of each other have one integer."""
    order = np.argsort(scores, kind="stable")
    near = np.diff(scores[order]) <= tolerance
    return not (near & (np.diff(integers[order]) != 0)).any()


def _ordered(scores, integers, tolerance):
    """Whether scores farther apart than `tolerance` are integers in the same order."""
    order = np.argsort(scores, kind="stable")
    scores, integers = scores[order], integers[order]
    below = np.searchsorted(
        scores, scores - tolerance, side="left"
    )  # so many are less by more than the tolerance
    most = np.maximum.accumulate(integers)
    return bool((integers[below > 0] > most[below[below > 0] - 1]).all())
