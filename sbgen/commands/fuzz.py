"""`sbgen fuzz`: random networks in random foldings, where the hardware must compute what the reference
computes.

::

    seed -> design -+-> reference ------> scores, classes -+
                    +-> predicted cycles ------------------+-> equal? -- no --> shrink --> files, and the
                    command +-> simulated, free and stalled -------+                               that
                    repeats it

With a board, the board's top level is simulated through its pins: the netlist after place and route, or an
earlier level.
"""

import shlex
import signal
import time
import traceback
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..arguments import at_least
from ..console import Console
from ..errors import DataError, FitError, SbgenError, ToolError
from ..output_folder import staged

__all__ = [
    "OUTPUTS",
    "SIMULATORS",
    "Failure",
    "add_arguments",
    "check",
    "random_design",
    "report_features",
    "run",
]

#: Where a design can be computed: the emitted Verilog in two of them, and what it comes from in Amaranth's
#: own.
SIMULATORS = ("icarus", "verilator", "amaranth")

#: What is written of a failure.
OUTPUTS = ("network.json", "design.json", "images.npy", "failure.txt")

#: Most pixels of an image of a random network, and under a board's top level, where each takes 160 clock
#: cycles.
PIXELS, BOARD_PIXELS = 128 * 128, 784

#: Most cycles of a layer for one image.
_CYCLES = 2000

#: Neurons of a layer from which on there are images with more pixels than that.
_LARGER_IMAGES = 24

#: Columns of the list of features.
_COLUMNS = 3

#: Failures that are shrunk; a defect that shows often needs no more.
_SHRUNK = 3

#: Longest time for shrinking one failure, in seconds.
_SHRINK_SECONDS = 1800


def add_arguments(parser):
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
        help="networks, or foldings of one; each uses the next seed (default: 20)",
    )
    parser.add_argument(
        "--largest",
        type=at_least(1),
        default=48,
        metavar="N",
        help=(
            "maximum number of neurons of a layer, and of pixels of a small image; "
            "from 24 also images of up to 128 x 128 (default: %(default)s)"
        ),
    )
    parser.add_argument(
        "--images",
        type=at_least(1),
        default=6,
        metavar="N",
        help="maximum number of images for each; slow networks get fewer, at least two (default: %(default)s)",
    )
    parser.add_argument(
        "--simulator",
        choices=("auto", *SIMULATORS),
        default="auto",
        help="auto: icarus for small networks, verilator for large ones, amaranth where neither is there",
    )
    parser.add_argument(
        "--patchable",
        action="store_true",
        help="only designs whose weights can be replaced in the bitstream (default: one of eight)",
    )
    parser.add_argument(
        "--board", metavar="NAME", help="the design under a board's top level, through the board's pins"
    )
    parser.add_argument(
        "--level",
        choices=("emitted", "synthesised", "placed"),
        default="placed",
        help="with --board, what is simulated: the emitted Verilog or a netlist (default: %(default)s)",
    )
    parser.add_argument(
        "--network", type=Path, metavar="FILE", help="a model to fold at random, instead of random networks"
    )
    parser.add_argument(
        "--design", type=Path, metavar="FILE", help="the folding of --network, instead of random ones"
    )
    parser.add_argument(
        "--images-from",
        type=Path,
        metavar="FILE",
        help="images for --network, as --samples of `sbgen build` takes them",
    )
    parser.add_argument(
        "--timeout",
        type=at_least(1),
        default=900,
        metavar="S",
        help="longest time for one, in seconds (default: %(default)s)",
    )
    parser.add_argument(
        "--shrink",
        type=at_least(0),
        default=300,
        metavar="N",
        help="most tries to make a failing network smaller; 0 leaves it (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("build/fuzz"),
        metavar="DIR",
        help="where failures are written (default: %(default)s)",
    )


@dataclass(frozen=True, kw_only=True)
class Failure:
    """How hardware and reference differ.

    Parameters
    ----------
    kind : str
        What differs, or the name of the error: a smaller design fails alike when it fails in the same kind.
    text : str
        One line.
    """

    kind: str
    text: str


class _TimeUpError(Exception):
    """A check that takes too long."""


@contextmanager
def _deadline(seconds):
    """End what runs in it, tools included, by an exception; an alarm that was set before goes on afterwards."""

    def ring(*_):
        raise _TimeUpError

    start, handler = time.monotonic(), signal.signal(signal.SIGALRM, ring)
    earlier, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(
            signal.ITIMER_REAL, max(0.001, earlier - (time.monotonic() - start)) if earlier else 0
        )
        signal.signal(signal.SIGALRM, handler)


