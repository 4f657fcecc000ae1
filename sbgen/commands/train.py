"""`sbgen train`: a preset from its data set to a model file, epoch by epoch before one's eyes."""

import argparse
from dataclasses import fields, replace
from pathlib import Path

from ..arguments import at_least
from ..console import Console
from ..errors import ToolError
from ..train.data import DATASETS
from ..train.errors import SettingsError
from ..train.presets import PRESETS, for_method
from ..train.settings import METHODS

__all__ = ["add_arguments", "run"]


def _slope(text):
    return None if text == "none" else float(text)


#: Options that replace the preset's setting of the same name: (option, keywords of `add_argument`).
_SETTINGS = (
    ("--epochs", {"type": int, "metavar": "N", "help": "epochs of training"}),
    ("--batch", {"type": int, "metavar": "N", "help": "images in one step"}),
    ("--lr", {"type": float, "metavar": "X", "help": "first learning rate of the cosine"}),
    (
        "--slope-cap",
        {"type": _slope, "metavar": "X", "help": "greatest nu of the backward pass; 'none' is the paper"},
    ),
    (
        "--nu-weights",
        {"type": float, "nargs": 2, "metavar": ("FIRST", "LAST"), "help": "sharpness of the weights"},
    ),
    (
        "--nu-activations",
        {"type": float, "nargs": 2, "metavar": ("FIRST", "LAST"), "help": "sharpness of the activations"},
    ),
    ("--nu-shape", {"choices": ["exponential", "linear"], "help": "how sharpness grows"}),
    (
        "--hard-tail",
        {"type": float, "metavar": "PART", "help": "last part of the epochs with sign as forward pass"},
    ),
    ("--shift", {"type": int, "metavar": "PIXELS", "help": "how far training images are moved at random"}),
    (
        "--flip",
        {"action": argparse.BooleanOptionalAction, "help": "mirror training images at random, or do not"},
    ),
    (
        "--deform",
        {"type": int, "metavar": "N", "help": "copies of each training image, all but the first deformed"},
    ),
    (
        "--distill",
        {"type": float, "metavar": "PART", "help": "part of the loss that follows a float teacher"},
    ),
    ("--validation", {"type": float, "metavar": "PART", "help": "part of the training images held out"}),
)


def add_arguments(parser):
    """Adds the options of `sbgen train` to an argparse parser; needs no torch."""
    parser.add_argument(
        "--preset", choices=list(PRESETS), default="digits", help="network and settings (%(default)s)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("net.pt"), metavar="FILE", help="model file (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="same seed, same file (%(default)s)")
    parser.add_argument("--dataset", choices=list(DATASETS), help="another data set than the preset's")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder that holds mnist/, cifar10/ and so on (SBGEN_DATA, else a download into a cache)",
    )
    parser.add_argument("--method", choices=METHODS, help="how to binarize (self-binarizing)")
    parser.add_argument(
        "--resume", action="store_true", help="go on where a killed run with these options stopped"
    )
    parser.add_argument(
        "--threads",
        type=at_least(1),
        default=1,
        metavar="N",
        help="torch threads (%(default)s, the fastest but for lfc); part of what makes a file",
    )
    group = parser.add_argument_group("settings", "Each replaces the preset's own.")
    for option, keywords in _SETTINGS:
        group.add_argument(option, default=argparse.SUPPRESS, **keywords)
    group.add_argument(
        "--nu-layer",
        nargs=3,
        action="append",
        metavar=("LAYER", "FIRST", "LAST"),
        default=[],
        help="sharpness of one layer, as linear1 or active2; may be given again",
    )


def _settings(args):
    """The preset's settings with what the command line replaces; options that were not given are missing in
    `args`.
    """
    settings = PRESETS[args.preset].settings
    if args.method:
        settings = for_method(settings, args.method)
    given = {field.name: getattr(args, field.name) for field in fields(settings) if hasattr(args, field.name)}
    given["method"] = settings.method
    try:
        layers = {name: (float(first), float(last)) for name, first, last in args.nu_layer}
    except ValueError as error:
        raise SettingsError(f"--nu-layer must be given a layer and two numbers, but {error}") from error
    return replace(
        settings,
        nu_layers={**settings.nu_layers, **layers},
        **{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()},
    )


def run(args):
    """Runs `sbgen train` on parsed arguments: writes `args.out` and shows what it reaches."""
    settings = _settings(args)
    if not -1 << 63 <= args.seed < 1 << 64:
        raise SettingsError(f"--seed must be a number of 64 bits, not {args.seed}")
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
        "soft and hard are accuracies on the validation images"
    )
    with console.step("train") as step:

        def teaching(done, total):
            step.note(f"teacher {done}/{total}")
            step.progress(done, total)

        def trained(epoch):
            step.progress(epoch.epoch + 1, settings.epochs)
            step.note(f"epoch {epoch.epoch + 1}/{settings.epochs}")
            console.line(
                f"  epoch {epoch.epoch + 1:4}/{settings.epochs}  nu {epoch.nu:8.2f}  loss {epoch.loss:8.4f}  "
                f"soft {epoch.soft:7.2%}  hard {epoch.hard:7.2%}"
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
    console.line("how far from -1 and +1 before hardening, and how many near their threshold:")
    console.table(
        ["layer", "kind", "mean", "greatest", "unsaturated", "near"],
        [
            [
                layer.layer,
                layer.kind,
                f"{layer.mean:.1e}",
                f"{layer.greatest:.1e}",
                f"{layer.unsaturated:.2%}",
                f"{layer.near:.2%}" if layer.kind == "activations" else None,
            ]
            for layer in result.report.layers
        ],
    )
    console.line(
        f"batch-norm statistics: {result.report.statistics} (hardened validation accuracy "
        f"{result.report.kept_statistics:.2%} kept, {result.report.estimated_statistics:.2%} estimated anew)"
    )
    console.table(
        ["accuracy", "float", "hardened"],
        [
            [part, f"{values['float']:.2%}", f"{values['hardened']:.2%}"]
            for part, values in result.accuracy.items()
        ],
    )
    console.line(f"wrote {args.out}; next: sbgen build --model {args.out} --board icebreaker")
