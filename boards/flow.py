"""From Verilog to a bitstream: the plan for a board's top level, and its execution."""

from __future__ import annotations

import gzip
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..compiler import contents as contents_
from ..errors import BoardError, FitError
from . import netlist
from .harness import clock_and_pll
from .plan import MARGIN, Plan
from .repack import Patches, hardware_digest, repack, unpack
from .rom_places import locate
from .seeds import Trial, place, read_report, run_cached

if TYPE_CHECKING:
    from ..cache import Cache
    from ..console import Console
    from ..console import Step as ConsoleStep
    from .board_spec import BoardSpec, Pin

__all__ = [
    "LAYOUT",
    "MARGIN",
    "NETLISTS",
    "SEEDS",
    "ClockError",
    "Implementation",
    "fastest",
    "implement",
    "plan",
]

#: Seeds of place and route, in the order in which they are tried until the clock is met.
SEEDS = (1, 2, 3, 4)

#: The netlists after synthesis and after place and route, as `netlist.compact` writes them.
NETLISTS = ("netlist.json.gz", "placed.json.gz")

#: The layout that the bitstream was packed from.
LAYOUT = "layout.gz"

#: Share of an Fmax for which the next attempt is made: another clock is another divider, and so a slightly
#: different netlist.
_ROOM = 0.97


class ClockError(FitError):
    """A clock that place and route does not meet.

    Parameters
    ----------
    clock_mhz : float
        One that the board can make and that should be met.
    trials : tuple of `Trial`
        What was reached.
    """

    def __init__(self, message: str, *, clock_mhz: float, trials: tuple[Trial, ...]):
        super().__init__(message)
        self.clock_mhz = clock_mhz
        self.trials = trials


@dataclass(frozen=True, kw_only=True)
class Implementation:
    """The result of a plan.

    Parameters
    ----------
    bitstream : Path
    netlists : tuple of Path
        `NETLISTS`; of a patchable design there are none, as they hold random fill.
    layout : Path
        `LAYOUT`.
    clock_mhz, fmax_mhz, margin : float
        The clock it runs at, the fastest that the timing analysis found, and the share by which that had to
        be faster.
    resources : dict
        For each of ``"lut"``, ``"ff"``, ``"bram"``, ``"spram"`` and ``"dsp"`` a dict of ``"used"`` and
        ``"available"``, as place and route counts them.
    tools : dict of str to str
        Version of each tool that was used.
    seed : int
        Of place and route.
    trials : tuple of `Trial`
        What each seed reached, up to the one that was taken.
    digest : str
        The plan's.
    patches : `Patches` or None
        In a patchable design, where its ROMs are in the bitstream.
    """

    bitstream: Path
    netlists: tuple[Path, ...]
    layout: Path
    clock_mhz: float
    fmax_mhz: float
    resources: Mapping[str, Mapping[str, int]]
    tools: Mapping[str, str]
    seed: int
    trials: tuple[Trial, ...]
    digest: str
    margin: float = MARGIN
    patches: Patches | None = None


def plan(
    *,
    verilog: str,
    board: BoardSpec,
    clock_mhz: float | None = None,
    margin: float = MARGIN,
    seeds: Sequence[int] = SEEDS,
    every_seed: bool = False,
    pins: Sequence[Pin] | None = None,
    patchable: bool = False,
) -> Plan:
    """The plan for a board's top level.

    Parameters
    ----------
    verilog : str
        Text with the module ``top``, as `sbgen.compiler.verilog.convert` returns it for a `harness.Top`.
    board : `BoardSpec`
    clock_mhz : float, optional
        The clock that the top level was built for; the board's default when left out.
    margin : float
        As in `Plan`. Place and route aims at `MARGIN` or more, so that a smaller one accepts the same result.
    seeds : sequence of int
    every_seed : bool
        As in `Plan`.
    pins : sequence of `Pin`, optional
        Those of the top level (`harness.Top.pins`); the board's when left out.
    patchable : bool
        Whether the ROMs of the top level can be replaced in the bitstream.

    Raises
    ------
    ToolError
        When a tool is missing.
    """
    clock_mhz, _ = clock_and_pll(board, clock_mhz)
    contents = noise = None
    if patchable:
        board.family.unpacker.check()
        verilog, contents, noise = contents_.split(verilog)
    planned = board.family.plan(
        verilog,
        board,
        clock_mhz=clock_mhz,
        margin=max(margin, MARGIN),
        seeds=tuple(seeds),
        pins=pins,
        patchable=patchable,
    )
    return replace(planned, contents=contents, noise=noise, every_seed=every_seed, margin=margin)


def fastest(board: BoardSpec, fmax_mhz: float) -> float:
    """The fastest clock that the board can make at or below an Fmax, in MHz; its oscillator's when the PLL
    goes no lower.
    """
    for tenths in range(int(10 * fmax_mhz), 0, -1):
        try:
            clock_mhz, _ = clock_and_pll(board, tenths / 10)
        except BoardError:
            continue  # above or below what the PLL can make
        if clock_mhz <= fmax_mhz:
            return clock_mhz
    return board.oscillator_mhz


