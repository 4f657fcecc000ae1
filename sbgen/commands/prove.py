"""`sbgen prove`: machine-checked proofs about the parts of a design, for every input and every stall. ::

network.json, design.json, core.v -> statements, one per kind of part -> solvers -> proofs.json, proofs.md
                                                                                    refuted-N.vcd
"""

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..arguments import at_least
from ..built import Built
from ..console import Console

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sbgen prove`."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="output folder of `sbgen build`")
    parser.add_argument(
        "--budget",
        type=at_least(1),
        default=300,
        metavar="S",
        help="maximum processor seconds per proof (default: %(default)s)",
    )
    parser.add_argument(
        "--jobs",
        type=at_least(1),
        default=min(2, os.cpu_count() or 1),
        metavar="N",
        help="proofs in parallel (default: %(default)s)",
    )
    parser.add_argument(
        "--only",
        metavar="TEXT",
        help="only statements whose subject or place contains this text; nothing is written",
    )


def run(arguments: argparse.Namespace) -> int:
    """Prove and report; the exit code is 1 if anything is not proved."""
    from .. import proving

    console = Console()
    report = proving.prove(
        Built(arguments.folder),
        budget=arguments.budget,
        jobs=arguments.jobs,
        only=arguments.only,
        console=console,
    )
    return _summary(console, report, arguments.folder if arguments.only is None else None)


def _summary(console: Console, report: Mapping[str, Any], folder: Path | None) -> int:
    """Print what is proved; returns the exit code."""
    proofs = report["proofs"]
    console.line()
    for proof in proofs:
        if proof["status"] != "proved":
            console.line(
                f"  {proof['status']}: {proof['subject']} ({', '.join(proof['places'][:4])})",
                style="bold red",
            )
    for part in report["without_statement"]:
        console.line(f"  no statement: {part}", style="bold yellow")
    proved = sum(proof["status"] == "proved" for proof in proofs)
    complete = proved == len(proofs) and not report["without_statement"]
    console.line(
        f"  {proved} of {len(proofs)} statements are proved, for every input and every stall",
        style="bold green" if complete else "bold yellow",
    )
    if folder:
        console.line(f"  see {folder / 'proofs.md'}, which also lists what is not proved")
    return 0 if complete else 1
