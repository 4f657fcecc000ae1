"""Accuracy of a network that is trained on a fixed-point grid, against the bits of the grid.

    python benchmarks/fixed_point.py [--formats float Q2.8 ...] [--seeds 0 1 2] [--epochs N] [--deform N]

Digits of 8 x 8 pixels, 64 x 4 thermometer bits, one hidden layer of 64, by the default method. Everything but
the grid is the same for every row: settings, initial weights, order of the samples. Test images are used
once, after hardening. Writes ``results/fixed-point.json`` and ``.md`` after each run; rows of other settings
stay.
"""

import argparse
import json
import statistics
import time

import record
import torch

from sbgen import atomic
from sbgen.train import data
from sbgen.train.harden import harden
from sbgen.train.loop import accuracy, train
from sbgen.train.network import network
from sbgen.train.settings import Settings

NAME = "fixed-point"

FORMATS = ("float", "Q2.14", "Q2.10", "Q2.8", "Q2.7", "Q2.6", "Q2.5", "Q2.4", "Q2.3", "Q2.2", "Q2.1")

#: What makes a run the same as another.
KEY = ("format", "seed", "epochs", "deform")


def once(text, *, seed, epochs, deform):
    """The row of one training."""
    images, labels, test, test_labels = (torch.from_numpy(part.copy()) for part in data.load("digits"))
    rest, held = (torch.from_numpy(part) for part in data.split(labels.numpy(), part=0.15, seed=0))
    settings = Settings(epochs=epochs, batch=64, deform=deform, fixed_point=None if text == "float" else text)
    start = time.monotonic()
    torch.manual_seed(seed)
    model = network(image_shape=(8, 8), thresholds=(2, 6, 10, 14), widths=(64,), classes=10)
    validation = images[held], labels[held]
    epochs_done = train(
        model, images[rest], labels[rest], validation=validation, settings=settings, seed=seed
    )
    report = harden(model, images[rest], validation=validation)
    return {
        "format": text,
        "seed": seed,
        "epochs": epochs,
        "deform": deform,
        "soft": epochs_done[-1].soft,
        "validation": report.after,
        "test": accuracy(model, test, test_labels),
        "seconds": round(time.monotonic() - start, 1),
        **record.MEASURED,
    }


def table(rows):
    """The rows of each format and budget, as one of markdown."""
    groups = {}
    for row in rows:
        groups.setdefault((row["epochs"], row["deform"], row["format"]), []).append(row)
    lines = [
        "| epochs | copies | format | bits | seeds | soft, validation | validation | test |",
        "|---|---|---|---|---|---|---|---|",
    ]
    order = sorted(groups, key=lambda key: (key[0], key[1], -_bits(key[2])))
    for epochs, deform, text in order:
        found = groups[epochs, deform, text]
        cells = [_mean([row[name] for row in found]) for name in ("soft", "validation", "test")]
        cells = [epochs, deform, text, _bits(text), len(found), *cells]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def _bits(text):
    return 32 if text == "float" else sum(map(int, text[1:].split(".")))


def _mean(values):
    spread = f" ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * statistics.mean(values):.1f}{spread}"


def main():
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--formats", nargs="+", default=FORMATS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--deform", type=int, default=4)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    path = record.FOLDER / f"{NAME}.json"
    rows = json.loads(path.read_text(encoding="ascii"))["rows"] if path.exists() else []
    for seed in arguments.seeds:
        for text in arguments.formats:
            key = (text, seed, arguments.epochs, arguments.deform)
            if any(tuple(row[name] for name in KEY) == key for row in rows):
                continue
            row = once(text, seed=seed, epochs=arguments.epochs, deform=arguments.deform)
            rows.append(row)
            print(
                f"{text:8}seed {seed}  soft {row['soft']:.3f}  hard {row['validation']:.3f}  test"
                f" {row['test']:.3f}  {row['seconds']} s",
                flush=True,
            )
            record.write(NAME, {"processor": record.processor(), "rows": rows}, measured={})
            atomic.write(
                path.with_suffix(".md"),
                f"# Fixed-point training: accuracy against bits\n\n{_NOTE}\n\n{table(rows)}\n",
            )


_NOTE = """Digits (8 x 8, scikit-learn), 256-64-10, method `self-binarizing`; Qm.n has m bits before the
point, the sign among them, and n after it. Parameters, gradients and tanh are on the grid; sums, batch-norm
statistics and AdamW's moments are float32. Means and standard deviations in per cent over the seeds; hardened
accuracies but for "soft". Written by `benchmarks/fixed_point.py`."""


if __name__ == "__main__":
    main()
