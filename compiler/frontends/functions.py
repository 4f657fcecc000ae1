"""Functions of one integer, stored as rows: ``rows[f, k]`` is the value of function f at the integer k."""

from dataclasses import dataclass

import numpy as np

__all__ = ["ROUNDING", "Lines", "bends", "fill_unknown", "find_lines", "most_values", "values_in_order"]

#: Some roundings of float32, relative to the maximum value. A graph does not define its result more closely.
ROUNDING = 4 * float(np.finfo(np.float32).eps)


@dataclass(frozen=True, kw_only=True)
class Lines:
    """Functions that are lines: ``lowest[f] + step[f] * k`` at the integer k."""

    lowest: np.ndarray
    step: np.ndarray


def find_lines(rows: np.ndarray, reach: int | np.ndarray) -> Lines | None:
    """The lines that all `rows` are, or None if some row is not a line or is constant.

    Only the integers 0 ... `reach[f]` of a row count. A row with reach 0 takes the step of another row. No
    step is 0.
    """
    rows = rows.astype(np.float64)
    reach = np.broadcast_to(reach, len(rows))
    lowest, ends = rows[:, 0], rows[np.arange(len(rows)), reach]
    steps = (ends - lowest) / np.maximum(reach, 1)
    steps[reach == 0] = steps[np.argmax(np.abs(steps))]
    k = np.arange(rows.shape[1])
    error = np.where(k <= reach[:, None], np.abs(rows - lowest[:, None] - steps[:, None] * k), 0)
    if (steps == 0).any() or (error > ROUNDING * np.abs(rows).max()).any():
        return None
    return Lines(lowest=lowest, step=steps)


def bends(rows: np.ndarray) -> bool:
    """Whether some row both rises and falls."""
    steps = np.diff(rows, axis=1)
    return bool(((steps > 0).any(1) & (steps < 0).any(1)).any())


def most_values(rows: np.ndarray) -> int:
    """The number of different values of the row that has most."""
    return max(len(np.unique(row)) for row in rows)


def values_in_order(rows: np.ndarray, padding: np.ndarray, most_steps: int) -> np.ndarray | None:
    """The values that activations take, in rising order, of the shape (1 or rows, values).

    Not every neuron reaches every value, so missing values in an even grid of at most `most_steps` steps are
    filled in. None if the rows have no common number of values.
    """
    values = np.unique(rows)
    if len(values) == 1:  # the same for every image: the other value never occurs
        other = padding if len(padding) and padding[0] != values[0] else -values[0] or 1.0
        return np.union1d(values, other)[None]
    step = np.diff(values).min()
    places = np.rint((values - values[0]) / step)
    error = np.abs(values - values[0] - places * step).max()
    if places[-1] <= most_steps and error <= 1e-6 * np.abs(values).max():
        grid = values[0] + step * np.arange(places[-1] + 1)
        grid[places.astype(np.int64)] = values
        return grid[None]
    counts = (np.diff(rows, axis=1) > 0).sum(axis=1) + 1
    if counts.max() == len(values):
        return values[None]
    return None if counts.min() != counts.max() else np.stack([np.unique(row) for row in rows])


def fill_unknown(rows: np.ndarray) -> None:
    """Replace each NaN in place: by the line of the row's other values, or else by interpolation."""
    numbers, known = np.arange(rows.shape[1]), ~np.isnan(rows)
    first, last = known.argmax(1), rows.shape[1] - 1 - known[:, ::-1].argmax(1)
    ends = np.take_along_axis(rows, np.stack([first, last], axis=1), axis=1)
    steps = (ends[:, 1] - ends[:, 0]) / np.maximum(last - first, 1)
    steps[first == last] = np.abs(steps).max()  # also for a bit that never changes
    for row, step, start, have in zip(rows, steps, first, known, strict=True):
        line = row[start] + step * (numbers - start)
        straight = np.abs(line - row)[have].max() <= ROUNDING * np.abs(row[have]).max()
        row[~have] = line[~have] if straight else np.interp(numbers, numbers[have], row[have])[~have]