def check(design, images, *, simulator, seed=0, timeout=900, board=None, level="placed"):
    """Whether the hardware of a design computes what the reference does, in the cycles that are predicted.

    Parameters
    ----------
    design : Design
    images : uint8 array, shape (N, *image_shape)
    simulator : str
        One of `SIMULATORS`.
    seed : int
        Of the stalls in the second of two simulations; in the first nothing stalls.
    timeout : float
        Seconds that it may take.
    board : `sbgen.boards.BoardSpec`, optional
        Whose top level the design is under. What is compared then are the answers at the board's pins, and no
        cycles.
    level : str
        What is simulated then, one of `sbgen.boards.placed.LEVELS`; `seed` is also that of place and route.

    Returns
    -------
    Failure or None
        None when all is equal.

    Raises
    ------
    FitError
        When the board's device is too small.
    """
    try:
        with _deadline(timeout):
            return (
                _compare(design, images, simulator, seed)
                if board is None
                else _ask(design, images, simulator, seed, board, level)
            )
    except FitError:
        raise  # nothing is known of it
    except _TimeUpError:
        return Failure(kind="time", text=f"must be done within {timeout:g} s, but was not")
    except (OSError, MemoryError):
        raise  # of the machine, not of the design
    except SbgenError as error:
        return Failure(kind=type(error).__name__, text=" ".join(str(error).split()))
    except Exception as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        return Failure(
            kind=type(error).__name__,
            text=(
                f"{type(error).__name__} in {Path(at.filename).name}:{at.lineno}:"
                f" {' '.join(str(error).split())}"
            ),
        )


def _compare(design, images, simulator, seed):
    from ..compiler import cycles, passes, reference

    scores, decided = reference.evaluate(design.network, images)
    ranked = (
        reference.ranked(scores, design.top_k)
        if design.network.decision == "argmax"
        else decided.reshape(len(images), -1)
    )
    finishes = cycles.predict(design, images=max(2, len(images))).finishes[: len(images)]
    free, stalled = _simulations(design, images, simulator, stall=_tool_seed(seed))
    return (
        _difference(
            "score after the passes",
            reference.evaluate(passes.apply_passes(design.network), images)[0],
            scores,
        )
        or _difference("score", free.scores, scores)
        or _difference("class", free.ranked, ranked)
        or _difference("cycle of the last score", free.last_scores - free.first_beats[0], finishes)
        or _difference("score under stalls", stalled.scores, scores)
        or _difference("class under stalls", stalled.ranked, ranked)
        or (_difference_of_hardware(design, seed) if design.patchable and simulator != "amaranth" else None)
    )


def _difference_of_hardware(design, seed):
    """Whether the Verilog of a patchable design differs, contents of ROMs apart, from that of other weights
    and thresholds.
    """
    from dataclasses import replace

    from ..compiler import contents, lower, random_network, verilog

    other = replace(design, network=random_network.other_contents(seed, design.network))
    (one, *_), (two, *_) = (contents.split(verilog.convert(lower.lower(each))) for each in (design, other))
    if one == two:
        return None
    line = next(
        n
        for n, lines in enumerate(zip(one.splitlines(), two.splitlines(), strict=False), 1)
        if lines[0] != lines[1]
    )
    return Failure(
        kind="patchable",
        text=(
            "only ROMs of a patchable design must depend on weights and thresholds, but its Verilog "
            f"differs from line {line} on"
        ),
    )


def _ask(design, images, simulator, seed, board, level):
    from .. import tools
    from ..boards import placed
    from ..compiler import exchange, reference

    scores, classes = reference.evaluate(design.network, images)
    with tools.temporary() as folder:
        try:
            answers, _ = placed.ask(
                design,
                images,
                board=board,
                simulator=simulator,
                folder=folder,
                seed=_tool_seed(seed),
                level=level,
            )
        except ToolError as error:
            raise ToolError(error.what) from None  # its log goes with the folder
    digest = exchange.digest(design.network)[:16]
    if answers.identity.digest.hex() != digest:
        return Failure(
            kind="digest",
            text=f"the board must tell the network {digest}, not {answers.identity.digest.hex()}",
        )
    return _difference("score", answers.scores, scores) or _difference("class", answers.labels, classes)


def _tool_seed(seed):
    """Any seed as one of 31 bits from 1."""
    return seed % (2**31 - 1) + 1


def _difference(what, found, expected):
    import numpy as np

    wrong = np.argwhere(found != np.asarray(expected))
    if not len(wrong):
        return None
    at = tuple(map(int, wrong[0]))
    of = f"image {at[0]}" + (f", output {at[1]}" if len(at) > 1 else "")
    return Failure(
        kind=what,
        text=(
            f"{what} of {of} must be {int(np.asarray(expected)[at])}, not {int(found[at])} "
            f"({len(wrong)} of {found.size} differ)"
        ),
    )


