"""Tables of numbers with a column of labels: .csv and .parquet."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from . import numpy_file
from .raw import Raw, Reading, listed
from .separator import Decimals, separator_of

__all__ = ["LABEL_COLUMNS", "csv_file", "is_number", "labels_of", "parquet"]

#: Usual names of the column of labels, in any case.
LABEL_COLUMNS = ("label", "labels", "y", "class", "target")

#: What a file writes where it has no value.
_MISSING = ("", "na", "n/a", "nan", "null", "none", "?", "-")


#: Part of a column: numbers, or text (anything, of a .parquet) where one of them is no number.
_Part = np.ndarray | Sequence[Any]

#: Values of a .csv that are text at one time; the numbers of a large file need no more memory than arrays.
_VALUES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class _Columns:
    """The columns of a file, each in parts of the same rows."""

    path: Path
    names: tuple[str, ...]
    named: bool
    columns: Sequence[Sequence[_Part]]
    where: Sequence[str]


def csv_file(path: Path, reading: Reading) -> Raw:
    """The samples of a .csv in UTF-8; a first line without numbers names the columns.

    Values are separated by commas or, also with decimal commas, by semicolons or tabs.
    """
    if path.stat().st_size > numpy_file.MAX_BYTES:
        raise DataError(f"{path} must have at most {numpy_file.MAX_BYTES:,} bytes; save fewer samples")
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            separator = separator_of(list(islice(filter(str.strip, file), 2)))
            file.seek(0)
            reader = csv.reader(file, delimiter=separator, strict=True)
            return _raw(_csv_columns(path, reader, Decimals(path, separator)), reading)
    except UnicodeDecodeError as error:
        raise DataError(f"{path} must be text in UTF-8: {error.reason}; save it as CSV UTF-8") from error
    except csv.Error as error:
        raise DataError(f"{path} must be values with commas between them, but {error}") from error


def _csv_columns(path: Path, reader: Any, decimals: Decimals) -> _Columns:
    """The columns of a csv.reader."""
    rows = ([decimals(value.strip()) for value in row] for row in reader if row)
    first = next(rows, None)
    if first is None:
        raise DataError(f"{path} must have a line for each sample, but is empty")
    named = not any(map(is_number, first))
    held, lines = ([], []) if named else ([first], [reader.line_num])
    columns: list[list[_Part]] = [[] for _ in first]

    def flush() -> None:
        for column, values in zip(columns, zip(*held, strict=True), strict=True):
            try:
                column.append(np.array(values, np.float64))
            except ValueError:
                column.append(values)
        held.clear()

    for row in rows:
        if len(row) != len(first):
            raise DataError(
                f"{path}, line {reader.line_num}: must have {len(first)} values as the first line has, found"
                f" {len(row)}"
            )
        held.append(row)
        lines.append(reader.line_num)
        if len(held) * len(first) >= _VALUES:
            flush()
    if held:
        flush()
    if not lines:
        raise DataError(f"{path} must have a line of numbers for each sample, but has only {listed(first)}")
    return _Columns(
        path=path,
        names=tuple(first) if named else tuple(f"column{n + 1}" for n in range(len(first))),
        named=named,
        columns=columns,
        where=[f"line {line}" for line in lines],
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
            columns=[[_parquet_values(column)] for column in table.columns],
            where=[f"row {n}" for n in range(table.num_rows)],
        ),
        reading,
    )


def _parquet_values(column: Any) -> _Part:
    """The values of a column; numbers as an array, NaN where there is none."""
    import pyarrow.types as kinds

    if kinds.is_integer(column.type) or kinds.is_floating(column.type):
        return np.asarray(column.to_numpy(), np.float64)
    return column.to_pylist()


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
        return (
            None if name is None else labels_of(chain.from_iterable(table.columns[table.names.index(name)]))
        )

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
    values = np.empty(len(table.where))
    row = 0
    for part in table.columns[n]:
        if isinstance(part, np.ndarray):
            values[row : row + len(part)] = part
        else:
            values[row : row + len(part)] = [
                _number(table, n, row + place, value) for place, value in enumerate(part)
            ]
        row += len(part)
    return values


def _number(table: _Columns, n: int, row: int, value: Any) -> float:
    """A value of column n as a number, NaN where it is missing."""
    if value is None or isinstance(value, str) and value.lower() in _MISSING:
        return np.nan
    if isinstance(value, (int, float)) or is_number(value):
        return float(value)
    raise DataError(
        f"{table.path}: column {table.names[n]!r:.40} must be numbers, but has {value!r:.40} in"
        f" {table.where[row]}; leave it out with --drop '{table.names[n]:.40}', or replace the text by"
        " numbers"
    )


def is_number(text: object) -> bool:
    """Whether a text is a number, not NaN."""
    try:
        float(text)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return False
    # Python's own separator of digits, and what is no value.
    return "_" not in str(text) and str(text).strip().lower() not in _MISSING


def labels_of(values: Iterable[Any]) -> tuple[str, ...]:
    """Labels as text. Whole numbers have no fraction, so that 1 and 1.0 are one class."""
    return tuple(_label(value) for value in values)


def _label(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (float, np.floating)):
        return str(int(value)) if float(value).is_integer() else repr(float(value))
    text = str(value).strip()
    return str(int(float(text))) if is_number(text) and float(text).is_integer() else text
