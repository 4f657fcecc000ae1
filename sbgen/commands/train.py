"""`sbgen train`: train a preset on its data set and write a model file."""

import argparse
import math
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..arguments import at_least
from ..console import Console
from ..errors import ToolError
from ..train.data import DATASETS
from ..train.errors import SettingsError
from ..train.methods import DEFAULT, METHODS
from ..train.presets import PRESETS
from ..train.settings import Settings

if TYPE_CHECKING:  # they need torch
    from ..train.experiment import Result
    from ..train.loop import Epoch

__all__ = ["add_arguments", "run"]


def _slope(text: str) -> float:
    return math.inf if text == "none" else float(text)


#: Options that replace the preset's setting of the same name: (option, keywords of `add_argument`).
_SETTINGS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("--epochs", {"type": int, "metavar": "N", "help": "number of epochs"}),
    ("--batch", {"type": int, "metavar": "N", "help": "images per step"}),
    ("--lr", {"type": float, "metavar": "X", "help": "initial learning rate of the cosine schedule"}),
    (
        "--slope-cap",
        {"type": _slope, "metavar": "X", "help": "surrogate: maximum nu in the backward pass, or 'none'"},
    ),
    (
        "--nu-weights",
        {
            "type": float,
            "nargs": 2,
            "metavar": ("FIRST", "LAST"),
            "help": "sharpness of the weights, first and last",
        },
    ),
    (
        "--nu-activations",
        {
            "type": float,
            "nargs": 2,
            "metavar": ("FIRST", "LAST"),
            "help": "sharpness of the activations, first and last",
        },
    ),
    ("--nu-shape", {"choices": ["exponential", "linear"], "help": "how the sharpness grows"}),
    (
        "--nu-until",
        {"type": float, "metavar": "PART", "help": "fraction of the steps over which that of weights grows"},
    ),
    ("--noise", {"type": float, "metavar": "X", "help": "final noise on the inputs of activations"}),
    ("--average", {"type": float, "metavar": "PART", "help": "final fraction of the steps to average over"}),
    (
        "--hard-tail",
        {
            "type": float,
            "metavar": "PART",
            "help": "surrogate: final fraction of the steps, with sign in the forward pass",
        },
    ),
    ("--shift", {"type": int, "metavar": "PIXELS", "help": "maximum random shift of training images"}),
    (
        "--flip",
        {"action": argparse.BooleanOptionalAction, "help": "whether to mirror training images at random"},
    ),
    (
        "--deform",
        {"type": int, "metavar": "N", "help": "copies of each training image, deformed except the first"},
    ),
    ("--distill", {"type": float, "metavar": "PART", "help": "fraction of the loss from a float teacher"}),
    ("--validation", {"type": float, "metavar": "PART", "help": "fraction of the training images held out"}),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sbgen train`; torch is not needed."""
    parser.add_argument(
        "--preset",
        choices=list(PRESETS),
        default="digits",
        help="network and settings (default: %(default)s)",
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
    parser.add_argument("--dataset", choices=list(DATASETS), help="data set (default: the preset's)")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder with data sets: mnist/, cifar10/ and so on (default: SBGEN_DATA, else a download)",
    )
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
    group = parser.add_argument_group("settings", "Each replaces a setting of the preset.")
    for option, keywords in _SETTINGS:
        group.add_argument(option, default=argparse.SUPPRESS, **keywords)
    group.add_argument(
        "--nu-layer",
        nargs=3,
        action="append",
        metavar=("LAYER", "FIRST", "LAST"),
        default=[],
        help="sharpness of one layer, such as linear1 or active2; can be repeated",
    )


def _settings(args: argparse.Namespace) -> Settings:
    """The preset's settings with those of the command line; `args` lacks options that were not given."""
    settings = replace(PRESETS[args.preset].settings, method=args.method)
    given: dict[str, Any] = {
        field.name: getattr(args, field.name) for field in fields(settings) if hasattr(args, field.name)
    }
    given["method"] = settings.method
    try:
        layers = {name: (float(first), float(last)) for name, first, last in args.nu_layer}
    except ValueError as error:
        raise SettingsError(f"--nu-layer must be given a layer and two numbers, but {error}") from error
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    return replace(settings, nu_layers={**settings.nu_layers, **layers}, **given)


def run(args: argparse.Namespace) -> None:
    """Train, write `args.out` and print the accuracies."""
    settings = _settings(args)
    if not -1 << 63 <= args.seed < 1 << 64:
        raise SettingsError(f"--seed must be an integer of 64 bits, not {args.seed}")
    try:
        import torch
    except ImportError as error:
        raise ToolError(
            "training needs torch, which is not installed; try `pip install 'sbgen[train]'`"
        ) from error
    from ..train import experiment

    torch.set_num_threads(args.threads)
    console = Console()
    console.line(
        f"{args.preset} by the {settings.method} method, seed {args.seed}, {settings.epochs} epochs; "
        "soft and hard are validation accuracies before and after hardening"
    )
    with console.step("train") as step:

        def teaching(done: int, total: int) -> None:
            step.note(f"teacher {done}/{total}")
            step.progress(done, total)

        def trained(epoch: "Epoch") -> None:
            step.progress(epoch.epoch + 1, settings.epochs)
            step.note(f"epoch {epoch.epoch + 1}/{settings.epochs}")
            console.line(
                f"  epoch {epoch.epoch + 1:4}/{settings.epochs}  nu {epoch.nu:8.2f}  loss {epoch.loss:8.4f}  "
                + ("" if epoch.soft is None else f"soft {epoch.soft:7.2%}  ")
                + f"hard {epoch.hard:7.2%}"
                + ("" if epoch.soft is None else f"  gap {100 * (epoch.soft - epoch.hard):5.2f}")
            )

        result = experiment.run(
            preset=args.preset,
            settings=settings,
            seed=args.seed,
            out=args.out,
            folder=args.data,
            dataset=args.dataset,
            resume=args.resume,
            progress=trained,
            teacher_progress=teaching,
        )
    console.line()
    _show(console, result)
    console.line(f"wrote {args.out}; next: sbgen build --model {args.out} --board icebreaker")


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
