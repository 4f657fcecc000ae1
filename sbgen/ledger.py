"""The ledger of a built design: rung by rung, whether each level computes what the one before it does.

Every rung is a function that gives what it has shown, or raises: `SkippedError` or a `ToolError` for what is
missing, any other `SbgenError` for what differs.
"""

from dataclasses import dataclass

from .compiler.simulate import HardwareError
from .errors import SbgenError, ToolError

__all__ = ["Entry", "RungError", "SkippedError", "climb"]


class RungError(SbgenError):
    """What a rung has found to differ: the first place, expected and found."""


class SkippedError(SbgenError):
    """Why a rung cannot be run here."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of the ledger.

    Parameters
    ----------
    rung : str
    status : str
        ``"PASS"``, ``"FAIL"`` or ``"not run"``.
    note : str
        What was shown, what differs, or why it was not run.
    seconds : float
    """

    rung: str
    status: str
    note: str
    seconds: float


def climb(rungs, *, console):
    """Run every rung; none stops the others.

    Parameters
    ----------
    rungs : sequence of (str, callable)
        Name, and what gives its note; it takes the step that shows it.
    console : Console

    Returns
    -------
    list of Entry
    """
    entries = []
    for name, show in rungs:
        try:
            with console.step(name) as step:
                try:
                    status, note = "PASS", show(step)
                except HardwareError:
                    raise
                except (SkippedError, ToolError) as error:
                    status, note = "not run", str(error)
                step.note(status)
        except SbgenError as error:
            status, note = "FAIL", str(error)
        entries.append(Entry(rung=name, status=status, note=note, seconds=step.seconds))
    return entries
