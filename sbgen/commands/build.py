"""`sbgen build`: from a trained network to a bitstream, a verdict and a report.

::

    model ─▶ network ─▶ design ─▶ estimate: fits? ─▶ Verilog ─┬─▶ synthesis, place and route ─▶ bitstream ─┬─▶
    report
                                                              └─▶ simulation ═ reference ═▶ verdict ───────┘
"""

import os
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path

from .. import folding
from ..arguments import add_images, at_least, images, percent, positive
from ..built import FILES
from ..compiler import shipped
from ..console import Console
from ..errors import ToolError
from ..output_folder import staged
from ..system import blame

__all__ = ["add_arguments", "run"]

#: Images that are simulated unless the user says otherwise: enough to meet every class many times, in
#: seconds.
_IMAGES = 300

#: Attempts at a clock before the build ends with the best so far.
_ROUNDS = 5


def _clock(text):
    return text if text == "best" else positive(text)


def add_arguments(parser):
    """Add the options of `sbgen build`."""
    parser.add_argument(
        "--model",
        required=True,
        type=Path,
        metavar="FILE",
        help=(
            "a net.pt of `sbgen train`, a QONNX file, a larq model, a network.json, or a model that ships:"
            f" {', '.join(shipped.NAMES)}"
        ),
    )
    parser.add_argument("--board", required=True, metavar="NAME", help="a board of `sbgen boards`")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to write (build/MODEL-BOARD)")
    folding.add_arguments(parser)
    clock = parser.add_argument_group(
        "clock", "Seeds of place and route run at the same time, as cores and memory allow."
    )
    clock.add_argument(
        "--clock",
        type=_clock,
        metavar="MHZ",
        help=(
            "clock of the core (the board's usual one, or what is reached), or best: the fastest of all seeds"
        ),
    )
    clock.add_argument(
        "--clock-margin",
        type=percent,
        default=0.03,
        metavar="PERCENT",
        help="share by which the Fmax must exceed the clock, for jitter of oscillator and PLL (3)",
    )
    seeds = clock.add_mutually_exclusive_group()
    seeds.add_argument(
        "--seeds",
        type=at_least(1),
        metavar="N",
        help="seeds 1 ... N are tried, in this order, until the clock is met (4)",
    )
    seeds.add_argument("--seed", type=int, metavar="N", help="this seed alone")
    clock.add_argument("--jobs", type=at_least(1), metavar="N", help="seeds at the same time")
    clock.add_argument(
        "--fresh", action="store_true", help="run every step, also those that an earlier build has finished"
    )
    parser.add_argument(
        "--pixels",
        choices=("unit", "fixed", "raw", "signed"),
        help=(
            "what a pixel p of 0 ... 255 stands for in a QONNX file or larq model: p/255, p/256, p or p/127.5"
            " - 1 (as the file says, else unit, of larq signed)"
        ),
    )
    parser.add_argument(
        "--images",
        type=images,
        default=_IMAGES,
        metavar="N",
        help="images to simulate, the first N of the samples or test set, or all (%(default)s)",
    )
    add_images(parser)
    parser.add_argument("--no-sim", action="store_true", help="do not simulate")
    parser.add_argument(
        "--no-bitstream", action="store_true", help="stop at Verilog; no synthesis, place and route"
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="write into a folder with other files; accept a network that is not hardened enough",
    )


def run(arguments):
    """Run `sbgen build`: writes `arguments.out` as a whole, or raises and leaves it as it was."""
    from .. import boards
    from ..boards import harness
    from ..compiler.frontends import model as model_file
    from ..compiler.weight_count import weights

    if arguments.fit:
        from . import estimate

        estimate.run(arguments)
        return
    console = Console()
    board = boards.get(arguments.board)
    clock_mhz, _ = harness.clock_and_pll(board, _asked(arguments))
    if board.left_out:
        console.line(f"  {board.left_out}")
    with console.step("read the model") as step:
        model = model_file.load(arguments.model, force=arguments.force, pixels=arguments.pixels)
        step.note(
            f"{model.network.name}: {len(model.network.layers)} layers, {sum(weights(model.network)):,}"
            " weights"
        )
    out = arguments.out or Path("build") / f"{arguments.model.stem}-{board.name}"
    with staged(out, names=FILES, force=arguments.force) as staging:
        report = _build(arguments, console, board, clock_mhz, model, staging)
    _summary(console, report, out)


