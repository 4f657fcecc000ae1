"""`sbgen build`: from a trained network to a bitstream, a verdict and a report. ::

model ─▶ network ─▶ design: fits? ─▶ Verilog ─┬─▶ synthesis, place and route ─▶ bitstream ─┬─▶ report
                                              └─▶ simulation ═ reference ═▶ verdict ───────┘
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import folding
from ..arguments import (
    add_board,
    add_images,
    add_model,
    add_reading,
    at_least,
    board_name,
    images,
    percent,
    positive,
)
from ..built import FILES
from ..console import Console
from ..top_levels import Emitted, TopLevels, emit, fixed_clock

if TYPE_CHECKING:  # only needed when the command runs
    import numpy as np

    from ..boards import BoardSpec
    from ..boards.flow import Implementation
    from ..compiler.cycles import Cycles
    from ..compiler.design import Design
    from ..compiler.frontends.model import Model
    from ..trial_images import TrialImages
    from ..verdict import Verdict

__all__ = ["add_arguments", "run"]

#: Images to simulate by default: enough to meet every class many times, in seconds.
_IMAGES = 300


def _clock(text: str) -> float | str:
    return text if text == "best" else positive(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sbgen build`."""
    add_model(parser)
    add_board(parser)
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
        default=_IMAGES,
        metavar="N",
        help="simulate the first N images of the samples or test set, or all (default: %(default)s)",
    )
    add_images(parser)
    parser.add_argument(
        "--selftest",
        action="store_true",
        help=(
            "store images and expected results in the bitstream in place of the host link: the LED lights for"
            " pass and blinks for fail"
        ),
    )
    parser.add_argument("--no-sim", action="store_true", help="skip the simulation")
    parser.add_argument(
        "--no-bitstream", action="store_true", help="stop at Verilog: no synthesis, place and route"
    )


def run(arguments: argparse.Namespace) -> None:
    """Write the output folder as a whole, or raise and leave it as it was."""
    from .. import boards, self_test, sizing, summary, trial_images
    from ..boards import harness
    from ..compiler.frontends import model as model_file
    from ..compiler.weight_count import weights
    from ..output_folder import staged

    if arguments.fit:
        sizing.show(arguments)
        return
    console = Console()
    board = boards.get(board_name(arguments))
    if arguments.selftest:
        self_test.require_board(board, arguments)
    clock_mhz, _ = harness.clock_and_pll(board, fixed_clock(arguments))
    if board.left_out:
        console.line(f"  {board.left_out}")
    with console.step("read the model") as step:
        model = model_file.load(arguments.model, force=arguments.force, pixels=arguments.pixels)
        step.note(
            f"{model.network.name}: {len(model.network.layers)} layers, {sum(weights(model.network)):,}"
            " weights"
        )
    with console.step("read the images") as step:
        tried = trial_images.choose(
            network=model.network,
            trained_on=model.info,
            samples_file=arguments.samples,
            data=arguments.data,
            count=arguments.images,
        )
        step.note(f"{len(tried.images):,} {tried}")
    out_dir = arguments.out or Path("build") / f"{arguments.model.stem}-{board.name}"
    with staged(out_dir, names=FILES, force=arguments.force) as staging:
        report = _build(arguments, console, board, clock_mhz, model, tried, staging)
    summary.show(console, report, out_dir)