def _simulations(design, images, simulator, *, stall):
    """The simulation in which nothing stalls, and one in which both ends do."""
    from .. import tools
    from ..compiler import amaranth_simulator, lower, simulate, verilog

    if simulator == "amaranth":
        return [
            amaranth_simulator.simulate(lower.lower(design), design.network, images, stall=each)
            for each in (None, stall)
        ]
    core = lower.lower(design)
    text = verilog.convert(core)
    with tools.temporary() as folder:
        built = simulate.Simulator(
            text,
            design.network,
            lanes=core.lanes,
            simulator=simulator,
            folder=folder,
            top_k=core.top_k,
            ram_contents=core.ram_contents,
        )
        return [built.run(images, stall=each) for each in (None, stall)]


def _require(simulator, board):
    """Refuse a simulator that was asked for and is not there, and one that runs no netlist."""
    from .. import tools

    if board is not None and simulator == "amaranth":
        raise DataError(
            "--simulator must run Verilog for --board, but amaranth does not; try --simulator icarus"
        )
    for tool in {"icarus": ("iverilog", "vvp", "yosys"), "verilator": ("verilator", "yosys")}.get(
        simulator, ()
    ):
        tools.find(tool)


def _quickest(network, images, board):
    """The simulator that is done first with a network."""
    from .. import tools
    from ..compiler import simulate

    try:
        tools.find("yosys")
        return simulate.quickest(network, 2 * images)
    except ToolError:
        if board is not None:
            raise
        return "amaranth"


def random_design(seed, *, largest=48, patchable=None, board=None, level="placed"):
    """The random design of a seed that is checked, for a board's top level if there is one.

    Parameters
    ----------
    seed : int
    largest : int
        As in `random_network.random_network`; from 24 on there are also larger images.
    patchable : bool or None
        As in `random_network.fold_at_random`.
    board : `sbgen.boards.BoardSpec`, optional
    level : str
        As in `check`. What is placed has small images: the netlist is slow to simulate.
    """
    from ..compiler import random_network

    pixels = PIXELS if board is None else BOARD_PIXELS if level == "emitted" else 0
    return random_network.random_design(
        seed,
        largest=largest,
        pixels=pixels if largest >= _LARGER_IMAGES else 0,
        patchable=patchable,
        **_folding(board, level),
    )


def _folding(board, level):
    """Options of `random_network.fold_at_random` for a board's top level, or for the core alone."""
    if board is None:
        return {"spram": True, "cycles": _CYCLES}
    from ..hw.protocol import LIMITS

    # SPRAM is loaded from a flash, for which a netlist has no time.
    return {
        "spram": bool(board.device.spram) and level == "emitted",
        "family": board.device.family,
        "lanes": LIMITS["lanes"],
        "cycles": _CYCLES,
    }


def _cases(arguments):
    """(seed, function that gives the design and images) of each check."""
    from .. import samples
    from ..compiler import design_file, random_network
    from ..compiler.frontends import model

    count, board = arguments.count or 20, _board(arguments)
    if arguments.network is None:
        if arguments.design or arguments.images_from:
            raise DataError("--design and --images-from are of one network; give it with --network FILE")

        def random_case(seed):
            design = random_design(
                seed,
                largest=arguments.largest,
                patchable=arguments.patchable or None,
                board=board,
                level=arguments.level,
            )
            return design, random_network.random_images(
                seed, design.network, random_network.image_count(design, arguments.images)
            )

        return [(seed, partial(random_case, seed)) for seed in range(arguments.seed, arguments.seed + count)]

    network = model.load(arguments.network).network
    fixed = None if arguments.design is None else design_file.load(arguments.design, network)
    images = (
        None
        if arguments.images_from is None
        else samples.read(
            arguments.images_from,
            image_shape=network.image_shape,
            classes=network.labels,
            signed=network.pixel_type.signed,
            multi_label=network.multi_label,
        ).images
    )

    def case(seed):
        design = fixed or random_network.fold_at_random(
            seed, network, patchable=arguments.patchable or None, **_folding(board, arguments.level)
        )
        return design, (
            random_network.random_images(seed, network, arguments.images) if images is None else images
        )

    # With everything given there is nothing left that another seed would change, but for the stalls.
    count = arguments.count or (1 if fixed else 20)
    return [(seed, partial(case, seed)) for seed in range(arguments.seed, arguments.seed + count)]


