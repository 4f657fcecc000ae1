"""What the texts of options mean, for the commands that share them."""

import argparse
from pathlib import Path

__all__ = ["add_images", "at_least", "images", "percent", "positive"]


def add_images(parser):
    """Add ``--samples`` and ``--data``, of which one may be given; returns their group."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--samples",
        type=Path,
        metavar="FILE",
        help=(
            "images of your own, and their classes if known: .npz (images or X, labels or y), .npy, .csv, or"
            " a folder of PNG and JPEG files by class"
        ),
    )
    group.add_argument(
        "--data", type=Path, metavar="DIR", help="folder that holds mnist/, cifar10/ and so on (SBGEN_DATA)"
    )
    return group


def at_least(least):
    """A function that gives the whole number from `least` on that a text says."""

    def number(text):
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"must be a number from {least}, not {text!r}")
        return int(text)

    return number


def images(text):
    """The count of images, from 1, that a text says; None for ``all``."""
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a count from 1, or all, not {text!r}")
    return int(text)


def percent(text):
    """The fraction that a percentage from 0 to 100 says."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"must be a percentage from 0 to 100, not {text!r}")
    return value / 100


def positive(text):
    """The number above 0 that a text says."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text!r}")
    return value
