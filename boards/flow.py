"""From Verilog to a bitstream: a plan that is written down first, and its execution.

Everything runs in one folder with names relative to it, so that no path gets into a product, and the same plan gives
the same bytes.
"""

import hashlib
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path

from .. import tools
from ..errors import BoardError, FitError, ToolError
from . import constraints
from .harness import clock_and_pll

__all__ = ["SEEDS", "ClockError", "Implementation", "Plan", "Step", "implement", "plan"]

#: Seeds of place and route, in the order in which they are tried until the clock is met.
SEEDS = (1, 2, 3, 4)

#: For each resource of a report the cell that nextpnr counts. An iCE40 logic cell is a LUT with its flip-flop, which
#: is what fills the device; its flip-flops alone are counted in the netlist.
_CELLS = {
    "ice40": {"lut": "ICESTORM_LC", "bram": "ICESTORM_RAM", "spram": "ICESTORM_SPRAM", "dsp": "ICESTORM_DSP"},
    "ecp5": {"lut": "TRELLIS_COMB", "ff": "TRELLIS_FF", "bram": "DP16KD", "dsp": "MULT18X18D"},
}

#: Packages as nextpnr-ecp5 calls them.
_ECP5_PACKAGES = {"BG256": "CABGA256", "MG285": "CSFBGA285", "BG381": "CABGA381", "BG554": "CABGA554",
                  "BG756": "CABGA756"}


class ClockError(FitError):
    """A clock that place and route does not meet; `clock_mhz` is one that the board can make and that should be met."""

    def __init__(self, message, *, clock_mhz):
        super().__init__(message)
        self.clock_mhz = clock_mhz


@dataclass(frozen=True, kw_only=True)
class Step:
    """One call of a tool.

    Parameters
    ----------
    title : str
        What it does, for a person.
    tool : `sbgen.tools.Tool`
    args : tuple of str
    """

    title: str
    tool: tools.Tool
    args: tuple

    @property
    def log(self):
        """Name of its log."""
        return f"{self.tool.name}.log"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that is going to happen, before it does.

    Parameters
    ----------
    board : `Board`
    clock_mhz : float
        The clock that the core really gets and that has to be met.
    files : dict of str to str
        Names and contents of the input files.
    synthesis : `Step`
    placements : tuple of (int, `Step`)
        Seeds and the place and route with each, tried in this order until the clock is met.
    packing : `Step`
    bitstream : str
        Name of the product.
    """

    board: object
    clock_mhz: float
    files: dict
    synthesis: Step
    placements: tuple
    packing: Step
    bitstream: str

    @property
    def steps(self):
        return (self.synthesis, *(step for _, step in self.placements), self.packing)

    @property
    def digest(self):
        """SHA-256 of the inputs, the commands and the tools' versions: plans of one digest make the same bitstream."""
        content = {"files": self.files,
                   "steps": [[step.tool.name, step.tool.version, *step.args] for step in self.steps]}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Implementation:
    """What came out.

    Parameters
    ----------
    bitstream : Path
    clock_mhz, fmax_mhz : float
        The clock it runs at, and the fastest that the timing analysis found.
    resources : dict
        For each of ``"lut"``, ``"ff"``, ``"bram"``, ``"spram"`` and ``"dsp"`` a dict of ``"used"`` and
        ``"available"``. On iCE40 ``lut`` counts logic cells, after packing.
    tools : dict of str to str
        Version of each tool that was used.
    seed : int
        Of place and route.
    digest : str
        The plan's.
    """

    bitstream: Path
    clock_mhz: float
    fmax_mhz: float
    resources: dict
    tools: dict
    seed: int
    digest: str


def plan(*, verilog, board, clock_mhz=None, seeds=SEEDS):
    """The plan for a board's top level.

    Parameters
    ----------
    verilog : str
        Text with the module ``top``, as `sbgen.compiler.verilog.convert` gives it for a `harness.Top`.
    board : `Board`
    clock_mhz : float, optional
        The clock that the top level was made for; the board's default when left out.
    seeds : sequence of int

    Raises
    ------
    ToolError
        When a tool is missing.
    """
    made = _ice40 if board.device.family == "ice40" else _ecp5
    clock_mhz, _ = clock_and_pll(board, clock_mhz)
    return made(verilog, board, clock_mhz, tuple(seeds))


def _ice40(verilog, board, clock_mhz, seeds):
    device = board.device.name
    place = tools.find("nextpnr-ice40")
    timing_model = {"h": "hx", "l": "lp", "u": "u"}[device[0]]
    return Plan(
        board=board, clock_mhz=clock_mhz, bitstream="top.bin",
        files={"top.v": verilog, "top.pcf": constraints.pcf(board)},
        synthesis=Step(title="synthesis", tool=tools.find("yosys"), args=(
            "-p", f"read_verilog top.v; synth_ice40 -device {timing_model} -top top -json top.json")),
        placements=tuple((seed, Step(title="place and route", tool=place, args=(
            f"--{device}", "--package", board.package.lower(), "--json", "top.json", "--pcf", "top.pcf",
            "--asc", "top.asc", "--freq", f"{clock_mhz:g}", "--seed", str(seed), "--report", "nextpnr.json",
            "--timing-allow-fail"))) for seed in seeds),
        packing=Step(title="bitstream", tool=tools.find("icepack"), args=("top.asc", "top.bin")))


