"""`sbgen build`: from a trained network to a bitstream, a verdict and a report. ::

model ─▶ network ─▶ design: fits? ─▶ Verilog ─┬─▶ synthesis, place and route ─▶ bitstream ─┬─▶ report
                                              └─▶ simulation ═ reference ═▶ verdict ───────┘
"""

import argparse
from collections.abc import Mapping, Sequence
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

if TYPE_CHECKING:  # only needed when the command runs
    from ..boards import BoardSpec
    from ..boards.board_spec import Pin
    from ..boards.flow import Implementation
    from ..boards.plan import Plan
    from ..compiler.cycles import Cycles
    from ..compiler.design import Design
    from ..compiler.device import Device
    from ..compiler.frontends.model import Model
    from ..hw.core import Core
    from ..hw.link_parameters import Parameters
    from ..hw.self_test import Parameters as SelfTestParameters
    from ..trial_images import TrialImages

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
    clock_mhz, _ = harness.clock_and_pll(board, _fixed_clock(arguments))
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


def _fixed_clock(arguments: argparse.Namespace) -> float | None:
    """The clock that was given in MHz, or None."""
    return None if arguments.clock == "best" else arguments.clock


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
    from ..compiler import reference
    from ..expected_scores import ExpectedScores

    fixed_clock = _fixed_clock(arguments)
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
        emitted = _emit(design, board.device, model.info.get("recipe"), staging)
        tops = _TopLevels(
            arguments=arguments,
            board=board,
            emitted=emitted,
            patchable=design.patchable,
            self_test=None if tested is None else tested.parameters,
        )
        first = tops.plan(fixed_clock) if board.is_open and not arguments.no_bitstream else None
        top_verilog = tops.verilog(fixed_clock)[0] if first is None else first[0]
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
        ledger=report.accuracy(
            tried=tried,
            info=model.info,
            integer=reference.ranked(scores, design.top_k) if design.top_k > 1 else classes,
            classes=design.network.classes,
            verdict=found,
        ),
        tools={"yosys": tools.find("yosys").version} if implementation is None else implementation.tools,
        files=report.digests(staging),
        baud=arguments.baud,
    )
    report.write(content, staging)
    return content


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


@dataclass(frozen=True, kw_only=True)
class _Emitted:
    """A core and its Verilog, the network's digest, and the weights to load at start-up (often none)."""

    core: "Core"
    link: "Parameters"
    verilog: str
    digest: str
    weights: bytes


def _emit(design: "Design", device: "Device", recipe: Mapping[str, Any] | None, staging: Path) -> _Emitted:
    """Write the files of the core."""
    from ..boards import flash_image
    from ..compiler import design_file, exchange, linked, lower, verilog

    core = lower.lower(design)
    emitted = _Emitted(
        core=core,
        link=linked.link_parameters(design, device),
        verilog=verilog.convert(core),
        digest=exchange.digest(design.network),
        weights=flash_image.weight_bytes(core.ram_contents),
    )
    (staging / "core.v").write_text(emitted.verilog, encoding="ascii")
    if emitted.weights:
        (staging / "weights.bin").write_bytes(emitted.weights)
    exchange.save(design.network, staging / "network.json", recipe=recipe)
    design_file.save(design, staging / "design.json")
    return emitted


@dataclass(frozen=True, kw_only=True)
class _TopLevels:
    """The board around the core, at any clock."""

    arguments: argparse.Namespace
    board: "BoardSpec"
    emitted: _Emitted
    patchable: bool
    self_test: "SelfTestParameters | None"

    @property
    def margin(self) -> float:
        """Share by which the Fmax must exceed the clock."""
        given: float | None = self.arguments.clock_margin
        return self.board.clock_margin if given is None else given

    def verilog(self, clock_mhz: float | None) -> "tuple[str, Sequence[Pin]]":
        """The Verilog of the top level, and its pins."""
        from ..boards import harness
        from ..boards.self_test import SelfTestTop
        from ..compiler import verilog

        if self.self_test is not None:
            tested = SelfTestTop(
                core=self.emitted.core, board=self.board, parameters=self.self_test, clock_mhz=clock_mhz
            )
            return verilog.convert(tested), tested.pins
        top = harness.Top(
            core=self.emitted.core,
            board=self.board,
            link=self.emitted.link,
            baud=self.arguments.baud,
            clock_mhz=clock_mhz,
            digest=bytes.fromhex(self.emitted.digest),
            patchable=self.patchable,
        )
        return verilog.convert(top), top.pins

    def plan(self, clock_mhz: float | None) -> "tuple[str, Plan]":
        """The Verilog of the top level, and the plan for its bitstream."""
        from ..boards import flow

        text, pins = self.verilog(clock_mhz)
        return text, flow.plan(
            verilog=text,
            board=self.board,
            clock_mhz=clock_mhz,
            margin=self.margin,
            pins=pins,
            every_seed=self.arguments.clock == "best",
            seeds=_seeds(self.arguments),
            patchable=self.patchable,
        )

    def implement(
        self, first: "tuple[str, Plan]", staging: Path, console: Console
    ) -> "tuple[str, Implementation]":
        """The Verilog at the final clock, and what place and route reached."""
        from .. import clock_search

        options = self.arguments
        return clock_search.search(
            self.plan,
            first,
            lambda plan: clock_search.implement(
                plan, staging, console=console, jobs=options.jobs, fresh=options.fresh
            ),
            wish=clock_search.Wish(
                required=_fixed_clock(options) is not None,
                rate=options.fps is not None,
                best=options.clock == "best",
                margin=self.margin,
            ),
            console=console,
        )


def _seeds(arguments: argparse.Namespace) -> Sequence[int]:
    from ..boards import flow

    if arguments.seed is not None:
        return [arguments.seed]
    return flow.SEEDS if arguments.seeds is None else range(1, arguments.seeds + 1)


def _write_board_files(
    board: "BoardSpec",
    top_verilog: str,
    emitted: _Emitted,
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
