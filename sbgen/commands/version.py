"""`sbgen version`: the versions of sbgen and what it stands on."""

import importlib.metadata
import platform

from .. import __version__

__all__ = ["add_arguments", "run"]


def add_arguments(parser):
    """`sbgen version` takes no arguments."""


def run(arguments):
    """`sbgen version`: sbgen, Python and every distribution that sbgen names, without importing any of them."""
    print(f"{'sbgen':24}{__version__}")
    print(f"{'python':24}{platform.python_version()} on {platform.system()} {platform.machine()}")
    for name in _distributions():
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            version = "not installed"
        print(f"{name:24}{version}")


def _distributions():
    """Names of the distributions that sbgen requires, extras included, as its metadata lists them."""
    try:
        requires = importlib.metadata.requires("sbgen") or []
    except importlib.metadata.PackageNotFoundError:
        return []  # a bare checkout
    names = dict.fromkeys(
        requirement.split(";")[0].split("[")[0].split("<")[0].split(">")[0].strip()
        for requirement in requires
    )
    return [name for name in names if name != "sbgen"]
