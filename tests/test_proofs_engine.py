"""What the solvers are asked and what becomes of their answers, with tools that only answer."""

import re

import pytest

from sbgen import tools
from sbgen.errors import ToolError
from sbgen.hw.queue import Queue
from sbgen.proofs import engine, moves

WAVEFORM = "$var wire 1 n1 violation_0 $end\n$var wire 1 n2 violation_2 $end\n#0\nb0 n1\nb0 n2\n#1\nb1 n2\n"


class Tools:
    """yosys and abc that answer each command with what was said for it; silent ones take longer than they
    may.
    """

    def __init__(self, monkeypatch, *, latches=3, waveform=WAVEFORM, **answers):
        self.answers = {"scorr": f"i/o = 4/1  lat = {latches}  and = 9", "bmc3": "", **answers}
        self.asked, self.waveform = [], waveform
        monkeypatch.setattr(tools, "find", lambda name: name)
        monkeypatch.setattr(tools, "run", self.run)

    def run(self, tool, args, *, cwd, log, processor_seconds=None):
        if tool == "yosys":
            if "sim -clock" in args[1]:
                (cwd / "refuted.vcd").write_text(self.waveform)
            else:
                assert "module \\top" in (cwd / "design.il").read_text()
            return ""
        command = next(
            name for name in ("scorr", "dprove", "pdr", "reach", "bmc3") if re.search(rf"\b{name}\b", args[1])
        )
        self.asked.append((command, processor_seconds))
        if self.answers.get(command) is None:
            raise tools.OutOfTime("too long")
        return self.answers[command]


def decide(**settings):
    circuit = moves.queue(lambda shape: Queue(shape=shape, depth=2), width=1, depth=2).circuit()
    return circuit, engine.decide(circuit, **settings)


@pytest.mark.parametrize(
    "budget, shares", [(100, [100, 3, 67, 30]), (1000, [1000, 30, 670, 300]), (1, [1, 1, 1, 1])]
)
def test_each_engine_has_its_share_of_the_budget(monkeypatch, budget, shares):
    asked = Tools(monkeypatch)
    _, outcome = decide(budget=budget)
    assert asked.asked == list(zip(("scorr", "pdr", "reach", "pdr"), shares, strict=True))
    assert (outcome.status, outcome.solver, outcome.depth, outcome.violated) == (
        "undecided",
        "abc scorr, pdr/reach",
        None,
        (),
    )


@pytest.mark.parametrize(
    "answers, solver",
    [
        ({"pdr": "Status = 1  Frames = 12"}, "pdr"),
        ({"reach": "Status = 1  Frames = 12"}, "reach"),
        ({"pdr": "Status = -1  Frames = 3", "reach": "Status = 1  Frames = 12"}, "reach"),
        ({"latches": 0, "dprove": "Status = 1  Frames = 12"}, "cec"),
    ],
)
def test_the_first_that_knows_decides(monkeypatch, answers, solver):
    Tools(monkeypatch, **answers)
    _, outcome = decide(budget=10)
    assert (outcome.status, outcome.solver, outcome.depth) == ("proved", f"abc scorr, {solver}", 12)


def test_what_is_swept_for_too_long_is_undecided(monkeypatch):
    Tools(monkeypatch, scorr=None)
    assert decide(budget=10)[1].solver == "abc scorr"


def test_a_counterexample_is_replayed(monkeypatch, tmp_path):
    asked = Tools(monkeypatch, pdr="Status = 0  Frames = 4")
    circuit, outcome = decide(budget=10, trace=tmp_path / "trace.vcd")
    assert (outcome.status, outcome.depth) == ("refuted", 4)
    assert outcome.violated == (list(circuit.violations)[2],)
    assert (tmp_path / "trace.vcd").read_text() == WAVEFORM
    assert asked.asked[-1] == ("bmc3", None)  # it is there, however long it takes to be found


def test_a_counterexample_that_violates_nothing_is_a_defect_of_ours(monkeypatch):
    Tools(monkeypatch, pdr="Status = 0  Frames = 4", waveform=WAVEFORM.replace("b1", "b0"))
    with pytest.raises(AssertionError, match="shows no violation in yosys"):
        decide(budget=10)


def test_a_circuit_that_abc_cannot_read(monkeypatch):
    Tools(monkeypatch, scorr="Error: unknown format")
    with pytest.raises(ToolError, match="must read the circuit, but said: Error: unknown format"):
        decide(budget=10)


def test_seconds_are_those_that_passed(monkeypatch):
    Tools(monkeypatch, pdr="Status = 1  Frames = 1")
    times = iter((1000.0, 1007.5))
    monkeypatch.setattr(engine.time, "monotonic", lambda: next(times))
    assert decide(budget=10)[1].seconds == 7.5
