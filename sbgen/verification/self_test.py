"""The levels of a build that tests itself: its LED lights for the right results, and for no others."""

from dataclasses import replace
from typing import cast

import numpy as np

from .. import tools
from ..board_pins import simulator
from ..boards import led, simulated
from ..boards.self_test import SelfTestTop
from ..compiler import lower, self_test, verilog
from ..compiler.design import Design
from ..compiler.ir import Scores
from .level import LevelError, SkippedError
from .subject import Build

__all__ = ["lights"]


def lights(build: Build, text: str, *, emitted: bool) -> str:
    """The LED of a top level lights after all stored images, whose results are those of the reference.

    Parameters
    ----------
    build : Build
    text : str
        The Verilog of a top level, or of its netlist.
    emitted : bool
        Whether to show too that a single other weight in that Verilog keeps it dark.
    """
    built, about = build.built, build.built.report["self_test"]
    places = about["places"]
    if max(places) >= len(build.trials.images):
        raise SkippedError(
            f"the stored images go up to number {max(places):,}, but {len(build.trials.images):,} are tried;"
            f" give --images {max(places) + 1}"
        )
    top = _top(build, built.design)
    found = f"{top.parameters.signature:08x}"
    if found != about["signature"]:
        raise LevelError(
            "the expected scores must be those of the reference for the stored images: expected the"
            f" signature {found}, found {about['signature']}"
        )
    name = _name(build, top, text)
    if not emitted:
        return f"the LED lights after all {len(places)} stored images and stays on ({name})"
    wrong = _top(build, _one_weight_off(built.design))
    if _lit(build, wrong, simulated.top_level(verilog.convert(wrong), board=built.board))[0]:
        raise LevelError("the LED must stay dark when one weight of the last layer is another, but it lights")
    return (
        f"the LED lights after all {len(places)} stored images and stays on, and stays dark when one weight"
        f" of the last layer is another ({name})"
    )


def _top(build: Build, design: Design) -> SelfTestTop:
    """The build's top level around the core of a design."""
    built, about = build.built, build.built.report["self_test"]
    images = build.trials.images[np.array(about["places"])]
    return SelfTestTop(
        core=lower.lower(design),
        board=built.board,
        parameters=self_test.parameters(built.design, images, store=about["store"]),
        clock_mhz=built.report["timing"]["clock_mhz"],
    )


def _one_weight_off(design: Design) -> Design:
    """The design with one weight of the last layer negated: a score of every image is another."""
    *others, last = design.network.layers
    scores = cast(Scores, last)  # as of every network
    weights = scores.weights.copy()
    counted = np.ones_like(weights) if scores.mask is None else scores.mask
    place = tuple(np.argwhere(counted)[0])
    weights[place] = 1 - weights[place]
    layers = (*others, replace(scores, weights=weights))
    return replace(design, network=replace(design.network, layers=layers))


def _name(build: Build, top: SelfTestTop, text: str) -> str:
    lit, name = _lit(build, top, text)
    if not lit:
        raise LevelError(f"the LED must light after all stored images, but stays dark ({name})")
    return name


def _lit(build: Build, top: SelfTestTop, text: str) -> tuple[bool, str]:
    parameters = top.parameters
    # A result takes a sixteenth of the patience; the LED may blink only later.
    round_ = (len(parameters.labels) + 1) * parameters.patience // 8
    deadline = top.reset_cycles + top.load_cycles + round_
    if deadline + round_ > top.blink_cycles:
        raise SkippedError(f"the images take {deadline + round_:,} cycles, in which the LED would blink")
    with tools.temporary() as folder:
        return led.lights(
            text,
            simulator=simulator(),
            deadline=deadline,
            stay=round_,
            inverted=top.led_inverted,
            folder=folder,
            flash=build.built.spram_weights,
        )
