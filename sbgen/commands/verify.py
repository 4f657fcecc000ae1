"""`sbgen verify`: check a built design against its model, level by level (`sbgen.verification`)."""

import argparse
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..arguments import add_images, at_least, images
from ..console import Console, print_json
from ..errors import ModelError

if TYPE_CHECKING:  # only needed when the command runs
    from ..verification.level import Outcome

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
    parser.add_argument("--json", action="store_true", help="print what the levels found as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Run the levels; the exit code is 1 if one has failed."""
    from amaranth.hdl import UnusedElaboratable

    from ..built import Built
    from ..verification import whole

    # Components are also created only to read their widths.
    warnings.simplefilter("ignore", UnusedElaboratable)
    # JSON has standard output for itself.
    console = Console(file=sys.stderr if arguments.json else None)
    if arguments.bitstream is not None:
        folder = arguments.folder or arguments.bitstream.absolute().parent
        ledger = whole.verify_bitstream(Built(folder), arguments.bitstream, console=console)
        _show(console, ledger.outcomes)
        code = int(not ledger.complete)  # a bitstream that was named must have been read
    elif arguments.folder is None:
        raise ModelError(
            "an output folder of `sbgen build`, or --bitstream FILE, must be given; try: sbgen verify"
            " build/digits-icebreaker"
        )
    else:
        ledger = whole.verify(
            Built(arguments.folder),
            model=arguments.model,
            samples=arguments.samples,
            data=arguments.data,
            images=arguments.images,
            seed=arguments.seed,
            console=console,
        )
        _show(console, ledger.outcomes)
        console.line()
        console.line(f"  see {arguments.folder / 'report.html'}")
        code = int(ledger.failed)
    if arguments.json:
        print_json(ledger.about())
    return code


def _show(console: Console, outcomes: Sequence["Outcome"]) -> None:
    styles = {"PASS": "green", "FAIL": "bold red"}
    console.line()
    for outcome in outcomes:
        console.line(f"  {outcome.status:8} {outcome.level}", style=styles.get(outcome.status))
        console.line(f"           {outcome.note}")
