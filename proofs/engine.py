"""Decide whether a violation of a circuit is reachable.

::

    Circuit -> RTLIL -> yosys -> and-inverter graph -> abc:
        scorr  sequential sweeping, which merges equal signals; then
        pdr    property-directed reachability, which finds an inductive invariant
        reach  the set of all reachable states, as a BDD
        cec    combinational equivalence, if no state is left
    refuted <- inputs, cycle by cycle, which yosys replays into a waveform
"""

import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import Cat, Fragment, Signal
from amaranth.hdl._ir import PortDirection

from .. import tools
from ..errors import ToolError
from .circuit import Circuit

__all__ = ["Outcome", "decide"]

# Remaining memories become registers and multiplexers; undefined values are free in every cycle.
_PREPARE = (
    "read_rtlil design.il; proc; flatten; memory_map; opt -nodffe -nosdff; "
    "techmap; dffunmap; setundef -anyseq; opt -nodffe -nosdff; opt_clean; write_rtlil gates.il; "
    "aigmap; opt_clean; write_aiger -zinit -miter -map design.aim design.aig"
)
_REPLAY = "read_rtlil gates.il; sim -clock clk -r refuted.aiw -map design.aim -vcd refuted.vcd top"

_SWEEP = "read_aiger design.aig; strash; scorr; print_stats; write_aiger swept.aig"
#: Engines to try in turn, each with its share of the budget. PDR is fast if invariants are local,
#: reachability if counters are long.
_ENGINES = (("pdr", 0.03), ("reach", 0.67), ("pdr", 0.3))
_COMMANDS = {
    "cec": "read_aiger swept.aig; dprove; print_status",
    "pdr": "read_aiger swept.aig; strash; pdr; print_status",
    "reach": "read_aiger swept.aig; strash; reach -B 4000000 -F 1000000; print_status",
}
_REFUTE = "read_aiger design.aig; strash; bmc3; write_cex -a refuted.aiw"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Result of a proof.

    Parameters
    ----------
    status : str
        ``"proved"``, ``"refuted"`` or ``"undecided"``: no answer within the budget.
    solver : str
        What decided the statement.
    depth : int or None
        Cycles, or steps of the solver, that the answer took.
    seconds : float
    violated : tuple of str
        Violations that the counterexample shows.
    """

    status: str
    solver: str
    depth: int | None
    seconds: float
    violated: tuple[str, ...] = ()


def decide(circuit: Circuit, *, budget: float, trace: str | PathLike[str] | None = None) -> Outcome:
    """Decide whether a violation of `circuit` is reachable.

    Parameters
    ----------
    circuit : Circuit
    budget : float
        CPU seconds for the solvers. Unlike elapsed time, these do not depend on other work on the machine.
    trace : path, optional
        File for the waveform of a counterexample.

    Returns
    -------
    Outcome
    """
    start = time.monotonic()
    names = list(circuit.violations)
    text = _rtlil(circuit)
    with tools.temporary("sbgen-prove-") as folder:
        (folder / "design.il").write_text(text, encoding="utf-8")
        tools.run(tools.find("yosys"), ["-p", _PREPARE], cwd=folder, log=folder / "yosys.log")

        def abc(commands: str, share: float | None = None) -> str:
            seconds = None if share is None else max(1, round(budget * share))
            return tools.run(
                tools.find("yosys-abc"),
                ["-c", commands],
                cwd=folder,
                log=folder / "abc.log",
                processor_seconds=seconds,
            )

        def outcome(
            status: str, solver: str, depth: int | None = None, violated: tuple[str, ...] = ()
        ) -> Outcome:
            return Outcome(
                status=status, solver=solver, depth=depth, violated=violated, seconds=time.monotonic() - start
            )

        try:
            swept = abc(_SWEEP, 1)
        except tools.OutOfTime:
            return outcome("undecided", "abc scorr")
        latches = re.search(r"lat =\s*(\d+)", swept)
        if latches is None:
            raise ToolError("yosys-abc must read the circuit, but said: " + " ".join(swept.split())[-200:])
        engines = (("cec", 1),) if latches.group(1) == "0" else _ENGINES
        for engine, share in engines:
            try:
                status, depth = _status(abc(_COMMANDS[engine], share))
            except tools.OutOfTime:
                continue
            if status == "proved":
                return outcome("proved", f"abc scorr, {engine}", depth)
            if status == "refuted":
                return outcome("refuted", f"abc scorr, {engine}", depth, _refute(folder, abc, names, trace))
        return outcome("undecided", "abc scorr, " + "/".join(dict(engines)))


def _rtlil(circuit: Circuit) -> str:
    # A single output: the waveform shows which violation it was.
    bad = Signal(name="bad")
    circuit.m.d.comb += bad.eq(Cat(circuit.violations.values()).any())
    ports = {signal.name: (signal, PortDirection.Input) for signal in circuit.inputs}
    ports["bad"] = bad, PortDirection.Output
    return rtlil.convert_fragment(Fragment.get(circuit.m, None), ports, "top", emit_src=False)[0]


def _status(output: str) -> tuple[str, int | None]:
    found = re.findall(r"Status = (-?\d)\s+Frames = (-?\d+)", output)
    if not found:
        return "undecided", None
    code, frames = found[-1]
    return {"1": "proved", "0": "refuted"}.get(code, "undecided"), max(0, int(frames))


def _refute(
    folder: Path, abc: Callable[[str], str], names: list[str], trace: str | PathLike[str] | None
) -> tuple[str, ...]:
    """Write the shortest counterexample as a waveform to `trace`; return what it violates."""
    abc(_REFUTE)
    tools.run(tools.find("yosys"), ["-p", _REPLAY], cwd=folder, log=folder / "replay.log")
    if trace is not None:
        shutil.copyfile(folder / "refuted.vcd", trace)
    violated = _violated((folder / "refuted.vcd").read_text(encoding="ascii"))
    if not violated:
        raise AssertionError("the counterexample of abc shows no violation in yosys")
    return tuple(names[n] for n in violated)


def _violated(waveform: str) -> list[int]:
    """Numbers of the violations that a waveform shows."""
    codes = {
        match[1]: int(match[2]) for match in re.finditer(r"\$var \w+ 1 (\S+) violation_(\d+) \$end", waveform)
    }
    return sorted(
        n for code, n in codes.items() if re.search(rf"^(b?1 ?){re.escape(code)}$", waveform, re.MULTILINE)
    )
