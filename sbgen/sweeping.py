"""Many models on many boards, estimated or built, in one table: what `sbgen sweep` prints."""

import csv
import io
import json
import subprocess
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import __version__, atomic, ledger, network_cache
from .cluster import place
from .compiler import exchange
from .console import Console
from .errors import DataError, FitError, SbgenError, printable
from .target import Target, of_board, of_part

if TYPE_CHECKING:
    from .compiler.ir import Network

__all__ = ["COLUMNS", "MISFIT", "Job", "built", "estimated", "show"]

#: Columns of the table, of estimates and of builds; those of the other kind are left out.
COLUMNS = (
    "model",
    "target",
    "fps",
    "weights",
    "lut",
    "bram",
    "spram",
    "cycles",
    "clock_mhz",
    "fmax_mhz",
    "images_per_second",
    "verdict",
    "seconds",
    "failure",
)

#: The verdict of a row whose model does not fit its target.
MISFIT = "does not fit"


@dataclass(frozen=True, kw_only=True, eq=False)
class Job:
    """One model on one target.

    Parameters
    ----------
    model : str
        As it was given.
    network : Network
    target : str
        Name of a board or part.
    is_part : bool
    fps : float or None
        Images per second that the smallest design is to reach; None is as `sbgen.pace` decides.
    clock : float or None
        In MHz.
    out : Path or None
        Folder of the build; None estimates.
    """

    model: str
    network: "Network"
    target: str
    is_part: bool
    fps: float | None
    clock: float | None
    out: Path | None

    @property
    def key(self) -> str:
        """What a result is kept by: all that it depends on."""
        content = ledger.digest(exchange.dumps(self.network).encode())
        return " ".join(map(str, (self.model, content, self.target, self.fps, self.clock, self.out)))

    def resolve(self) -> Target:
        """The target; a `BoardError` if there is none."""
        return of_part(self.target, self.clock) if self.is_part else of_board(self.target, self.clock)


def show(arguments: Namespace) -> int:
    """Sweep, print the table and write it; returns 1 if a job failed, or no model fits any target."""
    console, jobs = Console(), _jobs(arguments)
    console.line(
        f"  {len(arguments.models)} models on {len(jobs) // len(arguments.models)} targets and rates:"
        f" {len(jobs)} {'builds' if arguments.build else 'estimates'}"
    )
    with (
        ledger.opened(arguments.out / "results.jsonl", {"version": __version__}) as results,
        place(arguments) as where,
        console.step("build" if arguments.build else "estimate") as step,
    ):
        keys = {job: job.key for job in jobs}
        missing = [job for job in jobs if results.get(keys[job]) is None]
        done = len(jobs) - len(missing)
        if done:
            console.line(f"  {done} are there from an earlier run")
        for job, row in where.map(built if arguments.build else estimated, missing):
            done += 1
            results.record(keys[job], row)
            console.line(f"  {_line(row)}")
            step.progress(done, len(jobs))
            step.note(f"{done}/{len(jobs)}; Ctrl-C stops it, the same command continues it")
        rows = [results.get(keys[job]) for job in jobs]
        misfits = sum(row.get("verdict") == MISFIT for row in rows)
        failed = sum(row["failure"] is not None for row in rows) - misfits
        step.note(f"{len(rows)} rows, {misfits} do not fit, {failed} failed")
    columns = [name for name in COLUMNS if any(row.get(name) is not None for row in rows)]
    console.line()
    shown = [name for name in columns if name != "failure"]
    console.table(shown, [[_cell(row.get(name)) for name in shown] for row in rows])
    console.line()
    for name, content in _tables(rows, columns).items():
        atomic.write(arguments.out / name, content)
    console.line(f"  {arguments.out}: table.csv, table.json, table.md")
    return int(failed > 0 or misfits == len(rows))


