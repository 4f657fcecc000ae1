"""Tables of numbers with a column of labels: .csv and .parquet."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from . import numpy_file
from .raw import Raw, Reading, listed

__all__ = ["LABEL_COLUMNS", "csv_file", "is_number", "labels_of", "parquet"]

#: Usual names of the column of labels, in any case.
LABEL_COLUMNS = ("label", "labels", "y", "class", "target")

#: What a file writes where it has no value.
_MISSING = ("", "na", "n/a", "nan", "null", "none", "?", "-")


@dataclass(frozen=True, kw_only=True)
class _Columns:
    """The columns of a file: text of a .csv, arrays of a .parquet."""

    path: Path
    names: tuple[str, ...]
    named: bool
    columns: Sequence[Sequence[Any]]
    where: Sequence[str]


def csv_file(path: Path, reading: Reading) -> Raw:
    """The samples of a .csv, in UTF-8, with commas; a first line without numbers names the columns."""
    if path.stat().st_size > numpy_file.MAX_BYTES:
        raise DataError(f"{path} must have at most {numpy_file.MAX_BYTES:,} bytes; save fewer samples")
    lines: list[int] = []
    rows: list[list[str]] = []
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            for row in reader:
                if row:
                    rows.append([value.strip() for value in row])
                    lines.append(reader.line_num)
    except UnicodeDecodeError as error:
        raise DataError(f"{path} must be text in UTF-8: {error.reason}; save it as CSV UTF-8") from error
    except csv.Error as error:
        raise DataError(f"{path} must be values with commas between them, but {error}") from error
    if not rows:
        raise DataError(f"{path} must have a line for each sample, but is empty")
    first = rows[0]
    if len(first) == 1 and any(mark in first[0] for mark in ";\t"):
        raise DataError(f"{path} must have commas between values, found {first[0]!r:.40}; save it as CSV")
    for line, row in zip(lines, rows, strict=True):
        if len(row) != len(first):
            raise DataError(
                f"{path}, line {line}: must have {len(first)} values as the first line has, found {len(row)}"
            )
    named = not any(map(is_number, first)) and len(rows) > 1
    names = tuple(first) if named else tuple(f"column{n + 1}" for n in range(len(first)))
    body = rows[1:] if named else rows
    return _raw(
        _Columns(
            path=path,
            names=names,
            named=named,
            columns=list(zip(*body, strict=True)),
            where=[f"line {line}" for line in (lines[1:] if named else lines)],
        ),
        reading,
    )


def parquet(path: Path, reading: Reading) -> Raw:
    """The samples of a .parquet; needs pyarrow."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise DataError(
            f"{path}: a .parquet needs pyarrow, which is not installed; try `pip install"
            " 'sbgen[parquet]'`, or save a .csv"
        ) from error
    try:
        table = pyarrow.parquet.read_table(path)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise DataError(
            f"{path} must be a Parquet file, but {' '.join(str(error).split()):.120}; save it again"
        ) from error
    return _raw(
        _Columns(
            path=path,
            names=tuple(table.column_names),
            named=True,
            columns=[column.to_pylist() for column in table.columns],
            where=[f"row {n}" for n in range(table.num_rows)],
        ),
        reading,
    )


def _raw(table: _Columns, reading: Reading) -> Raw:
    _check_names(table, reading)
    target = _target(table, reading)
    group = reading.group if reading.group in table.names else None
    inputs = [n for n, name in enumerate(table.names) if name not in (target, group)]
    chosen = _chosen(table, reading, inputs)
    values = np.empty((len(table.where), len(chosen)))
    for place, n in enumerate(chosen):
        values[:, place] = _numbers(table, n)

    def text(name: str | None) -> tuple[str, ...] | None:
        return None if name is None else labels_of(table.columns[table.names.index(name)])

    labels = text(target)
    if labels is not None and any(label.lower() in _MISSING for label in labels):
        rows = [table.where[n] for n, label in enumerate(labels) if label.lower() in _MISSING]
        raise DataError(
            f"{table.path} must have a class in every row, but {target!r:.40} has none in {listed(rows)};"
            " leave these rows out"
        )
    return Raw(
        kind="table",
        values=values,
        names=tuple(table.names[n] for n in chosen),
        places=tuple(inputs.index(n) for n in chosen),
        width=len(inputs),
        labels=labels,
        groups=text(group),
        target=target if table.named else None,
        group=group if table.named else None,
        where=table.where,
        source=str(table.path),
    )


