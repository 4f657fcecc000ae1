"""`sbgen classify`: classify images on a board."""

import time
from pathlib import Path

import numpy as np

from .. import samples
from ..boards.host import add_port_arguments, open_link
from ..compiler import exchange
from ..compiler.reference import ranked
from ..console import Console
from ..errors import LinkError

__all__ = ["add_arguments", "run"]


def add_arguments(parser):
    """Add the options of `sbgen classify`."""
    parser.add_argument(
        "images",
        type=Path,
        metavar="IMAGES",
        help="images, and their classes if known, as --samples of `sbgen build` takes them",
    )
    parser.add_argument(
        "--top", type=int, metavar="K", help="print the best K classes and their scores instead of all scores"
    )
    parser.add_argument(
        "--network",
        type=Path,
        metavar="FILE",
        help=(
            "the network.json of its build: print the names of the classes, and refuse a board that runs"
            " another"
        ),
    )
    add_port_arguments(parser)


def run(arguments):
    """Print the class of each image, its best few or its labels, and how many are right when the file tells."""
    console = Console()
    right = among = bits = 0
    with open_link(arguments) as link:
        identity = link.identify()
        image_shape, names, signed = _network(arguments.network, identity)
        if arguments.top is not None and identity.signs:
            raise LinkError(
                "--top must be left out, as the board's network decides by the sign of each score and ranks"
                " none"
            )
        found = samples.read(
            arguments.images,
            image_shape=image_shape,
            classes=names,
            signed=signed,
            multi_label=identity.multi_label,
        )
        images, labels = found.images, found.labels
        if arguments.top is not None and not 1 <= arguments.top <= identity.classes:
            raise LinkError(
                f"--top must be in 1 ... {identity.classes}, the classes of the board's network, not"
                f" {arguments.top}"
            )
        begun = time.monotonic()
        for n, result in enumerate(link.classify(images)):
            scores = " ".join(map(str, result.scores.tolist()))
            if identity.multi_label:
                told = f"labels {_set(names, result.label)}  scores {scores}"
            elif arguments.top is None:
                told = f"class {names[result.label]}  scores {scores}"
            else:
                best = ranked(result.scores[None], arguments.top)[0].tolist()
                among += labels is not None and labels[n] in best
                told = "best " + "  ".join(f"{names[label]} {result.scores[label]}" for label in best)
            truth = ""
            if labels is not None:
                agree = result.label == labels[n]
                right += int(np.all(agree))
                bits += int(np.sum(agree))
                truth = f"  label {_set(names, labels[n]) if identity.multi_label else names[labels[n]]}"
            console.line(f"{n:6}  {told}{truth}")
        if len(images):
            console.line(f"{len(images) / (time.monotonic() - begun):,.0f} images/s; {link.bounds(identity)}")
    if labels is not None and identity.multi_label:
        console.line(
            f"{right} of {len(images)} right in all {identity.outputs} outputs, {bits} of {labels.size} bits"
            " right"
        )
    elif labels is not None:
        console.line(
            f"{right} of {len(images)} right"
            + ("" if arguments.top is None else f", {among} among the best {arguments.top}")
        )


def _set(names, bits):
    """The names of the bits that are 1."""
    return ", ".join(names[n] for n in np.flatnonzero(bits)) or "none"


def _network(path, identity):
    """Shape of an image, names of the classes and whether pixels are signed, of the network's file; else a
    row of bytes and numbers.
    """
    if path is None:
        return (identity.pixels,), [str(label) for label in range(identity.classes)], False
    network = exchange.load(path)
    if bytes.fromhex(exchange.digest(network))[:8] != identity.digest:
        raise LinkError(
            f"the board must run the network of {path}, {exchange.digest(network)[:16]}..., but runs "
            f"{identity.digest.hex()}...; give the network.json of its build"
        )
    return network.image_shape, network.labels, network.pixel_type.signed
