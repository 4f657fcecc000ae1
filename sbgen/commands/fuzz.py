"""`sbgen fuzz`: the hardware of random networks in random foldings must compute what the reference computes.

::

    seed -> design -+-> reference ------> scores, classes -+
                    +-> predicted cycles ------------------+-> equal? -- no --> shrink --> files, and the
                    +-> simulated, free and stalled -------+                               command to repeat

With a board, the board's top level is simulated through its pins: the netlist after place and route, or an
earlier level.
"""

from argparse import ArgumentParser, Namespace
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from .. import cluster
from ..arguments import at_least
from ..console import Console
from ..errors import DataError

if TYPE_CHECKING:  # torch-less, but numpy and amaranth take a while to import
    import numpy as np

    from ..boards.board_spec import BoardSpec
    from ..compiler.design import Design
    from ..fuzzing import Case, Failure
    from ..fuzzing.outcome import Outcome

__all__ = ["SIMULATORS", "add_arguments", "report_features", "run"]

#: Where a design can be simulated: the emitted Verilog in two of them, and the components that it is emitted
#: from in Amaranth's own.
SIMULATORS = ("icarus", "verilator", "amaranth")

#: Columns of the list of features.
_COLUMNS = 3

#: Failures that are shrunk; a defect that shows often needs no more.
_SHRUNK = 3


def add_arguments(parser: ArgumentParser) -> None:
    """Add the options of `sbgen fuzz`."""
    parser.add_argument(
        "--seed",
        type=at_least(0),
        default=0,
        metavar="N",
        help="seed of the first network (default: %(default)s)",
    )
    parser.add_argument(
        "--count",
        type=at_least(1),
        metavar="N",
        help="number of networks, or of foldings of one; each uses the next seed (default: 20)",
    )
    parser.add_argument(
        "--largest",
        type=at_least(1),
        default=48,
        metavar="N",
        help=(
            "maximum number of neurons per layer, and of pixels per small image; from 24 on there are also"
            " images of up to 128 x 128 (default: %(default)s)"
        ),
    )
    parser.add_argument(
        "--images",
        type=at_least(1),
        default=6,
        metavar="N",
        help="maximum number of images per network; slow ones get fewer, at least 2 (default: %(default)s)",
    )
    parser.add_argument(
        "--simulator",
        choices=("auto", *SIMULATORS),
        default="auto",
        help="auto: icarus for small networks, verilator for large ones, amaranth if neither can run",
    )
    parser.add_argument(
        "--patchable", action="store_true", help="only patchable designs (default: one in eight)"
    )
    parser.add_argument(
        "--board", metavar="NAME", help="simulate the whole board through its pins instead of the core"
    )
    parser.add_argument(
        "--shell",
        choices=("any", "none", "stream", "axi", "wishbone"),
        help="check the core as `sbgen build --core` hands it over: its bench, and Verilator's linter",
    )
    parser.add_argument(
        "--level",
        choices=("emitted", "synthesised", "placed"),
        default="placed",
        help="with --board, simulate the emitted Verilog or a netlist (default: %(default)s)",
    )
    _add_repeat_arguments(parser)


def _add_repeat_arguments(parser: ArgumentParser) -> None:
    """Add the options that repeat a failure and limit the work on it."""
    parser.add_argument(
        "--network", type=Path, metavar="FILE", help="fold this model at random, instead of random networks"
    )
    parser.add_argument(
        "--design",
        type=Path,
        metavar="FILE",
        help="design.json to use with --network, instead of random foldings",
    )
    parser.add_argument(
        "--images-from",
        type=Path,
        metavar="FILE",
        help="images for --network, as for `sbgen build --samples`",
    )
    parser.add_argument(
        "--timeout",
        type=at_least(1),
        default=900,
        metavar="S",
        help="maximum time per network, in seconds (default: %(default)s)",
    )
    parser.add_argument(
        "--shrink",
        type=at_least(0),
        default=300,
        metavar="N",
        help="maximum attempts to shrink a failing network; 0 is none (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("build/fuzz"),
        metavar="DIR",
        help="output folder for failures (default: %(default)s)",
    )
    cluster.add_arguments(parser)


def run(arguments: Namespace) -> int:
    """Run `sbgen fuzz`; returns 1 if any network failed."""
    from .. import boards, fuzzing

    board = None if arguments.board is None else boards.get(arguments.board)
    if board is not None and arguments.shell is not None:
        raise DataError("--shell is of a core without a board; give --board or --shell, not both")
    if arguments.shell and arguments.patchable:
        raise DataError("--shell is of a core without a bitstream; leave --patchable out")
    _require(arguments.simulator, "--board" if board else "--shell" if arguments.shell else None)
    names = "seed", "count", "largest", "images", "patchable", "level", "shell", "network", "design"
    given = {name: getattr(arguments, name) for name in (*names, "images_from")}
    setting = fuzzing.Setting(board=board, **given)
    campaign = _Campaign(arguments, Console(), board)
    campaign.run(fuzzing.cases(setting))
    return campaign.report()


