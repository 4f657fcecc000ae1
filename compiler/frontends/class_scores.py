"""The last layer of a frontend: integer scores that order the classes as a graph's scores do, or have their
signs.
"""

from dataclasses import replace

import numpy as np

from ...errors import ModelError
from .. import ir
from .neurons import spread_groups
from .sign_scores import bit_scores, signed_scores
from .tabulate import ROUNDING, Counts, Elements, straight

__all__ = ["integer_scores", "last_layer"]

#: Scores are kept below this, well inside the 32 bits of the host link.
_MOST = 1 << 30

#: Common denominators of the classes' scales that are tried first, before their bits are.
_DENOMINATORS = 64


def last_layer(chain, value, decision, *, bits=False):
    """The `Scores` layer of a tensor (1, outputs).

    Parameters
    ----------
    chain : Chain
        Gets the layer of the bits, where there are `bits`.
    value : Tensor
        Functions of counts: the scores, or the bits.
    decision : str
        One of `ir.DECISIONS`.
    bits : bool
        Whether each output is a bit already, as `sign_scores.are_bits` says; `decision` then is "sign".
    """
    where = f"the output behind {value.origin}"
    if bits:
        return bit_scores(chain, where, value)
    value = _as_vector(chain, where, value)
    source = value.source
    chain.check_end(where, source)
    if not np.array_equal(value.index.reshape(-1), np.arange(source.outputs)):
        raise ModelError(
            f"{where} must have each of {source.outputs} classes once and in order; leave out what moves them"
        )
    if source.behind is None:
        raise ModelError(
            f"{where} must have a layer before it; a network of one layer on raw pixels is not built"
        )
    rising = chain.rising(where, value)
    rows = rising.rows[: source.outputs].astype(np.float64)
    if decision == "sign":
        scales, offsets = signed_scores(where, rows, source.reach)
    else:
        scales, offsets = integer_scores(
            where, rows, source.reach, (rising.source.lowest, rising.source.step)
        )
    layer = rising.source.layer(None)
    return ir.Scores(
        name=layer.name,
        weights=layer.weights,
        planes=layer.planes,
        mask=layer.mask,
        offsets=offsets,
        scales=scales,
    )


def _as_vector(chain, where, value):
    """A tensor as one of neurons that take a vector: a last convolution or mean becomes what a last MatMul
    is.
    """
    source = value.source
    if isinstance(source, Counts) and source.weights.ndim == 2:
        return value
    if isinstance(source, Counts) and not source.pools and source.size == source.outputs:
        return _one_position(chain, where, value)
    if isinstance(source, Counts) and not source.pools:
        value = chain.summands(where, value)
    if not isinstance(value.source, Elements) or value.source.behind is None or (value.index < 0).any():
        raise ModelError(
            f"{where} must be the scores of a last layer, a MatMul, Gemm or Conv or a mean of such, not of"
            " pixels or of what a MaxPool leaves; end the graph at such a layer"
        )
    return _one_each(chain, where, value)


def _one_position(chain, where, value):
    """A convolution with a single position as neurons on the whole image, where what lies beyond its kernel
    never counts.
    """
    source, shape = value.source, chain.shape()
    chain.check_end(where, source)
    layer = source.layer(None)
    weights, mask = spread_groups(layer)
    mask = np.ones(weights.shape, np.uint8) if mask is None else mask
    whole, counts = np.ones((source.outputs, *shape), np.uint8), np.zeros((source.outputs, *shape), np.uint8)
    under = tuple(slice(first, first + size) for (first, _), size in zip(layer.padding, shape, strict=False))
    rows, columns = weights[:, under[0], under[1]].shape[
        1:3
    ]  # of the kernel that lie on the image, which may be larger
    whole[:, :rows, :columns], counts[:, :rows, :columns] = (
        weights[:, under[0], under[1]],
        mask[:, under[0], under[1]],
    )
    # What the padding agrees with is the same for every image.
    padding = mask * (weights == layer.padding_bit)
    padding[:, under[0], under[1]] = 0
    fixed = padding.reshape(source.outputs, -1).sum(axis=1, dtype=np.int64) * ((1 << layer.planes) - 1)
    flat = counts.reshape(source.outputs, -1)
    reach = flat.sum(axis=1, dtype=np.int64) * ((1 << layer.planes) - 1)
    numbers = (
        np.minimum(np.arange(flat.shape[1] * ((1 << layer.planes) - 1) + 1), reach[:, None]) + fixed[:, None]
    )
    rows = value.rows[chain.by_channel(where, value)]

    def make(**arrays):
        return ir.Dense(name=layer.name, planes=layer.planes, **arrays)

    made = replace(
        source,
        count=numbers.shape[1],
        weights=whole.reshape(source.outputs, -1),
        mask=None if flat.all() else flat,
        reach=reach,
        lowest=source.lowest + source.step * fixed,
        make=make,
    )
    return replace(value, source=made, row=value.index, rows=np.take_along_axis(rows, numbers, axis=1))


