"""Errors that the user can fix.

Each message is one line: what must hold, what was found instead and what to try. The command line prints
it without a trace. Any other exception is a defect of sbgen and keeps its trace.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "BoardError",
    "DataError",
    "FitError",
    "LinkError",
    "ModelError",
    "SbgenError",
    "ToolError",
    "VendorError",
    "printable",
]


class SbgenError(Exception):
    """Base class of the errors that a user can fix."""


class ModelError(SbgenError):
    """A model file or network that cannot be read, trusted or compiled."""


class DataError(SbgenError):
    """A data set that is missing, incomplete or not as expected."""


class BoardError(SbgenError):
    """A board that is unknown, or lacks what the design needs."""


class VendorError(BoardError):
    """Something that needs open place and route, of a device for which only its vendor has it."""


class FitError(SbgenError):
    """A design that does not fit its device or misses its clock."""


class ToolError(SbgenError):
    """An external tool that is missing or failed; `what` is the message without the path of the `log`."""

    def __init__(self, what: str, *, log: "Path | None" = None) -> None:
        super().__init__(what if log is None else f"{what}; the whole log is {log}")
        self.what = what


class LinkError(SbgenError):
    """A board that does not answer, or answers wrongly."""


def printable(text: str) -> str:
    """`text` with control characters, such as ESC, and invisible characters escaped.

    Names from files, such as those of layers and classes, reach the terminal through this function.
    """
    return (
        text
        if text.isprintable()
        else "".join(
            char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text
        )
    )
