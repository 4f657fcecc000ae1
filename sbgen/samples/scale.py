"""The scale of one column or channel: a number to a byte, by comparisons alone."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import DataError

__all__ = ["Scale"]

#: The maximum number of cuts, as a byte has 256 values.
_MOST = 255


@dataclass(frozen=True, kw_only=True, eq=False)
class Scale:
    """A number x becomes the byte ``c * 255 // len(cuts)``, where c is the number of cuts <= x.

    No arithmetic is done on x, so every machine computes the same byte.

    Parameters
    ----------
    name : str
        Of the column or channel.
    cuts : float64 array, shape (1 ... 255,)
        Finite and increasing.
    range : (float, float) or None
        If the cuts divide a range evenly, its ends; a file then holds these in place of the cuts.

    Raises
    ------
    DataError
        The cuts are anything else.
    """

    name: str
    cuts: np.ndarray
    range: tuple[float, float] | None = None
    _bytes: np.ndarray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        cuts = np.asarray(self.cuts, np.float64)
        if (
            cuts.ndim != 1
            or not 1 <= len(cuts) <= _MOST
            or not np.isfinite(cuts).all()
            or (np.diff(cuts) <= 0).any()
        ):
            raise DataError(
                f"the scale of {self.name!r:.60} must have 1 ... {_MOST} finite, increasing cuts, but has"
                " others"
            )
        cuts.flags.writeable = False
        object.__setattr__(self, "cuts", cuts)
        object.__setattr__(self, "_bytes", (np.arange(len(cuts) + 1) * 255 // len(cuts)).astype(np.uint8))

    @classmethod
    def of_range(cls, name: str, low: float, high: float) -> "Scale":
        """256 steps of one width: `low` becomes 0, `high` 255, and what is outside 0 or 255."""
        width = high - low
        if not (math.isfinite(low) and math.isfinite(width) and width > 0):
            raise DataError(
                f"the scale of {name!r:.60} must go from a finite number to a higher one, not from {low} to"
                f" {high}"
            )
        cuts = low + width * ((np.arange(1, _MOST + 1) - 0.5) / _MOST)
        if (np.diff(cuts) <= 0).any():  # the width is a few units in the last place
            return cls(name=name, cuts=np.unique(cuts))
        return cls(name=name, cuts=cuts, range=(low, high))

    @classmethod
    def of_quantiles(cls, name: str, values: np.ndarray, steps: int) -> "Scale":
        """Steps with about as many of `values`, which must not all be equal, in each; at most `steps`."""
        ordered, counts = np.unique(values, return_counts=True)
        below = np.cumsum(counts)[:-1]  # how many values each possible cut has below it
        wanted = np.arange(1, steps) * (len(values) / steps)
        right = np.clip(np.searchsorted(below, wanted), 0, len(below) - 1)
        left = np.maximum(right - 1, 0)
        chosen = np.unique(np.where(wanted - below[left] < below[right] - wanted, left, right))
        low, high = ordered[chosen], ordered[chosen + 1]
        middle = low + (high - low) / 2
        # Between two neighbouring numbers there is none.
        return cls(name=name, cuts=np.where(middle > low, middle, high))

    def apply(self, values: np.ndarray) -> np.ndarray:
        """The bytes, uint8, of float64 values of any shape; NaN is not allowed."""
        return self._bytes[np.searchsorted(self.cuts, values, side="right")]

    def primitives(self) -> dict[str, Any]:
        """As in a file: ``name``, and ``range`` or ``cuts``."""
        return {
            "name": self.name,
            **({"cuts": self.cuts.tolist()} if self.range is None else {"range": list(self.range)}),
        }

    @classmethod
    def parse(cls, content: dict[str, Any]) -> "Scale":
        """The scale of `primitives`."""
        if "range" in content:
            low, high = map(float, content["range"])
            return cls.of_range(str(content["name"]), low, high)
        return cls(name=str(content["name"]), cuts=np.array(list(map(float, content["cuts"]))))
