"""`sbgen build`: from a trained network to a bitstream, a verdict and a report. ::

model ─▶ network ─▶ design: fits? ─▶ Verilog ─┬─▶ synthesis, place and route ─▶ bitstream ─┬─▶ report
                                              └─▶ simulation ═ reference ═▶ verdict ───────┘
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .. import folding
from ..arguments import (
    add_images,
    add_model,
    add_reading,
    add_target,
    at_least,
    board_name,
    images,
    percent,
    positive,
)
from ..console import Console
from ..handover import arguments as handed

if TYPE_CHECKING:  # only needed when the command runs
    from ..building import Options

__all__ = ["add_arguments", "run"]


def _clock(text: str) -> float | str:
    return text if text == "best" else positive(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sbgen build`."""
    add_model(parser)
    add_target(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="output folder (default: build/MODEL-BOARD)")
    folding.add_arguments(parser)
    add_reading(
        parser, force="write into a folder with other files; accept a network that is not hardened enough"
    )
    clock = parser.add_argument_group(
        "clock", "Place and route runs with several seeds in parallel, as cores and memory allow."
    )
    clock.add_argument(
        "--clock",
        type=_clock,
        metavar="MHZ",
        help=(
            "core clock, or best: the fastest that any seed reaches (default: the board's usual clock, or a"
            " lower one if it is missed)"
        ),
    )
    clock.add_argument(
        "--clock-margin",
        type=percent,
        metavar="PERCENT",
        help=(
            "how far the Fmax must exceed the clock, for the jitter of oscillator and PLL (default: 3, and 13"
            " for an oscillator in the FPGA)"
        ),
    )
    seeds = clock.add_mutually_exclusive_group()
    seeds.add_argument(
        "--seeds",
        type=at_least(1),
        metavar="N",
        help="try seeds 1 ... N in this order until the clock is met (default: 4)",
    )
    seeds.add_argument("--seed", type=int, metavar="N", help="try only this seed")
    clock.add_argument("--jobs", type=at_least(1), metavar="N", help="seeds in parallel")
    parser.add_argument(
        "--baud",
        type=at_least(1),
        metavar="N",
        help="baud rate of the host link (default: the fastest that the board can make)",
    )
    clock.add_argument(
        "--fresh", action="store_true", help="run every step, even if an earlier build cached its result"
    )
    parser.add_argument(
        "--images",
        type=images,
        default=300,
        metavar="N",
        help="simulate the first N images of the samples or test set, or all (default: %(default)s)",
    )
    add_images(parser)
    handed.add_arguments(parser)
    parser.add_argument(
        "--selftest",
        action="store_true",
        help=(
            "store images and expected results in the bitstream in place of the host link: the LED lights for"
            " pass and blinks for fail"
        ),
    )
    parser.add_argument(
        "--sleep",
        action="store_true",
        help=(
            "stop the clock between requests: the start bit of the next one wakes the board; for FPGAs with a"
            " UART and an oscillator beside them, without a PLL"
        ),
    )
    parser.add_argument("--no-sim", action="store_true", help="skip the simulation")
    parser.add_argument(
        "--no-bitstream", action="store_true", help="stop at Verilog: no synthesis, place and route"
    )


def run(arguments: argparse.Namespace) -> None:
    """Write the output folder as a whole, or raise and leave it as it was."""
    from .. import boards, building, estimate_cache, summary
    from ..compiler.frontends import model as model_file
    from ..compiler.weight_count import weights
    from ..target import requested

    handed.check(arguments)
    if arguments.fit:
        estimate_cache.show(arguments)
        return
    if arguments.core is not None:
        from ..handover import command

        command.run(arguments)
        return
    if arguments.sleep and arguments.clock is None:
        arguments.clock = boards.get(board_name(arguments)).oscillator_mhz
    console, request, options = Console(), folding.Request.of(arguments), _options(arguments)
    target = requested(arguments)
    board = target.board
    assert board is not None  # as `handed.check` requires
    building.check(options, board, request)
    if board.left_out:
        console.line(f"  {board.left_out}")
    with console.step("read the model") as step:
        model = model_file.load(arguments.model, force=arguments.force, pixels=arguments.pixels)
        step.note(
            f"{model.network.name}: {len(model.network.layers)} layers, {sum(weights(model.network)):,}"
            " weights"
        )
    out_dir = arguments.out or Path("build") / f"{arguments.model.stem}-{board.name}"
    report = building.build(model, request, target, options, out_dir, console=console)
    summary.show(console, report, out_dir)


def _options(arguments: argparse.Namespace) -> "Options":
    """The options of a build, without those of folding."""
    from ..building import Options
    from ..top_levels import ClockOptions

    seeds: Sequence[int] | None = None
    if arguments.seed is not None:
        seeds = [arguments.seed]
    elif arguments.seeds is not None:
        seeds = range(1, arguments.seeds + 1)
    return Options(
        clock=ClockOptions(
            clock=arguments.clock,
            margin=arguments.clock_margin,
            seeds=seeds,
            jobs=arguments.jobs,
            fresh=arguments.fresh,
            baud=arguments.baud,
            sleep=arguments.sleep,
        ),
        images=arguments.images,
        samples=arguments.samples,
        data=arguments.data,
        self_test=arguments.selftest,
        simulate=not arguments.no_sim,
        bitstream=not arguments.no_bitstream,
        force=arguments.force,
    )
