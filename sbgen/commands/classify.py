"""`sbgen classify`: classify images on a board."""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..arguments import add_port
from ..console import Console
from ..errors import LinkError

if TYPE_CHECKING:
    import numpy as np

    from ..boards.host import Result
    from ..boards.messages import Identity
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
    parser.add_argument(
        "--top",
        type=int,
        metavar="K",
        help="print the K best classes with their scores instead of all scores",
    )
    parser.add_argument(
        "--network",
        type=Path,
        metavar="FILE",
        help=(
            "network.json of the build: print the names of the classes, and refuse a board that runs another"
            " network"
        ),
    )
    add_port(parser)


def run(arguments: argparse.Namespace) -> None:
    """Print the class of each image, or its best classes or labels; then, if labels are known, how many are
    right.
    """
    import numpy as np

    from ..boards import host

    console = Console()
    right = among_best = right_bits = 0
    with host.open_link(arguments) as link:
        identity = link.identify()
        image_shape, names, signed = _network(arguments.network, identity)
        _check_top(arguments.top, identity)
        tried = _samples(arguments, image_shape, names, signed, identity.multi_label)
        if tried.note:
            console.line(f"  {tried.note}")
        images, labels = tried.images, tried.labels
        start = time.monotonic()
        for n, result in enumerate(link.classify(images)):
            text, best = _words(result, names, identity, arguments.top)
            if labels is not None:
                agree = result.label == labels[n]
                right += int(np.all(agree))
                right_bits += int(np.sum(agree))
                among_best += labels[n] in best
                text += f"  label {_set(names, labels[n]) if identity.multi_label else names[labels[n]]}"
            console.line(f"{n:6}  {text}")
        if len(images):
            console.line(f"{len(images) / (time.monotonic() - start):,.0f} images/s; {link.bounds(identity)}")
    if labels is not None and identity.multi_label:
        console.line(
            f"{right} of {len(images)} right in all {identity.outputs} outputs, {right_bits} of {labels.size}"
            " bits right"
        )
    elif labels is not None:
        console.line(
            f"{right} of {len(images)} right"
            + ("" if arguments.top is None else f", {among_best} among the best {arguments.top}")
        )


def _samples(
    arguments: argparse.Namespace,
    image_shape: tuple[int, ...],
    names: Sequence[str],
    signed: bool,
    multi_label: bool,
) -> "Samples":
    """The images; of those with classes only what the network was not trained on."""
    from .. import samples
    from ..compiler import exchange

    recipe = None if arguments.network is None else exchange.load_recipe(arguments.network)
    if recipe is None:
        return samples.read(
            arguments.images, image_shape=image_shape, classes=names, signed=signed, multi_label=multi_label
        )
    made = samples.Recipe.parse(recipe).checked(image_shape)
    tried = samples.read_with(made, arguments.images, image_shape=image_shape, classes=names)
    return tried if tried.labels is None else tried.test()


def _check_top(top: int | None, identity: "Identity") -> None:
    if top is None:
        return
    if identity.signs:
        raise LinkError(
            "--top must be left out: the board's network decides by the sign of each score and ranks no"
            " classes"
        )
    if not 1 <= top <= identity.classes:
        raise LinkError(
            f"--top must be in 1 ... {identity.classes}, the classes of the board's network, not {top}"
        )


def _words(
    result: "Result", names: Sequence[str], identity: "Identity", top: int | None
) -> tuple[str, list[int]]:
    """A result in words, and the best `top` classes, if they are wanted."""
    from ..compiler.reference import ranked

    scores = " ".join(map(str, result.scores.tolist()))
    if not isinstance(result.label, int):
        return f"labels {_set(names, result.label)}  scores {scores}", []
    if top is None:
        return f"class {names[result.label]}  scores {scores}", []
    best = ranked(result.scores[None], top)[0].tolist()
    return "best " + "  ".join(f"{names[label]} {result.scores[label]}" for label in best), best


def _set(names: Sequence[str], bits: "np.ndarray") -> str:
    """The names of the bits that are 1."""
    return ", ".join(name for name, bit in zip(names, bits, strict=True) if bit) or "none"


def _network(path: Path | None, identity: "Identity") -> tuple[tuple[int, ...], Sequence[str], bool]:
    """The shape of an image, the names of the classes, and whether pixels are signed.

    From the network's file; without one, an image is a row of bytes and classes are numbers.
    """
    from ..compiler import exchange

    if path is None:
        return (identity.pixels,), [str(label) for label in range(identity.classes)], False
    network = exchange.load(path)
    if bytes.fromhex(exchange.digest(network))[:8] != identity.digest:
        raise LinkError(
            f"the board must run the network of {path}, {exchange.digest(network)[:16]}..., but runs "
            f"{identity.digest.hex()}...; give the network.json of its build"
        )
    return network.image_shape, network.labels, network.pixel_type.signed
