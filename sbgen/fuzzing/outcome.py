"""The check of one case and what is counted of it, in this process or in a worker."""

import time
from collections import Counter
from dataclasses import dataclass

from ..boards.board_spec import BoardSpec
from ..compiler import simulate
from ..compiler.design import Design
from ..compiler.features import features
from ..compiler.ir import Network
from ..compiler.weight_count import weights
from ..errors import FitError, ToolError
from .cases import Case
from .comparison import Failure, check

__all__ = ["Checks", "Outcome", "outcome", "size"]


@dataclass(frozen=True, kw_only=True)
class Checks:
    """How every case is checked: as the options of `sbgen fuzz` say."""

    simulator: str
    timeout: float
    board: BoardSpec | None
    level: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a check found.

    Parameters
    ----------
    about : str
        The size of the design.
    images, scores : int
        How many were computed.
    simulator : str
        The one that ran.
    seconds : float
    failure : Failure or None
    too_big : str or None
        Why the design was not checked.
    features : Counter
        Of `compiler.features`; what was not checked has none.
    """

    about: str
    images: int
    scores: int
    simulator: str
    seconds: float
    failure: Failure | None
    too_big: str | None
    features: Counter[str]


def outcome(case: Case, checks: Checks) -> Outcome:
    """Check a case."""
    design, images = case.design_and_images()
    simulator = checks.simulator
    if simulator == "auto":
        simulator = _quickest(design.network, len(images), only_verilog=bool(checks.board or case.shell))
    start, failure, too_big = time.monotonic(), None, None
    try:
        failure = check(
            design,
            images,
            simulator=simulator,
            seed=case.seed,
            timeout=checks.timeout,
            board=checks.board,
            level=checks.level,
            shell=case.shell,
        )
    except FitError as error:
        too_big = str(error)
    return Outcome(
        about=size(design),
        images=len(images),
        scores=(2 if checks.board is None else 1) * len(images) * design.network.outputs,
        simulator=simulator,
        seconds=time.monotonic() - start,
        failure=failure,
        too_big=too_big,
        features=Counter() if too_big else Counter(features(design, images)),
    )


def _quickest(network: Network, images: int, *, only_verilog: bool) -> str:
    """The simulator that is done first with a network."""
    from .. import tools

    try:
        tools.find("yosys")
        return simulate.quickest(network, 2 * images)
    except ToolError:
        if only_verilog:
            raise
        return "amaranth"


def size(design: Design) -> str:
    """How large a design is, in words."""
    return f"{len(design.network.layers)} layers, {sum(weights(design.network)):,} weights"
