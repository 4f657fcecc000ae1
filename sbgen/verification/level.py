"""A level of `sbgen verify`, and how levels are run."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ..built import MissingError
from ..compiler.simulate import HardwareError
from ..console import Console, Step
from ..errors import SbgenError, ToolError

__all__ = ["Level", "LevelError", "Outcome", "SkippedError", "run"]

Subject_contra = TypeVar("Subject_contra", contravariant=True)


class LevelError(SbgenError):
    """A level found a difference: the first place, what was expected and what was found."""


class SkippedError(SbgenError):
    """Why a level cannot be checked here."""


@dataclass(frozen=True)
class Level(Generic[Subject_contra]):
    """One level.

    Parameters
    ----------
    name : str
    check : callable
        Takes what is checked and the `Step` on the terminal. Returns what was shown, in words. Raises
        `SkippedError`, `MissingError` or `ToolError` if it cannot be checked, any other `SbgenError` if
        something differs.
    applies : callable
        Whether the level says anything about a subject of this kind.
    """

    name: str
    check: Callable[[Subject_contra, Step], str]
    applies: Callable[[Subject_contra], bool] = lambda subject: True


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a level found: a row of the ledger.

    Parameters
    ----------
    level : str
    status : str
        ``"PASS"``, ``"FAIL"`` or ``"not run"``.
    note : str
        What was shown, what differs, or why the level was not run.
    seconds : float
    """

    level: str
    status: str
    note: str
    seconds: float


def run(
    levels: Iterable[Level[Subject_contra]], subject: Subject_contra, *, console: Console
) -> list[Outcome]:
    """Check every level; a failure does not stop the others."""
    outcomes = []
    for level in levels:
        try:
            with console.step(level.name) as step:
                try:
                    status, note = "PASS", level.check(subject, step)
                except HardwareError:  # a ToolError, but about the design
                    raise
                except (SkippedError, MissingError, ToolError) as error:
                    status, note = "not run", str(error)
                step.note(status)
        except SbgenError as error:
            status, note = "FAIL", str(error)
        outcomes.append(Outcome(level=level.name, status=status, note=note, seconds=step.seconds))
    return outcomes
