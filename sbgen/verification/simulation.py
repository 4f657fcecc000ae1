"""The levels of the core: in Amaranth's simulator, and as emitted Verilog in Icarus and Verilator."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import tools
from ..compiler import amaranth_simulator, cycles, reference, simulate, waveform
from ..compiler.simulate import Simulation
from ..console import Step
from ..verdict import AMARANTH_CYCLES
from .level import LevelError, SkippedError
from .scores import ScoreError, require_equal
from .subject import Build

if TYPE_CHECKING:
    from ..hw.core import Core

__all__ = ["amaranth", "icarus", "verilator"]

#: What Icarus runs in some tens of seconds.
_ICARUS_WEIGHTS = 4_000_000


def amaranth(build: Build, step: Step) -> str:
    """Simulate the components in Amaranth's own simulator."""
    built = build.built
    if built.design.patchable and built.board.device.fabric.patchable_store == "lut":
        raise SkippedError("patchable ROMs in LUTs are cells that it does not know")

    def simulation(core: "Core", images: np.ndarray, folder: Path | None) -> Simulation:
        waves = folder and folder / "waves.vcd"
        return amaranth_simulator.simulate(core, built.network, images, waves=waves)

    return _compare(build, AMARANTH_CYCLES // cycles.predict(built.design).interval, simulation, step)


def icarus(build: Build, step: Step) -> str:
    """Simulate core.v in Icarus."""
    count = _ICARUS_WEIGHTS // simulate.work(build.built.network)
    return _compare(build, count, _verilog(build, "icarus", step), step)


def verilator(build: Build, step: Step) -> str:
    """Simulate core.v in Verilator."""
    return _compare(build, len(build.trials.images), _verilog(build, "verilator", step), step)


def _verilog(
    build: Build, simulator: str, step: Step
) -> Callable[["Core", np.ndarray, Path | None], Simulation]:
    text = build.built.core_verilog

    def simulation(core: "Core", images: np.ndarray, folder: Path | None) -> Simulation:
        with tools.temporary() as temporary:
            compiled = simulate.Simulator(
                text,
                build.built.network,
                lanes=core.lanes,
                top_k=core.top_k,
                results=core.outputs,
                ram_contents=core.ram_contents,
                simulator=simulator,
                folder=folder or temporary,
                waves=folder is not None,
            )
            return compiled.run(images, progress=step.progress)

    return simulation


def _compare(
    build: Build, count: int, simulation: Callable[["Core", np.ndarray, Path | None], Simulation], step: Step
) -> str:
    """Run the first `count` images, at least one.

    If a score differs, they run once more with a waveform, which shows the layer that went wrong first.
    """
    built = build.built
    images, scores = build.trials.first(max(1, count))
    result = simulation(built.core(), images, None)
    try:
        require_equal(result.scores, reference.results(scores, built.design.results))
    except ScoreError as wrong:
        folder = build.failure_folder(step.title)
        first = max(0, wrong.image - 1)  # the image before may be the cause
        some = images[first : wrong.image + 1]
        simulation(built.core(), some, folder)
        fault = waveform.first_fault(folder / "waves.vcd", built.design, some)
        message = (
            str(wrong)
            if fault is None
            else (
                f"{fault.layer}, image {first + fault.image}, index {fault.index}: expected {fault.expected},"
                f" found {'x' if fault.found is None else fault.found}; downstream {wrong}"
            )
        )
        raise LevelError(f"{message}; waveform: {folder / 'waves.vcd'}") from None
    return f"all {scores.size:,} scores of {len(images):,} images equal the reference ({result.simulator})"
