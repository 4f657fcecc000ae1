"""A step of a plan is run, and run again in another way when it ends in a known fault of its tool."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .. import tools
from ..errors import ToolError

if TYPE_CHECKING:
    from .plan import Step

__all__ = ["ELEMENTS", "RIPUP", "run"]

#: Makes nextpnr's router2 route wires again that are too slow for the clock.
RIPUP = "--tmg-ripup"

#: Rounds of the router without progress after which it runs without `RIPUP`.
_PATIENCE = 50

#: The error of abc9 of yosys 0.70 when it puts its result back into some modules that have the elements of an
#: array, ``x[1]``, as wires next to the array. Without these names it succeeds. They are hidden only then, as
#: all other designs would change too.
_REINTEGRATE = "Assert `GetSize(conn.first) == GetSize(conn.second)' failed"
ELEMENTS = r"w:*\[*"


class _StalledError(Exception):
    """Routing makes no progress towards its clock."""


class _Router:
    """Reads what router2 prints for each round, and raises `_StalledError` when there is no progress.

    With the option `RIPUP` it routes wires again until all are fast enough: if the clock is out of reach,
    forever.
    """

    def __init__(self) -> None:
        self._least, self._rounds = math.inf, 0

    def __call__(self, line: str) -> None:
        if not (match := re.search(r"iter=\d+ .*?overused=(\d+) .*tmgfail=(\d+)", line)):
            return
        left = int(match[1]) + int(match[2])
        self._rounds = 0 if left < self._least else self._rounds + 1
        self._least = min(self._least, left)
        if self._rounds == _PATIENCE:
            raise _StalledError


def run(
    step: Step,
    folder: Path,
    *,
    logs: Path | None = None,
    on_line: Callable[[str], None] = lambda line: None,
    stopper: tools.Stopper | None = None,
) -> None:
    """Run a step of a plan in a folder, its log there or in the folder `logs`.

    A step that routes wires again without progress is stopped and runs again without `RIPUP`; its first log
    is then ``...-stalled.log``. A step in which yosys fails with `_REINTEGRATE` runs again with its spare
    arguments; its first log is then ``...-failed.log``.

    Raises
    ------
    ToolError
        As `tools.run` does, which has the other parameters, and when the log has a line that the step
        refuses.
    """
    log = Path(logs or folder) / step.log
    router = _Router()

    def watch(line: str) -> None:
        router(line)
        on_line(line)

    try:
        tools.run(step.tool, step.args, cwd=folder, log=log, stopper=stopper, on_line=watch)
        _accept(step, log)
        return
    except _StalledError:
        args, why = tuple(arg for arg in step.args if arg != RIPUP), "stalled"
    except ToolError:
        if step.spare is None or _REINTEGRATE not in log.read_text(encoding="utf-8"):
            raise
        args, why = step.spare, "failed"
    log.replace(log.with_stem(f"{log.stem}-{why}"))
    tools.run(step.tool, args, cwd=folder, log=log, stopper=stopper, on_line=on_line)
    _accept(step, log)


def _accept(step: Step, log: Path) -> None:
    """Raise a `ToolError` if the log has a line that the step refuses."""
    if not step.refused:
        return
    found = [line for line in log.read_text(encoding="utf-8").splitlines() if re.search(step.refused, line)]
    if found:
        raise ToolError(f"{step.tool.name} must succeed without it, but said: {found[0].strip()}", log=log)
