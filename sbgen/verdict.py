"""Whether the hardware computes what the reference computes, score by score."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .compiler import reference
from .compiler.simulate import Simulation
from .console import Console
from .errors import SbgenError, ToolError

if TYPE_CHECKING:
    from .compiler.design import Design
    from .compiler.device import Device
    from .hw.core import Core

__all__ = ["AMARANTH_CYCLES", "MismatchError", "Verdict", "compare", "of_core"]

#: Cycles that Amaranth's simulator runs in well below a minute.
AMARANTH_CYCLES = 3000

_DEFECT = "nothing was written: this is a defect of sbgen, please report it with the model file"


class MismatchError(SbgenError):
    """The hardware does not compute what the network means; nothing that was built may be trusted."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a simulation showed: if there is a verdict, all scores are equal.

    Parameters
    ----------
    simulator : str
        Name and version.
    images, scores : int
        How many were compared.
    ranked : int array, shape (images, top) or (images, outputs)
        The best classes of each image, the best first; of a multi-label network its bits. As simulated.
    latency_cycles : int
        From the first beat of the first image to its last score.
    cycles_per_image : int or None
        Between the last scores of the last two images; None for a single image.
    """

    simulator: str
    images: int
    scores: int
    ranked: np.ndarray
    latency_cycles: int
    cycles_per_image: int | None


def _words(classes: np.ndarray) -> str:
    return ", ".join(map(str, classes.tolist()))


def compare(simulation: Simulation, scores: np.ndarray, classes: np.ndarray) -> Verdict:
    """The verdict on a simulation.

    Parameters
    ----------
    simulation : Simulation
        Without stalls.
    scores : int array, shape (N, outputs)
        Of the reference.
    classes : int array, shape (N,), or of a multi-label network its bits, (N, outputs)
        Of the reference.

    Raises
    ------
    MismatchError
        At the first score, or else class, that differs.
    """
    assert simulation.scores.shape == scores.shape and simulation.labels.shape == classes.shape
    wrong = np.argwhere(simulation.scores != scores)
    if len(wrong):
        image, output = (int(n) for n in wrong[0])
        raise MismatchError(
            f"the hardware must compute the reference's scores, but image {image}, output {output} has"
            f" {int(simulation.scores[image, output])} instead of {int(scores[image, output])}"
            f" ({len(wrong)} of {scores.size} scores differ, in {simulation.simulator}); {_DEFECT}"
        )
    # Only a network that decides by argmax has a second best class.
    ranked = classes.reshape(len(classes), -1)
    if ranked.shape[1] != simulation.ranked.shape[1]:
        ranked = reference.ranked(scores, simulation.ranked.shape[1])
        assert (ranked[:, 0] == classes).all()
    wrong = np.flatnonzero((simulation.ranked != ranked).any(axis=1))
    if len(wrong):
        image = int(wrong[0])
        raise MismatchError(
            f"the hardware must compute the reference's {'bits' if classes.ndim > 1 else 'classes'}, but"
            f" image {image} has {_words(simulation.ranked[image])} instead of {_words(ranked[image])}"
            f" although its scores are equal (in {simulation.simulator}); {_DEFECT}"
        )
    return Verdict(
        simulator=simulation.simulator,
        images=len(scores),
        scores=scores.size,
        ranked=simulation.ranked,
        latency_cycles=simulation.latency_cycles,
        cycles_per_image=simulation.interval_cycles if len(scores) > 1 else None,
    )


def of_core(
    core: "Core",
    verilog: str,
    design: "Design",
    device: "Device",
    images: np.ndarray,
    scores: np.ndarray,
    classes: np.ndarray,
    *,
    interval: int,
    console: Console,
) -> tuple[Verdict | None, str | None]:
    """Simulate a core and compare it with the reference.

    If no simulator of Verilog can run here, Amaranth's own simulates the components, for the first images.

    Parameters
    ----------
    core : Core
        Of the design; it is not simulated itself.
    verilog : str
        That of the core.
    images : uint8 array, shape (N, *image_shape)
    scores, classes : int array
        Of the reference, as in `compare`.
    interval : int
        Cycles per image.

    Returns
    -------
    verdict : Verdict or None
    why_not : str or None
        Why there is no verdict.
    """
    from .compiler import amaranth_simulator, lower, simulate

    try:
        simulator = simulate.quickest(design.network, len(images))
    except ToolError as error:
        simulator, why_not = "amaranth", str(error)
    if simulator == "amaranth":
        if design.patchable and device.fabric.patchable_store == "lut":
            return None, f"{why_not}; Amaranth's simulator does not know the cells of patchable ROMs"
        count = AMARANTH_CYCLES // interval
        if count == 0:
            return None, f"{why_not}; Amaranth's simulator is too slow for {interval:,} cycles per image"
        images, scores, classes = images[:count], scores[:count], classes[:count]
        console.line(
            f"  {why_not}; Amaranth's simulator runs {len(images):,} images on the components instead",
            style="yellow",
        )
    with console.step(f"simulate {len(images):,} images") as step:
        if simulator == "amaranth":
            simulation = amaranth_simulator.simulate(lower.lower(design), design.network, images)
        else:
            simulation = simulate.simulate(
                verilog,
                design.network,
                images,
                lanes=core.lanes,
                simulator=simulator,
                top_k=core.top_k,
                results=core.outputs,
                ram_contents=core.ram_contents,
                progress=step.progress,
            )
        verdict = compare(simulation, reference.results(scores, core.outputs), classes)
        step.note(f"all {verdict.scores:,} scores equal the reference ({verdict.simulator})")
    return verdict, None
