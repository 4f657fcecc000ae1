"""`sbgen classify`: classify images on a board."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..arguments import add_answers, add_port, add_serial
from ..built import Built, MissingError
from ..console import Console
from ..errors import DataError, LinkError, ModelError

if TYPE_CHECKING:
    from ..boards.messages import Identity
    from ..compiler.ir import Network
    from ..device import Prediction
    from ..samples import Samples

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sbgen classify`."""
    parser.add_argument(
        "images",
        type=Path,
        metavar="IMAGES",
        help="images, and their classes if known, as for `sbgen build --samples`",
    )
    add_answers(parser)
    parser.add_argument(
        "--network",
        type=Path,
        metavar="FILE",
        help=(
            "network.json of the build: print the names of the classes, bring images to the network's size"
            " and scale, and refuse a board that runs another network"
        ),
    )
    add_port(parser)
    add_serial(parser)


def run(arguments: argparse.Namespace) -> None:
    """Print the class of each image; then, if labels are known, how many are right.

    When the board is unplugged in the middle, what it classified so far is printed before the error.
    """
    from ..device import Board
    from ..predictions import Predictions

    console = Console()
    network = _network(arguments.network)
    baud = arguments.baud or _baud_of_build(arguments.network)
    with Board(arguments.board, port=arguments.port, baud=baud, serial=arguments.serial) as board:
        identity = board.identify()
        if network is not None:
            _require(network, identity, arguments.network)
        best, scores = _wanted(arguments, identity)
        names = [str(label) for label in range(identity.classes)] if network is None else list(network.labels)
        tried = _samples(arguments, network, identity, names)
        if tried.note and not arguments.json:
            console.line(f"  {tried.note}")
        printer = Predictions(
            console,
            names=names,
            multi_label=identity.multi_label,
            top_k=arguments.top,
            labels=tried.labels,
            as_json=arguments.json,
            unsure=arguments.unsure,
            quiet=arguments.quiet,
        )
        start = time.monotonic()
        try:
            for prediction in board.predictions(tried.images, best=best, scores=scores):
                printer.add(
                    prediction.scores if arguments.scores else None,
                    prediction.label,
                    best=_best(prediction, arguments),
                )
        finally:
            seconds = time.monotonic() - start
            printer.finish()
            if printer.count and not arguments.json:
                console.line(f"{printer.count / seconds:,.0f} images/s at {board.baud:,} baud")


def _wanted(arguments: argparse.Namespace, identity: "Identity") -> tuple[int | None, bool]:
    """What to ask the board for: so many best classes, or every score, or neither."""
    top, needed = arguments.top, arguments.top or 0
    if identity.signs and (top is not None or arguments.unsure is not None):
        option = "--unsure" if top is None else "--top"
        raise LinkError(
            f"{option} must be left out: the board's network decides by the sign of each score and ranks no"
            " classes"
        )
    if top is not None and not 1 <= top <= identity.classes:
        raise LinkError(
            f"--top must be in 1 ... {identity.classes}, the classes of the board's network, not {top}"
        )
    if arguments.unsure is not None:
        needed = max(2, needed)
    if arguments.scores or needed > identity.top_k:
        return None, True  # the host ranks them
    return needed or None, False


def _best(prediction: "Prediction", arguments: argparse.Namespace) -> Sequence[tuple[int, int]] | None:
    """The best classes that are to be printed or compared, ranked here where the board does not."""
    from ..compiler.reference import ranked

    if prediction.best is not None or prediction.scores is None or arguments.scores:
        return prediction.best
    order = ranked(prediction.scores[None], max(arguments.top or 0, min(2, len(prediction.scores))))[0]
    return [(label, int(prediction.scores[label])) for label in order.tolist()]


def _network(path: Path | None) -> "Network | None":
    from ..compiler import exchange

    return None if path is None else exchange.load(path)


def _baud_of_build(path: Path | None) -> int | None:
    """The baud rate of the build that a network.json is of, or None if it is of none."""
    if path is None:
        return None
    try:
        return Built(path.parent).baud
    except (ModelError, MissingError):
        return None


def _require(network: "Network", identity: "Identity", path: Path) -> None:
    """Raise a `LinkError` unless the board runs the network."""
    from ..compiler import exchange

    if bytes.fromhex(exchange.digest(network))[:8] != identity.digest:
        raise LinkError(
            f"the board must run the network of {path}, {exchange.digest(network)[:16]}..., but runs "
            f"{identity.digest.hex()}...; give the network.json of its build"
        )


def _samples(
    arguments: argparse.Namespace, network: "Network | None", identity: "Identity", names: Sequence[str]
) -> "Samples":
    """The images, by the recipe of the network; without a network an image is a row of bytes.

    Of those with classes only what the network was not trained on.
    """
    from .. import samples
    from ..compiler import exchange

    if network is None:
        shape, multi_label = (identity.pixels,), identity.multi_label
        try:
            return samples.read(arguments.images, image_shape=shape, classes=names, multi_label=multi_label)
        except DataError as error:
            raise DataError(
                f"{error}; or give --network, the network.json of its build, for samples as it was trained on"
            ) from error
    recipe = exchange.load_recipe(arguments.network)
    tried = samples.read_for(network, arguments.images, recipe)
    return tried if recipe is None or tried.labels is None else tried.test()
