"""A build: from a network and a folding to a bitstream, a verdict and a report. ::

model ─▶ network ─▶ design: fits? ─▶ Verilog ─┬─▶ synthesis, place and route ─▶ bitstream ─┬─▶ report
                                              └─▶ simulation ═ reference ═▶ verdict ───────┘
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import folding, output_folder, parallel, report, self_test, tools, trial_images, verdict
from .boards import board_line, flash_image, patch, vendor_project
from .boards.board_top import require_sleep
from .built import FILES
from .compiler import cycles, passes, reference
from .compiler.estimate import estimate
from .errors import BoardError
from .expected_scores import ExpectedScores
from .folding import Folded, Request
from .target import Target
from .top_levels import ClockOptions, Emitted, TopLevels, emit

if TYPE_CHECKING:
    from .boards import BoardSpec
    from .boards.flow import Implementation
    from .compiler.design import Design
    from .compiler.frontends.model import Model
    from .console import Console
    from .trial_images import TrialImages

__all__ = ["IMAGES", "Options", "build", "check", "fold"]

#: Images to simulate by default: enough to meet every class many times, in seconds.
IMAGES = 300


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a build does besides folding; ``sbgen build --help`` describes each.

    Parameters
    ----------
    clock : ClockOptions
    images : int or None
        Simulate the first so many images; None is all.
    samples, data : Path or None
        The user's own images, or a folder with data sets (`sbgen.trial_images.choose`).
    self_test : bool
        Store images and expected results in the bitstream in place of the host link.
    simulate, bitstream : bool
        Whether to simulate, and whether to go beyond Verilog.
    force : bool
        Write into a folder with other files.
    """

    clock: ClockOptions = field(default_factory=ClockOptions)
    images: int | None = IMAGES
    samples: Path | None = None
    data: Path | None = None
    self_test: bool = False
    simulate: bool = True
    bitstream: bool = True
    force: bool = False


def check(options: Options, board: "BoardSpec", request: Request) -> None:
    """Refuse what cannot be built for a board, before anything takes time.

    Raises
    ------
    BoardError, ModelError
        A self-test or a clock that stops is requested, but the board or the design cannot have one.
    """
    if options.self_test:
        self_test.require_board(board, patchable=request.is_patchable)
    if options.clock.sleep:
        if options.self_test:
            raise BoardError(
                "a clock that stops must be woken by a host, but a self-test has none; leave out --sleep or"
                " --selftest"
            )
        require_sleep(board, options.clock.fixed)


def build(
    model: "Model",
    request: Request,
    target: Target,
    options: Options,
    out_dir: Path,
    *,
    folded: Folded | None = None,
    console: "Console",
) -> dict[str, Any]:
    """Write the output folder as a whole, or raise and leave it as it was.

    Parameters
    ----------
    model : Model
    request : Request
        How to fold the model's network to the target.
    target : Target
        With a board, at the clock that was requested or its usual one.
    options : Options
    out_dir : Path
    folded : Folded or None
        What `request` leads to, if that is known already.
    console : Console
        Shows the steps.

    Returns
    -------
    dict
        The report (``docs/report.md``).

    Raises
    ------
    SbgenError
        Whatever the user can mend: the design does not fit, a tool is missing or fails, the clock is missed,
        or the simulation differs from the reference.
    """
    with console.step("read the images") as step:
        tried = trial_images.choose(
            network=model.network,
            trained_on=model.info,
            samples_file=options.samples,
            data=options.data,
            count=options.images,
        )
        step.note(f"{len(tried.images):,} {tried}")
    with output_folder.staged(out_dir, names=FILES, force=options.force) as staging:
        job = _Job(
            model=model,
            folded=fold(model, request, target, console=console) if folded is None else folded,
            options=options,
            staging=staging,
            console=console,
        )
        return job.run(tried, rate=request.fps)


def fold(model: "Model", request: Request, target: Target, *, console: "Console") -> Folded:
    """The design that is requested, as a step on the console; errors as of `folding.fold`."""
    with console.step("fold to the board") as step:
        network = passes.apply_passes(model.network, patchable=request.is_patchable)
        folded = folding.fold(request, network, target)
        resources = estimate(folded.design, target.device)
        step.note(
            f"{cycles.predict(folded.design).interval:,} cycles per image, about {resources['lut']:,} LUT,"
            f" {resources['bram']} block RAM"
        )
    return folded


