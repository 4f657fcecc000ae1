"""From Verilog to a bitstream: a plan that is written down first, and its execution.

Everything runs in one folder with names relative to it, so that no path gets into a product, and the same
plan gives the same bytes. Seeds of place and route run at the same time, and yet it is not the quickest that
wins but, in their order, the first that meets the clock (or the one with the highest Fmax).
"""

import gzip
import hashlib
import json
import math
import os
import re
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from .. import tools
from ..compiler import contents as contents_
from ..errors import BoardError, FitError, ToolError
from . import constraints, netlist
from . import layout as layouts
from .harness import clock_and_pll

__all__ = [
    "LAYOUT",
    "MARGIN",
    "NETLISTS",
    "SEEDS",
    "ClockError",
    "Implementation",
    "Patches",
    "Plan",
    "Step",
    "Trial",
    "fastest",
    "find_unpacker",
    "hardware_digest",
    "implement",
    "plan",
    "repack",
    "run",
    "too_big",
    "unpack",
]

#: Seeds of place and route, in the order in which they are tried until the clock is met.
SEEDS = (1, 2, 3, 4)

#: Share by which a design must be faster than its clock: room for the jitter of oscillator and PLL, which the
#: timing analysis leaves out.
MARGIN = 0.03

#: Memory that one place and route takes at most, in MiB.
_PLACE_MIB = {"ice40": 700, "ecp5": 2500}

#: The netlist behind synthesis and that behind place and route, as `netlist.compact` writes them.
NETLISTS = ("netlist.json.gz", "placed.json.gz")

#: The layout that the bitstream was packed from.
LAYOUT = "layout.gz"

#: Share of an Fmax for which the next attempt is made: another clock is another divider, and so a slightly
#: different netlist.
_ROOM = 0.97

#: For each resource of a report the cell that nextpnr counts. An iCE40 logic cell is a LUT with its
#: flip-flop, which is what fills the device; its flip-flops alone are counted in the netlist.
_CELLS = {
    "ice40": {"lut": "ICESTORM_LC", "bram": "ICESTORM_RAM", "spram": "ICESTORM_SPRAM", "dsp": "ICESTORM_DSP"},
    "ecp5": {"lut": "TRELLIS_COMB", "ff": "TRELLIS_FF", "bram": "DP16KD", "dsp": "MULT18X18D"},
}

#: Maps block RAMs in place of yosys's own file, at once.
_ICE40_BRAMS = Path(__file__).parent / "ice40_brams.v"

#: Packages as nextpnr-ecp5 calls them.
_ECP5_PACKAGES = {
    "BG256": "CABGA256",
    "MG285": "CSFBGA285",
    "BG381": "CABGA381",
    "BG554": "CABGA554",
    "BG756": "CABGA756",
}


class ClockError(FitError):
    """A clock that place and route does not meet; `clock_mhz` is one that the board can make and that should
    be met, `trials` what was reached."""

    def __init__(self, message, *, clock_mhz, trials):
        super().__init__(message)
        self.clock_mhz = clock_mhz
        self.trials = trials


