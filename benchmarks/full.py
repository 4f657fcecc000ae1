"""The campaigns that take hours: random networks, mutations, proofs, clean environments (`make full`).

    python benchmarks/full.py [PART ...]

Runs each part to its end even if another fails, and writes ``results/full.json``: a row for each part with
its command, result, seconds and the commit that was measured. Rows of other parts stay. Exits with status 1
if a part fails.
"""

import argparse
import json
import shlex
import subprocess
import sys
import time
from pathlib import Path

import record

ROOT = Path(__file__).parent.parent

#: The parts in order, with the arguments of Python that run each.
PARTS = {
    "longest tests": "-m pytest -m longest",
    "random networks": "benchmarks/random_networks.py --count 500",
    "mutations": "tests/mutate.py --write --continue",
    "placed networks": (
        "benchmarks/random_networks.py --count 54 --largest 16 --images 3 --board icebreaker --board"
        " ice40_hx8k_b_evn --board amaranth_boards.ulx3s:ULX3S_25F_Platform"
    ),
    "proofs": "benchmarks/proofs.py",
    "printed commands": "benchmarks/printed_commands.py",
    "two clean environments": "benchmarks/reproducible.py",
}


def measure(part):
    """The row of a part. Its output goes to the terminal while it runs; the row has the last line."""
    command = [sys.executable, *shlex.split(PARTS[part])]
    start, last = time.monotonic(), ""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, errors="replace") as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            last = line.strip() or last
    return {
        "part": part,
        "command": f"python {PARTS[part]}",
        "outcome": "passed" if process.returncode == 0 else "FAILED",
        "last_line": last,
        "seconds": round(time.monotonic() - start),
        **record.MEASURED,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "parts", nargs="*", choices=PARTS, metavar="PART", help=f"{', '.join(map(repr, PARTS))} (all)"
    )
    options = parser.parse_args()

    path = record.FOLDER / "full.json"
    rows = {row["part"]: row for row in json.loads(path.read_text())["parts"]} if path.exists() else {}
    chosen = options.parts or list(PARTS)
    for part in chosen:
        rows[part] = measure(part)
        record.write(
            "full",
            {"command": "make full", "parts": [rows[each] for each in PARTS if each in rows]},
            measured={},
        )
    for part in chosen:
        print(f"{rows[part]['outcome']:8} {part}: {rows[part]['last_line']}  ({rows[part]['seconds']:,} s)")
    return int(any(rows[part]["outcome"] != "passed" for part in chosen))


if __name__ == "__main__":
    sys.exit(main())
