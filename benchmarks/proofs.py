"""What `sbgen prove` proves of the shipped models, and how long it takes.

    python benchmarks/proofs.py [--models tfc-mnist cnn-mnist ...] [--board icebreaker] [--jobs 2]

Builds each into ``build/proofs/MODEL-BOARD`` and proves it there, as a user does; writes
``results/proofs.json`` from the builds' proofs.json. Exits with status 1 if a statement is not proved. Times
are wall-clock: leave the machine idle otherwise.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import record

ROOT = Path(__file__).parent.parent


def measure(model, board, jobs):
    """The row of one build."""
    folder = ROOT / "build/proofs" / f"{model}-{board}"
    sbgen = sys.executable, "-m", "sbgen"
    subprocess.run(
        [*sbgen, "build", "--model", ROOT / "models" / f"{model}.pt", "--board", board, "--out", folder],
        check=True,
    )
    start = time.monotonic()
    # Its status only says that something is not proved; the file says what.
    subprocess.run([*sbgen, "prove", folder, "--jobs", str(jobs)], check=False)
    seconds = time.monotonic() - start
    content = json.loads((folder / "proofs.json").read_text(encoding="utf-8"))
    proofs = content["proofs"]
    longest = max(proofs, key=lambda proof: proof["seconds"])
    return {
        "model": model,
        "board": board,
        "statements": len(proofs),
        "proved": sum(proof["status"] == "proved" for proof in proofs),
        "not_proved": [proof["subject"] for proof in proofs if proof["status"] != "proved"],
        "without_statement": content["without_statement"],
        "seconds": round(seconds),
        "longest": longest["subject"],
        "longest_seconds": longest["seconds"],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--models",
        nargs="+",
        default=["tfc-mnist", "digits", "cnn-mnist"],
        metavar="NAME",
        help="without .pt",
    )
    parser.add_argument("--board", default="icebreaker")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count(), help="proofs at the same time (one for each processor)"
    )
    options = parser.parse_args()
    builds = []
    for model in options.models:
        builds.append(measure(model, options.board, options.jobs))
        record.write(
            "proofs",
            {
                "processors": os.cpu_count(),
                "system": platform.system(),
                "jobs": options.jobs,
                "builds": builds,
            },
        )
    return (
        0
        if all(build["proved"] == build["statements"] and not build["without_statement"] for build in builds)
        else 1
    )


if __name__ == "__main__":
    sys.exit(main())