def implement(
    plan: Plan,
    *,
    folder: str | Path,
    console: Console,
    logs: str | Path | None = None,
    cache: Cache | None = None,
    jobs: int | None = None,
) -> Implementation:
    """Carry out a plan.

    Parameters
    ----------
    plan : `Plan`
    folder : path
        Where inputs, intermediate files and the bitstream are written; it exists and nothing else uses it.
    console : `sbgen.console.Console`
        Shows the steps.
    logs : path, optional
        Folder for the tools' logs, to outlive `folder` when a step fails; `folder` when left out.
    cache : `sbgen.cache.Cache`, optional
        Finished steps; a step that is in it is not run again.
    jobs : int, optional
        Seeds at the same time; as many as there are cores, and memory for, when left out.

    Raises
    ------
    FitError
        When the device is too small.
    ClockError
        When no seed meets the clock.
    ToolError
        When a tool fails for any other reason.
    """
    folder = Path(folder)
    logs = folder if logs is None else Path(logs)
    family = plan.board.family
    for name, text in plan.files.items():
        (folder / name).write_text(text, encoding="utf-8")

    with console.step(plan.synthesis.title) as shown:
        cached = run_cached(plan.synthesis, folder, shown, logs, cache)
        shown.note("cached from an earlier build" if cached else "")
    step, trials = place(plan, folder, family=family, console=console, logs=logs, cache=cache, jobs=jobs)
    report, placed, *_ = step.writes
    fmax_mhz, utilization = read_report(folder / report, aim_mhz=plan.aim_mhz)
    if fmax_mhz < plan.least_fmax_mhz:
        raise _missed(plan, fmax_mhz, trials)
    # The layout or, where there is none, the placed netlist.
    shutil.copyfile(folder / step.writes[-1], folder / plan.packing.reads[0])
    with console.step(plan.packing.title) as shown:
        text, patches = _pack(plan, folder / placed, folder, logs, shown)
        shown.note("")

    netlists = NETLISTS if plan.noise is None else ()
    for name, path in zip(netlists, (folder / "top.json", folder / placed), strict=False):
        netlist.compact(path, folder / name)
    (folder / LAYOUT).write_bytes(gzip.compress(text.encode("ascii"), mtime=0))
    assert step.seed is not None
    return Implementation(
        bitstream=folder / plan.bitstream,
        netlists=tuple(folder / name for name in netlists),
        layout=folder / LAYOUT,
        clock_mhz=plan.clock_mhz,
        fmax_mhz=fmax_mhz,
        margin=plan.margin,
        resources=_resources(plan.board, utilization, folder / "top.json"),
        tools={step.tool.name: step.tool.version for step in plan.steps},
        seed=step.seed,
        trials=trials,
        digest=plan.digest,
        patches=patches,
    )


def _missed(plan: Plan, fmax_mhz: float, trials: tuple[Trial, ...]) -> ClockError:
    """The error for a clock that the best seed does not meet, with remedies."""
    lower = fastest(plan.board, _ROOM * fmax_mhz / (1 + plan.margin))
    remedies = [f"--clock {lower:g}"] if lower < plan.clock_mhz else []
    if fmax_mhz >= plan.clock_mhz:
        remedies.append(f"--clock-margin {math.floor(1000 * (fmax_mhz / plan.clock_mhz - 1)) / 10:g}")
    remedy = ", ".join([*remedies, "or smaller pe and simd"]) if remedies else "smaller pe and simd"
    margin = (
        f" with a margin of {100 * plan.margin:g} % (Fmax of {plan.least_fmax_mhz:.1f} MHz)"
        if plan.margin
        else ""
    )
    return ClockError(
        f"the design must run at {plan.clock_mhz:g} MHz on {plan.board.name}{margin}, but place and route"
        f" reached {math.floor(10 * fmax_mhz) / 10:.1f} MHz with the best of {len(trials)} seeds; try"
        f" {remedy}",
        clock_mhz=lower,
        trials=trials,
    )


def _pack(
    plan: Plan, placed: Path, folder: Path, logs: Path, shown: ConsoleStep
) -> tuple[str, Patches | None]:
    """Write the bitstream: the text of its layout and, in a patchable design, the places of its ROMs."""
    family = plan.board.family
    layout_is_packed = plan.packing.reads == (family.layout_file,)
    if plan.noise is None or not layout_is_packed:
        run_cached(plan.packing, folder, shown, logs, None)
    if not layout_is_packed:
        unpack(family, folder=folder, logs=logs)
    if plan.noise is None:
        return (folder / family.layout_file).read_text(encoding="ascii"), None
    return _fill(plan, placed, folder, logs)


def _fill(plan: Plan, placed: Path, folder: Path, logs: Path) -> tuple[str, Patches]:
    """Replace the random fill of a patchable design's ROMs: the text of the layout, and the places."""
    assert plan.noise is not None and plan.contents is not None
    family = plan.board.family
    layout = family.layout((folder / family.layout_file).read_text(encoding="ascii"))
    places = locate(plan.noise, layout, luts=family.patchable_luts(netlist.read_top(placed)))
    unpacked = repack(family, layout, places, plan.contents, folder=folder, logs=logs)
    hardware = hardware_digest(plan.files["top.v"])
    text = layout.text
    return text, Patches(hardware=hardware, places=places, layout=places.digest(unpacked))


def _resources(
    board: BoardSpec, utilization: Mapping[str, Mapping[str, int]], synthesised: Path
) -> dict[str, dict[str, int]]:
    """What the design uses of each resource, and what the device has."""
    family, device = board.family, board.device
    used = {
        name: sum(utilization.get(cell, {"used": 0})["used"] for cell in cells)
        for name, cells in family.resource_cells.items()
    }
    if family.flip_flops:
        cells = netlist.read_top(synthesised)["cells"].values()
        used["ff"] = sum(cell["type"].startswith(family.flip_flops) for cell in cells)
    return {
        name: {"used": used.get(name, 0), "available": getattr(device, name)}
        for name in ("lut", "ff", "bram", "spram", "dsp")
    }