def _build(
    arguments: argparse.Namespace,
    console: Console,
    board: "BoardSpec",
    clock_mhz: float,
    model: "Model",
    tried: "TrialImages",
    staging: Path,
) -> dict[str, Any]:
    """Write every file into `staging`; returns the report."""
    from .. import parallel, report, self_test, tools, verdict
    from ..expected_scores import ExpectedScores

    clock = fixed_clock(arguments)
    folded = _fold(arguments, console, model, board, clock_mhz)
    design = folded.design
    with console.step("compute the reference") as step:
        expected = ExpectedScores.of(design.network, tried.images)
        scores, classes = expected.scores, expected.classes
        accuracy = tried.accuracy(classes)
        step.note(
            f"{len(classes):,} images" if accuracy is None else f"{accuracy:.2%} of {len(classes):,} images"
        )
    tested = self_test.plan(design, board, tried, classes) if arguments.selftest else None
    with console.step("write Verilog") as step:
        emitted = emit(design, board.device, model.info.get("recipe"), staging)
        tops = TopLevels(
            arguments=arguments,
            board=board,
            emitted=emitted,
            patchable=design.patchable,
            self_test=None if tested is None else tested.parameters,
        )
        first = tops.plan(clock) if board.is_open and not arguments.no_bitstream else None
        top_verilog = tops.verilog(clock)[0] if first is None else first[0]
        step.note(f"{emitted.verilog.count(chr(10)):,} lines")
    project = None if board.is_open else _write_project(board, top_verilog, console, staging)

    def implement() -> "tuple[str, Implementation | None]":
        if first is None:
            return top_verilog, None
        return tops.implement(first, staging, console)

    def simulate() -> "tuple[verdict.Verdict | None, str | None]":
        if arguments.no_sim:
            return None, "not requested (--no-sim)"
        return verdict.of_core(
            emitted.core,
            emitted.verilog,
            design,
            board,
            *expected.first(arguments.images),
            interval=folded.cycles.interval,
            console=console,
        )

    # A small machine has two cores.
    (top_verilog, implementation), (found, why_not) = parallel.both(console, implement, simulate)
    _write_board_files(board, top_verilog, emitted, implementation, staging, arguments.baud)
    content = report.assemble(
        board=board,
        model=model,
        sha256=emitted.digest,
        design=design,
        cycles=folded.cycles,
        clock_mhz=clock_mhz if implementation is None else implementation.clock_mhz,
        estimate=folded.estimate if tested is None else tested.estimate,
        self_test=None if tested is None else tested.about,
        implementation=implementation,
        project=project,
        verdict=found,
        why_not=why_not,
        images=tried.about(),
        ledger=_ledger(model, design, tried, scores, classes, found),
        tools={"yosys": tools.find("yosys").version} if implementation is None else implementation.tools,
        files=report.digests(staging),
        baud=arguments.baud,
    )
    report.write(content, staging)
    return content


def _evaluate(console: Console, design: "Design", tried: "TrialImages") -> "tuple[np.ndarray, np.ndarray]":
    """The scores of the reference, and what they mean."""
    from ..compiler import reference

    with console.step("compute the reference") as step:
        scores, classes = reference.evaluate(design.network, tried.images)
        accuracy = tried.accuracy(classes)
        step.note(
            f"{len(classes):,} images" if accuracy is None else f"{accuracy:.2%} of {len(classes):,} images"
        )
    return scores, classes


def _ledger(
    model: "Model",
    design: "Design",
    tried: "TrialImages",
    scores: "np.ndarray",
    classes: "np.ndarray",
    found: "Verdict | None",
) -> dict[str, Any]:
    """The accuracy at every level."""
    from .. import report
    from ..compiler import reference

    return report.accuracy(
        tried=tried,
        info=model.info,
        integer=reference.ranked(scores, design.top_k) if design.top_k > 1 else classes,
        classes=design.network.classes,
        verdict=found,
    )


def _write_project(board: "BoardSpec", top_verilog: str, console: Console, staging: Path) -> dict[str, Any]:
    """Write the project of the vendor's tools; returns what the report has of it."""
    from ..boards import vendor_project

    with console.step("write the vendor's project") as step:
        project = vendor_project.write(board, top_verilog, staging / vendor_project.ARCHIVE)
        step.note(f"{project.tool}, {len(project.files)} files")
    return project.about()


@dataclass(frozen=True, kw_only=True)
class _Folded:
    design: "Design"
    cycles: "Cycles"
    estimate: dict[str, int]


def _fold(
    arguments: argparse.Namespace, console: Console, model: "Model", board: "BoardSpec", clock_mhz: float
) -> _Folded:
    from ..compiler import cycles, passes
    from ..compiler.estimate import estimate

    with console.step("fold to the board") as step:
        network = passes.apply_passes(model.network, patchable=folding.patchable(arguments))
        design = folding.fold(arguments, network, board, clock_mhz)
        folded = _Folded(
            design=design, cycles=cycles.predict(design), estimate=estimate(design, board.device)
        )
        step.note(
            f"{folded.cycles.interval:,} cycles per image, about {folded.estimate['lut']:,} LUT,"
            f" {folded.estimate['bram']} block RAM"
        )
    return folded


def _write_board_files(
    board: "BoardSpec",
    top_verilog: str,
    emitted: Emitted,
    implementation: "Implementation | None",
    staging: Path,
    baud: int | None,
) -> None:
    """Write top.v, append the weights to the bitstream, and write what `sbgen patch` needs."""
    from ..boards import baud as baud_
    from ..boards import flash_image, patch

    (staging / "top.v").write_text(top_verilog, encoding="ascii")
    if implementation is None:
        return
    if emitted.weights:
        bitstream = staging / implementation.bitstream.name
        bitstream.write_bytes(flash_image.combine(bitstream.read_bytes(), emitted.weights))
    if implementation.patches is not None:
        clock_mhz = implementation.clock_mhz
        rate, _ = baud_.choose(board, clock_mhz=clock_mhz, baud=baud)
        text = patch.dumps(implementation.patches, board=board, clock_mhz=clock_mhz, baud=rate)
        (staging / "memory.json").write_text(text, encoding="ascii")
