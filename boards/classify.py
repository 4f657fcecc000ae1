"""`sbgen classify`: classify images on a board."""

from pathlib import Path

import numpy as np

from ..errors import DataError
from .host import add_port_arguments, open_link

__all__ = ["add_arguments", "run"]


def add_arguments(parser):
    """Add the options of `sbgen classify`."""
    parser.add_argument("images", type=Path, metavar="IMAGES",
                        help=".npy of raw uint8 pixels, shape (N, ...), or .npz with `images` and perhaps `labels`")
    add_port_arguments(parser)


def run(arguments):
    """Print the class of each image, and how many are right when the file tells."""
    images, labels = _load(arguments.images)
    right = 0
    with open_link(arguments) as link:
        for n, result in enumerate(link.classify(images)):
            right += labels is not None and result.label == labels[n]
            truth = "" if labels is None else f"  label {labels[n]}"
            print(f"{n:6}  class {result.label}  scores {' '.join(map(str, result.scores.tolist()))}{truth}")
    if labels is not None:
        print(f"{right} of {len(images)} right")


def _load(path):
    try:
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded, None
        with loaded:
            images = loaded["images"]
            labels = loaded.get("labels")
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path} must be a .npy of images or a .npz with `images`, but it cannot be read so: "
                        f"{error}") from error
    if labels is not None and labels.shape != images.shape[:1]:
        raise DataError(f"{path} must have one label for each of its {len(images)} images, not {labels.shape}")
    return images, labels