def _ecp5(verilog, board, clock_mhz, seeds):
    place = tools.find("nextpnr-ecp5")
    size = board.device.name.removeprefix("ecp5-").replace("f", "k")
    return Plan(
        board=board, clock_mhz=clock_mhz, bitstream="top.bit",
        files={"top.v": verilog, "top.lpf": constraints.lpf(board)},
        synthesis=Step(title="synthesis", tool=tools.find("yosys"), args=(
            # Wide LUTs cost two to four times the area on popcounts (yosys issue 4798).
            "-p", "read_verilog top.v; synth_ecp5 -nowidelut -top top -json top.json")),
        placements=tuple((seed, Step(title="place and route", tool=place, args=(
            f"--{size}", "--package", _ECP5_PACKAGES[board.package], "--speed", board.speed, "--json", "top.json",
            "--lpf", "top.lpf", "--textcfg", "top.config", "--freq", f"{clock_mhz:g}", "--seed", str(seed),
            "--report", "nextpnr.json", "--timing-allow-fail"))) for seed in seeds),
        packing=Step(title="bitstream", tool=tools.find("ecppack"), args=(
            "--compress", "--input", "top.config", "--bit", "top.bit")))


def implement(plan, *, folder, console, logs=None):
    """Carry out a plan.

    Parameters
    ----------
    plan : `Plan`
    folder : path
        Where inputs, intermediate files and the bitstream are written; it is there already and nobody else's.
    console : `sbgen.console.Console`
        Is shown the steps.
    logs : path, optional
        Folder for the tools' logs, to outlive `folder` when a step fails; `folder` when left out.

    Returns
    -------
    Implementation

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
    for name, text in plan.files.items():
        (folder / name).write_text(text, encoding="utf-8")

    _run(plan.synthesis, folder, console, logs)
    best = None
    for seed, step in plan.placements:
        with console.step(f"{step.title}, seed {seed}" if best else step.title) as shown:
            try:
                _call(step, folder, shown, logs)
            except ToolError as error:
                raise _too_big(plan, logs / step.log) or error from None
            fmax_mhz, utilization = _report(folder / "nextpnr.json")
            shown.note(f"{fmax_mhz:.1f} MHz, for {plan.clock_mhz:g} MHz")
        best = max(best or 0, fmax_mhz)
        if fmax_mhz >= plan.clock_mhz:
            break
    else:
        lower = _lower(best, plan.board)
        raise ClockError(
            f"the design must run at {plan.clock_mhz:g} MHz on {plan.board.name}, but place and route reached "
            f"{math.floor(10 * best) / 10:.1f} MHz with the best of {len(plan.placements)} seeds; "
            f"try --clock {lower:g}, or smaller pe and simd", clock_mhz=lower)
    _run(plan.packing, folder, console, logs)

    return Implementation(
        bitstream=folder / plan.bitstream, clock_mhz=plan.clock_mhz, fmax_mhz=fmax_mhz,
        resources=_resources(plan.board.device, utilization, folder / "top.json"),
        tools={step.tool.name: step.tool.version for step in plan.steps}, seed=seed, digest=plan.digest)


def _run(step, folder, console, logs):
    with console.step(step.title) as shown:
        _call(step, folder, shown, logs)
        shown.note("")


def _call(step, folder, shown, logs):
    tools.run(step.tool, step.args, cwd=folder, log=logs / step.log,
              on_line=lambda line: shown.note(line.strip()[:60]) if line.strip() else None)


def _lower(fmax_mhz, board):
    """A clock below `fmax_mhz` that the board can make, with a little room."""
    for whole in range(int(0.97 * fmax_mhz), 0, -1):
        try:
            clock_mhz, _ = clock_and_pll(board, whole)
        except BoardError:
            break  # below what the PLL can make
        if clock_mhz <= 0.97 * fmax_mhz:
            return clock_mhz
    return board.oscillator_mhz


def _report(path):
    """Least Fmax in MHz over all clocks, and nextpnr's utilization."""
    report = json.loads(path.read_text(encoding="utf-8"))
    return min(clock["achieved"] for clock in report["fmax"].values()), report["utilization"]


def _resources(device, utilization, netlist):
    used = {name: utilization.get(cell, {"used": 0})["used"] for name, cell in _CELLS[device.family].items()}
    if "ff" not in used:
        cells = json.loads(netlist.read_text(encoding="utf-8"))["modules"]["top"]["cells"].values()
        used["ff"] = sum(cell["type"].startswith("SB_DFF") for cell in cells)
    return {name: {"used": used.get(name, 0), "available": getattr(device, name)}
            for name in ("lut", "ff", "bram", "spram", "dsp")}


def _too_big(plan, log):
    """A `FitError` when the log says that the design needs more of something than there is."""
    names = {cell: name for name, cell in _CELLS[plan.board.device.family].items()}
    over = []
    for line in log.read_text(encoding="utf-8").splitlines():
        if (match := re.match(r"Info:\s+(\w+):\s*(\d+)/\s*(\d+)", line)) and int(match[2]) > int(match[3]):
            over.append(f"{int(match[2])} {names.get(match[1], match[1])} of {int(match[3])}")
    if over:
        return FitError(f"the design must fit {plan.board.device.name} on {plan.board.name}, but it needs "
                        f"{', '.join(over)}; try smaller pe and simd, other stores, or a bigger board")
    return None
