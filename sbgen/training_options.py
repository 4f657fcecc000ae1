"""Options of `sbgen train` that replace settings of the preset."""

import argparse
import math
from dataclasses import fields, replace
from typing import Any

from .train.errors import SettingsError
from .train.presets import PRESETS
from .train.settings import Settings

__all__ = ["add_settings", "settings"]


def _slope(text: str) -> float:
    return math.inf if text == "none" else float(text)


#: Options that replace the preset's setting of the same name: (option, keywords of `add_argument`).
_SETTINGS: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "--activation-levels",
        {
            "type": int,
            "nargs": "+",
            "metavar": "N",
            "help": "values of the activations, for all or for each hidden layer: 2 is a bit, 4 is 2 bits",
        },
    ),
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
    (
        "--nu-pooled",
        {
            "type": float,
            "nargs": 2,
            "metavar": ("FIRST", "LAST"),
            "help": "that of activations before a maximum pool",
        },
    ),
    ("--nu-shape", {"choices": ["exponential", "linear"], "help": "how the sharpness grows"}),
    (
        "--nu-until",
        {"type": float, "metavar": "PART", "help": "fraction of the steps over which that of weights grows"},
    ),
    ("--noise", {"type": float, "metavar": "X", "help": "final noise on the inputs of activations"}),
    (
        "--sampling",
        {"type": float, "metavar": "SHARE", "help": "final share of the noise of signs drawn by activations"},
    ),
    ("--average", {"type": float, "metavar": "PART", "help": "final fraction of the steps to average over"}),
    (
        "--hard-tail",
        {
            "type": float,
            "metavar": "PART",
            "help": "final fraction of the steps, with sign in the forward pass",
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
    (
        "--fixed-point",
        {
            "metavar": "Qm.n",
            "help": "parameters, gradients and tanh of m + n bits, n of them after the point, such as Q2.6",
        },
    ),
    ("--validation", {"type": float, "metavar": "PART", "help": "fraction of the training images held out"}),
    (
        "--keep",
        {"choices": ["last", "best"], "help": "the network after the last epoch, or the best on validation"},
    ),
    (
        "--patience",
        {"type": int, "metavar": "N", "help": "end after N epochs without a better one, and keep the best"},
    ),
)


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add an option for each setting; torch is not needed."""
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


def settings(args: argparse.Namespace, given: Settings | None = None) -> Settings:
    """The given settings, by default those of the preset, with those of the command line. `args` lacks
    options that were not given.
    """
    base = replace(given or PRESETS[args.preset or "digits"].settings, method=args.method)
    values: dict[str, Any] = {
        field.name: getattr(args, field.name) for field in fields(base) if hasattr(args, field.name)
    }
    values["method"] = base.method
    try:
        layers = {name: (float(first), float(last)) for name, first, last in args.nu_layer}
    except ValueError as error:
        raise SettingsError(f"--nu-layer must be given a layer and two numbers, but {error}") from error
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return replace(base, nu_layers={**base.nu_layers, **layers}, **values)
