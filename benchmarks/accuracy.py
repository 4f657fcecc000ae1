"""Accuracy of the training methods at equal budget, over several seeds.

    python benchmarks/accuracy.py [--nets digits tfc tfc-2bit] [--methods self-binarizing straight-through]
                                  [--seeds 0 1 2] [--epochs N] [--data DIR] [--missing]

Within a net (a preset) and a number of epochs, the methods have the same budget: epochs, batch, learning rate
and augmentation, and no teacher. Each has its own recipe. Seeds are paired: the same seed has the same
initial weights and order of images under each method.

Digits have few test images, so that every sample is tested instead: a seed is a stratified 5-fold split of
all 1,797, and its accuracy the share of them that the network trained without them classifies. Other nets
evaluate the test images of their data set once. All choices are made on validation images.

Writes ``results/accuracy.json`` and ``results/accuracy.md``, after each run; results of other combinations
stay, and with ``--missing`` are not measured again. The table has the soft accuracy (of the smooth network,
where the method ends with one), the hardened one, the gap between them, and the mean difference to
straight-through of the seeds that both have with its 95 % interval (Student's t).
"""

import argparse
import json
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import record
import torch
from scipy import stats
from sklearn.model_selection import StratifiedKFold

from sbgen import atomic
from sbgen.console import Console
from sbgen.train import data, experiment
from sbgen.train.loop import train
from sbgen.train.methods import METHODS
from sbgen.train.network import network
from sbgen.train.presets import PRESETS

NAME = "accuracy"

#: The method that others are compared with.
BASELINE = "straight-through"

FOLDS = 5

#: What makes a run the same as another.
KEY = ("net", "method", "seed", "epochs")

COLUMNS = (
    "net",
    "epochs",
    "method",
    "seeds",
    "validation",
    "soft",
    "hardened",
    "gap",
    "spread",
    "difference",
)


def settings_of(net, method, epochs):
    preset = PRESETS[net].settings
    # A teacher would hide what the methods differ in.
    return replace(preset, method=method, epochs=epochs or preset.epochs, distill=0.0)


def folds_of(seed):
    """Parts of digits for each fold: training, a validation tenth of it, and the fold."""
    images, labels = (
        np.concatenate(pair) for pair in zip(*(part for part in _pairs(data.load("digits"))), strict=True)
    )
    for rest, fold in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(images, labels):
        kept, held = data.split(labels[rest], part=0.1, seed=seed)
        yield experiment.Parts(
            **{
                name: (torch.from_numpy(images[index].copy()), torch.from_numpy(labels[index].copy()))
                for name, index in (("training", rest[kept]), ("validation", rest[held]), ("test", fold))
            }
        )


def _pairs(parts):
    images, labels, test_images, test_labels = parts
    return (images, labels), (test_images, test_labels)


def parts_of(net, settings, folder):
    """Parts of a data set, whose test images are its own."""
    name = PRESETS[net].dataset
    (images, labels), test = _pairs([torch.from_numpy(part.copy()) for part in data.load(name, folder)])
    rest, held = (
        torch.from_numpy(part) for part in data.split(labels.numpy(), part=settings.validation, seed=0)
    )
    return experiment.Parts(
        training=(images[rest], labels[rest]), validation=(images[held], labels[held]), test=test
    )


def trained(net, settings, parts, seed):
    """Accuracies of one training."""
    about = PRESETS[net]
    torch.manual_seed(seed)
    model = network(
        image_shape=tuple(parts.training[0].shape[1:]),
        thresholds=about.thresholds,
        convolutions=about.convolutions,
        widths=about.widths,
        classes=len(data.DATASETS[about.dataset].labels),
        **experiment.layers_by(settings),
    )
    train(model, *parts.training, validation=None, settings=settings, seed=seed)
    return experiment.measured(model, parts)[1]


def measure(net, method, seed, *, epochs, folder):
    """A row of the record: accuracies, 0 ... 1, and the time."""
    settings = settings_of(net, method, epochs)
    began = time.monotonic()
    every = [
        trained(net, settings, parts, seed)
        for parts in (folds_of(seed) if net == "digits" else [parts_of(net, settings, folder)])
    ]
    return {
        "net": net,
        "method": method,
        "seed": seed,
        "epochs": settings.epochs,
        "seconds": round(time.monotonic() - began),
        **{
            f"{part}_{kind}": round(statistics.mean(found[part][kind] for found in every), 6)
            for part in ("validation", "test")
            for kind in every[0][part]
        },
    }


