"""The options of commands that take a person's own samples to train on: `sbgen train` and `sbgen plan`."""

import argparse
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from .arguments import fraction
from .console import Console
from .errors import DataError
from .samples import Options, Prepared, Reading, Samples, prepare, raw, read_with
from .samples.prepare import SCALES
from .train.topology import Topology, default, parse_convolutions, parse_hidden

if TYPE_CHECKING:
    from .train.presets import Preset

__all__ = ["add_arguments", "add_topology", "command", "prepared", "show", "topology"]


def _sizes(text: str) -> tuple[int, ...]:
    """Sizes with an x between them, such as 28x28."""
    parts = text.split("x")
    if not all(part.isdecimal() and 0 < int(part) < 1 << 16 for part in parts) or not 1 <= len(parts) <= 3:
        raise argparse.ArgumentTypeError(f"must be sizes such as 28x28, not {text!r}")
    return tuple(map(int, parts))


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what the samples are and how they become inputs."""
    from pathlib import Path

    parser.add_argument(
        "--samples",
        type=Path,
        metavar="FILE",
        help=(
            "your own data: a .csv or .parquet table, a .npz with X and y (a table, images or sequences),"
            " or a folder of PNG and JPEG files with a subfolder per class"
        ),
    )
    group = parser.add_argument_group("own data", "With --samples.")
    group.add_argument(
        "--target", metavar="COLUMN", help="column of the classes (default: label, y, class, target)"
    )
    group.add_argument(
        "--group", metavar="COLUMN", help="column of groups, such as patients: none is in two parts"
    )
    group.add_argument(
        "--columns", type=_names, default=(), metavar="A,B", help="columns to use (default: all)"
    )
    group.add_argument("--drop", type=_names, default=(), metavar="A,B", help="columns to leave out")
    kind = group.add_mutually_exclusive_group()
    kind.add_argument(
        "--image", type=_sizes, metavar="HxW[xC]", help="each row of numbers is an image of this size"
    )
    kind.add_argument(
        "--sequence",
        type=_sizes,
        metavar="LxC",
        help="each sample is a sequence of this length and as many channels",
    )
    group.add_argument("--size", type=_sizes, metavar="HxW", help="resize images to this size")
    group.add_argument(
        "--crop", action="store_true", help="resize the middle part that has the proportions, not all"
    )
    group.add_argument("--grey", action="store_true", help="turn colour images into grey ones")
    group.add_argument("--invert", action="store_true", help="invert the pixels of images")
    group.add_argument(
        "--scale",
        choices=SCALES,
        default="quantiles",
        help="how numbers become 0 ... 255 in each column or channel (default: %(default)s)",
    )
    test = group.add_mutually_exclusive_group()
    test.add_argument(
        "--test",
        type=fraction,
        default=0.2,
        metavar="PART",
        help="fraction held out for the test (default: %(default)s)",
    )
    test.add_argument("--test-samples", type=Path, metavar="FILE", help="test with the samples of this file")
    group.add_argument(
        "--split-seed", type=int, default=0, metavar="N", help="seed of the split (default: %(default)s)"
    )


def add_topology(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which network to train on the samples."""
    group = parser.add_argument_group("network", "With --samples; without them, by the kind of data.")
    group.add_argument(
        "--hidden",
        type=parse_hidden,
        metavar="N,N",
        help="widths of the dense layers, such as 64,64; or none",
    )
    group.add_argument(
        "--conv",
        type=parse_convolutions,
        metavar="NxKpP,...",
        help=(
            "convolutions: outputs, kernel and pooling, such as 16x3p2,32x3p2; v after the kernel is no"
            " padding, g4 at the end 4 groups of channels; or none"
        ),
    )
    group.add_argument(
        "--levels",
        type=int,
        metavar="N",
        help="thresholds of each input, at quantiles; 0 sums the inputs as whole numbers in the first layer",
    )


