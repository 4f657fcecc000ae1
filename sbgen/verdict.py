"""Whether the emitted Verilog computes what the reference computes, score by score."""

from dataclasses import dataclass

import numpy as np

from .compiler import reference
from .errors import SbgenError

__all__ = ["MismatchError", "Verdict", "compare"]


class MismatchError(SbgenError):
    """The hardware does not compute what the network means; nothing that was built may be trusted."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a simulation has shown; that all was equal, when it is there at all.

    Parameters
    ----------
    simulator : str
        Name and version.
    images, scores : int
        How many were compared.
    ranked : int array, shape (images, top) or (images, outputs)
        The best classes of each image, the best first, or of a multi-label network its bits, as the Verilog
        gave them.
    latency_cycles : int
        From the first beat of the first image to its last score.
    cycles_per_image : int or None
        Between the last scores of the last two images; None of a single image.
    """

    simulator: str
    images: int
    scores: int
    ranked: np.ndarray
    latency_cycles: int
    cycles_per_image: int | None


def _words(classes):
    return ", ".join(map(str, classes.tolist()))


def compare(simulation, scores, classes):
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
        image, at = (int(n) for n in wrong[0])
        raise MismatchError(
            f"the Verilog must give the reference's scores, but image {image}, output {at} has"
            f" {int(simulation.scores[image, at])} instead of {int(scores[image, at])} ({len(wrong)} of"
            f" {scores.size} scores differ, in {simulation.simulator}); nothing was written: this is a defect"
            " of sbgen, please report it with the model file"
        )
    # Only what decides by argmax has best classes behind the first.
    ranked = classes.reshape(len(classes), -1)
    if ranked.shape[1] != simulation.ranked.shape[1]:
        ranked = reference.ranked(scores, simulation.ranked.shape[1])
        assert (ranked[:, 0] == classes).all()
    wrong = np.flatnonzero((simulation.ranked != ranked).any(axis=1))
    if len(wrong):
        image = int(wrong[0])
        raise MismatchError(
            f"the Verilog must give the reference's {'bits' if classes.ndim > 1 else 'classes'}, but image"
            f" {image} has {_words(simulation.ranked[image])} instead of {_words(ranked[image])} although its"
            f" scores are equal (in {simulation.simulator}); nothing was written: this is a defect of sbgen,"
            " please report it with the model file"
        )
    return Verdict(
        simulator=simulation.simulator,
        images=len(scores),
        scores=scores.size,
        ranked=simulation.ranked,
        latency_cycles=simulation.latency_cycles,
        cycles_per_image=simulation.interval_cycles if len(scores) > 1 else None,
    )