def _jobs(arguments: Namespace) -> list[Job]:
    """Every job, in order; raises if a model or a target does not exist, before any of them runs."""
    from .boards import BOARDS

    names = list(BOARDS) if arguments.boards == ("all",) else list(arguments.boards)
    targets = [(name, False) for name in names] + [(name, True) for name in arguments.parts]
    if not targets:
        raise DataError("a sweep must have boards or parts; name some with --boards A,B or --parts A,B")
    if arguments.build and arguments.parts:
        raise DataError(
            "--build must be for boards, but --parts are FPGAs without one; leave one of them out"
        )
    jobs = []
    for model in arguments.models:
        network = network_cache.load(model, force=arguments.force, pixels=None)
        for (target, is_part), fps in product(targets, arguments.fps or (None,)):
            rate = "" if fps is None else f"-{fps:g}fps"
            folder = arguments.out.absolute() / f"{Path(model).stem}-{target.replace('/', '_')}{rate}"
            jobs.append(
                Job(
                    model=str(model),
                    network=network,
                    target=target,
                    is_part=is_part,
                    fps=fps,
                    clock=arguments.clock,
                    out=folder if arguments.build else None,
                )
            )
    for job in {job.target: job for job in jobs}.values():
        if arguments.boards != ("all",):
            job.resolve()
    return jobs


def _row(job: Job) -> dict[str, Any]:
    """What every row begins with."""
    return {"model": job.model, "target": job.target, "fps": job.fps, "failure": None}


def estimated(job: Job) -> dict[str, Any]:
    """The row of an estimate; what a user can fix becomes its `failure`, with `MISFIT` as verdict if it is
    that the model does not fit.
    """
    from .folding import Request, find
    from .sizing import estimated as sized

    row = _row(job)
    try:
        request = Request(fps=job.fps, clock=job.clock, lowest_clock=job.clock is None)
        found = sized(find(request, job.network, job.resolve()))
    except FitError as error:
        return {**row, "verdict": MISFIT, "failure": str(error)}
    except SbgenError as error:
        return {**row, "failure": str(error)}
    used = {name: resource["used"] for name, resource in found.resources.items()}
    return {
        **row,
        "weights": found.weights,
        "lut": used["lut"],
        "bram": used["bram"],
        "spram": used.get("spram"),
        "cycles": found.cycles,
        "clock_mhz": found.clock_mhz,
        "images_per_second": found.images_per_second,
    }


def built(job: Job) -> dict[str, Any]:
    """The row of a whole build by `sbgen build`, whose folder stays; what does not fit is not built."""
    assert job.out is not None  # a job of a sweep with --build
    row = estimated(job)
    if row["failure"] is not None:
        return row
    options = [] if job.fps is None else ["--fps", f"{job.fps:g}"]
    options += [] if job.clock is None else ["--clock", f"{job.clock:g}"]
    argv = ["build", "--model", job.model, "--board", job.target, "--out", str(job.out), *options]
    done = subprocess.run(
        [sys.executable, "-m", "sbgen", *argv], check=False, capture_output=True, text=True, errors="replace"
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return {**_row(job), "failure": last.removeprefix("error: ")}
    report = json.loads((job.out / "report.json").read_text(encoding="utf-8"))
    timing, resources = report["timing"], report["resources"]
    return {
        **row,
        "weights": report["network"]["weights"],
        **{name: resources.get(name, {}).get("used") for name in ("lut", "bram", "spram")},
        "cycles": timing["cycles_per_image"],
        **{name: timing[name] for name in ("clock_mhz", "fmax_mhz", "images_per_second")},
        "verdict": report["verdict"]["status"],
    }


def _line(row: dict[str, Any]) -> str:
    what = f"{row['model']} on {row['target']}" + ("" if row["fps"] is None else f", {row['fps']:g} fps")
    if row["failure"] is not None:
        return f"{what}: {printable(row['failure'])}"
    return f"{what}: {row['lut']:,} LUTs, {row['bram']} block RAMs, {row['images_per_second']:,.0f} images/s"


def _cell(value: Any) -> Any:
    return f"{value:,.1f}".removesuffix(".0") if isinstance(value, float) else value


def _tables(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> dict[str, str]:
    """The content of each file of the table."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    cells = [
        [str("" if row.get(name) is None else _cell(row[name])).replace("|", "\\|") for name in columns]
        for row in rows
    ]
    lines = ["| " + " | ".join(line) + " |" for line in [list(columns), ["---"] * len(columns), *cells]]
    return {
        "table.csv": text.getvalue(),
        "table.json": json.dumps(list(rows), indent=1) + "\n",
        "table.md": "\n".join(lines) + "\n",
    }
