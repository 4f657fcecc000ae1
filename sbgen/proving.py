"""Proofs about a build: its parts are stated, decided and reported. ::

network.json, design.json, core.v -> statements, one per kind of part -> solvers -> proofs.json, proofs.md
                                                                                    refuted-N.vcd
"""

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from . import __version__, atomic, evidence, parallel
from .built import Built
from .console import Console
from .errors import ModelError
from .proofs.engine import Outcome, decide
from .proofs.plan import Planned, plan
from .proofs.statement import Statement

__all__ = ["BUDGET", "NOT_PROVED", "prove"]

#: Processor seconds that a proof may take.
BUDGET = 300

#: What no statement covers; part of every report.
NOT_PROVED = (
    (
        "that the parts are wired output to input in the order of the layers: core.v shows it, and every"
        " simulation depends on it"
    ),
    "clock, PLL and reset of the board around the core (`sbgen verify` runs the board's Verilog)",
    (
        "how the host link and the flash loader use their parts, which are proved: that requests are"
        " answered as docs/link.md says, and that the weights are read from the flash (tests and"
        " benches, `sbgen verify` through the pins)"
    ),
    (
        "synthesis, place and route: that the bitstream does what core.v says (`sbgen verify` simulates the"
        " netlists and reads weights back)"
    ),
    "that the integer network is the trained one (`sbgen verify`: float and integer network on a data set)",
    "the solver itself: abc checks the invariants of pdr again, the rest is trusted",
)


def prove(
    built: Built, *, budget: int = BUDGET, jobs: int = 2, only: str | None = None, console: Console
) -> dict[str, Any]:
    """Prove the parts of a build correct for every input, and write proofs.json and proofs.md.

    Parameters
    ----------
    built : Built
    budget : int
        Maximum processor seconds per proof.
    jobs : int
        Proofs in parallel.
    only : str or None
        Only statements whose subject or place contains this text; nothing is written.

    Returns
    -------
    dict
        The content of proofs.json (``docs/prove.md``).

    Raises
    ------
    ModelError
        The folder is not of a build, or `only` is in no statement.
    """
    with console.step("state") as step:
        planned = _plan(built)
        chosen = [
            (statement, places)
            for statement, places in planned.values()
            if only is None or any(only in text for text in (statement.subject, *places))
        ]
        parts = sum(sum(places.values()) for _, places in chosen)
        step.note(f"{len(chosen):,} statements, {parts:,} parts")
    if not chosen:
        raise ModelError(
            f"--only must be part of a subject, but {only!r} is in none of: {'; '.join(planned)}"
        )
    outcomes = parallel.run(
        console,
        [
            partial(_prove, console, n, statement, built.folder, budget)
            for n, (statement, _) in enumerate(chosen)
        ],
        jobs=jobs,
    )
    report = {
        "sbgen": __version__,
        "budget": budget,
        "proofs": [
            {
                "subject": statement.subject,
                "places": sorted(places),
                "claim": statement.claim,
                "scope": statement.scope,
                "status": outcome.status,
                "solver": outcome.solver,
                "depth": outcome.depth,
                "seconds": round(outcome.seconds, 1),
                "violated": list(outcome.violated),
            }
            for (statement, places), outcome in zip(chosen, outcomes, strict=True)
        ],
        "without_statement": planned.unstated,
        "not_proved_here": list(NOT_PROVED),
    }
    if only is None:
        evidence.write(built.folder, "proofs", report)
        atomic.write(built.folder / "proofs.md", _markdown(report))
    return report


def _plan(built: Built) -> Planned:
    """The statements about the core of a build, and about its board if it has top.v."""
    weights_file = built.folder / "weights.bin"
    weights = weights_file.read_bytes() if weights_file.is_file() else b""
    has_link = all((built.folder / name).is_file() for name in ("report.json", "top.v"))
    if not has_link or built.tests_itself:
        return plan(built.design, built.core_verilog, weights=weights)
    return plan(
        built.design, built.core_verilog, top=built.top, top_verilog=built.top_verilog, weights=weights
    )


def _prove(console: Console, n: int, statement: Statement, folder: Path, budget: int) -> Outcome:
    """Decide one statement."""
    trace = folder / f"refuted-{n}.vcd"
    trace.unlink(missing_ok=True)
    with console.step(statement.subject) as step:
        if statement.check is not None:
            start = time.monotonic()
            wrong = statement.check()
            outcome = Outcome(
                status="refuted" if wrong else "proved",
                solver="comparison one by one",
                depth=None,
                seconds=time.monotonic() - start,
                violated=tuple(wrong[:10]),
            )
        else:
            assert statement.circuit is not None
            outcome = decide(statement.circuit(), budget=budget, trace=trace)
        step.note(
            outcome.status
            + (f" by {outcome.solver}" if outcome.status == "proved" else "")
            + "".join(f"; {violation}" for violation in outcome.violated[:2])
            + (f"; see {trace}" if trace.exists() else "")
        )
    return outcome


def _markdown(report: Mapping[str, Any]) -> str:
    lines = [
        "# What is proved about this design",
        "",
        (
            "Each statement holds for every input, in every cycle, with a reset in any cycle, whatever the"
            " other side of a stream does."
        ),
        "",
    ]
    for proof in report["proofs"]:
        took = (
            f"{proof['solver']}, "
            + (f"depth {proof['depth']}, " if proof["depth"] else "")
            + f"{proof['seconds']:g} s"
        )
        lines += [
            f"## {proof['status'].capitalize()}: {proof['subject']}",
            "",
            proof["claim"][0].upper() + proof["claim"][1:] + ".",
            "",
        ]
        if proof["scope"]:
            lines += [f"In the proof {proof['scope']}.", ""]
        lines += [f"Where: {', '.join(proof['places'])}. By: {took}.", ""]
        lines += [f"- {violation}" for violation in proof["violated"]] + [""] * bool(proof["violated"])
    lines += ["## Not proved here", ""]
    lines += [f"- {part}: there is no statement about it" for part in report["without_statement"]]
    lines += [f"- {gap}" for gap in report["not_proved_here"]]
    return "\n".join(lines) + "\n"
