"""The separator of a .csv: a comma or, where spreadsheets have a decimal comma, a semicolon or a tab."""

import csv
import re
from collections.abc import Sequence

from ..errors import DataError

__all__ = ["Decimals", "separator_of"]

#: A number with a decimal comma.
_WITH_COMMA = re.compile(r"[-+]?\d*,\d+(?:[eE][-+]?\d+)?")


def separator_of(lines: Sequence[str]) -> str:
    """The separator of a .csv by its first lines: a semicolon, a tab or a comma.

    It is the first of them that separates every line into as many values, and more than one. Where none does,
    it is the one that finds the most values in the first line.
    """
    most, chosen = 1, ","
    for mark in ";\t,":
        try:
            counts = [len(row) for row in csv.reader(lines, delimiter=mark) if row]
        except csv.Error:  # whoever reads the file tells where
            continue
        if counts and counts[0] > 1 and len(set(counts)) == 1:
            return mark
        if counts and counts[0] > most:
            most, chosen = counts[0], mark
    return chosen


class Decimals:
    """Numbers with a decimal comma, as numbers with a point: those of one file, which must have one mark.

    Parameters
    ----------
    path : object
        Begins messages.
    separator : str
        Of the file. Where it is a comma, there are no decimal ones, and values stay as they are.
    """

    def __init__(self, path: object, separator: str) -> None:
        self._path, self._found = path, dict[str, str]()
        self._used = separator != ","

    def __call__(self, value: str) -> str:
        """The value, with a point if it is a number with a comma; a `DataError` if the file has both."""
        if not self._used or "," not in value and "." not in value:
            return value
        number = value.replace(",", ".") if _WITH_COMMA.fullmatch(value) else value
        mark = "," if number is not value else "."
        if mark not in self._found and _is_plain(number):
            self._found[mark] = value
            if len(self._found) == 2:
                raise DataError(
                    f"{self._path} must have one decimal mark, but has {self._found[',']!r:.40} and"
                    f" {self._found['.']!r:.40}; save it with points and without separators of thousands"
                )
        return number


def _is_plain(text: str) -> bool:
    """Whether a text is a number with a point."""
    try:
        float(text)
    except ValueError:
        return False
    return "." in text