class _Campaign:
    """The checks of one run of the command, and their outcomes."""

    def __init__(self, arguments: Namespace, console: Console, board: "BoardSpec | None") -> None:
        self.arguments, self.console, self.board = arguments, console, board
        self.simulators: Counter[str] = Counter()
        self.features: Counter[str] = Counter()
        self.failed: list[int] = []
        self.checked = self.scores = 0

    def run(self, cases: "list[Case]") -> None:
        """Check every case."""
        from ..fuzzing.outcome import Checks, outcome

        arguments = self.arguments
        checks = Checks(
            simulator=arguments.simulator, timeout=arguments.timeout, board=self.board, level=arguments.level
        )
        with (
            cluster.place(arguments) as where,
            self.console.step(f"{len(cases)} networks from seed {arguments.seed}") as step,
        ):
            for n, (case, found) in enumerate(where.map(outcome, cases, checks), 1):
                self._count(case, found)
                step.progress(n, len(cases))
            step.note(", ".join(f"{number} in {name}" for name, number in self.simulators.items()))

    def _count(self, case: "Case", found: "Outcome") -> None:
        about = f"seed {case.seed:<8}{found.about}"
        if found.too_big is not None:
            self.console.line(f"  too big  {about}: {found.too_big}")
            return
        failure = found.failure
        self.checked += 1
        self.simulators[found.simulator] += 1
        self.features.update(found.features)
        self.scores += found.scores
        self.console.line(
            f"  {'FAIL' if failure else 'ok':9}{about}, {found.images} images, {found.simulator},"
            f" {found.seconds:.1f} s" + (f": {failure.text}" if failure else "")
        )
        if failure:
            self.failed.append(case.seed)
            if len(self.failed) <= _SHRUNK:
                self._shrink(
                    *case.design_and_images(),
                    failure,
                    simulator=found.simulator,
                    seed=case.seed,
                    seconds=found.seconds,
                    shell=case.shell,
                )

    def _shrink(
        self,
        design: "Design",
        images: "np.ndarray",
        failure: "Failure",
        *,
        simulator: str,
        seed: int,
        seconds: float,
        shell: str | None,
    ) -> None:
        """Shrink a failure, write it, and print how to repeat it."""
        from .. import fuzzing
        from ..fuzzing.outcome import size

        arguments = self.arguments
        where = {
            "simulator": simulator,
            "seed": seed,
            "board": self.board,
            "level": arguments.level,
            "shell": shell,
        }
        with self.console.step(f"shrink seed {seed}") as step:

            def progress(tried: int, design: "Design") -> None:
                step.progress(tried, arguments.shrink)
                step.note(size(design))

            design, images, text = fuzzing.shrink(
                design,
                images,
                failure,
                seconds=seconds,
                timeout=arguments.timeout,
                tries=arguments.shrink,
                progress=progress,
                **where,
            )
            step.note(f"{size(design)}, {len(images)} images")
        command = fuzzing.write(arguments.out / f"seed-{seed}", design, images, text, **where)
        self.console.line(f"           {text}")
        self.console.line(f"           again: {command}")

    def report(self) -> int:
        """Print the outcome; returns 1 if any network failed."""
        if self.arguments.network is None:
            report_features(self.console, self.features)
        what = (
            "with and without stalls, and every predicted cycle"
            if self.board is None
            else f"through the pins of {self.board.name}, {self.arguments.level}"
        )
        if self.arguments.shell is not None:
            what = "in the bench of the folder, with and without stalls, wrong lengths between"
        self.console.line(
            f"  {self.checked - len(self.failed)} of {self.checked} agree"
            + (
                f"; failed: seed {', '.join(map(str, sorted(self.failed)))}"
                if self.failed
                else f" (all {self.scores:,} scores, {what})"
            ),
            style="bold red" if self.failed else "bold green",
        )
        return int(bool(self.failed))


def report_features(console: Console, counts: Counter[str]) -> None:
    """Print in how many networks each feature occurred, in columns."""
    from ..compiler.features import FEATURES

    console.line("  networks with")
    cells = [f"{counts[name]:7,}  {name:<32}" for name in FEATURES]
    rows = -(-len(cells) // _COLUMNS)
    for n in range(rows):
        console.line("".join(cells[n::rows]).rstrip())


def _require(simulator: str, option: str | None) -> None:
    """Refuse a simulator that is requested and not installed, or that does not run what an option needs."""
    from .. import tools

    if option is not None and simulator == "amaranth":
        raise DataError(
            f"--simulator must run Verilog for {option}, but amaranth does not; try --simulator icarus"
        )
    for tool in {"icarus": ("iverilog", "vvp", "yosys"), "verilator": ("verilator", "yosys")}.get(
        simulator, ()
    ):
        tools.find(tool)