def prepared(arguments: argparse.Namespace, *, validation: float = 0.15) -> tuple[Prepared, Samples | None]:
    """The samples of the options, and those of ``--test-samples``; a `DataError` if they cannot be trained
    on.
    """
    if arguments.size is not None and len(arguments.size) != 2:
        raise DataError(f"--size must be a height and a width, such as 28x28, not {arguments.size}")
    found = raw(arguments.samples, _reading(arguments))
    ready = prepare(
        found,
        Options(
            scale=arguments.scale,
            size=arguments.size,
            crop=arguments.crop,
            grey=arguments.grey,
            invert=arguments.invert,
            test=arguments.test,
            validation=validation,
            seed=arguments.split_seed,
        ),
        tested_elsewhere=arguments.test_samples is not None,
    )
    if arguments.test_samples is None:
        return ready, None
    test = read_with(
        ready.recipe, arguments.test_samples, image_shape=ready.recipe.shape, classes=ready.classes
    )
    return ready, test.test()


def _reading(arguments: argparse.Namespace) -> Reading:
    kind = "image" if arguments.image else "sequence" if arguments.sequence else None
    return Reading(
        kind=kind,
        shape=arguments.image or arguments.sequence,
        target=arguments.target,
        group=arguments.group,
        columns=arguments.columns,
        drop=arguments.drop,
    )


def topology(arguments: argparse.Namespace, ready: Prepared, preset: "Preset | None" = None) -> Topology:
    """The network of the options, else of the preset, else of the kind of data."""
    recipe = ready.recipe
    chosen = default(recipe.kind, recipe.shape)
    if preset is not None:
        chosen = Topology(
            levels=0 if preset.thresholds is None else len(preset.thresholds),
            convolutions=preset.convolutions,
            widths=preset.widths,
        )
    if arguments.conv is not None or arguments.hidden is not None:
        # Layers that are named are all there are.
        chosen = replace(chosen, convolutions=arguments.conv or (), widths=arguments.hidden or ())
    if arguments.levels is not None:
        chosen = replace(chosen, levels=arguments.levels)
    if chosen.convolutions and recipe.kind == "table":
        raise DataError(
            "--conv must be left out for a table, whose columns have no neighbours; or say --image or"
            " --sequence"
        )
    return chosen


def command(arguments: argparse.Namespace) -> str:
    """The options of the samples as they were given, for another command."""
    words = ["--samples", str(arguments.samples)]
    for name in ("target", "group", "columns", "drop", "image", "sequence", "size", "test_samples"):
        value = getattr(arguments, name)
        if value:
            mark = "," if name in ("columns", "drop") else "x"
            text = mark.join(map(str, value)) if isinstance(value, tuple) else str(value)
            words += [f"--{name.replace('_', '-')}", text]
    words += [f"--{name}" for name in ("crop", "grey", "invert") if getattr(arguments, name)]
    for name, usual in (("scale", "quantiles"), ("test", 0.2), ("split_seed", 0)):
        if getattr(arguments, name) != usual:
            words += [f"--{name.replace('_', '-')}", str(getattr(arguments, name))]
    return shlex.join(words)


def show(console: Console, ready: Prepared, test: Samples | None) -> None:
    """Print what the samples are and how they are split."""
    recipe = ready.recipe
    sizes = " x ".join(map(str, recipe.shape))
    what = {
        "table": f"{sizes} columns",
        "image": f"{sizes} pixels",
        "sequence": f"{sizes} (length x channels)",
    }
    held = int(ready.test.sum()) if test is None else len(test.images)
    console.line(
        f"  {len(ready.images):,} samples of {what[recipe.kind]}, {len(ready.classes)} classes:"
        f" {ready.training.sum():,} to train on, {ready.validation.sum():,} to choose by, {held:,} to test"
        " with" + ("" if test is None else f" ({test.source})")
    )
    for note in (*ready.notes, *([test.note] if test is not None and test.note else [])):
        console.line(f"  {note}")
