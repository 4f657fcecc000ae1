"""A testbench and a design compiled by Icarus Verilog or by Verilator."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ... import tools
from ...errors import ToolError

__all__ = ["SIMULATORS", "build", "choose", "require", "verilate", "verilator_flags"]

SIMULATORS = ("icarus", "verilator")

# Icarus reads some 300,000 weights a second whatever the folding, Verilator 300 million after some 12 s of
# compilation.
_ICARUS_WEIGHTS = 4_000_000


def choose(weights: int) -> str:
    """The one of `SIMULATORS` that reads so many weights first, of those that are installed; a `ToolError`
    when none is.
    """
    found, errors = [], []
    for simulator in SIMULATORS:
        try:
            require(simulator)
            found.append(simulator)
        except ToolError as error:
            errors.append(str(error))
    if not found:
        raise ToolError("no simulator of Verilog can run: " + "; ".join(errors))
    return found[-1] if weights > _ICARUS_WEIGHTS else found[0]


def require(simulator: str) -> None:
    """Raise a `ToolError` unless that one of `SIMULATORS` can run here."""
    if simulator == "icarus":
        tools.find("iverilog")
        return
    tools.find("verilator")
    # It is started by a Perl script and writes C++.
    missing = [name for name in ("perl", "make") if not shutil.which(name)]
    if not any(map(shutil.which, ("g++", "c++", "clang++"))):
        missing.append("g++")
    if missing:
        are = "is" if len(missing) == 1 else "are"
        raise ToolError(
            f"verilator needs {' and '.join(missing)}, which {are} not installed;"
            f" try: apt install {' '.join(missing)} (or your system's package)"
        )


def build(
    folder: Path, *, simulator: str, macros: Mapping[str, int], waves: bool = False, quick: bool = False
) -> tuple[tools.Tool, str]:
    """Compile ``testbench.v`` and ``top.v`` of a folder.

    Parameters
    ----------
    folder : Path
    simulator : str
        One of `SIMULATORS`.
    macros : mapping of str
        Defined for the testbench.
    waves : bool
        Whether ``WAVES`` is defined too, with which a testbench calls ``$dumpvars``.
    quick : bool
        Whether compiling fast matters more than running fast.

    Returns
    -------
    program : `sbgen.tools.Tool`
        To be run in that folder.
    name : str
        Name and version of the simulator.
    """
    macros = {**macros, "WAVES": 1} if waves else macros
    return (
        _icarus(folder, macros)
        if simulator == "icarus"
        else _verilator(folder, macros, "-O0" if quick else "-O2")
    )


def _icarus(folder: Path, macros: Mapping[str, int]) -> tuple[tools.Tool, str]:
    compiler, runner = tools.find("iverilog"), tools.find("vvp")
    tools.run(
        compiler,
        ["-g2005", "-s", "testbench", "-o", "testbench.vvp", *_defines(macros), "testbench.v", "top.v"],
        cwd=folder,
        log=folder / "build.log",
    )
    # -n: a testbench that stops must end, not ask.
    return replace(runner, argv=(*runner.argv, "-n", "testbench.vvp")), f"Icarus Verilog {compiler.version}"


def _verilator(folder: Path, macros: Mapping[str, int], optimization: str) -> tuple[tools.Tool, str]:
    shutil.copyfile(Path(__file__).with_name("main.cpp"), folder / "main.cpp")
    program = verilate(
        folder,
        top="testbench",
        sources=("testbench.v", "top.v", "main.cpp"),
        macros=macros,
        optimization=optimization,
        flags=("--trace-vcd",) if "WAVES" in macros else (),
    )
    return program, f"Verilator {program.version}"


def verilate(
    folder: Path,
    *,
    top: str,
    sources: Sequence[str],
    macros: Mapping[str, int],
    optimization: str = "-O2",
    flags: Sequence[str] = (),
) -> tools.Tool:
    """Compile Verilog with Verilator, and a C++ program that runs it.

    Parameters
    ----------
    folder : Path
        With the sources; the program and all that leads to it are written into its subfolder ``obj``.
    top : str
        The top module; its class in C++ is ``V<top>``, the program ``obj/<top>``.
    sources : sequence of str
        Verilog files, and the C++ file with ``main``.
    macros : mapping of str
        Defined for the Verilog.
    optimization : str
        Of the C++ compiler, for the model.
    flags : sequence of str
        Further ones of Verilator.

    Returns
    -------
    `sbgen.tools.Tool`
        The program; its version is that of Verilator.
    """
    compiler = tools.find("verilator")
    tools.run(
        compiler,
        [
            "--cc",
            "--exe",
            "--build",
            "-j",
            "0",
            "--no-timing",
            "-O3",
            *flags,
            *verilator_flags(optimization),
            "--top-module",
            top,
            "-Mdir",
            "obj",
            "-o",
            top,
            *_defines(macros),
            *sources,
        ],
        cwd=folder,
        log=folder / "build.log",
    )
    return tools.Tool(
        name=top, argv=(str((folder / "obj" / top).absolute()),), version=compiler.version, origin="build"
    )


def verilator_flags(optimization: str, *, timing: bool = False) -> list[str]:
    """Flags of Verilator for designs that sbgen wrote: no warnings, and variables of the makefile.

    Parameters
    ----------
    optimization : str
        Of the C++ compiler, for the model.
    timing : bool
        Whether the Verilog has delays, as with ``--timing``.
    """
    make = {
        # The runtime library is compiled as well and hardly runs: optimising it would only cost time.
        "OPT_FAST": optimization,
        "OPT_SLOW": "-O0",
        "OPT_GLOBAL": "-O0",
        # It is empty in the package, which breaks designs of more than one file.
        "CFG_CXXFLAGS_PCH_I": "-include",
        "PYTHON3": sys.executable,
        # Delays are coroutines of C++20; the package does not ask the compiler for them.
        **({"CFG_CXXFLAGS_COROUTINES": "-std=gnu++20"} if timing else {}),
    }
    variables = " ".join(f"{name}={value}" for name, value in make.items())
    return ["-Wno-fatal", "-Wno-lint", "-Wno-style", "-MAKEFLAGS", variables]


def _defines(macros: Mapping[str, int]) -> list[str]:
    return [f"-D{name}={value}" for name, value in macros.items()]
