"""The levels that run a whole board, byte by byte through the pins of its serial line."""

from pathlib import Path

import numpy as np

from .. import tools
from ..board_pins import board_pins
from ..boards import bitstream, netlist_verilog, simulated
from ..boards.pins import Answers
from ..compiler import exchange, reference
from ..console import Step
from . import self_test
from .level import LevelError, SkippedError
from .scores import ScoreError, require_equal
from .subject import Build

__all__ = ["emitted", "placed", "synthesised", "unpacked"]

#: Images at most: a netlist runs some tens of cycles per second.
_IMAGES = 5


def emitted(build: Build, step: Step) -> str:
    """Simulate top.v."""
    text = simulated.top_level(build.built.top_verilog, board=build.built.board)
    if build.built.tests_itself:
        return self_test.lights(build, text, emitted=True)
    return _compare(build, text, step)


def synthesised(build: Build, step: Step) -> str:
    """Simulate the netlist of synthesis."""
    return _compare(build, _netlist(build, "netlist.json.gz"), step)


def placed(build: Build, step: Step) -> str:
    """Simulate the netlist of place and route."""
    return _compare(build, _netlist(build, "placed.json.gz"), step)


def _netlist(build: Build, name: str) -> str:
    try:
        return netlist_verilog.verilog(build.built.netlist(name), family=build.family)
    except netlist_verilog.UnknownCellError as error:
        raise SkippedError(str(error)) from error


def unpacked(build: Build, step: Step) -> str:
    """Simulate the bitstream, turned back into Verilog by a tool of its family."""
    path = build.bitstream
    if build.family.to_verilog is None:
        raise SkippedError(
            f"no open tool turns a bitstream of {build.family} back into Verilog that can be simulated"
        )
    if build.built.core().ram_contents:
        raise SkippedError(
            "this level does not simulate the many cycles in which weights of this design are loaded from the"
            " flash; the netlists and the truth tables show the rest"
        )
    text = build.family.to_verilog(bitstream.unpack(path, family=build.family), build.built.board)
    return _compare(build, text, step)


def _compare(build: Build, verilog: str, step: Step) -> str:
    """Ask a top level what it is and classify images on it, as a host does; or watch its LED."""
    if build.built.tests_itself:
        return self_test.lights(build, verilog, emitted=False)
    built, network = build.built, build.built.network
    images, scores = build.trials.first(_IMAGES)
    digest = bytes.fromhex(exchange.digest(network))[:8]

    def ask(images: np.ndarray, folder: Path | None = None) -> Answers:
        with tools.temporary() as temporary:
            pins = board_pins(built, verilog, folder=folder or temporary, waves=folder is not None)
            return pins.ask(images, progress=step.progress)

    answers = ask(images)
    if answers.identity.digest != digest:
        raise LevelError(
            f"the board reports another network: expected {digest.hex()}, found"
            f" {answers.identity.digest.hex()}"
        )
    try:
        require_equal(answers.scores, scores)
    except ScoreError as wrong:
        folder = build.failure_folder(step.title)
        ask(images[max(0, wrong.image - 1) : wrong.image + 1], folder)
        raise LevelError(f"{wrong}; waveform: {folder / 'waves.vcd'}") from None
    expected = reference.decide(network, scores)
    wrong_images = [n for n, label in enumerate(answers.labels) if (label != expected[n]).any()]
    if wrong_images:
        first = wrong_images[0]
        raise LevelError(
            f"{'bits' if network.multi_label else 'class'}, image {first}: expected {expected[first]}, found"
            f" {answers.labels[first]}"
        )
    pins = "D+ and D-" if built.board.usb_link else "rx and tx"
    return (
        f"identified, and all {scores.size:,} scores of {len(images)} images, byte by byte through {pins},"
        f" equal the reference ({answers.simulator})"
    )