def _asked(arguments):
    """The clock that was asked for in MHz, or None."""
    return None if arguments.clock == "best" else arguments.clock


def _build(arguments, console, board, clock_mhz, model, staging):
    """Everything between a model and the files of `FILES` in `staging`; gives the report."""
    from .. import report, report_html, tools, trial_images
    from ..boards import flash_image, flow, harness, patch
    from ..compiler import cycles, design_file, exchange, lower, passes, reference, verilog
    from ..compiler.estimate import estimate

    with console.step("fold to the board") as step:
        network = passes.apply_passes(model.network, patchable=folding.patchable(arguments))
        design = folding.fold(arguments, network, board, clock_mhz)
        predicted = cycles.predict(design)
        estimated = estimate(design, board.device)
        step.note(
            f"{predicted.interval:,} cycles an image, about {estimated['lut']:,} LUT, {estimated['bram']}"
            " block RAM"
        )

    with console.step("write Verilog") as step:
        core = lower.lower(design)
        digest = exchange.digest(network)
        core_verilog = verilog.convert(core)

        def top(clock_mhz):
            """The text of the top level, and the plan for it."""
            made = harness.Top(
                core=core,
                board=board,
                clock_mhz=clock_mhz,
                digest=bytes.fromhex(digest),
                patchable=design.patchable,
            )
            text = verilog.convert(made)
            return text, (
                None
                if arguments.no_bitstream
                else flow.plan(
                    verilog=text,
                    board=board,
                    clock_mhz=clock_mhz,
                    margin=arguments.clock_margin,
                    pins=made.pins,
                    every_seed=arguments.clock == "best",
                    seeds=_seeds(arguments),
                    patchable=design.patchable,
                )
            )

        top_verilog, plan = top(_asked(arguments))
        (staging / "core.v").write_text(core_verilog, encoding="ascii")
        weights = flash_image.weight_bytes(core.image)
        if weights:
            (staging / "weights.bin").write_bytes(weights)
        exchange.save(network, staging / "network.json")
        design_file.save(design, staging / "design.json")
        step.note(f"{core_verilog.count(chr(10)):,} lines")

    with console.step("compute the reference") as step:
        tests = trial_images.choose(
            network=network,
            trained_on=model.info,
            samples_file=arguments.samples,
            data=arguments.data,
            count=arguments.images,
        )
        scores, classes = reference.evaluate(network, tests.images)
        right = tests.accuracy(classes)
        step.note(
            f"{len(classes):,} {tests}"
            if right is None
            else f"{right:.2%} of {len(classes):,} images, {tests}"
        )

    def implement():
        return (
            (top_verilog, None)
            if plan is None
            else _reach(arguments, console, top, top_verilog, plan, staging)
        )

    (top_verilog, implementation), (verdict, why_not) = _both(
        console,
        implement,
        lambda: _simulate(
            arguments,
            console,
            core_verilog,
            network,
            core,
            tests.images[: arguments.images],
            scores[: arguments.images],
            classes[: arguments.images],
        ),
    )

    (staging / "top.v").write_text(top_verilog, encoding="ascii")
    if weights and implementation:
        bitstream = staging / implementation.bitstream.name
        bitstream.write_bytes(flash_image.combine(bitstream.read_bytes(), weights))
    if implementation is not None and implementation.patches is not None:
        text = patch.dumps(implementation.patches, board=board, clock_mhz=implementation.clock_mhz)
        (staging / "memory.json").write_text(text, encoding="ascii")
    content = report.assemble(
        board=board,
        model=model,
        sha256=digest,
        design=design,
        cycles=predicted,
        clock_mhz=clock_mhz if implementation is None else implementation.clock_mhz,
        estimate=estimated,
        implementation=implementation,
        verdict=verdict,
        why_not=why_not,
        images=tests.about(),
        ledger=report.accuracy(
            tried=tests,
            info=model.info,
            integer=reference.ranked(scores, design.top_k) if design.top_k > 1 else classes,
            classes=network.classes,
            verdict=verdict,
        ),
        tools={"yosys": tools.find("yosys").version} if implementation is None else implementation.tools,
        files=report.digests(staging),
    )
    (staging / "report.html").write_text(report_html.page(content), encoding="utf-8")
    (staging / "report.json").write_text(report.dumps(content), encoding="ascii")
    return content