@dataclass(frozen=True, kw_only=True)
class Step:
    """One call of a tool.

    Parameters
    ----------
    title : str
        What it does, for a person.
    tool : `sbgen.tools.Tool`
    args : tuple of str
    reads, writes : tuple of str
        Names of its input files and of what is wanted of its output.
    seed : int or None
        Of place and route.
    spare : tuple of str or None
        Arguments to try where yosys fails with `_REINTEGRATE`.
    """

    title: str
    tool: tools.Tool
    args: tuple
    reads: tuple
    writes: tuple
    seed: int | None = None
    spare: tuple | None = None

    @property
    def log(self):
        """Name of its log."""
        return f"{self.tool.name}.log" if self.seed is None else f"{self.tool.name}-{self.seed}.log"

    def key(self, folder: Path) -> str | None:
        """SHA-256 of its command, its tool's version and the files that it reads in `folder`; None for a tool
        whose version is not known."""
        if not self.tool.version:
            return None
        files = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in self.reads}
        content = [self.tool.name, self.tool.version, self.tool.origin, *self.args, files]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What one place and route reached.

    Parameters
    ----------
    clock_mhz, fmax_mhz : float
        What was asked for, and the fastest that the timing analysis found.
    seed : int
    """

    clock_mhz: float
    seed: int
    fmax_mhz: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that is going to happen, before it does.

    Parameters
    ----------
    board : `BoardSpec`
    clock_mhz : float
        The clock that the core really gets and that has to be met.
    files : dict of str to str
        Names and contents of the input files.
    synthesis : `Step`
    placements : tuple of `Step`
        Place and route with each seed. What each writes is the layout, nextpnr's report and the placed
        netlist.
    packing : `Step`
        Reads the layout of the seed that is taken.
    bitstream : str
        Name of the product.
    margin : float
        Share by which the Fmax must exceed the clock.
    every_seed : bool
        Whether all seeds are tried and the one with the highest Fmax is taken, or the first that meets the
        clock.
    contents, noise : dict of str to `sbgen.compiler.contents.Memory`, or None
        In a patchable design, what its ROMs hold in the end, and what stands for it from synthesis to place
        and route.
    """

    board: object
    clock_mhz: float
    files: dict
    synthesis: Step
    placements: tuple
    packing: Step
    bitstream: str
    margin: float = MARGIN
    every_seed: bool = False
    contents: dict | None = None
    noise: dict | None = None

    @property
    def steps(self):
        return (self.synthesis, *self.placements, self.packing)

    @property
    def least_fmax_mhz(self):
        """The Fmax that meets the clock with its margin."""
        return self.clock_mhz * (1 + self.margin)

    @property
    def digest(self):
        """SHA-256 of the inputs, the commands and the tools' versions: plans of one digest make the same
        bitstream.
        """
        contents = self.contents and {name: memory.words for name, memory in self.contents.items()}
        content = {
            "files": self.files,
            "margin": self.margin,
            "every_seed": self.every_seed,
            "contents": contents,
            "steps": [[step.tool.name, step.tool.version, *step.args] for step in self.steps],
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Implementation:
    """What came out.

    Parameters
    ----------
    bitstream : Path
    netlists : tuple of Path
        `NETLISTS`.
    layout : Path
        `LAYOUT`.
    clock_mhz, fmax_mhz, margin : float
        The clock it runs at, the fastest that the timing analysis found, and the share by which that had to
        be faster.
    resources : dict
        For each of ``"lut"``, ``"ff"``, ``"bram"``, ``"spram"`` and ``"dsp"`` a dict of ``"used"`` and
        ``"available"``. On iCE40 ``lut`` counts logic cells, after packing.
    tools : dict of str to str
        Version of each tool that was used.
    seed : int
        Of place and route.
    trials : tuple of `Trial`
        What each seed reached, up to the one that was taken.
    digest : str
        The plan's.
    patches : `Patches` or None
        In a patchable design, where its ROMs stand in the bitstream.
    """

    bitstream: Path
    netlists: tuple
    layout: Path
    clock_mhz: float
    fmax_mhz: float
    resources: dict
    tools: dict
    seed: int
    trials: tuple
    digest: str
    margin: float = MARGIN
    patches: object = None


@dataclass(frozen=True, kw_only=True)
class Patches:
    """How a bitstream is given other contents.

    Parameters
    ----------
    hardware : str
        SHA-256 of the Verilog without contents.
    layout : str
        SHA-256 of the layout without contents.
    places : `sbgen.boards.layout.Places`
    """

    hardware: str
    layout: str
    places: object


def plan(
    *,
    verilog,
    board,
    clock_mhz=None,
    margin=MARGIN,
    seeds=SEEDS,
    every_seed=False,
    pins=None,
    patchable=False,
):
    """The plan for a board's top level.

    Parameters
    ----------
    verilog : str
        Text with the module ``top``, as `sbgen.compiler.verilog.convert` gives it for a `harness.Top`.
    board : `BoardSpec`
    clock_mhz : float, optional
        The clock that the top level was made for; the board's default when left out.
    margin : float
        As in `Plan`. Place and route aims at `MARGIN` or more, so that a smaller one accepts the same result.
    seeds : sequence of int
    every_seed : bool
        As in `Plan`.
    pins : sequence of `Pin`, optional
        Those of the top level (`harness.Top.pins`); the board's when left out.
    patchable : bool
        Whether the top level was made to be patched.

    Raises
    ------
    ToolError
        When a tool is missing.
    """
    made = _ice40 if board.device.family == "ice40" else _ecp5
    clock_mhz, _ = clock_and_pll(board, clock_mhz)
    settings, aim = {"every_seed": every_seed, "margin": margin}, max(margin, MARGIN)
    if not patchable:
        return replace(made(verilog, board, clock_mhz, aim, tuple(seeds), pins), **settings)
    find_unpacker(board)
    blank, contents, noise = contents_.split(verilog)
    return replace(
        made(blank, board, clock_mhz, aim, tuple(seeds), pins, patchable=True),
        contents=contents,
        noise=noise,
        **settings,
    )


#: Makes nextpnr's router2 lay wires anew that are too slow for the clock.
_RIPUP = "--tmg-ripup"

#: Rounds without progress after which it is left out.
_PATIENCE = 50

#: What abc9 of yosys 0.70 ends with when it puts its result back into some modules that have the elements of
#: an array, ``x[1]``, as wires beside the array. Without these names it does not; all designs without them
#: would be others than they were.
_REINTEGRATE = "Assert `GetSize(conn.first) == GetSize(conn.second)' failed"
_ELEMENTS = r"w:*\[*"

#: What was kept apart through synthesis need not be so any more.
_FLAT = "setattr -mod -unset keep_hierarchy *; flatten; opt_clean -purge; write_json top.json"


def _ice40(verilog, board, clock_mhz, margin, seeds, pins, patchable=False):
    device = board.device.name
    place = tools.find("nextpnr-ice40")
    model = {"h": "hx", "l": "lp", "u": "u"}[device[0]]
    synth = f"synth_ice40 -device {model} -top top"
    return Plan(
        board=board,
        clock_mhz=clock_mhz,
        bitstream="top.bin",
        files={
            "top.v": verilog,
            "top.pcf": constraints.pcf(board, pins),
            "brams.v": _ICE40_BRAMS.read_text(encoding="ascii"),
        },
        synthesis=Step(
            title="synthesis",
            tool=tools.find("yosys"),
            reads=("top.v", "brams.v"),
            writes=("top.json",),
            args=(
                "-p",
                (
                    f"read_verilog {'-DSBGEN_ICE40 ' if patchable else ''}top.v; {synth} -run begin:map_ram;"
                    " memory_libmap -lib +/ice40/brams.txt -lib +/ice40/spram.txt -no-auto-huge; techmap"
                    f" -map brams.v; {synth} -run map_ram:; {_FLAT}"
                ),
            ),
        ),
        placements=tuple(
            _placement(
                seed,
                place,
                ("top.json", "top.pcf"),
                "--asc",
                "asc",
                (
                    f"--{device}",
                    "--package",
                    board.package.lower(),
                    "--json",
                    "top.json",
                    "--pcf",
                    "top.pcf",
                    "--freq",
                    f"{clock_mhz * (1 + margin):g}",
                ),
            )
            for seed in seeds
        ),
        packing=Step(
            title="bitstream",
            tool=tools.find("icepack"),
            reads=("top.asc",),
            writes=("top.bin",),
            args=("top.asc", "top.bin"),
        ),
    )


def _ecp5(verilog, board, clock_mhz, margin, seeds, pins, patchable=False):
    place = tools.find("nextpnr-ecp5")
    size = board.device.name.removeprefix("ecp5-").replace("f", "k")
    # Wide LUTs cost two to four times the area on popcounts (yosys issue 4798).
    synth = "synth_ecp5 -nowidelut -top top"
    return Plan(
        board=board,
        clock_mhz=clock_mhz,
        bitstream="top.bit",
        files={"top.v": verilog, "top.lpf": constraints.lpf(board, pins, margin=margin)},
        synthesis=Step(
            title="synthesis",
            tool=tools.find("yosys"),
            reads=("top.v",),
            writes=("top.json",),
            args=("-p", f"read_verilog top.v; {synth}; {_FLAT}"),
            spare=(
                "-p",
                (
                    f"read_verilog top.v; {synth} -run begin:map_luts; rename -hide {_ELEMENTS}; "
                    f"{synth} -run map_luts:; {_FLAT}"
                ),
            ),
        ),
        placements=tuple(
            _placement(
                seed,
                place,
                ("top.json", "top.lpf"),
                "--textcfg",
                "config",
                (
                    f"--{size}",
                    "--package",
                    _ECP5_PACKAGES[board.package],
                    "--speed",
                    board.speed,
                    "--json",
                    "top.json",
                    "--lpf",
                    "top.lpf",
                    "--freq",
                    f"{clock_mhz * (1 + margin):g}",
                    # Block RAMs all over the device pull a design apart. The analytic placer does not come to
                    # rest on them; this one halves the length of the wires. The first router takes an hour on
                    # 20,000 LUTs, this one minutes, and with an eye on the clock.
                    "--placer",
                    "static",
                    "--router",
                    "router2",
                    _RIPUP,
                ),
            )
            for seed in seeds
        ),
        packing=Step(
            title="bitstream",
            tool=tools.find("ecppack"),
            reads=("top.config",),
            writes=("top.bit",),
            args=("--compress", "--input", "top.config", "--bit", "top.bit"),
        ),
    )


def _placement(seed, tool, reads, option, suffix, args):
    """Place and route with a seed; what it writes bears the seed in its name, so that several run in one
    folder.
    """
    layout, report, placed = f"top-{seed}.{suffix}", f"nextpnr-{seed}.json", f"placed-{seed}.json"
    return Step(
        title="place and route",
        tool=tool,
        reads=reads,
        writes=(layout, report, placed),
        seed=seed,
        args=(
            *args,
            option,
            layout,
            "--write",
            placed,
            "--seed",
            str(seed),
            "--report",
            report,
            "--timing-allow-fail",
        ),
    )


def fastest(board, fmax_mhz):
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


def implement(plan, *, folder, console, logs=None, cache=None, jobs=None):
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
    cache : `sbgen.cache.Cache`, optional
        Finished steps; a step that is in it is not run again.
    jobs : int, optional
        Seeds at the same time; as many as there are cores, and memory for, when left out.

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

    with console.step(plan.synthesis.title) as shown:
        shown.note(
            "cached from an earlier build" if _call(plan.synthesis, folder, shown, logs, cache) else ""
        )
    step, trials = _place(plan, folder, console, logs, cache, jobs or _jobs(plan.board.device))
    layout, report, placed = step.writes
    fmax_mhz, utilization = _report(folder / report)
    if fmax_mhz < plan.least_fmax_mhz:
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
        raise ClockError(
            f"the design must run at {plan.clock_mhz:g} MHz on {plan.board.name}{margin}, but place and route"
            f" reached {math.floor(10 * fmax_mhz) / 10:.1f} MHz with the best of {len(trials)} seeds; try"
            f" {remedy}",
            clock_mhz=lower,
            trials=trials,
        )
    os.replace(folder / layout, folder / plan.packing.reads[0])
    text, patches = (folder / plan.packing.reads[0]).read_text(encoding="ascii"), None
    with console.step(plan.packing.title) as shown:
        if plan.noise is None:
            _call(plan.packing, folder, shown, logs, None)
        else:
            made = layouts.LAYOUTS[plan.board.device.family](text)
            places = layouts.locate(plan.noise, made, luts=_luts(folder / placed))
            unpacked = repack(plan.board, made, places, plan.contents, folder=folder, logs=logs)
            text = made.text
            patches = Patches(
                hardware=hardware_digest(plan.files["top.v"]), places=places, layout=places.digest(unpacked)
            )
        shown.note("")

    # In a patchable design they hold noise and are nobody's proof of anything.
    netlists = NETLISTS if plan.noise is None else ()
    for name, path in zip(netlists, (folder / "top.json", folder / placed), strict=False):
        netlist.compact(path, folder / name)
    (folder / LAYOUT).write_bytes(gzip.compress(text.encode("ascii"), mtime=0))
    return Implementation(
        bitstream=folder / plan.bitstream,
        netlists=tuple(folder / name for name in netlists),
        layout=folder / LAYOUT,
        clock_mhz=plan.clock_mhz,
        fmax_mhz=fmax_mhz,
        margin=plan.margin,
        resources=_resources(plan.board.device, utilization, folder / "top.json"),
        tools={step.tool.name: step.tool.version for step in plan.steps},
        seed=step.seed,
        trials=trials,
        digest=plan.digest,
        patches=patches,
    )


#: For each family the layout's file, the bitstream's, and what makes the one of the other, there and back.
_PACKERS = {
    "ice40": (
        "top.asc",
        "top.bin",
        ("icepack", ("top.asc", "top.bin")),
        ("iceunpack", ("top.bin", "top.asc")),
    ),
    "ecp5": (
        "top.config",
        "top.bit",
        ("ecppack", ("--compress", "--input", "top.config", "--bit", "top.bit")),
        ("ecpunpack", ("--input", "top.bit", "--textcfg", "top.config")),
    ),
}


def hardware_digest(blank):
    """SHA-256 of a design's Verilog without its contents."""
    return hashlib.sha256(blank.encode()).hexdigest()


def find_unpacker(board):
    """The tool that makes a layout of a board's bitstream, or a `ToolError`."""
    return tools.find(_PACKERS[board.device.family][3][0])


def unpack(board, *, folder, logs):
    """The layout of the bitstream in `folder`, which is called ``top.bin`` or ``top.bit``.

    Raises
    ------
    ToolError
        When it is no bitstream.
    """
    name, _, _, (_, args) = _PACKERS[board.device.family]
    unpacker = find_unpacker(board)
    tools.run(unpacker, args, cwd=folder, log=Path(logs) / f"{unpacker.name}.log")
    return layouts.LAYOUTS[board.device.family]((Path(folder) / name).read_text(encoding="ascii"))


def repack(board, layout, places, contents, *, folder, logs):
    """Pack a layout with other contents into ``top.bin`` or ``top.bit`` in `folder`, and give the layout that
    this unpacks to.

    Raises
    ------
    ToolError
        When the contents are not read back from the bitstream.
    """
    name, bits, (packer, args), _ = _PACKERS[board.device.family]
    places.write(layout, contents)
    (Path(folder) / name).write_text(layout.text, encoding="ascii")
    tools.run(tools.find(packer), args, cwd=folder, log=Path(logs) / f"{packer}.log")
    unpacked = unpack(board, folder=folder, logs=logs)
    read = places.read(unpacked)
    for memory, wanted in contents.items():
        if read[memory] != wanted:
            raise ToolError(
                f"what was written into {memory} must be read back from {bits}, but it is not; {packer} or"
                " its counterpart is at fault, build without --patchable"
            )
    return unpacked


def _luts(path):
    """Where place and route put the LUTs of patchable ROMs, from the netlist that nextpnr-ice40 wrote."""
    cells = json.loads(path.read_text(encoding="utf-8"))["modules"]["top"]["cells"]
    for name, cell in cells.items():
        if match := re.fullmatch(r"(.+)\.lut_(\d+)_(\d+)\.lut_LC", name):
            x, y, z = map(
                int, re.fullmatch(r"X(\d+)/Y(\d+)/lc(\d+)", cell["attributes"]["NEXTPNR_BEL"]).groups()
            )
            yield layouts.Lut(memory=f"top.{match[1]}", chunk=int(match[2]), bit=int(match[3]), x=x, y=y, z=z)


class _StalledError(Exception):
    """Routing that comes no nearer to its clock."""


class _Router:
    """Reads what router2 says of each round, and raises `_StalledError` when it is getting nowhere.

    With the option `_RIPUP` it lays wires anew until all are quick enough: where the clock is out of reach,
    to no end.
    """

    def __init__(self):
        self._least, self._rounds = math.inf, 0

    def __call__(self, line):
        if not (match := re.search(r"iter=\d+ .*?overused=(\d+) .*tmgfail=(\d+)", line)):
            return
        left = int(match[1]) + int(match[2])
        self._rounds = 0 if left < self._least else self._rounds + 1
        self._least = min(self._least, left)
        if self._rounds == _PATIENCE:
            raise _StalledError


def run(step, folder, *, logs=None, on_line=lambda line: None, stopper=None):
    """Run a step of a plan in a folder, its log there or in the folder `logs`.

    A step that lays wires anew to no end is stopped and runs again without doing so; its first log is then
    ``...-stalled.log``. One that yosys fails with `_REINTEGRATE` runs again with its spare arguments; its
    first log is then ``...-failed.log``.

    Raises
    ------
    ToolError
        As `tools.run` does, which has the other parameters.
    """
    log = Path(logs or folder) / step.log

    router = _Router()

    def watched(line):
        router(line)
        on_line(line)

    try:
        tools.run(step.tool, step.args, cwd=folder, log=log, stopper=stopper, on_line=watched)
        return
    except _StalledError:
        args, why = [arg for arg in step.args if arg != _RIPUP], "stalled"
    except ToolError:
        if step.spare is None or _REINTEGRATE not in log.read_text(encoding="utf-8"):
            raise
        args, why = step.spare, "failed"
    log.replace(log.with_stem(f"{log.stem}-{why}"))
    tools.run(step.tool, args, cwd=folder, log=log, stopper=stopper, on_line=on_line)


def _call(step, folder, shown, logs, cache, stopper=None):
    """Run a step, or take what it wrote from the cache; returns whether it was there."""
    key = None if cache is None else step.key(folder)
    if key is not None and (files := cache.fetch(key, step.writes)) is not None:
        for name, content in files.items():
            (folder / name).write_bytes(content)
        return True

    def on_line(line):
        if line.strip():
            shown.note(line.strip()[:60])

    run(step, folder, logs=logs, on_line=on_line, stopper=stopper)
    if key is not None:
        cache.store(key, {name: (folder / name).read_bytes() for name in step.writes})
    return False


def _place(plan, folder, console, logs, cache, jobs):
    """Place and route with the seeds of a plan, several at a time: the step that is taken, and the `Trial` of
    each that counts.

    Unless every seed is wanted, the first in their order that meets the clock is taken, and those behind it
    are stopped.
    """
    steps = plan.placements
    stoppers = [tools.Stopper() for _ in steps]
    found, failed = {}, {}
    lock = threading.Lock()

    def stop(beyond):
        for stopper in stoppers[beyond + 1 :]:
            stopper.stop()

    def place(n, step):
        if stoppers[n].stopped:
            return
        with console.step(f"{step.title}, seed {step.seed}" if len(steps) > 1 else step.title) as shown:
            try:
                before = _call(step, folder, shown, logs, cache, stoppers[n])
            except ToolError as error:
                if stoppers[n].stopped:
                    shown.note("")
                    raise CancelledError from None
                if over := too_big(plan, logs / step.log):
                    raise over from None
                failed[n] = error  # another seed may well be routed
                shown.note("failed")
                return
            fmax_mhz, _ = _report(folder / step.writes[1])
            shown.note(
                f"{fmax_mhz:.1f} MHz, for {plan.clock_mhz:g} MHz"
                + (", cached from an earlier build" if before else "")
            )
        with lock:
            found[n] = Trial(clock_mhz=plan.clock_mhz, seed=step.seed, fmax_mhz=fmax_mhz)
        if fmax_mhz >= plan.least_fmax_mhz and not plan.every_seed:
            stop(n)

    with ThreadPoolExecutor(max_workers=jobs) as pool:
        futures = [pool.submit(place, n, step) for n, step in enumerate(steps)]
        try:
            for n, future in enumerate(futures):
                try:
                    future.result()
                except CancelledError:
                    if not stoppers[n].stopped:
                        raise
        except BaseException:
            stop(-1)
            raise
    if not found:
        raise failed[min(failed)]
    met = [n for n in sorted(found) if found[n].fmax_mhz >= plan.least_fmax_mhz]
    if plan.every_seed or not met:
        taken, counts = max(sorted(found), key=lambda n: found[n].fmax_mhz), sorted(found)
    else:
        # What ran behind it and was done before it could be stopped is another thing each time.
        taken, counts = met[0], [n for n in sorted(found) if n <= met[0]]
    return steps[taken], tuple(found[n] for n in counts)


def _jobs(device):
    """Place and routes that run at the same time: one a core, as far as memory goes."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        mebibytes = int(re.search(r"MemAvailable:\s+(\d+) kB", text)[1]) >> 10
    except (OSError, TypeError):
        return cores  # a system that does not tell
    return max(1, min(cores, mebibytes // _PLACE_MIB[device.family]))


def _report(path):
    """Least Fmax in MHz over all clocks, and nextpnr's utilization."""
    report = json.loads(path.read_text(encoding="utf-8"))
    return min(clock["achieved"] for clock in report["fmax"].values()), report["utilization"]


def _resources(device, utilization, path):
    used = {name: utilization.get(cell, {"used": 0})["used"] for name, cell in _CELLS[device.family].items()}
    if "ff" not in used:
        cells = json.loads(path.read_text(encoding="utf-8"))["modules"]["top"]["cells"].values()
        used["ff"] = sum(cell["type"].startswith("SB_DFF") for cell in cells)
    return {
        name: {"used": used.get(name, 0), "available": getattr(device, name)}
        for name in ("lut", "ff", "bram", "spram", "dsp")
    }


def too_big(plan, log):
    """A `FitError` when the log says that the design needs more of something than there is."""
    names = {cell: name for name, cell in _CELLS[plan.board.device.family].items()}
    over = []
    for line in log.read_text(encoding="utf-8").splitlines():
        if (match := re.match(r"Info:\s+(\w+):\s*(\d+)/\s*(\d+)", line)) and int(match[2]) > int(match[3]):
            over.append(f"{int(match[2])} {names.get(match[1], match[1])} of {int(match[3])}")
    if over:
        return FitError(
            f"the design must fit {plan.board.device.name} on {plan.board.name}, but it needs "
            f"{', '.join(over)}; try smaller pe and simd, other stores, or a bigger board"
        )
    return None
