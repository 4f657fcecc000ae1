"""Place and route with several seeds at the same time.

Which seed is taken does not depend on which is done first: in their order, the first that meets the clock, or
the one with the highest Fmax.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Mapping
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import tools
from ..errors import FitError, ToolError
from . import workarounds

if TYPE_CHECKING:
    from ..cache import Cache
    from ..console import Console
    from ..console import Step as ConsoleStep
    from .family import Family
    from .plan import Plan, Step

__all__ = ["Trial", "place", "read_report", "run_cached", "too_big"]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What one place and route reached.

    Parameters
    ----------
    clock_mhz, fmax_mhz : float
        The clock that was required, and the fastest that the timing analysis found.
    seed : int
    """

    clock_mhz: float
    seed: int
    fmax_mhz: float


def place(
    plan: Plan,
    folder: Path,
    *,
    family: Family,
    console: Console,
    logs: Path,
    cache: Cache | None,
    jobs: int | None,
) -> tuple[Step, tuple[Trial, ...]]:
    """Place and route with the seeds of a plan, several at a time.

    Unless every seed is wanted, the first in their order that meets the clock is taken, and those after it
    are stopped.

    Returns
    -------
    step : Step
        The one that is taken.
    trials : tuple of Trial
        Of each seed that counts.

    Raises
    ------
    FitError
        When the device is too small.
    ToolError
        When every seed fails for another reason: the first one's.
    """
    race = _Race(plan, folder, family=family, console=console, logs=logs, cache=cache)
    steps = plan.placements
    with ThreadPoolExecutor(max_workers=jobs or _jobs(family)) as pool:
        futures = [pool.submit(race.run, n) for n in range(len(steps))]
        try:
            for n, future in enumerate(futures):
                try:
                    future.result()
                except CancelledError:
                    if not race.stoppers[n].stopped:
                        raise
        except BaseException:
            race.stop_from(0)
            raise
    found, failed = race.found, race.failed
    if not found:
        raise failed[min(failed)]
    met = [n for n in sorted(found) if found[n].fmax_mhz >= plan.least_fmax_mhz]
    if plan.every_seed or not met:
        taken, counts = max(sorted(found), key=lambda n: found[n].fmax_mhz), sorted(found)
    else:
        # Which of the later seeds were done before they could be stopped differs from run to run.
        taken, counts = met[0], [n for n in sorted(found) if n <= met[0]]
    return steps[taken], tuple(found[n] for n in counts)


class _Race:
    """Place and routes of a plan in several threads: what each reached, or why it failed."""

    def __init__(
        self, plan: Plan, folder: Path, *, family: Family, console: Console, logs: Path, cache: Cache | None
    ):
        self._plan, self._folder, self._family = plan, folder, family
        self._console, self._logs, self._cache = console, logs, cache
        self._lock = threading.Lock()
        self.stoppers = [tools.Stopper() for _ in plan.placements]
        self.found: dict[int, Trial] = {}
        self.failed: dict[int, ToolError] = {}

    def stop_from(self, n: int) -> None:
        """Stop the seeds from number `n` on."""
        for stopper in self.stoppers[n:]:
            stopper.stop()

    def run(self, n: int) -> None:
        """Place and route with seed number `n`, unless it was stopped already."""
        plan, step, stopper = self._plan, self._plan.placements[n], self.stoppers[n]
        if stopper.stopped:
            return
        title = f"{step.title}, seed {step.seed}" if len(plan.placements) > 1 else step.title
        with self._console.step(title) as shown:
            try:
                cached = run_cached(step, self._folder, shown, self._logs, self._cache, stopper)
            except ToolError as error:
                if stopper.stopped:
                    shown.note("")
                    raise CancelledError from None
                if over := too_big(plan, self._logs / step.log, family=self._family):
                    raise over from None
                self.failed[n] = error  # another seed may well be routed
                shown.note("failed")
                return
            fmax_mhz, _ = read_report(self._folder / step.writes[0], aim_mhz=plan.aim_mhz)
            shown.note(
                f"{fmax_mhz:.1f} MHz, for {plan.clock_mhz:g} MHz"
                + (", cached from an earlier build" if cached else "")
            )
        assert step.seed is not None
        with self._lock:
            self.found[n] = Trial(clock_mhz=plan.clock_mhz, seed=step.seed, fmax_mhz=fmax_mhz)
        if fmax_mhz >= plan.least_fmax_mhz and not plan.every_seed:
            self.stop_from(n + 1)


def run_cached(
    step: Step,
    folder: Path,
    shown: ConsoleStep,
    logs: Path,
    cache: Cache | None,
    stopper: tools.Stopper | None = None,
) -> bool:
    """Run a step, or take what it wrote from the cache; returns whether it was there."""
    key = None if cache is None else step.key(folder)
    if cache is not None and key is not None and (files := cache.fetch(key, step.writes)) is not None:
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return True

    def on_line(line: str) -> None:
        if line.strip():
            shown.note(line.strip()[:60])

    workarounds.run(step, folder, logs=logs, on_line=on_line, stopper=stopper)
    if cache is not None and key is not None:
        cache.store(key, {name: (folder / name).read_bytes() for name in step.writes})
    return False


def _jobs(family: Family) -> int:
    """Place and routes that run at the same time: one per core, as far as the memory suffices."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return cores  # not a Linux
    match = re.search(r"MemAvailable:\s+(\d+) kB", text)
    if match is None:
        return cores
    return max(1, min(cores, (int(match[1]) >> 10) // family.placement_mib))


def read_report(path: Path, *, aim_mhz: float) -> tuple[float, Mapping[str, Mapping[str, int]]]:
    """The Fmax of the core's clock in MHz, and nextpnr's utilization: cells used and available by type.

    A clock with a requirement of its own, such as that of USB, counts by its share of that: where it is
    missed by a tenth, the Fmax is at most nine tenths of the aim.

    Parameters
    ----------
    path : Path
    aim_mhz : float
        The Fmax that place and route aimed at, as `Plan.aim_mhz`.
    """
    report = json.loads(path.read_text(encoding="utf-8"))
    found = []
    for clock in report["fmax"].values():
        own = clock["constraint"]
        # nextpnr rounds periods to picoseconds.
        other = abs(own / aim_mhz - 1) > 0.01
        found.append(clock["achieved"] * (aim_mhz / own if other else 1))
    return min(found), report["utilization"]


def too_big(plan: Plan, log: Path, *, family: Family) -> FitError | None:
    """A `FitError` when the log says that the design needs more of something than there is."""
    found = {
        match[1]: (int(match[2]), int(match[3]))
        for match in re.finditer(
            r"^Info:\s+(\w+):\s*(\d+)/\s*(\d+)", log.read_text(encoding="utf-8"), re.MULTILINE
        )
    }
    # Cells that share their places are counted together; the first can take all of them.
    groups = {
        name: [cell for cell in cells if cell in found] for name, cells in family.resource_cells.items()
    }
    grouped = {cell for cells in groups.values() for cell in cells}
    groups |= {cell: [cell] for cell in found if cell not in grouped}
    over = []
    for name, cells in groups.items():
        used = sum(found[cell][0] for cell in cells)
        if cells and used > found[cells[0]][1]:
            over.append(f"{used} {name} of {found[cells[0]][1]}")
    if over:
        return FitError(
            f"the design must fit {plan.board.device.name} on {plan.board.name}, but it needs "
            f"{', '.join(over)}; try smaller pe and simd, other stores, or a bigger board"
        )
    return None
