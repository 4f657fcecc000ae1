"""`sbgen data`: write a real data set as the file that a person has of her own."""

import argparse
from pathlib import Path

from ..console import Console

__all__ = ["SETS", "add_arguments", "run"]

#: What each set of `example_data.SETS` is, which would import NumPy.
SETS = {
    "breast-cancer": "569 tumours, 30 measurements, 2 diagnoses (scikit-learn)",
    "wine": "178 wines, 13 measurements, 3 cultivars (scikit-learn)",
    "digits": "1,797 digits of 8 x 8 pixels of 0 ... 16 (scikit-learn)",
    "semeion": "1,593 digits of 16 x 16 pixels (the file of the UCI archive, in --data)",
    "mnist": "70,000 digits of 28 x 28 pixels, 10,000 of them for tests (in --data, else a download)",
    "fashion-mnist": "70,000 articles of clothing of 28 x 28 pixels, as mnist",
    "basic-motions": "80 x 100 steps of a smartwatch, 6 channels, 4 activities (aeon)",
    "japanese-vowels": "640 utterances of 29 steps, 12 cepstra, 9 speakers (aeon)",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sbgen data`."""
    parser.add_argument(
        "name",
        choices=list(SETS),
        metavar="NAME",
        help="; ".join(f"{name}: {text}" for name, text in SETS.items()),
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FILE",
        help="a .csv, a .npz or, for images, a new folder of PNG files by class",
    )
    parser.add_argument(
        "--part",
        choices=("all", "train", "test"),
        default="all",
        help="the part of the archive's own split, of mnist and the sets of aeon (default: %(default)s)",
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder that holds semeion/, mnist/ and so on (default: SBGEN_DATA)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Write the file or folder as a whole or not at all."""
    from .. import example_data

    example = example_data.load(arguments.name, part=arguments.part, folder=arguments.data)
    example_data.write(example, arguments.out)
    shape = " x ".join(map(str, example.values.shape[1:]))
    Console().line(
        f"{arguments.out}: {len(example.values):,} samples of {shape}, {len(set(example.classes))}"
        f" classes; next: sbgen train --samples {arguments.out}"
    )
