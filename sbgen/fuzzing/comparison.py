"""Whether the hardware of a design computes what the reference computes, in the predicted cycles."""

import traceback
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .. import tools
from ..boards import placed
from ..boards.board_spec import BoardSpec
from ..compiler import (
    amaranth_simulator,
    contents,
    cycles,
    exchange,
    lower,
    passes,
    random_network,
    reference,
    simulate,
    verilog,
)
from ..compiler.design import Design
from ..errors import FitError, SbgenError, ToolError
from . import in_shell
from .deadline import TimeUpError, within

__all__ = ["Failure", "check"]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """How hardware and reference differ.

    Parameters
    ----------
    kind : str
        What differs, or the name of the error. A smaller design fails alike if its failure is of this kind.
    text : str
        One line.
    """

    kind: str
    text: str


def check(
    design: Design,
    images: np.ndarray,
    *,
    simulator: str,
    seed: int = 0,
    timeout: float = 900,
    board: BoardSpec | None = None,
    level: str = "placed",
    shell: str | None = None,
) -> Failure | None:
    """Whether the hardware of a design computes what the reference does, in the cycles that are predicted.

    Parameters
    ----------
    design : Design
    images : uint8 array, shape (N, *image_shape)
    simulator : str
        Of the emitted Verilog, or ``"amaranth"`` for the components that it is emitted from.
    seed : int
        Seed of the stalls in the second of two simulations; in the first nothing stalls.
    timeout : float
        Maximum time in seconds.
    board : BoardSpec, optional
        With a board, the design is under its top level, and the answers at its pins are compared, no cycles.
    level : str
        What is simulated with a board, one of `sbgen.boards.placed.LEVELS`; `seed` is also that of place and
        route.
    shell : str, optional
        One of `sbgen.handover.shell.SHELLS`: the core in it is run by the bench of its folder, and linted.

    Returns
    -------
    Failure or None
        None when all is equal.

    Raises
    ------
    FitError
        When the board's device is too small.
    """
    try:
        return within(timeout, _outcome, design, images, simulator, seed, board, level, shell)
    except TimeUpError:
        return Failure(kind="time", text=f"must be done within {timeout:g} s, but was not")


def _outcome(
    design: Design,
    images: np.ndarray,
    simulator: str,
    seed: int,
    board: BoardSpec | None,
    level: str,
    shell: str | None,
) -> Failure | None:
    """As `check`, however long it takes."""
    try:
        if shell is not None:
            said = in_shell.check(design, images, shell=shell, simulator=simulator, seed=seed)
            return Failure(kind="lint", text=said) if said else None
        if board is None:
            return _compare(design, images, simulator, seed)
        return _ask(design, images, simulator, seed, board, level)
    except (FitError, TimeUpError):
        raise  # the design was not checked
    except (OSError, MemoryError):
        raise  # of the machine, not of the design
    except SbgenError as error:
        return Failure(kind=type(error).__name__, text=" ".join(str(error).split()))
    except Exception as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        return Failure(
            kind=type(error).__name__,
            text=(
                f"{type(error).__name__} in {Path(at.filename).name}:{at.lineno}:"
                f" {' '.join(str(error).split())}"
            ),
        )


def _compare(design: Design, images: np.ndarray, simulator: str, seed: int) -> Failure | None:
    scores, decided = reference.evaluate(design.network, images)
    ranked = (
        reference.ranked(scores, design.top_k)
        if design.network.decision == "argmax"
        else decided.reshape(len(images), -1)
    )
    finishes = cycles.predict(design, images=max(2, len(images))).finishes[: len(images)]
    free, stalled = _simulations(design, images, simulator, stall=_tool_seed(seed))
    return (
        _difference(
            "score after the passes",
            reference.evaluate(passes.apply_passes(design.network), images)[0],
            scores,
        )
        or _difference("score", free.scores, reference.results(scores, design.results))
        or _difference("class", free.ranked, ranked)
        or _difference("cycle of the last score", free.last_scores - free.first_beats[0], finishes)
        or _difference("score under stalls", stalled.scores, reference.results(scores, design.results))
        or _difference("class under stalls", stalled.ranked, ranked)
        or (_difference_of_hardware(design, seed) if design.patchable and simulator != "amaranth" else None)
    )


def _difference_of_hardware(design: Design, seed: int) -> Failure | None:
    """The difference of a patchable design's Verilog, contents of ROMs apart, from that of other weights and
    thresholds.
    """
    other = replace(design, network=random_network.other_contents(seed, design.network))
    (one, *_), (two, *_) = (contents.split(verilog.convert(lower.lower(each))) for each in (design, other))
    if one == two:
        return None
    line = next(
        n
        for n, lines in enumerate(zip(one.splitlines(), two.splitlines(), strict=False), 1)
        if lines[0] != lines[1]
    )
    return Failure(
        kind="patchable",
        text=(
            "only ROMs of a patchable design must depend on weights and thresholds, but its Verilog "
            f"differs from line {line} on"
        ),
    )


def _ask(
    design: Design, images: np.ndarray, simulator: str, seed: int, board: BoardSpec, level: str
) -> Failure | None:
    """As `_compare`, through the pins of a board."""
    scores, classes = reference.evaluate(design.network, images)
    with tools.temporary() as folder:
        try:
            answers, _ = placed.ask(
                design,
                images,
                board=board,
                simulator=simulator,
                folder=folder,
                seed=_tool_seed(seed),
                level=level,
            )
        except ToolError as error:
            raise ToolError(error.what) from None  # its log goes with the folder
    digest = exchange.digest(design.network)[:16]
    if answers.identity.digest.hex() != digest:
        return Failure(
            kind="digest",
            text=f"the board must report the network {digest}, not {answers.identity.digest.hex()}",
        )
    return _difference("score", answers.scores, scores) or _difference("class", answers.labels, classes)


def _tool_seed(seed: int) -> int:
    """Any seed as one of 31 bits from 1."""
    return seed % (2**31 - 1) + 1


def _difference(what: str, found: np.ndarray, expected: np.ndarray | tuple[int, ...]) -> Failure | None:
    wrong = np.argwhere(found != np.asarray(expected))
    if not len(wrong):
        return None
    at = tuple(map(int, wrong[0]))
    of = f"image {at[0]}" + (f", output {at[1]}" if len(at) > 1 else "")
    return Failure(
        kind=what,
        text=(
            f"{what} of {of} must be {int(np.asarray(expected)[at])}, not {int(found[at])} "
            f"({len(wrong)} of {found.size} differ)"
        ),
    )


def _simulations(
    design: Design, images: np.ndarray, simulator: str, *, stall: int
) -> list[simulate.Simulation]:
    """A simulation in which nothing stalls, and one in which both ends do."""
    if simulator == "amaranth":
        return [
            amaranth_simulator.simulate(lower.lower(design), design.network, images, stall=each)
            for each in (None, stall)
        ]
    core = lower.lower(design)
    text = verilog.convert(core)
    with tools.temporary() as folder:
        built = simulate.Simulator(
            text,
            design.network,
            lanes=core.lanes,
            simulator=simulator,
            folder=folder,
            top_k=core.top_k,
            results=core.outputs,
            ram_contents=core.ram_contents,
        )
        return [built.run(images, stall=each) for each in (None, stall)]
