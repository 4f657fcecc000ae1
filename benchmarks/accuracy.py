"""Accuracy of the presets by method, over several seeds.

    python benchmarks/accuracy.py [--presets digits tfc] [--methods self-binarizing straight-through]
                                  [--seeds 0 1 2] [--data DIR] [--keep DIR]

Trains each combination as `sbgen train` would and writes ``results/accuracy.json`` and
``results/accuracy.md``; results of other combinations stay. Every setting was chosen on the validation
images; each run evaluates the test images once. Within a preset the methods have the same budget: epochs,
augmentation and teacher. Exits with status 1 if an accuracy misses its target.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import record
import torch

from sbgen import atomic
from sbgen.console import Console
from sbgen.train import experiment
from sbgen.train.presets import PRESETS, for_method
from sbgen.train.settings import METHODS

NAME = "accuracy"

#: Hardened test accuracy that the self-binarizing method must reach in the mean of its seeds.
TARGETS = {"digits": 0.96, "tfc": 0.95}

#: How far it may be below straight-through, in the mean of the seeds that both have.
MARGIN = 0.005

COLUMNS = (
    "preset",
    "method",
    "seeds",
    "epochs",
    "validation",
    "test, float",
    "test, hardened",
    "spread",
    "best",
)


def measure(preset, method, seed, *, folder, data):
    """One training run: its accuracies, 0 ... 1, and its time."""
    settings = for_method(PRESETS[preset].settings, method)
    began = time.monotonic()
    result = experiment.run(
        preset=preset,
        settings=settings,
        seed=seed,
        folder=data,
        out=Path(folder) / f"{preset}-{method}-{seed}.pt",
    )
    return {
        "preset": preset,
        "method": method,
        "seed": seed,
        "epochs": settings.epochs,
        "seconds": round(time.monotonic() - began),
        "statistics": result.report.statistics,
        **{
            f"{part}_{kind}": round(value, 6)
            for part, values in result.accuracy.items()
            for kind, value in values.items()
        },
    }


def table(rows):
    """The rows of `COLUMNS`: the mean over the seeds, their standard deviation, and the test accuracy of the
    seed that is best on the validation images."""
    lines = []
    for preset in PRESETS:
        for method in METHODS:
            mine = [row for row in rows if (row["preset"], row["method"]) == (preset, method)]
            if not mine:
                continue
            hardened = [row["test_hardened"] for row in mine]
            best = max(mine, key=lambda row: row["validation_hardened"])
            lines.append(
                (
                    preset,
                    method,
                    len(mine),
                    mine[0]["epochs"],
                    *(
                        f"{statistics.mean(row[key] for row in mine):.2%}"
                        for key in ("validation_hardened", "test_float", "test_hardened")
                    ),
                    f"{100 * statistics.stdev(hardened):.2f}" if len(mine) > 1 else None,
                    f"{best['test_hardened']:.2%} (seed {best['seed']})",
                )
            )
    return lines


def figures(rows):
    """Requirements, as (sentence, whether it holds)."""
    found = []
    for preset, target in TARGETS.items():
        by_method = {
            method: {
                row["seed"]: row["test_hardened"]
                for row in rows
                if (row["preset"], row["method"]) == (preset, method)
            }
            for method in METHODS
        }
        ours, others = by_method["self-binarizing"], by_method["straight-through"]
        if ours:
            mean = statistics.mean(ours.values())
            found.append(
                (
                    (
                        f"{preset}: self-binarizing reaches {mean:.2%} in the mean of {len(ours)} seeds, "
                        f"{target:.0%} required"
                    ),
                    mean >= target,
                )
            )
        both = sorted(set(ours) & set(others))
        if both:
            behind = statistics.mean(others[seed] - ours[seed] for seed in both)
            found.append(
                (
                    (
                        f"{preset}: self-binarizing is {100 * behind:+.2f} points below straight-through"
                        f" over {len(both)} seeds, {100 * MARGIN:g} allowed"
                    ),
                    behind <= MARGIN,
                )
            )
    return found


def markdown(rows):
    lines = [COLUMNS, ["---"] * len(COLUMNS), *table(rows)]
    return "".join(
        "| " + " | ".join("" if cell is None else str(cell) for cell in line) + " |\n" for line in lines
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--presets", nargs="+", choices=list(PRESETS), default=["digits", "tfc"])
    parser.add_argument(
        "--methods", nargs="+", choices=METHODS, default=["self-binarizing", "straight-through"]
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--keep", type=Path, help="folder for the model files")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    console = Console()
    path = record.FOLDER / f"{NAME}.json"
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for preset in args.presets:
            for method in args.methods:
                for seed in args.seeds:
                    with console.step(f"{preset} {method} seed {seed}") as step:
                        row = measure(preset, method, seed, folder=args.keep or scratch, data=args.data)
                        step.note(
                            f"validation {row['validation_hardened']:.2%}  test {row['test_hardened']:.2%}"
                        )
                    # Read again each time: other presets may run at the same time.
                    rows = json.loads(path.read_text())["runs"] if path.exists() else []
                    same = ("preset", "method", "seed")
                    rows = [other for other in rows if any(other[key] != row[key] for key in same)] + [
                        row | record.MEASURED
                    ]
                    rows.sort(
                        key=lambda row: (
                            list(PRESETS).index(row["preset"]),
                            METHODS.index(row["method"]),
                            row["seed"],
                        )
                    )
                    # After each run, so that a night's work is not lost to its last hour.
                    record.write(
                        NAME, {"torch": torch.__version__, "threads": args.threads, "runs": rows}, measured={}
                    )
                    atomic.write(path.with_suffix(".md"), markdown(rows), encoding="ascii")
    console.table(COLUMNS, table(rows))
    missed = False
    for sentence, holds in figures(rows):
        console.line(f"{'reached' if holds else 'MISSED '}  {sentence}")
        missed |= not holds
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
