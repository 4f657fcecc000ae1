"""Builds and runs cocotb benches over emitted Verilog.

Compiling costs more than simulating, so many components share one top module, `Bench`, and each cocotb test
drives one of them; the ports of the component NAME are ``NAME__i__payload``, ``NAME__i__valid`` and so on.
"""

import os
import re
import shutil
import sys
from contextlib import contextmanager
from xml.etree import ElementTree

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out, connect, flipped
from cocotb_tools.runner import get_runner

from sbgen import tools
from sbgen.errors import ToolError

__all__ = ["SIMULATORS", "Bench", "run"]

SIMULATORS = ("icarus", "verilator")
_PROGRAMS = {"icarus": ("iverilog", "vvp"), "verilator": ("verilator",)}

# Verilator: only the ports at the top are looked at, so all else may be optimised away; and what is compiled
# in seconds need not run fast, for cocotb is slower by far.
_VISIBLE = """\
`verilator_config
public_flat_rw -module "{top}" -var "*"
"""
_MAKEFLAGS = f"OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0 PYTHON3={sys.executable}"
# What comes out of sbgen is Verilog-2005. In SystemVerilog the initial values of registers are there before
# time begins, and an `always @*` that depends on nothing else would never run.
_ARGUMENTS = {
    "icarus": ["-g2005"],
    "verilator": ["--no-public-flat-rw", "--output-split", "0", "-Wno-fatal", "-Wno-lint", "-Wno-style"],
}


class Bench(wiring.Component):
    """Components side by side, each with all of its ports at the top."""

    def __init__(self, components):
        self._components = dict(components)
        super().__init__({name: Out(component.signature) for name, component in components.items()})

    def elaborate(self, platform):
        m = Module()
        for name, component in self._components.items():
            m.submodules[name] = component
            connect(m, flipped(getattr(self, name)), component)
        return m


def run(sources, *, simulator, module, folder, top="top", settings=None):
    """Compile Verilog and run every cocotb test of a module on it.

    Parameters
    ----------
    sources : dict of str
        Verilog texts by file name.
    simulator : str
        One of `SIMULATORS`; the test is skipped when it is not installed.
    module : str
        Name of the Python module with the coroutines.
    folder : Path
        Where to build and run.
    top : str
        Name of the top module.
    settings : dict of str or None
        Environment variables for the coroutines.

    Returns
    -------
    dict of float
        Seconds of each test that was run; all have passed.
    """
    try:
        found = [tools.find(program) for program in _PROGRAMS[simulator]]
    except ToolError as error:
        pytest.skip(f"{simulator}: {error}")
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, text in sources.items():
        files.append(folder / name)
        files[-1].write_text(text)
    arguments = list(_ARGUMENTS[simulator])
    if simulator == "verilator":
        (folder / "visible.vlt").write_text(_VISIBLE.format(top=top))
        arguments.append(str(folder / "visible.vlt"))
    print(f"{found[0]}, seed {_SEED}")
    runner = get_runner(simulator)
    with _environment(found):
        runner.build(
            sources=files,
            hdl_toplevel=top,
            build_dir=folder / "build",
            build_args=arguments,
            timescale=("1ns", "1ps"),
            always=True,
            log_file=folder / "build.log",
        )
        try:
            results = runner.test(
                test_module=module,
                hdl_toplevel=top,
                build_dir=folder / "build",
                seed=_SEED,
                extra_env=settings or {},
                log_file=folder / "test.log",
                timescale=("1ns", "1ps"),
            )
        except SystemExit as error:
            # With pytest around it, cocotb leaves so when a test has failed.
            pytest.fail(f"{error}\n{_readable(folder / 'test.log')}", pytrace=False)
    cases = list(ElementTree.parse(results).iter("testcase"))
    assert cases, "no test was run"
    print(_readable(folder / "test.log"))
    return {case.get("name"): float(case.get("time")) for case in cases}


def _readable(log):
    return re.sub(r"\x1b\[[0-9;]*m", "", log.read_text(errors="replace"))


_SEED = int(os.environ.get("COCOTB_RANDOM_SEED", "1"))


@contextmanager
def _environment(found):
    """What the cocotb runner takes from the environment: tools on PATH and their variables."""
    changes = {"MAKEFLAGS": _MAKEFLAGS}
    folders = []
    for tool in found:
        folders.append(os.path.dirname(shutil.which(tool.argv[0])))
        changes |= dict(tool.env)
    changes["PATH"] = os.pathsep.join([*folders, os.environ["PATH"]])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in changes.items():
            patch.setenv(name, value)
        yield
