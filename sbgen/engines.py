"""What can predict without a board: the reference, a design's components or Verilog, a build's netlist."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import tools
from .board_pins import board_pins
from .boards import netlist_verilog
from .built import Built
from .compiler import amaranth_simulator, fast_reference, lower, simulate, verilog
from .compiler.design import Design
from .compiler.ir import Network
from .hw.core import Core
from .verdict import MismatchError

__all__ = ["DESIGN_ENGINES", "ENGINES", "Answers", "require_right"]

#: Called with the images that are done, and how many there are.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What an engine computed for N images.

    Parameters
    ----------
    scores : int64 array, shape (N, outputs)
    decided : int64 array, shape (N,), or of a multi-label network its bits, (N, outputs)
    by : str
        What computed them, in words.
    """

    scores: np.ndarray
    decided: np.ndarray
    by: str


#: Computes the answers of a build for uint8 images (N, *image_shape).
Engine = Callable[[Built, np.ndarray, Progress], Answers]

#: Computes those of a design.
DesignEngine = Callable[[Design, np.ndarray, Progress], Answers]


def _by_reference(network: Network, images: np.ndarray) -> Answers:
    scores, decided = fast_reference.evaluate(network, images)
    return Answers(scores=scores, decided=decided, by="the reference")


def _in_verilog(network: Network, core: Core, text: str, images: np.ndarray, progress: Progress) -> Answers:
    """The core alone, cycle by cycle."""
    found = simulate.simulate(
        text,
        network,
        images,
        lanes=core.lanes,
        simulator=simulate.quickest(network, len(images)),
        top_k=core.top_k,
        results=core.outputs,
        ram_contents=core.ram_contents,
        progress=progress,
    )
    return Answers(scores=found.scores, decided=found.labels, by=f"core.v in {found.simulator}")


def _components(design: Design, images: np.ndarray, progress: Progress) -> Answers:
    """The components in Amaranth's own simulator, which needs no tool."""
    found = amaranth_simulator.simulate(lower.lower(design), design.network, images)
    return Answers(scores=found.scores, decided=found.labels, by=f"the components in {found.simulator}")


def _verilog(design: Design, images: np.ndarray, progress: Progress) -> Answers:
    core = lower.lower(design)
    return _in_verilog(design.network, core, verilog.convert(core), images, progress)


def _netlist(built: Built, images: np.ndarray, progress: Progress) -> Answers:
    """The whole board behind place and route, byte by byte through its serial line."""
    text = netlist_verilog.verilog(built.netlist("placed.json.gz"), family=built.board.family)
    with tools.temporary() as folder:
        found = board_pins(built, text, folder=folder).ask(images, progress=progress)
    return Answers(scores=found.scores, decided=found.labels, by=f"the placed netlist in {found.simulator}")


#: Engines of a built folder, by the name that ``--engine`` takes.
ENGINES: dict[str, Engine] = {
    "reference": lambda built, images, progress: _by_reference(built.network, images),
    "verilog": lambda built, images, progress: _in_verilog(
        built.network, built.core(), built.core_verilog, images, progress
    ),
    "netlist": _netlist,
}

#: Engines of a design that is not built.
DESIGN_ENGINES: dict[str, DesignEngine] = {
    "reference": lambda design, images, progress: _by_reference(design.network, images),
    "amaranth": _components,
    "verilog": _verilog,
}


def require_right(answers: Answers, network: Network, images: np.ndarray) -> None:
    """Refuse answers that are not those of the network.

    Raises
    ------
    MismatchError
        With the first image whose scores or class differ.
    """
    expected = _by_reference(network, images)
    for what, found, right in (
        ("scores", answers.scores, expected.scores),
        ("classes", answers.decided, expected.decided),
    ):
        wrong = np.flatnonzero((found != right).reshape(len(images), -1).any(axis=1))
        if len(wrong):
            raise MismatchError(
                f"{answers.by} must have the {what} of the reference, but those of {len(wrong):,} images"
                f" differ, the first of them image {wrong[0]}; `sbgen verify` finds the level that differs"
            )
