"""`sbgen client`: copy the host's end of the link for a microcontroller."""

import argparse
import shutil
from pathlib import Path

from ..clients import FOLDER, LANGUAGES
from ..console import Console
from ..errors import DataError

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sbgen client`."""
    parser.add_argument("language", choices=LANGUAGES, help="c (C99) or micropython")
    parser.add_argument(
        "--out", type=Path, default=Path(), metavar="DIR", help="where to (default: this folder)"
    )


def run(arguments: argparse.Namespace) -> None:
    """Copy the files; existing ones are replaced only by themselves."""
    console = Console()
    arguments.out.mkdir(parents=True, exist_ok=True)
    sources = [path for path in sorted((FOLDER / arguments.language).iterdir()) if path.is_file()]
    for source in sources:
        target = arguments.out / source.name
        if target.exists() and target.read_bytes() != source.read_bytes():
            raise DataError(
                f"{target} must not be there, or be the same file; remove it or give another --out"
            )
    for source in sources:
        shutil.copyfile(source, arguments.out / source.name)
        console.line(str(arguments.out / source.name))