def _both(console, *functions):
    """The results of functions that run at the same time, as a small machine has two cores; one that fails
    ends all.
    """
    with ThreadPoolExecutor(max_workers=len(functions)) as pool:
        futures = [pool.submit(function) for function in functions]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            # Also when it was Ctrl-C that ended the wait.
            console.cancel()
            raise
    return [future.result() for future in futures]


def _seeds(arguments):
    from ..boards import flow

    if arguments.seed is not None:
        return [arguments.seed]
    return flow.SEEDS if arguments.seeds is None else range(1, arguments.seeds + 1)


def _reach(arguments, console, top, text, plan, staging):
    """The top level at the clock that it is given in the end, and what place and route found.

    A clock or a rate that was asked for is kept or refused. The board's usual clock is only a wish: when it
    is missed, the fastest that was reached and that the PLL makes is next, and where the best is wanted, also
    when it was met.
    """
    from ..boards import flow

    trials, reached, ceiling = [], None, float("inf")
    for _ in range(_ROUNDS):
        try:
            implementation = _implement(arguments, console, plan, staging)
        except flow.ClockError as error:
            missed = error
            trials += missed.trials
            if _asked(arguments) is not None or arguments.fps is not None and reached is None:
                raise
            ceiling, following = plan.clock_mhz, missed.clock_mhz
            console.line(f"           {plan.clock_mhz:g} MHz is not met")
        else:
            trials += implementation.trials
            reached = text, implementation
            following = (
                flow.fastest(plan.board, implementation.fmax_mhz / (1 + arguments.clock_margin))
                if arguments.clock == "best"
                else 0
            )
        if following >= ceiling or reached is not None and following <= reached[1].clock_mhz:
            break
        console.line(f"           once more for {following:g} MHz")
        text, plan = top(following)
    if reached is None:
        raise missed
    text, implementation = reached
    return text, replace(implementation, trials=tuple(trials))


def _implement(arguments, console, plan, staging):
    """The bitstream in `staging`, and what place and route found."""
    from .. import cache
    from ..boards import flow

    work = Path(tempfile.mkdtemp(prefix="work-", dir=staging))
    logs = Path(tempfile.mkdtemp(prefix="sbgen-logs-"))
    keep = False
    try:
        implementation = flow.implement(
            plan,
            folder=work,
            console=console,
            logs=logs,
            jobs=arguments.jobs,
            cache=None if arguments.fresh else cache.Cache(cache.folder("steps")),
        )
    except ToolError:
        keep = True  # the message names the log
        raise
    except OSError as error:
        blame(error, work, logs)
        raise
    finally:
        if not keep:
            shutil.rmtree(logs)
    for path in (implementation.bitstream, *implementation.netlists, implementation.layout):
        os.replace(path, staging / path.name)
    return implementation


def _simulate(arguments, console, core_verilog, network, core, images, scores, classes):
    """The verdict, and why there is none."""
    from .. import tools, verdict
    from ..compiler import simulate

    if arguments.no_sim:
        return None, "not asked for (--no-sim)"
    with console.step(f"simulate {len(images):,} images") as step:
        missing = []
        for name in "iverilog", "verilator":
            try:
                tools.find(name)
            except ToolError as error:
                missing.append(str(error))
        if len(missing) == 2:
            step.note("not run")
            return None, "no simulator is there: " + "; ".join(missing)

        simulation = simulate.simulate(
            core_verilog,
            network,
            images,
            lanes=core.lanes,
            top_k=core.top,
            ram_contents=core.image,
            progress=step.progress,
        )
        found = verdict.compare(simulation, scores, classes)
        step.note(f"all {found.scores:,} scores equal the reference ({found.simulator})")
        return found, None


_NAMES = {"lut": "LUT", "ff": "FF", "bram": "block RAM", "spram": "SPRAM"}


def _shape(shape):
    return "x".join(map(str, shape))


def _margin(timing):
    """What is between clock and Fmax, and how much of it is required."""
    found = 100 * (timing["fmax_mhz"] / timing["clock_mhz"] - 1)
    return f"{found:.1f} % faster ({100 * timing['clock_margin']:g} % required)"


