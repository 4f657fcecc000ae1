"""`sbgen version`: print the versions of sbgen and its dependencies."""

import argparse
import importlib.metadata
import platform

from .. import __version__
from ..errors import printable

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`sbgen version` takes no arguments."""


def run(arguments: argparse.Namespace) -> None:
    """Print sbgen, Python and every distribution that sbgen depends on, without importing any of them."""
    names = _distributions()
    width = max(24, *(len(name) + 1 for name in names))
    system = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    print(printable(f"{'sbgen':{width}}{__version__}"))
    print(printable(f"{'python':{width}}{system}"))
    for name in names:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            version = "not installed"
        print(printable(f"{name:{width}}{version}"))


def _distributions() -> list[str]:
    """The distributions that sbgen requires, extras included, from its metadata."""
    try:
        requires = importlib.metadata.requires("sbgen") or []
    except importlib.metadata.PackageNotFoundError:
        return []  # a bare checkout
    names = dict.fromkeys(
        requirement.split(";")[0].split("[")[0].split("<")[0].split(">")[0].strip()
        for requirement in requires
    )
    return [name for name in names if name != "sbgen"]