@dataclass(frozen=True, kw_only=True)
class _Job:
    """What all steps of one build need."""

    model: "Model"
    folded: Folded
    options: Options
    staging: Path
    console: "Console"

    @property
    def design(self) -> "Design":
        return self.folded.design

    @property
    def board(self) -> "BoardSpec":
        board = self.folded.target.board
        assert board is not None, "only a board is built for"
        return board

    def run(self, tried: "TrialImages", *, rate: float | None) -> dict[str, Any]:
        """Write every file into the staging folder; returns the report. `rate` is what was requested."""
        design, board, options, console = self.design, self.board, self.options, self.console
        predicted = cycles.predict(design)
        expected = self._expected(tried)
        tested = self_test.plan(design, board, tried, expected.classes) if options.self_test else None
        with console.step("write Verilog") as step:
            emitted = emit(design, board, self.model.info.get("recipe"), self.staging)
            tops = TopLevels(
                options=options.clock,
                fixed_rate=rate is not None,
                board=board,
                emitted=emitted,
                patchable=design.patchable,
                self_test=None if tested is None else tested.parameters,
            )
            clock = self.folded.target.clock_mhz
            first = tops.plan(clock) if board.is_open and options.bitstream else None
            top_verilog = tops.verilog(clock)[0] if first is None else first[0]
            step.note(f"{emitted.verilog.count(chr(10)):,} lines")
        project = None if board.is_open else self._write_project(top_verilog)

        def implement() -> "tuple[str, Implementation | None]":
            return (top_verilog, None) if first is None else tops.implement(first, self.staging, console)

        simulate = self._simulation(emitted, expected, predicted.interval)
        # A small machine has two cores.
        (top_verilog, implementation), (found, why_not) = parallel.both(console, implement, simulate)
        self._write_board_files(top_verilog, emitted, implementation)
        content = report.assemble(
            board=board,
            model=self.model,
            sha256=emitted.digest,
            design=design,
            cycles=predicted,
            clock_mhz=clock if implementation is None else implementation.clock_mhz,
            estimate=estimate(design, board.device) if tested is None else tested.estimate,
            self_test=None if tested is None else tested.about,
            implementation=implementation,
            project=project,
            verdict=found,
            why_not=why_not,
            images=tried.about(),
            ledger=report.accuracy(
                tried=tried,
                info=self.model.info,
                integer=reference.ranked(expected.scores, design.top_k)
                if design.top_k > 1
                else expected.classes,
                classes=design.network.classes,
                verdict=found,
            ),
            tools={"yosys": tools.find("yosys").version} if implementation is None else implementation.tools,
            files=report.digests(self.staging),
            baud=options.clock.baud,
            sleeps=options.clock.sleep,
            rate=rate,
            pace={"images_per_second": self.folded.pace.images_per_second, "why": self.folded.why},
        )
        report.write(content, self.staging)
        return content

    def _expected(self, tried: "TrialImages") -> ExpectedScores:
        with self.console.step("compute the reference") as step:
            expected = ExpectedScores.of(self.design.network, tried.images)
            accuracy, count = tried.accuracy(expected.classes), len(expected.classes)
            step.note(f"{count:,} images" if accuracy is None else f"{accuracy:.2%} of {count:,} images")
        return expected

    def _simulation(
        self, emitted: Emitted, expected: ExpectedScores, interval: int
    ) -> "Callable[[], tuple[verdict.Verdict | None, str | None]]":
        def simulate() -> "tuple[verdict.Verdict | None, str | None]":
            if not self.options.simulate:
                return None, "not requested (--no-sim)"
            return verdict.of_core(
                emitted.core,
                emitted.verilog,
                self.design,
                self.board.device,
                *expected.first(self.options.images),
                interval=interval,
                console=self.console,
            )

        return simulate

    def _write_project(self, top_verilog: str) -> dict[str, Any]:
        """Write the project of the vendor's tools; returns what the report has of it."""
        with self.console.step("write the vendor's project") as step:
            project = vendor_project.write(self.board, top_verilog, self.staging / vendor_project.ARCHIVE)
            step.note(f"{project.tool}, {len(project.files)} files")
        return project.about()

    def _write_board_files(
        self, top_verilog: str, emitted: Emitted, implementation: "Implementation | None"
    ) -> None:
        """Write top.v, append the weights to the bitstream, and write what `sbgen patch` needs."""
        (self.staging / "top.v").write_text(top_verilog, encoding="ascii")
        if implementation is None:
            return
        if emitted.weights:
            bitstream = self.staging / implementation.bitstream.name
            bitstream.write_bytes(flash_image.combine(bitstream.read_bytes(), emitted.weights))
        if implementation.patches is not None:
            clock_mhz = implementation.clock_mhz
            rate = board_line.choose(self.board, clock_mhz=clock_mhz, baud=self.options.clock.baud).baud
            text = patch.dumps(
                implementation.patches,
                board=self.board,
                clock_mhz=clock_mhz,
                baud=rate,
                sleeps=self.options.clock.sleep,
            )
            (self.staging / "memory.json").write_text(text, encoding="ascii")
