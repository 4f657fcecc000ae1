"""Samples in a .csv: one image a line."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain, count, islice
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import DataError
from . import numpy_file
from .expected import Expected, parse_number
from .separator import separator_of

__all__ = ["read"]

#: Names of the column of labels, in any case.
_LABEL_COLUMNS = ("label", "labels", "y", "class", "target")

#: Maximum of characters of one value and what separates it; a longer line is refused unread.
_VALUE_CHARACTERS = 64


def read(path: Path, file: BinaryIO, expected: Expected) -> tuple[np.ndarray, np.ndarray | None]:
    """Pixels, (N, pixels), and labels of a .csv."""
    rows = _rows(path, file, expected)
    line, first = next(rows, (0, None))
    if first is None:
        raise DataError(f"{path} must have a line of {expected.pixels} pixels for each image, but is empty")
    header = _is_header(first, expected)
    if not header:
        rows = chain([(line, first)], rows)
    pixels = _Pixels(path, expected)
    if expected.multi_label:
        return _with_bits(pixels, rows, first, header)
    return _with_labels(pixels, rows, line, first, header)


class _Pixels:
    """The pixels of the lines that have been read."""

    def __init__(self, path: Path, expected: Expected) -> None:
        self.path, self.expected = path, expected
        self._bytes = bytearray()

    def add(self, line: int, row: list[str], others: Sequence[int] = ()) -> None:
        """Add the image of a line, whose values are pixels but for those of the columns `others`."""
        values = row.copy()
        for column in sorted(others, reverse=True):
            del values[column]
        try:
            self._bytes += bytes(map(self.expected.bytes.__getitem__, values))
        except KeyError:
            columns = [n for n in range(len(row)) if n not in others]
            self._bytes += bytes(
                self._pixel(line, column, value) for column, value in zip(columns, values, strict=True)
            )
        if len(self._bytes) > numpy_file.MAX_BYTES:
            raise DataError(f"{self.path} must have at most {numpy_file.MAX_BYTES:,} pixels, found more")

    def _pixel(self, line: int, column: int, text: str) -> int:
        low, high = self.expected.range
        if text in self.expected.bytes or 0 <= parse_number(text) <= high:
            return self.expected.bytes.get(text, parse_number(text))
        hint = ""
        if _is_number(text):
            value = float(text)
            if value in range(low, high + 1):
                hint = "; save whole numbers, as of images.astype(int)"
            elif 0 < value < 1:
                hint = "; save (images * 255).round() where 1.0 is a pixel of 255"
        raise DataError(
            f"{self.path}, line {line}, column {column + 1}: must be a pixel of {self.expected.words}, found"
            f" {text!r:.60}{hint}"
        )

    def images(self) -> np.ndarray:
        """All of them, (N, pixels)."""
        if not self._bytes:
            raise DataError(
                f"{self.path} must have a line of {self.expected.pixels} pixels for each image, but has only"
                " column names"
            )
        return np.frombuffer(self._bytes, np.uint8).reshape(-1, self.expected.pixels)


def _with_labels(
    pixels: _Pixels, rows: Iterator[tuple[int, list[str]]], line: int, first: list[str], header: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """Images and labels of a table with a column of labels, or without."""
    path, expected = pixels.path, pixels.expected
    place, named = _label_column(path, first, header, expected)
    if not header and _counts([value for n, value in enumerate(first) if n != place]):
        raise DataError(
            f"{path}, line {line}: must be an image or column names, but counts"
            f" {' '.join(first):.20}...; save without a header (in pandas, header=False), or name the"
            " columns pixel0, pixel1, ... and label"
        )
    columns, others = expected.pixels + (place is not None), () if place is None else (place,)
    labels = []
    for number, row in rows:
        _check_width(path, number, row, columns)
        labels += [row[place] for place in others]
        pixels.add(number, row, others)
    images = pixels.images()
    if place is None:
        return images, None
    if not named:
        _check_last(path, images, labels, expected)
    return images, expected.numbers(labels, f"{path}: its labels")


def _with_bits(
    pixels: _Pixels, rows: Iterator[tuple[int, list[str]]], first: list[str], header: bool
) -> tuple[np.ndarray, np.ndarray | None]:
    """Images and labels of a table with a column of bits for each output, or without."""
    path, expected = pixels.path, pixels.expected
    outputs, columns = len(expected.classes), len(first)
    if columns not in (expected.pixels, expected.pixels + outputs):
        raise DataError(
            f"{path} must have {expected.pixels} columns of pixels, and {outputs} of bits or none, but its"
            f" first line has {columns}"
        )
    places = list(range(expected.pixels, columns))
    if header and places and all(first.count(name) == 1 for name in expected.classes):
        places = [first.index(name) for name in expected.classes]
    bits = []
    for number, row in rows:
        _check_width(path, number, row, columns)
        bits += [row[place] for place in places]
        pixels.add(number, row, places)
    images = pixels.images()
    for wrong in (bit for bit in bits if bit not in ("0", "1")):
        raise DataError(f"{path}: its bits must be 0 or 1, found {wrong!r:.60}")
    return images, np.array(bits, np.int64).reshape(-1, outputs) if places else None


def _rows(path: Path, file: BinaryIO, expected: Expected) -> Iterator[tuple[int, list[str]]]:
    """(Number of the line, values) of each line that is not empty; a line that is too long is not read."""
    longest = (expected.pixels + 2) * _VALUE_CHARACTERS

    def lines() -> Iterator[str]:
        total = 0
        for number in count(1):
            line = file.readline(longest + 1)
            if not line:
                return
            if not total and line.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise DataError(f"{path} must be text in UTF-8, found UTF-16; save it as CSV UTF-8")
            try:
                text = line.decode("utf-8" if total else "utf-8-sig")
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{path}, line {number}: must be text in UTF-8: {error.reason}; save it as CSV UTF-8"
                ) from error
            total += len(line)
            if len(line) > longest or total > numpy_file.MAX_BYTES:
                raise DataError(
                    f"{path} must have lines of at most {longest:,} bytes and {numpy_file.MAX_BYTES:,} bytes"
                    " in all, found more"
                )
            yield text

    separator = separator_of(list(islice(filter(str.strip, lines()), 2)))
    file.seek(0)
    reader = csv.reader(lines(), delimiter=separator, strict=True)
    try:
        for row in reader:
            if row:
                yield reader.line_num, [value.strip() for value in row]
    except csv.Error as error:
        raise DataError(
            f"{path}, line {reader.line_num}: must be values with {separator!r} between them, but {error}"
        ) from error


def _is_number(text: str) -> bool:
    with suppress(ValueError):
        float(text)
        return "_" not in text  # Python's own separator of digits
    return False


def _counts(values: list[str]) -> bool:
    """Whether texts count up from 0 or 1, as the names that pandas gives columns without names."""
    return (
        len(values) > 1
        and values[0] in ("0", "1")
        and values == [str(int(values[0]) + n) for n in range(len(values))]
    )


def _is_header(row: list[str], expected: Expected) -> bool:
    """Whether a first line has names of columns: it has no numbers, or a name of the labels and a count."""
    others = [value for value in row if value.lower() not in _LABEL_COLUMNS or value in expected.classes]
    return not any(map(_is_number, row)) or len(others) < len(row) and _counts(others)


def _label_column(path: Path, first: list[str], header: bool, expected: Expected) -> tuple[int | None, bool]:
    """The column of the labels, or None, and whether a header names it."""
    named = [n for n, name in enumerate(first) if header and name.lower() in _LABEL_COLUMNS]
    if len(named) > 1:
        raise DataError(
            f"{path} must have one column of labels, but {', '.join(first[n] for n in named)} are names for"
            " labels"
        )
    if header and "" in first:
        raise DataError(
            f"{path} must have a name for each column or for none, but column {first.index('') + 1} has none;"
            " from pandas, save with index=False"
        )
    surplus = len(first) - expected.pixels
    if surplus not in (0, 1) or (surplus == 0 and named):
        raise DataError(
            f"{path} must have {expected.pixels} columns of pixels, and at most one of labels, but its first"
            f" line has {len(first)} columns{f', {first[named[0]]} one of them' if named else ''}"
        )
    if not surplus:
        return None, False
    return (named[0], True) if named else (expected.pixels, False)


def _check_last(path: Path, images: np.ndarray, labels: list[str], expected: Expected) -> None:
    """Raise where a last column without a name is hardly the labels, and the first could be."""
    classes = len(expected.classes)

    def possible(values: set[str]) -> bool:
        return all(value in expected.classes or 0 <= parse_number(value) < classes for value in values)

    first = {str(pixel) for pixel in images[:, 0].tolist()}
    last = set(labels)
    if possible(first) and len(first) > 1 and (len(last) == 1 or not possible(last)):
        raise DataError(
            f"{path}: its last column, taken for the labels, has"
            f" {labels[0]!r:.20}{'' if len(last) > 1 else ' in every line'}, and its first could be"
            " labels; name the columns in a first line, with `label` for the labels"
        )


def _check_width(path: Path, line: int, row: list[str], columns: int) -> None:
    if len(row) != columns:
        raise DataError(
            f"{path}, line {line}: must have {columns} values as the first line has, found {len(row)}"
        )