def run(arguments):
    """Run `sbgen fuzz`; gives 1 when any network failed."""
    from ..compiler.features import features

    console = Console()
    board = _board(arguments)
    _require(arguments.simulator, board)
    cases = _cases(arguments)
    used, met, failed, too_big, compared = Counter(), Counter(), [], 0, 0
    with console.step(f"{len(cases)} networks from seed {arguments.seed}") as step:
        for n, (seed, case) in enumerate(cases):
            design, images = case()
            simulator = (
                _quickest(design.network, len(images), board)
                if arguments.simulator == "auto"
                else arguments.simulator
            )
            start = time.monotonic()
            try:
                failure = check(
                    design,
                    images,
                    simulator=simulator,
                    seed=seed,
                    timeout=arguments.timeout,
                    board=board,
                    level=arguments.level,
                )
            except FitError as error:
                too_big += 1
                console.line(f"  too big  seed {seed:<8}{_size(design)}: {error}")
                step.progress(n + 1, len(cases))
                continue
            used[simulator] += 1
            met.update(features(design, images))
            compared += (2 if board is None else 1) * len(images) * design.network.outputs
            console.line(
                f"  {'FAIL' if failure else 'ok':9}seed {seed:<8}{_size(design)}, {len(images)} images,"
                f" {simulator}, {time.monotonic() - start:.1f} s" + (f": {failure.text}" if failure else "")
            )
            step.progress(n + 1, len(cases))
            if failure:
                failed.append(seed)
                if len(failed) <= _SHRUNK:
                    _report(
                        console,
                        arguments,
                        design,
                        images,
                        failure,
                        simulator=simulator,
                        seed=seed,
                        seconds=time.monotonic() - start,
                    )
        step.note(", ".join(f"{number} in {name}" for name, number in used.items()))
    tried = len(cases) - too_big
    if arguments.network is None:
        report_features(console, met)
    what = (
        "with and without stalls, and every predicted cycle"
        if board is None
        else f"through the pins of {board.name}, {arguments.level}"
    )
    console.line(
        f"  {tried - len(failed)} of {tried} agree"
        + (
            f" (all {compared:,} scores, {what})"
            if not failed
            else f"; failed: seed {', '.join(map(str, failed))}"
        ),
        style="bold red" if failed else "bold green",
    )
    return int(bool(failed))


def report_features(console, counts):
    """Print in how many networks each feature occurred, a `collections.Counter`, in columns."""
    from ..compiler.features import FEATURES

    console.line("  networks with")
    cells = [f"{counts[name]:7,}  {name:<32}" for name in FEATURES]
    rows = -(-len(cells) // _COLUMNS)
    for n in range(rows):
        console.line("".join(cells[n::rows]).rstrip())


def _board(arguments):
    if arguments.board is None:
        return None
    from .. import boards

    return boards.get(arguments.board)


def _size(design):
    from ..compiler.weight_count import weights

    return f"{len(design.network.layers)} layers, {sum(weights(design.network)):,} weights"


def _report(console, arguments, design, images, failure, *, simulator, seed, seconds):
    """Shrink a failure, write it, and say how to repeat it."""
    from ..compiler import shrink

    out = arguments.out / f"seed-{seed}"
    # Smaller designs are done sooner; only one that never ends is waited for, and not for long.
    timeout = max(10, 2 * seconds) if failure.kind != "time" else max(1, arguments.timeout / 10)
    end = time.monotonic() + _SHRINK_SECONDS
    texts = {}

    def fails(design, images):
        found = (
            None
            if time.monotonic() > end
            else check(
                design,
                images,
                simulator=simulator,
                seed=seed,
                timeout=timeout,
                board=_board(arguments),
                level=arguments.level,
            )
        )
        if found is not None and found.kind == failure.kind:
            texts["last"] = found.text
            return True
        return False

    with console.step(f"shrink seed {seed}") as step:

        def progress(tried, design):
            step.progress(tried, arguments.shrink)
            step.note(_size(design))

        design, images = shrink.shrink(design, images, fails, tries=arguments.shrink, progress=progress)
        step.note(f"{_size(design)}, {len(images)} images")
    text = texts.get("last", failure.text)
    command = shlex.join(
        [
            "sbgen",
            "fuzz",
            "--network",
            str(out / "network.json"),
            "--design",
            str(out / "design.json"),
            "--images-from",
            str(out / "images.npy"),
            "--simulator",
            simulator,
            "--seed",
            str(seed),
            "--shrink",
            "0",
            *(["--board", arguments.board, "--level", arguments.level] if arguments.board else []),
        ]
    )
    _write(out, design, images, f"{text}\n{command}\n")
    console.line(f"           {text}")
    console.line(f"           again: {command}")


def _write(out, design, images, text):
    import numpy as np

    from ..compiler import design_file, exchange

    out.parent.mkdir(parents=True, exist_ok=True)
    with staged(out, names=OUTPUTS) as staging:
        exchange.save(design.network, staging / "network.json")
        design_file.save(design, staging / "design.json")
        np.save(staging / "images.npy", images)
        (staging / "failure.txt").write_text(text, encoding="utf-8")
