"""LFC and CNV trained within minutes on a GPU, hardened and measured on the CPU.

    python benchmarks/gpu_training.py [--nets lfc cnv] [--minutes 10] [--device auto] [--bf16]
                                      [--dataset cnv=cifar10-jpeg] [--epochs N] [--batch N] [--data DIR]
                                      [--out DIR] [--no-record]

The nets share the minutes. A first training, of two epochs, says how many epochs fit into a net's share;
``--epochs`` gives their number instead. Each net is trained from its preset by the default method. Its model
file goes into DIR, ``build/gpu`` by default; `sbgen build` takes it.

Writes ``results/gpu_training.json``: device, epochs, seconds per epoch, accuracies. Rows of other runs stay.
"""

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import record
import torch

from sbgen.console import Console
from sbgen.train import execution, experiment
from sbgen.train.presets import PRESETS

NAME = "gpu_training"

#: Data sets in place of the presets' own: the lossless CIFAR-10 is a download.
DATASETS = {"cnv": "cifar10-jpeg"}

#: Share of the minutes that the epochs may take; the rest is for reading, the teacher and measuring.
SHARE = 0.75


def trained(net, settings, out, args, where):
    """The result of a training, and its seconds per epoch."""
    epochs = []
    result = experiment.run(
        preset=net,
        settings=settings,
        seed=0,
        out=out,
        folder=args.data,
        dataset=args.dataset.get(net),
        execution=where,
        progress=lambda epoch: epochs.append(time.monotonic()),
    )
    each = [after - before for before, after in pairwise(epochs)]
    return result, sum(each) / len(each) if each else None


def fitting(net, settings, args, where, minutes):
    """The number of epochs that fit, by two epochs of which the second is timed."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        _, seconds = trained(net, replace(settings, epochs=2), Path(folder) / "net.pt", args, where)
        left = 60 * minutes * SHARE - (time.monotonic() - began)
    return max(2, int(left / seconds))


def measure(net, args, where, console):
    """A row of the record."""
    settings = PRESETS[net].settings
    if args.batch:
        settings = replace(settings, batch=args.batch)
    epochs = args.epochs
    if epochs is None:
        with console.step(f"{net}: epochs that fit") as step:
            epochs = fitting(net, settings, args, where, args.minutes / len(args.nets))
            step.note(f"{epochs}")
    settings = replace(settings, epochs=epochs)
    out = args.out / f"{net}.pt"
    began = time.monotonic()
    with console.step(f"{net}: {epochs} epochs") as step:
        result, seconds = trained(net, settings, out, args, where)
        step.note(f"test {result.accuracy['test']['hardened']:.2%}")
    return {
        "net": net,
        "dataset": args.dataset.get(net) or PRESETS[net].dataset,
        **where.described(),
        "batch": settings.batch,
        "epochs": epochs,
        "epoch_seconds": None if seconds is None else round(seconds, 2),
        "seconds": round(time.monotonic() - began, 1),
        "accuracy": result.accuracy,
        **record.MEASURED,
    }


def write(row):
    """Add a row to the record."""
    path = record.FOLDER / f"{NAME}.json"
    rows = json.loads(path.read_text())["runs"] if path.exists() else []
    key = ("net", "device", "bf16", "epochs")
    rows = [other for other in rows if any(other[name] != row[name] for name in key)] + [row]
    record.write(NAME, {"torch": torch.__version__, "runs": rows}, measured={})


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nets", nargs="+", choices=list(PRESETS), default=["lfc", "cnv"])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--device", choices=execution.DEVICES, default="auto")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--dataset", action="append", default=[], metavar="NET=DATASET")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--batch", type=int, help="images per step (default: the preset's)")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("build/gpu"))
    parser.add_argument("--no-record", action="store_true", help="do not write the record")
    args = parser.parse_args()
    args.dataset = DATASETS | dict(given.split("=", 1) for given in args.dataset)
    where = execution.chosen(args.device, bf16=args.bf16)
    console = Console()
    rows = []
    for net in args.nets:
        rows.append(measure(net, args, where, console))
        if not args.no_record:
            write(rows[-1])
    console.table(
        ["net", "device", "epochs", "s per epoch", "validation", "test"],
        [
            [
                row["net"],
                row["device"],
                row["epochs"],
                row["epoch_seconds"],
                *(f"{row['accuracy'][part]['hardened']:.2%}" for part in ("validation", "test")),
            ]
            for row in rows
        ],
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
