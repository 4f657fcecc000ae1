"""What integer scores must satisfy in the place of a graph's scores, shared by both decisions."""

from collections.abc import Iterator

import numpy as np

__all__ = ["MOST", "keeps_order", "scales_or_none", "units"]

#: Maximum magnitude of scores, well inside the 32 bits of the host link.
MOST = 1 << 30

#: Common denominators of scales that are tried before finer and finer units.
_DENOMINATORS = 64

#: Bits of the maximum score in the other units.
_UNIT_BITS = range(8, 31)


def units(lowest: np.ndarray, slopes: np.ndarray, spans: np.ndarray) -> Iterator[tuple[float, bool]]:
    """Candidates for what an integer step of the scores stands for, the coarsest first.

    Parameters
    ----------
    lowest, slopes, spans : array, shape (outputs,)
        The scores of output o are ``lowest[o]`` ... ``lowest[o] + spans[o]``, in steps of ``slopes[o]``.

    Yields
    ------
    The unit, and whether the integers must be exact in it: common denominators are, finer units are not.
    """
    smallest = slopes[slopes > 0].min()
    for denominator in range(1, _DENOMINATORS + 1):
        yield smallest / denominator, True
    size = max(np.abs(lowest).max(), np.abs(lowest + spans).max())
    for bits in _UNIT_BITS:
        yield size / (1 << bits), False


def keeps_order(scores: np.ndarray, integers: np.ndarray, tolerance: float) -> bool:
    """Whether scores that differ by more than `tolerance` have the order of their integers."""
    order = np.argsort(scores, kind="stable")
    scores, integers = scores[order], integers[order]
    # So many scores are lower by more than the tolerance.
    below = np.searchsorted(scores, scores - tolerance, side="left")
    highest = np.maximum.accumulate(integers)
    return bool((integers[below > 0] > highest[below[below > 0] - 1]).all())


def scales_or_none(scales: np.ndarray) -> np.ndarray | None:
    """The scales as in `ir.Scores`: None where all are 1."""
    return None if (scales == 1).all() else scales
