"""The bench of a handed-over core, run in a simulator before anybody gets the folder."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from .. import tools
from ..compiler.simulate.programs import verilator_flags
from ..errors import ToolError
from ..verdict import MismatchError
from .context import Context

__all__ = ["Checked", "bench", "lint"]


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What a bench showed: all results are equal.

    Parameters
    ----------
    simulator : str
        Name and version.
    latency : int
        Cycles from the first word of the first image to its last result; of registers, until a processor that
        does nothing else has read all of them.
    """

    simulator: str
    latency: int


def bench(context: Context, files: Mapping[str, str], folder: Path, *, simulator: str) -> Checked:
    """Run the bench with stalls and without, in a folder of its own.

    Parameters
    ----------
    files : mapping of str
        As from `folder.files`.
    folder : Path
        Exists; the files and all that the simulator makes are written into it.
    simulator : str
        ``"icarus"`` or ``"verilator"``, which can run here.

    Raises
    ------
    MismatchError
        A result is wrong or missing: a defect of sbgen.
    """
    for name, text in files.items():
        (folder / name).write_text(text, encoding="ascii")
    program, version = (_icarus if simulator == "icarus" else _verilator)(context.name, folder)
    said = ""
    for stall in (1, 0):
        try:
            said = tools.run(program, [f"+stall={stall}"], cwd=folder, log=folder / "run.log")
        except ToolError:
            said = (folder / "run.log").read_text(encoding="utf-8", errors="replace")
        if f"PASS: {context.name}: " not in said:
            why = next(
                (line for line in said.splitlines() if line.startswith("FAIL")), "it ends without a verdict"
            )
            raise MismatchError(
                f"the core in its shell must compute what the network means, but its bench says: {why}"
                f" (in {version}); nothing was written: this is a defect of sbgen, please report it with"
                " the model file"
            )
    latency = re.search(r"latency (\d+) cycles", said)
    assert latency, said
    return Checked(simulator=version, latency=int(latency.group(1)))


def _icarus(name: str, folder: Path) -> tuple[tools.Tool, str]:
    compiler, runner = tools.find("iverilog"), tools.find("vvp")
    arguments = ["-g2005", "-s", f"{name}_tb", "-o", "bench.vvp", f"{name}_tb.v", f"{name}.v"]
    tools.run(compiler, arguments, cwd=folder, log=folder / "build.log")
    # -n: a bench that stops must end, not ask.
    program = replace(runner, argv=(*runner.argv, "-n", "bench.vvp"))
    return program, f"Icarus Verilog {compiler.version}"


def _verilator(name: str, folder: Path) -> tuple[tools.Tool, str]:
    compiler = tools.find("verilator")
    arguments = [
        *("--binary", "--timing", "-j", "0", *verilator_flags("-O1", timing=True)),
        *("--top-module", f"{name}_tb", "-Mdir", "obj", "-o", "bench", f"{name}_tb.v", f"{name}.v"),
    ]
    tools.run(compiler, arguments, cwd=folder, log=folder / "build.log")
    program = str((folder / "obj" / "bench").absolute())
    return (
        tools.Tool(name="bench", argv=(program,), version=compiler.version, origin="build"),
        f"Verilator {compiler.version}",
    )


def lint(context: Context, files: Mapping[str, str], folder: Path) -> str:
    """What ``verilator --lint-only -Wall`` says in spite of the waiver; Verilator must be installed."""
    name = context.name
    for file in (f"{name}.v", f"{name}.vlt", *context.contents):
        (folder / file).write_text(files[file], encoding="ascii")
    try:
        tools.run(
            tools.find("verilator"),
            ["--lint-only", "-Wall", f"{name}.vlt", f"{name}.v"],
            cwd=folder,
            log=folder / "lint.log",
        )
    except ToolError:
        pass
    said = (folder / "lint.log").read_text(encoding="utf-8", errors="replace")
    return "".join(line for line in said.splitlines(keepends=True) if line.startswith("%"))
