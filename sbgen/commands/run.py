"""`sbgen run`: predict with a built design, without a board."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..arguments import images
from ..console import Console
from ..errors import ModelError

if TYPE_CHECKING:
    from ..compiler.ir import Network

__all__ = ["add_arguments", "run"]

#: As in `sbgen.engines.ENGINES`, which is not imported for help.
_ENGINES = ("reference", "verilog", "netlist")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sbgen run`."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="output folder of `sbgen build`")
    parser.add_argument(
        "samples",
        type=Path,
        metavar="FILE",
        help="images, and their classes if known, as for `sbgen build --samples`",
    )
    parser.add_argument(
        "--engine",
        choices=_ENGINES,
        default="reference",
        help=(
            "what predicts: the reference, core.v in a simulator, or the netlist of place and route, which"
            " takes seconds for each image (default: %(default)s)"
        ),
    )
    parser.add_argument(
        "--images", type=images, metavar="N", help="use the first N images only (default: all)"
    )
    parser.add_argument(
        "--top",
        type=int,
        metavar="K",
        help="print the K best classes with their scores instead of all scores",
    )
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each image")


def run(arguments: argparse.Namespace) -> None:
    """Print the prediction of each image and, with true classes, the confusion matrix."""
    import warnings

    from amaranth.hdl import UnusedElaboratable

    from .. import samples
    from ..built import Built
    from ..engines import ENGINES, require_right
    from ..predictions import Predictions

    # A component is only created to read its widths.
    warnings.simplefilter("ignore", UnusedElaboratable)
    # Lines of JSON have standard output for themselves.
    console = Console(file=sys.stderr if arguments.json else None)
    built = Built(arguments.folder)
    network = built.network
    _check_top(arguments.top, network)
    tried = samples.read_for(network, arguments.samples, built.recipe)
    if tried.labels is not None:
        tried = tried.test()
    if tried.note:
        console.line(f"  {tried.note}")
    tried_images = tried.images[: arguments.images]
    with console.step(f"predict {len(tried_images):,} images") as step:
        answers = ENGINES[arguments.engine](built, tried_images, step.progress)
        step.note(f"by {answers.by}")
    require_right(answers, network, tried_images)
    printer = Predictions(
        Console(),
        names=network.labels,
        multi_label=network.multi_label,
        top_k=arguments.top,
        labels=tried.labels,
        as_json=arguments.json,
    )
    for scores, decided in zip(answers.scores, answers.decided, strict=True):
        printer.add(scores, decided)
    printer.finish()


def _check_top(top: int | None, network: "Network") -> None:
    if top is None:
        return
    if network.decision == "sign":
        raise ModelError(
            "--top must be left out: the network decides by the sign of each score and ranks no classes"
        )
    if not 1 <= top <= network.classes:
        raise ModelError(f"--top must be in 1 ... {network.classes}, the classes of the network, not {top}")
