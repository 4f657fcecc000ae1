"""Numbers of a fixed-point grid, by name; torch is not needed."""

import re
from dataclasses import dataclass

from .errors import SettingsError

__all__ = ["Format"]

#: Maximum bits of a number: up to here every value of a grid is a float32.
_MAX_BITS = 24


@dataclass(frozen=True)
class Format:
    """A grid, written Qm.n.

    Parameters
    ----------
    before : int
        Bits before the point, the sign among them, at least 1.
    after : int
        Bits after it.
    """

    before: int
    after: int

    @classmethod
    def parse(cls, text: str) -> "Format":
        """The grid of a text such as Q2.6; a `SettingsError` if it is none."""
        match = re.fullmatch(r"[Qq](\d{1,3})\.(\d{1,3})", text)
        before, after = map(int, match.groups()) if match else (0, 0)
        if before < 1 or after < 1 or before + after > _MAX_BITS:
            raise SettingsError(
                "a fixed-point format must be Qm.n, m bits with the sign before the point and n after it, at"
                f" least 1 each and at most {_MAX_BITS} together, such as Q2.6, not {text!r:.40}"
            )
        return cls(before, after)