def difference(mine, others):
    """Mean difference in points of the seeds that both have, with half of its 95 % interval; None without."""
    both = sorted({row["seed"] for row in mine} & {row["seed"] for row in others})
    if not both:
        return None
    found = [
        100 * next(row["test_hardened"] for row in mine if row["seed"] == seed)
        - 100 * next(row["test_hardened"] for row in others if row["seed"] == seed)
        for seed in both
    ]
    mean = statistics.mean(found)
    if len(both) < 2:
        return mean, None
    error = statistics.stdev(found) / len(found) ** 0.5
    return mean, float(stats.t.ppf(0.975, len(found) - 1)) * error


def _percent(rows, key):
    return f"{statistics.mean(row[key] for row in rows):.2%}" if all(key in row for row in rows) else None


def table(rows):
    """The rows of `COLUMNS`: means over the seeds, and the standard deviation of the hardened accuracy."""
    lines = []
    for net, epochs in dict.fromkeys((row["net"], row["epochs"]) for row in rows):
        here = [row for row in rows if (row["net"], row["epochs"]) == (net, epochs)]
        others = [row for row in here if row["method"] == BASELINE]
        for method in METHODS:
            mine = [row for row in here if row["method"] == method]
            if not mine:
                continue
            hardened = [100 * row["test_hardened"] for row in mine]
            compared = None if method == BASELINE else difference(mine, others)
            gaps = [100 * row["test_soft"] - 100 * row["test_hardened"] for row in mine if "test_soft" in row]
            lines.append(
                (
                    net,
                    epochs,
                    method,
                    len(mine),
                    _percent(mine, "validation_hardened"),
                    _percent(mine, "test_soft"),
                    _percent(mine, "test_hardened"),
                    f"{statistics.mean(gaps):.2f}" if gaps else None,
                    f"{statistics.stdev(hardened):.2f}" if len(mine) > 1 else None,
                    compared
                    and f"{compared[0]:+.2f}" + ("" if compared[1] is None else f" +- {compared[1]:.2f}"),
                )
            )
    return lines


def markdown(rows):
    lines = [COLUMNS, ["---"] * len(COLUMNS), *table(rows)]
    return "".join(
        "| " + " | ".join("" if cell is None else str(cell) for cell in line) + " |\n" for line in lines
    )


def recorded():
    """The rows of the record."""
    path = record.FOLDER / f"{NAME}.json"
    return json.loads(path.read_text())["runs"] if path.exists() else []


def write(row):
    """Add a row to the record; returns all rows. It is read again: other runs may write at the same time."""
    path = record.FOLDER / f"{NAME}.json"
    rows = [other for other in recorded() if any(other[key] != row[key] for key in KEY)] + [
        row | record.MEASURED
    ]
    nets, methods = list(PRESETS), list(METHODS)
    rows.sort(
        key=lambda row: (nets.index(row["net"]), row["epochs"], methods.index(row["method"]), row["seed"])
    )
    content = {"torch": torch.__version__, "threads": torch.get_num_threads(), "runs": rows}
    record.write(NAME, content, measured={})
    atomic.write(path.with_suffix(".md"), markdown(rows), encoding="ascii")
    return rows


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nets", nargs="+", choices=list(PRESETS), default=["digits", "tfc"])
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(10)))
    parser.add_argument("--epochs", type=int, help="epochs of every run (default: the preset's)")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--missing", action="store_true", help="leave out what the record has")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    console, rows = Console(), recorded()
    for seed in args.seeds:  # so that what an interruption leaves has whole pairs
        for net in args.nets:
            for method in args.methods:
                epochs = args.epochs or PRESETS[net].settings.epochs
                if args.missing and any(
                    tuple(row[key] for key in KEY) == (net, method, seed, epochs) for row in recorded()
                ):
                    continue
                with console.step(f"{net} {method} seed {seed}") as step:
                    row = measure(net, method, seed, epochs=args.epochs, folder=args.data)
                    step.note(f"validation {row['validation_hardened']:.2%}  test {row['test_hardened']:.2%}")
                rows = write(row)
    console.table(COLUMNS, table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