def _summary(console, report, out):
    from .. import metrics, trial_images

    timing, verdict, accuracy = report["timing"], report["verdict"], report["accuracy"]
    console.line()
    console.table(
        ["layer", "shape", "PE", "SIMD", "cycles", "store", "bits"],
        [
            [
                layer["name"],
                f"{_shape(layer['input_shape'])} -> {_shape(layer['output_shape'])}",
                layer["pe"],
                layer["simd"],
                layer["cycles"],
                layer["store"],
                layer["weight_bits"],
            ]
            for layer in report["model"]["layers"]
        ],
    )
    console.line()
    for name, label in _NAMES.items():
        used, available = report["resources"][name]["used"], report["resources"][name]["available"]
        if not available:
            continue
        told, said = (report["estimate"][name], " (estimate)") if used is None else (used, "")
        console.line(f"  {label:12}{told:>9,} of {available:,}, {told / available:.0%}{said}")
    console.line(
        f"  {'clock':12}{timing['clock_mhz']:>9g} MHz"
        + ("" if timing["fmax_mhz"] is None else f", Fmax {timing['fmax_mhz']:.1f} MHz, {_margin(timing)}")
    )
    console.line(
        f"  {'core':12}{timing['images_per_second']:>9,.0f} images/s, {timing['cycles_per_image']:,} cycles"
        " each"
    )
    bound = report["bound"]
    console.line(
        f"  {'bound':12}{bound['cycles']:>9,} cycles by {bound['by']}, of which {bound['reached']:.0%} is"
        " reached"
    )
    console.line(
        f"  {'latency':12}{timing['latency_cycles'] / timing['clock_mhz']:>9,.1f} us, "
        f"{timing['latency_cycles']:,} cycles"
    )
    console.line(
        f"  {report['link']['kind']:12}{report['link']['images_per_second']:>9,.0f} images/s at most"
        + (", which binds the board as a whole" if bound["whole"] == "host link" else "")
    )
    console.line(
        f"  {'USB':12}"
        + ", ".join(
            f"{rate:,.0f} images/s with a latency timer of {latency} ms"
            for latency, rate in report["link"]["usb_images_per_second"].items()
        )
    )
    images = report["images"]
    # Training's own accuracies are those of its test set.
    keys = (
        ("integer", "rtl")
        if images["source"] == trial_images.SAMPLES
        else ("float", "hardened", "integer", "rtl")
    )
    ledger = [f"{key} {accuracy[key]:.2%}" for key in keys if accuracy[key] is not None]
    if ledger:
        some = accuracy["rtl"] is not None and accuracy["rtl_images"] != accuracy["images"]
        console.line(
            f"  {'accuracy':12}"
            + ", ".join(ledger)
            + (
                f" ({accuracy['rtl_images']:,} images, where integer is {accuracy['integer_rtl_images']:.2%})"
                if some
                else ""
            )
        )
    console.line(f"  {'images':12}{images['count']:>9,} {trial_images.words(images)}")
    if accuracy["integer_bits"] is not None:
        console.line(
            f"  {'bits':12}integer {accuracy['integer_bits']:.2%}"
            + ("" if accuracy["rtl_bits"] is None else f", rtl {accuracy['rtl_bits']:.2%}")
        )
    if wrong := metrics.mistakes(accuracy["confusion"], report["network"]["labels"]):
        console.line(f"  {'mistakes':12}" + ", ".join(wrong))
    if report["top"] > 1 and accuracy["integer_top"] is not None:
        console.line(
            f"  {'best ' + str(report['top']):12}true class among them: integer {accuracy['integer_top']:.2%}"
            + ("" if accuracy["rtl_top"] is None else f", rtl {accuracy['rtl_top']:.2%}")
        )
    console.line()
    if verdict["status"] == "exact":
        kind = trial_images.kind(report["images"]["source"])
        console.line(
            f"  exact: {verdict['images']:,} {kind} in {verdict['simulator']}, all {verdict['scores']:,}"
            " scores equal the reference",
            style="bold green",
        )
    else:
        console.line(f"  not simulated: {verdict['reason']}", style="bold yellow")
    console.line(f"  see {out / 'report.html'}")
