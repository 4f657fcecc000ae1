"""What a network takes: the shape and type of its images, and its classes."""

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..errors import DataError

__all__ = ["Expected", "parse_number"]


def parse_number(text: str) -> int:
    """The number, 0 ... 999,999,999, that a text is; -1 when it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else -1


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a network takes; the arguments of `read`."""

    image_shape: tuple[int, ...]
    classes: tuple[str, ...]
    signed: bool
    multi_label: bool

    @property
    def pixels(self) -> int:
        """Values of one image."""
        return math.prod(self.image_shape)

    @property
    def range(self) -> tuple[int, int]:
        """Minimum and maximum of a pixel."""
        return (-128, 127) if self.signed else (0, 255)

    @property
    def words(self) -> str:
        """The range in words."""
        return "{} ... {}".format(*self.range)

    @cached_property
    def bytes(self) -> dict[str, int]:
        """The byte of a pixel by its usual text."""
        low, high = self.range
        return {str(pixel): pixel % 256 for pixel in range(low, high + 1)}

    def numbers(self, texts: Sequence[str], where: str) -> np.ndarray:
        """The class numbers of texts, all names of classes or all numbers; `where` begins messages."""
        names = {unicodedata.normalize("NFC", name): n for n, name in enumerate(self.classes)}
        if len(names) < len(self.classes):  # two classes of one name
            names = {}
        normal = [unicodedata.normalize("NFC", text) for text in texts]
        if all(text in names for text in normal):
            return np.array([names[text] for text in normal], np.int64)
        numbers = [parse_number(text) for text in normal]
        if all(0 <= number < len(self.classes) for number in numbers):
            return np.array(numbers, np.int64)
        right = [text in names for text in normal]
        if not any(right):
            right = [0 <= number < len(self.classes) for number in numbers]
        raise DataError(
            f"{where} must all be names of the network's classes ({self._names()}) or all be numbers of "
            f"0 ... {len(self.classes) - 1}, found {texts[right.index(False)]!r:.60}"
        )

    def _names(self) -> str:
        shown = ", ".join(f"{name:.20}" for name in self.classes[:10])
        return shown if len(self.classes) <= 10 else f"{shown}, ..."
