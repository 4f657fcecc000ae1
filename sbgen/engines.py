"""What can predict for a built folder without its board: the reference, its Verilog, its netlist."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import tools
from .board_pins import board_pins
from .boards import netlist_verilog
from .built import Built
from .compiler import fast_reference, simulate
from .console import Step

__all__ = ["ENGINES", "Answers"]


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
Engine = Callable[[Built, np.ndarray, Step], Answers]


def _reference(built: Built, images: np.ndarray, step: Step) -> Answers:
    scores, decided = fast_reference.evaluate(built.network, images)
    return Answers(scores=scores, decided=decided, by="the reference")


def _verilog(built: Built, images: np.ndarray, step: Step) -> Answers:
    """The core alone, cycle by cycle."""
    core = built.core()
    found = simulate.simulate(
        built.core_verilog,
        built.network,
        images,
        lanes=core.lanes,
        simulator=simulate.quickest(built.network, len(images)),
        top_k=core.top_k,
        ram_contents=core.ram_contents,
        progress=step.progress,
    )
    return Answers(scores=found.scores, decided=found.labels, by=f"core.v in {found.simulator}")


def _netlist(built: Built, images: np.ndarray, step: Step) -> Answers:
    """The whole board behind place and route, byte by byte through its serial line."""
    verilog = netlist_verilog.verilog(built.netlist("placed.json.gz"), family=built.board.family)
    with tools.temporary() as folder:
        found = board_pins(built, verilog, folder=folder).ask(images, progress=step.progress)
    return Answers(scores=found.scores, decided=found.labels, by=f"the placed netlist in {found.simulator}")


#: Engines by the name that ``--engine`` takes.
ENGINES: dict[str, Engine] = {"reference": _reference, "verilog": _verilog, "netlist": _netlist}