def _check_names(table: _Columns, reading: Reading) -> None:
    twice = sorted({name for name in table.names if table.names.count(name) > 1})
    if twice or "" in table.names:
        raise DataError(
            f"{table.path} must have a name of its own for each column, but"
            + (f" {listed(twice)} is there twice" if twice and twice != [""] else " a column has none")
            + "; from pandas, save with index=False"
        )
    wanted = reading.columns if table.named or not reading.trained else ()
    if not reading.trained:
        wanted = (*wanted, *reading.drop, *filter(None, (reading.target, reading.group)))
    missing = [name for name in wanted if name not in table.names]
    if missing:
        raise DataError(
            f"{table.path} must have the columns {listed(missing)}, but has {listed(table.names)}"
        )


def _target(table: _Columns, reading: Reading) -> str | None:
    """The name of the column of labels, or None."""
    if reading.target in table.names:
        return reading.target
    usual = [name for name in table.names if name.lower() in LABEL_COLUMNS and name not in reading.columns]
    if not table.named and reading.trained:
        surplus = len(table.names) - reading.width
        if surplus not in (0, 1):
            raise DataError(
                f"{table.path} must have the {reading.width} columns that the network was trained on, and at"
                f" most one of labels, or names in its first line, but has {len(table.names)} columns"
            )
        return table.names[-1] if surplus else None
    if len(usual) == 1:
        return usual[0]
    if reading.trained:
        return None
    if not table.named:
        return table.names[-1]
    raise DataError(
        f"{table.path} must say which column has the labels: add --target COLUMN, one of"
        f" {listed(table.names)}"
    )


def _chosen(table: _Columns, reading: Reading, inputs: list[int]) -> list[int]:
    """The places of the columns of numbers."""
    if reading.places and not table.named:  # of a network that knows its columns by place
        return [inputs[place] for place in reading.places]
    if reading.columns:
        return [table.names.index(name) for name in reading.columns]
    chosen = [n for n in inputs if table.names[n] not in reading.drop]
    if not chosen:
        raise DataError(f"{table.path} must have a column of numbers besides its labels, but has none")
    return chosen


def _numbers(table: _Columns, n: int) -> np.ndarray:
    """A column as float64, NaN where a value is missing."""
    column = table.columns[n]
    try:
        return np.array(column, np.float64)
    except (ValueError, TypeError):
        pass
    values = np.empty(len(column))
    for row, value in enumerate(column):
        if value is None or isinstance(value, str) and value.lower() in _MISSING:
            values[row] = np.nan
        elif isinstance(value, (int, float)) or is_number(value):
            values[row] = float(value)
        else:
            raise DataError(
                f"{table.path}: column {table.names[n]!r:.40} must be numbers, but has {value!r:.40} in"
                f" {table.where[row]}; leave it out with --drop '{table.names[n]:.40}', or replace the"
                " text by numbers"
            )
    return values


def is_number(text: object) -> bool:
    """Whether a text is a number, not NaN."""
    try:
        float(text)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return False
    # Python's own separator of digits, and what is no value.
    return "_" not in str(text) and str(text).strip().lower() not in _MISSING


def labels_of(values: Iterable[Any]) -> tuple[str, ...]:
    """Labels as text: whole numbers without a fraction, so that 1 and 1.0 are one class."""
    texts = ["" if value is None else str(value).strip() for value in values]
    if all(is_number(text) for text in texts):
        numbers = [float(text) for text in texts]
        if all(number.is_integer() for number in numbers):
            return tuple(str(int(number)) for number in numbers)
    return tuple(texts)