def _one_each(chain, where, value):
    """A score for each integer of a layer: neurons that each count one of them."""
    source, index = value.source, value.index.reshape(-1)
    chain.check_end(where, source)
    classes, copies, top = len(index), source.copies, (1 << source.greatest.bit_length()) - 1
    mask = np.zeros((classes, source.size, copies), np.uint8)
    mask[np.arange(classes), index] = 1
    mask = mask.reshape(classes, -1)
    # Beyond what the integer reaches, its function goes on as a line, or as it ends.
    rows, reach = value.rows[value.row.reshape(-1)].astype(np.float64), copies * top
    lines = straight(rows, source.count - 1)
    steps = rows[:, -1] - rows[:, -2] if lines is None else lines[1]
    rows = np.hstack([rows, rows[:, -1:] + steps[:, None] * np.arange(1, reach + 2 - source.count)])
    lowest, step = (
        (np.zeros(classes), np.ones(classes))
        if source.sums is None
        else (each[index % source.channels] for each in source.sums)
    )

    def make(**arrays):
        return ir.Dense(name=name, planes=source.greatest.bit_length(), **arrays)

    name = chain.name(None, "scores")
    made = Counts(
        size=classes,
        count=mask.shape[1] * top + 1,
        behind=chain.end,
        channels=classes,
        name=name,
        weights=np.ones_like(mask),
        mask=mask,
        reach=np.full(classes, reach),
        lowest=lowest,
        step=step,
        make=make,
    )
    numbers = np.minimum(np.arange(made.count), reach)
    order = np.arange(classes).reshape(value.shape)
    return replace(value, source=made, index=order, row=order, rows=rows[:, numbers])


def integer_scores(where, rows, reach, sums=None):
    """Scales (None: all 1) and offsets that map counts to integers in the order of all scores.

    Parameters
    ----------
    where : str
        Begins messages.
    rows : array, shape (classes, counts)
        The score of class `c` at the count `k`, rising with k.
    reach : integer array, shape (classes,)
        The maximum count of each class.
    sums : pair of arrays, shape (classes,), optional
        What `rows` is a function of: the weighted sum of class `c` at the count 0, and its step per count. By
        default the scores are the sums.

    Returns
    -------
    Classes with the same function of their sums (one scale and one bias, or any other) have equal integers
    exactly where their sums are equal, whatever their reach. Any two scores that differ by more than the
    roundings of float32 have the order of their integers. Scales and offsets with a small common denominator
    are exact too, ties included.
    """
    reach = np.asarray(reach)
    lowest, highest = rows[:, 0], rows[np.arange(len(rows)), reach]
    slopes = (highest - lowest) / np.maximum(reach, 1)
    scores = _Scores(rows, reach, *((lowest, slopes) if sums is None else sums))
    if len(np.unique(scores.flat)) < min(3, len(scores.flat)) <= reach.max() + 1:
        raise ModelError(
            f"{where} must tell all counts of the last layer apart, but gives some the same score; end the"
            " graph at the MatMul or Gemm"
        )
    whole, found = scores.whole(slopes), scores.one_function()
    if whole and (whole[0] is None or not found or found[0] is not None):
        return whole
    if found:
        return found
    # A class of nothing but padding has no slope of its own.
    slopes = np.where(reach == 0, slopes.max(), slopes)
    off = np.abs(scores.flat - lowest[scores.classes] - slopes[scores.classes] * scores.counts)
    if off.max() > 2 * scores.tolerance:
        at = int(scores.classes[np.argmax(off)])
        raise ModelError(
            f"{where} must be a line of each class's count or the same function of all of them, but class"
            f" {at} is off a line by {off.max():g}; end the graph at the scores of the last MatMul or Gemm, a"
            " scale and a bias"
        )
    found = scores.one_slope(slopes) or scores.lines(slopes)
    if found is None:
        raise ModelError(
            f"{where} must keep the order of its scores as integers of 31 bits, but the classes' scales"
            f" {slopes.min():g} ... {slopes.max():g} and biases {lowest.min():g} ... {lowest.max():g} are too"
            " far apart; train the last layer with one scale for all classes (no batch norm behind it, or"
            " one for all)"
        )
    return found


