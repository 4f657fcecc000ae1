"""`sbgen train`: train a preset on its data set, or a network on a user's own samples; write a model file."""

import argparse
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .. import own_data, training_options
from ..arguments import at_least
from ..console import Console
from ..errors import ToolError
from ..seeds import best_of
from ..train.data import DATASETS
from ..train.errors import SettingsError
from ..train.execution import DEVICES, Execution
from ..train.methods import DEFAULT, METHODS
from ..train.presets import PRESETS
from ..train.settings import Settings
from ..training_log import TrainingLog

if TYPE_CHECKING:  # they need torch
    from ..train.experiment import Result
    from ..train.loop import Epoch

__all__ = ["add_arguments", "run"]

#: The most epochs that have a line each; of more, every second, third and so on has one.
_LINES = 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sbgen train`; torch is not needed."""
    parser.add_argument(
        "--preset",
        choices=list(PRESETS),
        help="network and settings (default: digits, or with --samples by the kind of data)",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("net.pt"), metavar="FILE", help="model file (default: %(default)s)"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="random seed; the same seed gives the same file (default: %(default)s)",
    )
    parser.add_argument(
        "--seeds",
        type=at_least(1),
        default=1,
        metavar="N",
        help="train with N seeds from --seed on, and keep the best on validation (default: %(default)s)",
    )
    parser.add_argument("--log", type=Path, metavar="FILE", help="write a line for each epoch to this .csv")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw soft and hardened accuracy by epoch to this .svg"
    )
    parser.add_argument(
        "--tensorboard", type=Path, metavar="DIR", help="write each epoch to this folder, for TensorBoard"
    )
    parser.add_argument("--dataset", choices=list(DATASETS), help="data set (default: the preset's)")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder with data sets: mnist/, cifar10/ and so on (default: SBGEN_DATA, else a download)",
    )
    own_data.add_arguments(parser)
    own_data.add_topology(parser)
    parser.add_argument(
        "--method", choices=list(METHODS), default=DEFAULT, help="training method (default: %(default)s)"
    )
    parser.add_argument(
        "--resume", action="store_true", help="continue an interrupted run with the same options"
    )
    parser.add_argument(
        "--threads",
        type=at_least(1),
        default=1,
        metavar="N",
        help="torch threads, which affect the file (default: %(default)s, the fastest except for lfc)",
    )
    parser.add_argument(
        "--device",
        choices=DEVICES,
        default="auto",
        help="where to train (default: auto, a GPU if there is one); it affects the file",
    )
    parser.add_argument(
        "--bf16", action="store_true", help="multiply in bfloat16, where the processor has it"
    )
    training_options.add_settings(parser)


def run(arguments: argparse.Namespace) -> None:
    """Train, write `arguments.out` and print the accuracies."""
    if not -1 << 63 <= arguments.seed < 1 << 64:
        raise SettingsError(f"--seed must be an integer of 64 bits, not {arguments.seed}")
    if arguments.resume and arguments.seeds > 1:
        raise SettingsError(
            "--resume must be given with one seed; continue the seed that was interrupted, by --seed"
        )
    if arguments.samples is None:
        _refuse_own(arguments)
    _require_torch(arguments.threads)
    from ..train import distributed, execution

    if distributed.is_started() and arguments.seeds > 1:
        raise SettingsError("--seeds must be 1 with several processes of torchrun; train one seed at a time")
    where = execution.chosen(arguments.device, bf16=arguments.bf16, local=distributed.local_rank())
    train = _train_preset if arguments.samples is None else _train_own
    with ExitStack() as stack:
        processes = stack.enter_context(distributed.joined(where.device))
        file = None if processes.is_first else stack.enter_context(open(os.devnull, "w", encoding="ascii"))
        train(arguments, Console(file=file), where)


def _train_preset(arguments: argparse.Namespace, console: Console, execution: Execution) -> None:
    """Train a preset."""
    from ..train import experiment

    preset = arguments.preset or "digits"
    settings = training_options.settings(arguments)

    def train(report: _Progress, seed: int, out: Path) -> "Result":
        return experiment.run(
            preset=preset,
            settings=settings,
            seed=seed,
            out=out,
            folder=arguments.data,
            dataset=arguments.dataset,
            resume=arguments.resume,
            progress=report.trained,
            teacher_progress=report.teaching,
            execution=execution,
        )

    _trained(arguments, console, settings, preset, train)


def _train_own(arguments: argparse.Namespace, console: Console, execution: Execution) -> None:
    """Train on the samples of ``--samples``."""
    from ..train import own_data as training

    for option in ("dataset", "data"):
        if getattr(arguments, option) is not None:
            raise SettingsError(f"--{option} must be left out with --samples, which are the data")
    with console.step("read the samples") as step:
        ready, test = own_data.prepared(arguments, validation=getattr(arguments, "validation", 0.15))
        step.note(
            f"{len(ready.images):,} of {', '.join(ready.classes[:5])}" + ", ..." * (len(ready.classes) > 5)
        )
    own_data.show(console, ready, test)
    preset = None if arguments.preset is None else PRESETS[arguments.preset]
    topology = own_data.topology(arguments, ready, preset)
    settings = training_options.settings(
        arguments, training.default_settings(ready) if preset is None else None
    )
    training.build(ready, topology, settings)  # refuses what does not fit before anything is written
    console.line(f"  network: {topology.options()}")

    def train(report: _Progress, seed: int, out: Path) -> "Result":
        return training.run(
            ready,
            topology=topology,
            settings=settings,
            seed=seed,
            out=out,
            name=arguments.samples.name,
            test=test,
            resume=arguments.resume,
            progress=report.trained,
            execution=execution,
        )

    _trained(arguments, console, settings, arguments.samples.name, train)


def _refuse_own(arguments: argparse.Namespace) -> None:
    """Raise a `SettingsError` for an option that only samples have."""
    given = [
        name
        for name in (
            "target",
            "group",
            "image",
            "sequence",
            "size",
            "test_samples",
            "hidden",
            "conv",
            "levels",
        )
        if getattr(arguments, name) is not None
    ]
    if given:
        raise SettingsError(
            f"--{given[0].replace('_', '-')} must be given with --samples FILE, your own data; the presets"
            " have their own networks and data sets"
        )


def _require_torch(threads: int) -> None:
    try:
        import torch
    except ImportError as error:
        raise ToolError(
            "training needs torch, which is not installed; try `pip install 'sbgen[train]'`"
        ) from error
    from ..train import heap

    torch.set_num_threads(threads)
    heap.keep()


@dataclass(frozen=True)
class _Progress:
    """What a training reports while it runs."""

    trained: Callable[["Epoch"], object]
    teaching: Callable[[int, int], object]


def _trained(
    arguments: argparse.Namespace,
    console: Console,
    settings: Settings,
    name: str,
    train: Callable[[_Progress, int, Path], "Result"],
) -> None:
    """Run a training with its progress, and print the accuracies."""
    from ..train import distributed

    is_first = distributed.current().is_first
    console.line(
        f"{name} by the {settings.method} method, seed {arguments.seed}, {settings.epochs} epochs; "
        "soft and hard are validation accuracies before and after hardening"
    )
    every = -(-settings.epochs // _LINES)
    if every > 1:
        console.line(f"a line for every {every} epochs; --log FILE.csv has them all")
    files = {"csv": arguments.log, "plot": arguments.plot, "tensorboard": arguments.tensorboard}
    log = TrainingLog(f"{name}, {settings.method}", **files if is_first else {})

    def once(seed: int, out: Path) -> "Result":
        log.begin(seed)
        with console.step("train" if arguments.seeds == 1 else f"train with seed {seed}") as step:

            def teaching(done: int, total: int) -> None:
                step.note(f"teacher {done}/{total}")
                step.progress(done, total)

            def trained(epoch: "Epoch") -> None:
                step.progress(epoch.epoch + 1, settings.epochs)
                step.note(f"epoch {epoch.epoch + 1}/{settings.epochs}")
                if (epoch.epoch + 1) % every == 0 or epoch.epoch + 1 == settings.epochs:
                    console.line(_words(epoch, settings.epochs))
                log.add(seed, epoch)

            return train(_Progress(trained, teaching), seed, out)

    seeds = range(arguments.seed, arguments.seed + arguments.seeds)
    try:
        result = best_of(seeds, arguments.out, once, console)
    finally:
        log.close()
    console.line()
    _show(console, result)
    console.line(
        f"wrote {arguments.out}; next: sbgen build --model {arguments.out} --board icebreaker"
        + ("" if arguments.samples is None else f" --samples {arguments.test_samples or arguments.samples}")
    )


def _words(epoch: "Epoch", epochs: int) -> str:
    """The result of an epoch in a line, which a terminal of 80 columns holds."""
    return (
        f"  epoch {epoch.epoch + 1:{len(str(epochs))}}/{epochs}  nu {epoch.nu:6.1f}  loss {epoch.loss:7.4f}  "
        + ("" if epoch.soft is None else f"soft {epoch.soft:7.2%}  ")
        + f"hard {epoch.hard:7.2%}"
        + ("" if epoch.soft is None else f"  gap {100 * (epoch.soft - epoch.hard):5.2f}")
    )


def _show(console: Console, result: "Result") -> None:
    """Print how binary the network was before hardening, and its accuracies."""
    report = result.report
    console.line("distance from -1 and +1 before hardening, and values near their threshold:")
    console.table(
        ["layer", "kind", "mean", "maximum", "unsaturated", "near"],
        [
            [
                layer.layer,
                layer.kind,
                f"{layer.mean:.1e}",
                f"{layer.greatest:.1e}",
                f"{layer.unsaturated:.2%}",
                f"{layer.near:.2%}" if layer.kind == "activations" else None,
            ]
            for layer in report.layers
        ],
    )
    console.line(
        f"batch-norm statistics: {report.statistics} (hardened validation accuracy "
        f"{report.kept_statistics:.2%} kept, {report.estimated_statistics:.2%} estimated again)"
    )
    console.table(
        ["accuracy", "soft", "hardened"],
        [
            [part, f"{values['soft']:.2%}" if "soft" in values else None, f"{values['hardened']:.2%}"]
            for part, values in result.accuracy.items()
        ],
    )
