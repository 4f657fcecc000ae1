"""The last layer of outputs that decide by their signs: integer scores with the signs of a graph's scores."""

from dataclasses import replace

import numpy as np

from ...errors import ModelError
from .. import ir
from .chain import Chain
from .elements import as_elements
from .functions import ROUNDING
from .score_order import MOST, keeps_order, scales_or_none, units
from .tensors import Tensor, Where

__all__ = ["are_bits", "bit_scores", "signed_scores"]


def are_bits(value: Tensor) -> bool:
    """Whether each element has at most two values: after a quantiser or a comparison, it is a bit."""
    return all(len(np.unique(row)) <= 2 for row in value.rows[np.unique(value.row)])


def bit_scores(chain: Chain, where: Where, value: Tensor) -> ir.Scores:
    """Append the layer of the bits; returns the layer of a score of -1 or +1 for each bit."""
    # Without negative values, a comparison or an unsigned quantiser has 0 for an output that is off.
    lowest = value.rows[np.unique(value.row)].min()
    rows = np.where(value.rows > 0 if lowest == 0 else value.rows >= 0, np.float32(1), np.float32(-1))
    value = as_elements(chain, where, replace(value, rows=rows))
    outputs, source = value.index.size, value.source
    index = value.index.reshape(-1)
    if not np.array_equal(index, np.arange(source.size)) or source.count != 2:
        raise ModelError(
            f"{where} must have each of {source.size} bits once and in order; leave out what moves them"
        )
    low, high = (value.rows[value.row.reshape(-1), bit] >= 0 for bit in range(2))
    on = np.where(high & low, 1, np.where(high | low, 0, -1))
    own = np.eye(outputs, dtype=np.uint8)
    rises = np.where(low & ~high, 0, 1).astype(np.uint8)
    return ir.Scores(
        name=chain.new_name(None, "scores"),
        weights=np.where(own == 1, rises[:, None], 1).astype(np.uint8),
        mask=own if outputs > 1 else None,
        scales=np.where(on == 0, 2, 0),
        offsets=np.where(on == 0, -1, on),
    )


def signed_scores(where: Where, rows: np.ndarray, reach: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
    """Scales (None: all 1) and offsets that map counts to integers with the signs and order of the scores.

    Parameters
    ----------
    where : str
        Begins messages.
    rows : array, shape (outputs, counts)
        The score of output `o` at the count `k`, rising with k.
    reach : integer array, shape (outputs,)
        Maximum count of each output.

    Returns
    -------
    Each integer is negative, zero or positive exactly as its score is, and rises with the count as its score
    does. Between outputs, the integers have the order of the scores, to within the roundings of float32, if
    31 bits suffice for that.

    Raises
    ------
    ModelError
        An output has the same score for some counts and another for others.
    """
    lines = _SignedLines(rows, np.asarray(reach))
    if lines.has_plateaus():
        raise ModelError(
            f"{where} must tell all counts of the last layer apart, but has the same score for some; end the"
            " graph at the MatMul or Gemm"
        )
    scales, offsets = lines.integers_already() or lines.in_common_unit() or lines.in_own_units()
    return scales_or_none(scales), offsets


class _SignedLines:
    """The scores of all outputs, and the lines through their ends."""

    def __init__(self, rows: np.ndarray, reach: np.ndarray) -> None:
        self.rows, self.reach = rows, reach
        self.counts = np.arange(rows.shape[1])
        self.inside = self.counts <= reach[:, None]
        self.lowest, self.highest = rows[:, 0], rows[np.arange(len(rows)), reach]
        self.steps = np.where(reach > 0, (self.highest - self.lowest) / np.maximum(reach, 1), 0)
        lines = self.lowest[:, None] + self.steps[:, None] * self.counts
        self.error = np.abs(rows - lines)[self.inside].max()
        self.scores = rows[self.inside]
        self.size = np.abs(self.scores).max()
        signs = np.sign(rows)
        self.has_zero = ((signs == 0) & self.inside).any(1)
        self.negative = ((signs < 0) & self.inside).sum(1)  # counts with a negative score

    def has_plateaus(self) -> bool:
        """Whether some output has the same score for different counts, but not for all."""
        flat = (np.diff(self.rows, axis=1) <= 0) & self.inside[:, 1:]
        return bool((flat.any(1) & (self.highest > self.lowest)).any())

    def integers_already(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Scales and offsets of scores that are integers already, without common divisors."""
        whole = np.stack([self.lowest, self.steps])
        if not np.array_equal(whole, np.rint(whole)) or self.size > MOST or self.error != 0:
            return None
        divisor = max(1, int(np.gcd.reduce(whole.astype(np.int64), axis=None)))
        return self.steps.astype(np.int64) // divisor, self.lowest.astype(np.int64) // divisor

    def in_common_unit(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Scales and offsets that keep the order between outputs, as small as possible."""
        steps, lowest, tolerance = self.steps, self.lowest, ROUNDING * self.size
        if len(steps) == 1 or steps.max() <= 0 or self.error > 2 * tolerance:
            return None
        for unit, exact in units(lowest, steps, steps * self.reach):
            scales, offsets = np.rint(steps / unit), np.rint(lowest / unit)
            too_large = max(scales.max(), np.abs(offsets).max()) > MOST / 2
            if too_large or ((scales == 0) & (steps > 0)).any():
                continue
            scales, offsets = self._with_signs(scales.astype(np.int64), offsets.astype(np.int64))
            integers = (scales[:, None] * self.counts + offsets[:, None])[self.inside]
            if np.abs(integers).max() > MOST:
                continue
            if exact and not _equal_where_equal(self.scores, integers, tolerance):
                continue
            if keeps_order(self.scores, integers, tolerance):
                return scales, offsets
        return None

    def in_own_units(self) -> tuple[np.ndarray, np.ndarray]:
        """Scales and offsets of one output, or of outputs that are too far apart: each in its own unit."""
        rises = self.steps > 0
        most = MOST // 2 - self.reach
        offsets = np.rint(np.clip(self.lowest / np.where(rises, self.steps, 1), -most, most))
        return self._with_signs(
            rises.astype(np.int64), np.where(rises, offsets, np.sign(self.lowest)).astype(np.int64)
        )

    def _with_signs(self, scales: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same integers, moved as little as the signs of the scores require."""
        turns = (self.negative > 0) & (self.negative <= self.reach)
        if (turns & ~self.has_zero & (scales == 1)).any():
            scales, offsets = 2 * scales, 2 * offsets  # room between the last negative and the first positive
        # What the count adds to the first score that is not negative.
        first = scales * self.negative
        below = np.where(self.negative > 0, -1 - (first - scales), MOST)
        above = np.where(self.negative <= self.reach, 1 - first, -MOST)
        return scales, np.where(self.has_zero, -first, np.clip(offsets, above, below))


def _equal_where_equal(scores: np.ndarray, integers: np.ndarray, tolerance: float) -> bool:
    """Whether scores within `tolerance` of each other have one integer."""
    order = np.argsort(scores, kind="stable")
    near = np.diff(scores[order]) <= tolerance
    return not (near & (np.diff(integers[order]) != 0)).any()
