"""From a top level to a bitstream at the clock that place and route reach."""

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from . import cache
from .boards import flow
from .console import Console
from .errors import ToolError
from .system import blame

if TYPE_CHECKING:
    from .boards.flow import Implementation
    from .boards.plan import Plan

__all__ = ["Wish", "implement", "search"]

#: Clocks to try before the search ends with the best so far.
_ROUNDS = 5


@dataclass(frozen=True, kw_only=True)
class Wish:
    """The clock that the user asked for.

    Parameters
    ----------
    required : bool
        A missed clock is an error, not a reason to try a lower one.
    rate : bool
        The first clock must be met, as the design was folded for its rate.
    best : bool
        Go on to the fastest clock.
    margin : float
        Fraction by which the Fmax must exceed the clock.
    """

    required: bool
    rate: bool
    best: bool
    margin: float


def search(
    plan_at: Callable[[float], tuple[str, "Plan"]],
    first: tuple[str, "Plan"],
    implement: Callable[["Plan"], "Implementation"],
    *,
    wish: Wish,
    console: Console,
) -> tuple[str, "Implementation"]:
    """The top level as Verilog at its final clock, and its implementation.

    If a clock is missed, the next is the fastest that was reached and that the PLL can generate. With
    ``wish.best``, that is also done if it was met.

    Parameters
    ----------
    plan_at : callable
        The Verilog of the top level at a clock in MHz, and the plan for its bitstream.
    first : (str, Plan)
        The same for the first clock.
    implement : callable
        Carries out a plan.
    """
    text, plan = first
    trials: list[flow.Trial] = []
    reached: tuple[str, Implementation] | None = None
    ceiling = float("inf")
    for _ in range(_ROUNDS):
        try:
            implementation = implement(plan)
        except flow.ClockError as error:
            missed = error
            trials += missed.trials
            if wish.required or wish.rate and reached is None:
                raise
            ceiling, following = plan.clock_mhz, missed.clock_mhz
            console.line(f"           {plan.clock_mhz:g} MHz is not met")
        else:
            trials += implementation.trials
            reached = text, implementation
            fmax_mhz = implementation.fmax_mhz / (1 + wish.margin)
            following = flow.fastest(plan.board, fmax_mhz) if wish.best else 0
        if following >= ceiling or reached is not None and following <= reached[1].clock_mhz:
            break
        console.line(f"           once more for {following:g} MHz")
        text, plan = plan_at(following)
    if reached is None:
        raise missed
    text, implementation = reached
    return text, replace(implementation, trials=tuple(trials))


def implement(
    plan: "Plan", out_dir: Path, *, console: Console, jobs: int | None = None, fresh: bool = False
) -> "Implementation":
    """Carry out a plan; the files of the bitstream are then in `out_dir`.

    Parameters
    ----------
    jobs : int or None
        Seeds at the same time.
    fresh : bool
        Run every step, even if it is cached.
    """
    work = Path(tempfile.mkdtemp(prefix="work-", dir=out_dir))
    logs = Path(tempfile.mkdtemp(prefix="sbgen-logs-"))
    keep_logs = False
    try:
        implementation = flow.implement(
            plan,
            folder=work,
            console=console,
            logs=logs,
            jobs=jobs,
            cache=None if fresh else cache.Cache(cache.folder("steps")),
        )
    except ToolError:
        keep_logs = True  # the message names the log
        raise
    except OSError as error:
        blame(error, work, logs)
        raise
    finally:
        if not keep_logs:
            shutil.rmtree(logs)
    for path in (implementation.bitstream, *implementation.netlists, implementation.layout):
        os.replace(path, out_dir / path.name)
    return implementation