class _Scores:
    """All scores of all classes, as functions of counts and of places on a grid of sums.

    A place is the sum in steps of a count, seen in the direction in which the score rises: ``places[c] + k``.
    """

    def __init__(self, rows, reach, least, step):
        self.rows, self.reach = rows, reach
        counts = [np.arange(each + 1) for each in reach]
        self.flat = np.concatenate([row[: len(k)] for row, k in zip(rows, counts, strict=True)])
        self.classes, self.counts = np.repeat(np.arange(len(rows)), reach + 1), np.concatenate(counts)
        self.tolerance = ROUNDING * np.abs(self.flat).max()
        step = np.asarray(step, np.float64).copy()
        known = (step != 0) & (reach > 0)
        if known.any():
            step[~known & (reach == 0)] = step[known][0]  # of a class that counts nothing any step is true
        self.step, self.places = step, np.asarray(least) / np.where(step == 0, 1, step)

    def whole(self, slopes):
        """Scales and offsets of scores that are such integers already, else None."""
        offsets = np.rint(self.rows[:, 0])
        integers = np.rint(slopes)[self.classes] * self.counts + offsets[self.classes]
        if max(
            np.abs(integers).max() / 2, np.abs(offsets).max(), slopes.max()
        ) > _MOST - 1 or not np.array_equal(integers, self.flat):
            return None
        scales = np.where(self.reach > 0, np.rint(slopes), 1).astype(np.int64)
        return (None if (scales == 1).all() else scales), offsets.astype(np.int64)

    def one_function(self):
        """Scales and offsets where all scores are one rising function of the sums, else None."""
        if (self.step == 0).any() or np.ptp(self.step) > 1e-6 * np.abs(self.step).max():
            return None
        scale, offsets = _grid(self.places - self.places[0], 1e-6 * max(1, np.abs(self.places).max()))
        if offsets is None:
            return None
        integers = scale * self.counts + offsets[self.classes]
        order = np.lexsort((self.flat, integers))
        places, scores = integers[order], self.flat[order]
        first = np.flatnonzero(np.append(True, np.diff(places) > 0))
        low, high = scores[first], scores[np.append(first[1:], len(scores)) - 1]
        if (high - low > self.tolerance / 4).any() or (low[1:] <= high[:-1]).any():
            return None
        return self._result(scale, offsets)

    def one_slope(self, slopes):
        """Scales and offsets where all classes have one scale, each with a bias of its own; None where that
        does not do.
        """
        slope = slopes.mean()
        if slope <= 0 or np.ptp(slopes) > 1e-4 * slope:
            return None
        group = self._groups(slopes)
        places = np.empty(len(slopes))
        for members in group:
            places[members] = (
                self.rows[members[0], 0] / slope + self.places[members] - self.places[members[0]]
            )
        scale, offsets = _grid(places - places[0], 2 * self.tolerance / slope)
        return (
            None
            if offsets is None or not self._ordered(scale * self.counts + offsets[self.classes])
            else (self._result(scale, offsets))
        )

    def lines(self, slopes):
        """Scales and offsets where each class has a line of its own, as small as they may be; None where 31
        bits do not do.
        """
        slopes, lowest, parts, shifts = (
            slopes.copy(),
            self.rows[:, 0].copy(),
            np.ones(len(slopes)),
            np.zeros(len(slopes)),
        )
        for members in self._groups(slopes):
            # Halves of a step, counted from the sum 0 if that is one: all members are the same line of these.
            half = np.floor(2 * self.places[members] + 1e-3)
            parts[members], shifts[members] = (2, half) if (half % 2).any() else (1, half / 2)
            first = members[0]
            slopes[members] = slopes[first] / parts[first]
            lowest[members] = self.rows[first, 0] - slopes[first] * shifts[first]
        start = lowest[0]  # what all classes have in common says nothing
        for unit, exact in _units(lowest - start, slopes, parts * slopes * self.reach):
            each, offsets = np.rint(slopes / unit), np.rint((lowest - start) / unit)
            offsets, each = offsets + each * shifts, each * parts
            integers = each[self.classes] * self.counts + offsets[self.classes]
            if max(np.abs(offsets).max(), np.abs(integers).max() / 2, each.max()) > _MOST - 1:
                continue
            if exact and np.abs(integers * unit + start - self.flat).max() > self.tolerance:
                continue
            if self._ordered(integers):
                each, offsets = each.astype(np.int64), offsets.astype(np.int64)
                return (None if (each == 1).all() else each), offsets
        return None

    def _groups(self, slopes):
        """Classes with the same line of their sums, whose sums can meet: arrays of their numbers."""
        groups = []
        for at in range(len(slopes)):
            for members in groups:
                first, reach = members[0], max(self.reach[at], self.reach[members[0]])
                apart = self.places[at] - self.places[first]
                same = (
                    abs(self.step[at] - self.step[first]) <= 1e-6 * abs(self.step[first])
                    and abs(2 * apart - np.rint(2 * apart)) <= 1e-6 * max(1, abs(self.places[at]))
                    and abs(slopes[at] - slopes[first]) * reach <= 2 * self.tolerance
                    and abs(self.rows[at, 0] - self.rows[first, 0] - slopes[first] * apart)
                    <= 2 * self.tolerance
                )
                if same and self._agree(at, first, apart):
                    members.append(at)
                    break
            else:
                groups.append([at])
        return [np.array(members) for members in groups]

    def _agree(self, one, other, apart):
        """Whether two classes have the same scores wherever their sums are equal."""
        shift = round(apart)
        if abs(apart - shift) > 0.25:
            return True
        k = np.arange(max(0, -shift), min(self.reach[one], self.reach[other] - shift) + 1)
        return (
            not len(k) or np.abs(self.rows[one, k] - self.rows[other, k + shift]).max() <= self.tolerance / 4
        )

    def _ordered(self, integers):
        """Whether scores farther apart than roundings are integers in the same order."""
        order = np.argsort(self.flat, kind="stable")
        scores, integers = self.flat[order], integers[order]
        below = np.searchsorted(
            scores, scores - self.tolerance, side="left"
        )  # so many are less by more than the tolerance
        most = np.maximum.accumulate(integers)
        return bool((integers[below > 0] > most[below[below > 0] - 1]).all())

    def _result(self, scale, offsets):
        """The form of a common scale, with the scores themselves where they are such integers."""
        start = self.rows[0, 0] - offsets[0]
        if (
            start == np.rint(start)
            and abs(start) < _MOST
            and np.array_equal(self.flat, scale * self.counts + offsets[self.classes] + start)
        ):
            offsets = offsets + int(start)
        return (None if scale == 1 else np.full(len(offsets), scale)), offsets


def _grid(places, tolerance):
    """The integers closest together that keep the order of all ``places[c] + k``, ties within `tolerance`
    included.

    They are ``scale * k + offsets[c]``: what counts of a place is its whole part and the rank of its
    fraction. Offsets are None where they do not fit.
    """
    if tolerance > 0.125 or np.abs(places).max() > _MOST / len(places):
        return 1, None
    whole = np.floor(places + tolerance)
    fractions = places - whole
    order = np.argsort(fractions)
    ranks = np.empty(len(places), np.int64)
    ranks[order] = np.cumsum(np.append(0, np.diff(fractions[order]) > 2 * tolerance))
    scale = int(ranks.max()) + 1
    offsets = scale * whole.astype(np.int64) + ranks
    return scale, offsets - offsets[0]


def _units(lowest, slopes, spans):
    """What one of the integers may be worth: common denominators, then ever smaller ones; whether it must be
    exact.
    """
    least = slopes[slopes > 0].min()
    for denominator in range(1, _DENOMINATORS + 1):
        yield least / denominator, True
    size = max(np.abs(lowest).max(), np.abs(lowest + spans).max())
    for bits in range(8, 31):
        yield size / (1 << bits), False
