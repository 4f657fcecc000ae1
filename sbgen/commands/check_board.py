"""`sbgen check-board`: classify the whole test set on a board and record what it answers."""

import argparse
import dataclasses
import json
import platform
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__, atomic
from ..arguments import add_images, add_port, add_serial
from ..arguments import images as number
from ..console import Console
from ..errors import LinkError

if TYPE_CHECKING:
    from ..built import Built
    from ..device import Board
    from ..trial_images import TrialImages

__all__ = ["add_arguments", "run"]

#: Images whose every score is compared; the others' decisions are.
_SCORED = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sbgen check-board`."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="output folder of `sbgen build`")
    parser.add_argument(
        "--images",
        type=number,
        default=None,
        metavar="N",
        help="use the first N images of the samples or test set (default: all)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="what to write (default: check-board.json in DIR)"
    )
    add_images(parser)
    add_port(parser)
    add_serial(parser)


def run(arguments: argparse.Namespace) -> int:
    """Classify the images and write the record; the exit code is 1 if any answer is not the reference's."""
    import warnings

    from amaranth.hdl import UnusedElaboratable

    from .. import trial_images
    from ..built import Built
    from ..device import Board

    # A component is only created to read its widths.
    warnings.simplefilter("ignore", UnusedElaboratable)
    console = Console()
    built = Built(arguments.folder)
    tried = trial_images.choose(
        network=built.network,
        trained_on=built.trained_on,
        samples_file=arguments.samples,
        data=arguments.data,
        count=arguments.images,
    ).first(arguments.images)
    name = arguments.board or (None if arguments.port else built.report["board"])
    baud = arguments.baud or built.baud
    with Board(name, port=arguments.port, baud=baud, serial=arguments.serial) as board:
        record = _record(built, tried, board, console)
    path = arguments.out or built.folder / "check-board.json"
    atomic.write(path, json.dumps(record, indent=1) + "\n", encoding="ascii")
    _show(console, record)
    console.line(f"  see {path}")
    return int(not record["equal"])


def _record(built: "Built", tried: "TrialImages", board: "Board", console: Console) -> dict[str, Any]:
    """What the board answers, compared with the reference."""
    from ..compiler import exchange, reference

    identity, digest = board.identify(), exchange.digest(built.network)
    if bytes.fromhex(digest)[:8] != identity.digest:
        raise LinkError(
            f"the board must run the network of {built.folder}, {digest[:16]}..., but runs"
            f" {identity.digest.hex()}...; load it: sbgen flash {built.folder}"
        )
    with console.step("compute the reference"):
        scores, labels = reference.evaluate(built.network, tried.images)
    count = len(tried.images)
    with console.step("classify") as step:
        start = time.monotonic()
        answered = board.predict(tried.images, progress=lambda done, _: step.progress(done, count))
        rate = count / (time.monotonic() - start)
        step.note(f"{rate:,.0f} images/s")
    with console.step("compare every score") as step:
        scored = board.scores(tried.images[:_SCORED])
        step.note(f"{len(scored):,} images")
    equal_classes = int((answered == labels).reshape(count, -1).all(axis=1).sum())
    equal_scores = int((scored == scores[:_SCORED]).sum())
    report = built.report
    return {
        "schema": 1,
        "sbgen": __version__,
        "board": report["board"],
        "device": report["device"],
        "network": {"name": built.network.name, "sha256": digest},
        "files": report["files"],
        "clock_mhz": report["timing"]["clock_mhz"],
        "link": {
            "baud": board.baud,
            "latency_ms": board.latency_ms,
            "errors": dataclasses.asdict(board.errors),
        },
        "host": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "images": tried.about(),
        "images_per_second": round(rate, 1),
        "accuracy": {"board": tried.accuracy(answered), "reference": tried.accuracy(labels)},
        "classes": {"equal": equal_classes, "of": count},
        "scores": {"equal": equal_scores, "of": int(scored.size)},
        "equal": equal_classes == count and equal_scores == scored.size,
    }


def _show(console: Console, record: dict[str, Any]) -> None:
    classes, scores, errors = record["classes"], record["scores"], record["link"]["errors"]
    equal = record["equal"]
    console.line(
        f"  {'PASS' if equal else 'FAIL'}     {classes['equal']:,} of {classes['of']:,} decisions and"
        f" {scores['equal']:,} of {scores['of']:,} scores are those of the reference",
        style="green" if equal else "bold red",
    )
    accuracy = record["accuracy"]["board"]
    if accuracy is not None:
        console.line(f"  accuracy {accuracy:.2%} on the board")
    console.line(f"  rate     {record['images_per_second']:,.0f} images/s at {record['link']['baud']:,} baud")
    console.line("  line     " + ", ".join(f"{count} {name}" for name, count in errors.items()))
