"""Samples as a person has them, before anything becomes a byte: numbers, pictures and text."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import DataError

__all__ = ["Raw", "Reading", "listed"]

#: Names or rows that a message lists.
_LISTED = 5


def listed(items: Sequence[object]) -> str:
    """The first few of some items in words: "a, b and 3 more"."""
    shown = [f"{item!s:.40}" for item in items[:_LISTED]]
    more = len(items) - len(shown)
    if more:
        return f"{', '.join(shown)} and {more:,} more"
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]])) if shown else "none"


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a file is to be read.

    Parameters
    ----------
    kind : str or None
        One of `recipe.KINDS`; None is what the file looks like.
    shape : tuple of int or None
        Of one sample, where the file has a row of numbers for each: (height, width[, channels]) of images,
        (length, channels) of sequences.
    target, group : str or None
        The columns of the labels and of the groups in a .csv or .parquet. A target of None is the column with
        a usual name, or the last one of a file without names.
    columns, drop : tuple of str
        The columns to use, empty for all; columns to leave out.
    places : tuple of int
        The columns to use, where the file has no names.
    width : int
        How many columns of numbers a file without names must have; 0 is any number.
    trained : bool
        Whether it is for a network that was trained on another such file: labels and groups may be missing.
    """

    kind: str | None = None
    shape: tuple[int, ...] | None = None
    target: str | None = None
    group: str | None = None
    columns: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    places: tuple[int, ...] = ()
    width: int = 0
    trained: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Raw:
    """Samples of one file.

    Parameters
    ----------
    kind : str
        One of `recipe.KINDS`.
    values : float64 array (N, columns) or (N, length, channels), or list of uint8 arrays
        A table, sequences, or N images: (rows, columns) or (rows, columns, channels).
    names : tuple of str
        Of the columns or channels; empty for images.
    places : tuple of int
        Where the columns are among all of the file.
    width : int
        Columns of the file without those of labels and groups; 0 for other kinds.
    labels, groups : tuple of str, or None
        For each sample, as text.
    target, group : str or None
        Names of the columns of labels and groups, of a table with names.
    where : tuple of str
        What to call each sample: "line 7", "row 3" or the name of its file.
    source : str
        Begins messages: the path.
    """

    kind: str
    values: Any
    names: tuple[str, ...] = ()
    places: tuple[int, ...] = ()
    width: int = 0
    labels: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    target: str | None = None
    group: str | None = None
    where: Sequence[str]
    source: str

    def __len__(self) -> int:
        return len(self.values)

    def require_values(self) -> None:
        """Raise a `DataError` that names the rows with missing or infinite values."""
        if self.kind == "image":
            return
        wrong = ~np.isfinite(self.values.reshape(len(self), -1, len(self.names)))
        if not wrong.any():
            return
        rows = [self.where[n] for n in np.flatnonzero(wrong.any((1, 2))).tolist()]
        columns = [self.names[n] for n in np.flatnonzero(wrong.any((0, 1))).tolist()]
        kind = "NaN or nothing" if np.isnan(self.values[~np.isfinite(self.values)]).any() else "infinity"
        raise DataError(
            f"{self.source} must have a number in every place, but has {kind} in {listed(columns)}, in"
            f" {listed(rows)}; fill them in, or leave these rows or columns out"
        )

    def without(self, names: Sequence[str]) -> "Raw":
        """The same table without some of its columns."""
        keep = [n for n, name in enumerate(self.names) if name not in names]
        return replace(
            self,
            values=np.ascontiguousarray(self.values[..., keep]),
            names=tuple(self.names[n] for n in keep),
            places=tuple(self.places[n] for n in keep) if self.places else (),
        )
