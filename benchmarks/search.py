"""A search for networks that beat the preset `cnn` on MNIST at equal block RAMs and cycles.

    python benchmarks/search.py [--count N] [--epochs N] [--subset N] [--best N] [--seeds N] [--workers N]
                                [--folder DIR] [--data DIR]

`sbgen data` writes MNIST as files, and `sbgen search` gets as its budget what the network of `cnn` takes on
the board by the exact estimate, and no single-port RAM; that network is where it starts. Short trainings of
few epochs and samples rank the candidates; the best and `cnn` itself are then trained with `--full-epochs` on
all samples, with each of `--seeds` seeds, and tested once each. Each step resumes where an interrupted run
stopped. Writes ``results/search.json`` and ``.md``.
"""

import argparse
import json
import shlex
import subprocess
import sys
import time
from pathlib import Path

import record

from sbgen import atomic
from sbgen.boards import get, harness
from sbgen.compiler import passes
from sbgen.compiler.estimate import estimate
from sbgen.compiler.fold import fold
from sbgen.compiler.frontends.from_torch import to_network
from sbgen.sizing import interval
from sbgen.train.network import network
from sbgen.train.presets import PRESETS
from sbgen.train.topology import Topology

NAME = "search"

BOARD = "icebreaker"


def preset():
    """The topology of `cnn`, and what it takes on the board when it is as fast as fits."""
    about = PRESETS["cnn"]
    topology = Topology(levels=len(about.thresholds), convolutions=about.convolutions, widths=about.widths)
    model = network(
        image_shape=(28, 28),
        thresholds=about.thresholds,
        convolutions=about.convolutions,
        widths=about.widths,
        classes=10,
    )
    labels = [str(n) for n in range(10)]
    layers = passes.apply_passes(to_network(model, labels=labels, image_shape=(28, 28), force=True))
    device = get(BOARD).device
    design = fold(layers, device)
    resources = estimate(design, device)
    return topology, {"cycles": interval(design)[0], "lut": resources["lut"], "bram": resources["bram"]}


def sbgen(folder, *words):
    """Run a command in the folder, with its output on the terminal."""
    words = [sys.executable, "-m", "sbgen", *map(str, words)]
    print("$", shlex.join(words[1:]), flush=True)
    subprocess.run(words, cwd=folder, check=True)


def trained(folder, options, epochs, seed):
    """Accuracies of a network after a training on all samples; that of an earlier run if it is there."""
    words = [*shlex.split(options), "--epochs", epochs, "--seed", seed]
    out = folder / f"net{''.join(map(str, words)).replace('--', '-')}.pt"
    if not out.exists():
        samples = ["--samples", "train.npz", "--test-samples", "test.npz"]
        sbgen(folder, "train", *samples, *words, "--resume", "--out", out.name)
    from sbgen.train import checkpoint

    return checkpoint.load(out, force=True).accuracy


def table(rows, base):
    """The rows as one of markdown."""
    lines = [
        "| network | short, validation | trained, validation | trained, test | cycles | LUTs | block RAMs |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [
            f"`{row['options']}`" + (" (`cnn`)" if row["options"] == base else ""),
            f"{100 * row['accuracy']:.1f}",
            *(
                " ".join(f"{100 * seed[part]['hardened']:.2f}" for seed in row.get("trained", []))
                for part in ("validation", "test")
            ),
            *(f"{row[name]:,}" for name in ("cycles", "lut", "bram")),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main():
    """Search, train and record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--subset", type=int, default=6000)
    parser.add_argument("--best", type=int, default=5, help="networks to train on all samples, besides cnn")
    parser.add_argument("--full-epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=3, help="of each of these trainings")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("build/search-cnn"))
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    folder, start = arguments.folder.absolute(), time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    where = ["--data", arguments.data.absolute()] if arguments.data else []
    for part in ("train", "test"):
        if not (folder / f"{part}.npz").exists():
            sbgen(folder, "data", "mnist", "--part", part, "--out", f"{part}.npz", *where)
    topology, limits = preset()
    base = topology.options()
    budget = f"cycles={limits['cycles']},bram={limits['bram']},spram=0"
    short = ["--epochs", arguments.epochs, "--subset", arguments.subset, "--workers", arguments.workers]
    sbgen(
        folder,
        "search",
        *["--samples", "train.npz", "--test-samples", "test.npz", "--board", BOARD, "--budget", budget],
        *shlex.split(base),
        *["--count", arguments.count, *short, "--best", 0, "--out", "search"],
    )
    found = json.loads((folder / "search" / "front.json").read_text(encoding="utf-8"))
    rows = sorted(found["candidates"], key=lambda row: -row["accuracy"])
    ours = next(row for row in rows if row["options"] == base)
    chosen = [row for row in rows if row is not ours][: arguments.best]
    write(arguments, rows, ours, limits, budget, start)
    for seed in range(arguments.seeds):
        for row in chosen and [ours, *chosen]:
            result = trained(folder, row["options"], arguments.full_epochs, seed)
            row["trained"] = [*row.get("trained", []), result]
            write(arguments, rows, ours, limits, budget, start)


def write(arguments, rows, ours, limits, budget, start):
    """Write both files."""
    clock_mhz, _ = harness.clock_and_pll(get(BOARD), None)
    better = sum(row["accuracy"] > ours["accuracy"] for row in rows)
    about = {
        "board": BOARD,
        "clock_mhz": clock_mhz,
        "budget": budget,
        "cnn": {"options": ours["options"], **limits},
        "candidates": len(rows),
        "better_than_cnn": better,
        "short": {"epochs": arguments.epochs, "samples": arguments.subset},
        "full_epochs": arguments.full_epochs,
        "seeds": len(ours.get("trained", [])),
        "seconds_of_this_run": round(time.monotonic() - start),
        "processor": record.processor(),
        "rows": rows,
    }
    full = (
        f" The best of them and `cnn` were then trained on all samples for {arguments.full_epochs} epochs, a"
        " figure for each seed."
        if ours.get("trained")
        else " None was trained in full."
    )
    path = record.write(NAME, about)
    text = (
        f"# Search: MNIST on {BOARD}, within what `cnn` takes ({budget})\n\n"
        f"{len(rows)} networks, short trainings of {arguments.epochs} epochs of {arguments.subset:,} samples;"
        f" {better} of them are ahead of `cnn` ({100 * ours['accuracy']:.1f} %).{full}"
        " Accuracies are hardened, in per cent. Written by `benchmarks/search.py`.\n\n"
    )
    atomic.write(path.with_suffix(".md"), text + table(rows[:20], ours["options"]) + "\n")


if __name__ == "__main__":
    main()
