"""`sbgen verify`: check a built design against its model, level by level (`sbgen.verification`)."""

import argparse
import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from ..arguments import add_images, at_least, images
from ..console import Console
from ..errors import ModelError

if TYPE_CHECKING:  # only needed when the command runs
    from ..built import Built
    from ..verification.level import Outcome
    from ..verification.subject import Trials

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sbgen verify`."""
    parser.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="output folder of `sbgen build`")
    parser.add_argument(
        "--bitstream",
        type=Path,
        metavar="FILE",
        help=(
            "check only this bitstream: that it is the one in DIR (default: its own folder), or was patched"
            " from it, bit for bit"
        ),
    )
    parser.add_argument(
        "--model", type=Path, metavar="FILE", help="the model file that DIR was built from, if it has moved"
    )
    parser.add_argument(
        "--images",
        type=images,
        default=300,
        metavar="N",
        help=(
            "use the first N images of the samples or test set, or all (default: %(default)s); slow levels"
            " use only the first few"
        ),
    )
    add_images(parser).add_argument(
        "--seed",
        type=at_least(0),
        metavar="N",
        help="use random images with this seed instead of the test set",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the levels; the exit code is 1 if one has failed."""
    from amaranth.hdl import UnusedElaboratable

    from ..built import Built

    # Components are also created only to read their widths.
    warnings.simplefilter("ignore", UnusedElaboratable)
    if arguments.bitstream is not None:
        return _verify_bitstream(
            arguments.folder or arguments.bitstream.absolute().parent, arguments.bitstream
        )
    if arguments.folder is None:
        raise ModelError(
            "an output folder of `sbgen build`, or --bitstream FILE, must be given; try: sbgen verify"
            " build/digits-icebreaker"
        )
    return _verify_build(arguments, Built(arguments.folder))


def _verify_bitstream(folder: Path, bitstream: Path) -> int:
    from ..built import Built
    from ..verification import BITSTREAM_LEVELS, level
    from ..verification.subject import Subject

    console = Console()
    subject = Subject(built=Built(folder), bitstream_file=bitstream)
    levels = [each for each in BITSTREAM_LEVELS if each.applies(subject)]
    outcomes = level.run(levels, subject, console=console)
    _show(console, outcomes)
    # A bitstream that was named must have been read.
    return int(any(outcome.status != "PASS" for outcome in outcomes))


def _verify_build(arguments: argparse.Namespace, built: "Built") -> int:
    from .. import evidence
    from ..verification import LEVELS, level
    from ..verification.subject import Build

    model_file, trials = _model_file(arguments.model, built), _trials(arguments, built)
    console = Console()
    console.line(f"  {trials}")
    build = Build(built=built, model_file=model_file, trials=trials)
    outcomes = level.run(LEVELS, build, console=console)
    _show(console, outcomes)
    evidence.write(
        built.folder,
        "ledger",
        {
            "sbgen": __version__,
            "images": str(trials),
            "tried": trials.about(),
            "rungs": [
                {
                    "rung": outcome.level,
                    "status": outcome.status,
                    "note": outcome.note,
                    "seconds": round(outcome.seconds, 1),
                }
                for outcome in outcomes
            ],
        },
    )
    console.line()
    console.line(f"  see {built.folder / 'report.html'}")
    return int(any(outcome.status == "FAIL" for outcome in outcomes))


def _model_file(given: Path | None, built: "Built") -> Path | None:
    """The file that was built from; None if it was not found."""
    from ..compiler import shipped

    model = built.report["model"]
    name = Path(model["file"])
    candidates = [shipped.path_of(given)] if given else [name, "models" / name, shipped.path_of(name.stem)]
    for path in candidates:
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == model["sha256"]:
            return path
    if given:
        raise ModelError(
            f"--model must be the file that {built.folder} was built from, with the SHA-256"
            f" {model['sha256'][:16]}..., but {given} is another, or not there"
        )
    return None


def _trials(arguments: argparse.Namespace, built: "Built") -> "Trials":
    from .. import trial_images
    from ..verification.subject import Trials

    whole = trial_images.choose(
        network=built.network,
        trained_on=built.trained_on,
        samples_file=arguments.samples,
        data=arguments.data,
        count=arguments.images,
        seed=arguments.seed,
    )
    return Trials.of(built, whole, arguments.images)


def _show(console: Console, outcomes: Sequence["Outcome"]) -> None:
    styles = {"PASS": "green", "FAIL": "bold red"}
    console.line()
    for outcome in outcomes:
        console.line(f"  {outcome.status:8} {outcome.level}", style=styles.get(outcome.status))
        console.line(f"           {outcome.note}")
