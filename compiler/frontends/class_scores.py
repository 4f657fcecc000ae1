"""Integer scores that order the classes as a graph's scores do."""

import numpy as np

from ...errors import ModelError
from .functions import ROUNDING
from .score_order import MOST, keeps_order, scales_or_none, units
from .tensors import Where

__all__ = ["integer_scores"]


def integer_scores(
    where: Where, rows: np.ndarray, reach: np.ndarray, sums: tuple[np.ndarray, np.ndarray] | None = None
) -> tuple[np.ndarray | None, np.ndarray]:
    """Scales (None: all 1) and offsets that map counts to integers in the order of all scores.

    Parameters
    ----------
    where : str
        Begins messages.
    rows : array, shape (classes, counts)
        The score of class `c` at the count `k`, rising with k.
    reach : integer array, shape (classes,)
        Maximum count of each class.
    sums : pair of arrays, shape (classes,), optional
        What the scores are functions of: the weighted sum of class `c` at the count 0, and its step per
        count. By default the scores are the sums.

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
            f"{where} must tell all counts of the last layer apart, but has the same score for some; end the"
            " graph at the MatMul or Gemm"
        )
    whole, by_sums = scores.whole(slopes), scores.one_function()
    if whole and (whole[0] is None or not by_sums or by_sums[0] is not None):
        return whole
    if by_sums:
        return by_sums
    # A class of nothing but padding has no slope of its own.
    slopes = np.where(reach == 0, slopes.max(), slopes)
    error = np.abs(scores.flat - lowest[scores.classes] - slopes[scores.classes] * scores.counts)
    if error.max() > 2 * scores.tolerance:
        wrong = int(scores.classes[np.argmax(error)])
        raise ModelError(
            f"{where} must be a line of each class's count or the same function of all of them, but class"
            f" {wrong} is off a line by {error.max():g}; end the graph at the scores of the last MatMul or"
            " Gemm, a scale and a bias"
        )
    result = scores.one_slope(slopes) or scores.lines(slopes)
    if result is None:
        raise ModelError(
            f"{where} must keep the order of its scores as integers of 31 bits, but the classes' scales"
            f" {slopes.min():g} ... {slopes.max():g} and biases {lowest.min():g} ... {lowest.max():g} are too"
            " far apart; train the last layer with one scale for all classes (no batch norm after it, or one"
            " for all)"
        )
    return result


class _Scores:
    """All scores of all classes, as functions of counts and of places on a grid of sums.

    A place is the sum in steps of a count, in the direction in which the score rises: ``places[c] + k``.
    """

    def __init__(self, rows: np.ndarray, reach: np.ndarray, lowest: np.ndarray, step: np.ndarray) -> None:
        self.rows, self.reach = rows, reach
        counts = [np.arange(most + 1) for most in reach]
        self.flat = np.concatenate([row[: len(k)] for row, k in zip(rows, counts, strict=True)])
        self.classes, self.counts = np.repeat(np.arange(len(rows)), reach + 1), np.concatenate(counts)
        self.tolerance = ROUNDING * np.abs(self.flat).max()
        step = np.asarray(step, np.float64).copy()
        known = (step != 0) & (reach > 0)
        if known.any():
            step[~known & (reach == 0)] = step[known][0]  # a class without counts fits any step
        self.step, self.places = step, np.asarray(lowest) / np.where(step == 0, 1, step)

    def whole(self, slopes: np.ndarray) -> tuple[np.ndarray | None, np.ndarray] | None:
        """Scales and offsets of scores that are integers already, or None."""
        offsets = np.rint(self.rows[:, 0])
        integers = np.rint(slopes)[self.classes] * self.counts + offsets[self.classes]
        if max(
            np.abs(integers).max() / 2, np.abs(offsets).max(), slopes.max()
        ) > MOST - 1 or not np.array_equal(integers, self.flat):
            return None
        scales = np.where(self.reach > 0, np.rint(slopes), 1).astype(np.int64)
        return scales_or_none(scales), offsets.astype(np.int64)

    def one_function(self) -> tuple[np.ndarray | None, np.ndarray] | None:
        """Scales and offsets if all scores are one rising function of the sums, or None."""
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

    def one_slope(self, slopes: np.ndarray) -> tuple[np.ndarray | None, np.ndarray] | None:
        """Scales and offsets if all classes have one scale, each with its own bias, or None."""
        slope = slopes.mean()
        if slope <= 0 or np.ptp(slopes) > 1e-4 * slope:
            return None
        places = np.empty(len(slopes))
        for members in self._groups(slopes):
            first = members[0]
            places[members] = self.rows[first, 0] / slope + self.places[members] - self.places[first]
        scale, offsets = _grid(places - places[0], 2 * self.tolerance / slope)
        if offsets is None or not self._keeps_order(scale * self.counts + offsets[self.classes]):
            return None
        return self._result(scale, offsets)

    def lines(self, slopes: np.ndarray) -> tuple[np.ndarray | None, np.ndarray] | None:
        """Scales and offsets, as small as possible, if each class has its own line; None if 31 bits are too
        few.
        """
        slopes, lowest = slopes.copy(), self.rows[:, 0].copy()
        parts, shifts = np.ones(len(slopes)), np.zeros(len(slopes))
        for members in self._groups(slopes):
            # Halves of a step, counted from the sum 0 if it occurs: all members are one line of these.
            half = np.floor(2 * self.places[members] + 1e-3)
            parts[members], shifts[members] = (2, half) if (half % 2).any() else (1, half / 2)
            first = members[0]
            slopes[members] = slopes[first] / parts[first]
            lowest[members] = self.rows[first, 0] - slopes[first] * shifts[first]
        start = lowest[0]  # what all classes have in common does not matter
        for unit, exact in units(lowest - start, slopes, parts * slopes * self.reach):
            scales, offsets = np.rint(slopes / unit), np.rint((lowest - start) / unit)
            offsets, scales = offsets + scales * shifts, scales * parts
            integers = scales[self.classes] * self.counts + offsets[self.classes]
            if max(np.abs(offsets).max(), np.abs(integers).max() / 2, scales.max()) > MOST - 1:
                continue
            if exact and np.abs(integers * unit + start - self.flat).max() > self.tolerance:
                continue
            if self._keeps_order(integers):
                return scales_or_none(scales.astype(np.int64)), offsets.astype(np.int64)
        return None

    def _groups(self, slopes: np.ndarray) -> list[np.ndarray]:
        """Classes with the same line of their sums, whose sums can be equal: arrays of class numbers."""
        groups: list[list[int]] = []
        for number in range(len(slopes)):
            for members in groups:
                if self._same_line(number, members[0], slopes):
                    members.append(number)
                    break
            else:
                groups.append([number])
        return [np.array(members) for members in groups]

    def _same_line(self, one: int, other: int, slopes: np.ndarray) -> bool:
        apart, reach = self.places[one] - self.places[other], max(self.reach[one], self.reach[other])
        offset = self.rows[one, 0] - self.rows[other, 0] - slopes[other] * apart
        return (
            abs(self.step[one] - self.step[other]) <= 1e-6 * abs(self.step[other])
            and abs(2 * apart - np.rint(2 * apart)) <= 1e-6 * max(1, abs(self.places[one]))
            and abs(slopes[one] - slopes[other]) * reach <= 2 * self.tolerance
            and abs(offset) <= 2 * self.tolerance
            and self._agree(one, other, apart)
        )

    def _agree(self, one: int, other: int, apart: float) -> bool:
        """Whether two classes have the same scores wherever their sums are equal."""
        shift = round(apart)
        if abs(apart - shift) > 0.25:
            return True
        k = np.arange(max(0, -shift), min(self.reach[one], self.reach[other] - shift) + 1)
        difference = np.abs(self.rows[one, k] - self.rows[other, k + shift])
        return not len(k) or bool(difference.max() <= self.tolerance / 4)

    def _keeps_order(self, integers: np.ndarray) -> bool:
        return keeps_order(self.flat, integers, self.tolerance)

    def _result(self, scale: int, offsets: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
        """A common scale and offsets; these are of the scores themselves if they are such integers."""
        start = self.rows[0, 0] - offsets[0]
        if (
            start == np.rint(start)
            and abs(start) < MOST
            and np.array_equal(self.flat, scale * self.counts + offsets[self.classes] + start)
        ):
            offsets = offsets + int(start)
        return (None if scale == 1 else np.full(len(offsets), scale)), offsets


def _grid(places: np.ndarray, tolerance: float) -> tuple[int, np.ndarray | None]:
    """Scale and offsets of the closest integers that keep the order of all ``places[c] + k``.

    The integers are ``scale * k + offsets[c]``, of the whole part of a place and the rank of its fraction.
    Places within `tolerance` are ties. The offsets are None if they are too large.
    """
    if tolerance > 0.125 or np.abs(places).max() > MOST / len(places):
        return 1, None
    whole = np.floor(places + tolerance)
    fractions = places - whole
    order = np.argsort(fractions)
    ranks = np.empty(len(places), np.int64)
    ranks[order] = np.cumsum(np.append(0, np.diff(fractions[order]) > 2 * tolerance))
    scale = int(ranks.max()) + 1
    offsets = scale * whole.astype(np.int64) + ranks
    return scale, offsets - offsets[0]
