"""The errors that speak to the user.

Each message is one line that says what must hold, what was found instead and what to try. The command line
prints it without a trace; any other exception is a defect of sbgen and keeps its trace.
"""

__all__ = [
    "BoardError",
    "DataError",
    "FitError",
    "LinkError",
    "ModelError",
    "SbgenError",
    "ToolError",
    "printable",
]


class SbgenError(Exception):
    """Base of everything that a user can mend."""


class ModelError(SbgenError):
    """A model file or network that cannot be read, trusted or compiled."""


class DataError(SbgenError):
    """A data set that is absent, incomplete or not what it should be."""


class BoardError(SbgenError):
    """A board that is unknown, or lacks what the design needs."""


class FitError(SbgenError):
    """A design that does not fit its device or misses its clock."""


class ToolError(SbgenError):
    """An external tool that is missing or has failed; `what` is the message without the name of the `log`."""

    def __init__(self, what, *, log=None):
        super().__init__(what if log is None else f"{what}; the whole log is {log}")
        self.what = what


class LinkError(SbgenError):
    """A board that does not answer, or answers what it must not."""


def printable(text):
    """`text` with every character escaped that a terminal does not show but obeys, such as ESC, or that hides
    others.

    Names in files of others, of layers or classes, get to the terminal through here.
    """
    return (
        text
        if text.isprintable()
        else "".join(
            char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text
        )
    )
