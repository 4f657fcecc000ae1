"""The shipped models on this machine's CPU, compared with the boards.

    python benchmarks/cpu.py [--models tfc-mnist ...] [--seconds S] [--data DIR]

One thread each: the network with packed bits in NumPy (`packed.py`), and the hardened model in torch, one
image at a time and in batches of 256. Their scores are compared with the reference before they are timed. The
boards' figures are those of ``results/shipped.json``. Writes ``results/cpu.json``, its table
``results/cpu.md`` and the plot ``results/cpu.svg``.
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy and torch are loaded

import numpy as np
import record
import torch
from packed import Packed

from sbgen.boards import BOARDS
from sbgen.compiler import bound, reference
from sbgen.compiler.frontends import model
from sbgen.errors import DataError
from sbgen.train import checkpoint, data
from sbgen.train.layers import hardened

ROOT = Path(__file__).parent.parent
BATCHES = 1, 256


def images_of(kept, folder):
    """256 test images of the model's data set, or random ones."""
    try:
        _, _, images, _ = data.load(kept.info["dataset"], folder)
    except DataError:
        low, high = kept.info["pixel_range"]
        return (
            np.random.default_rng(0)
            .integers(low, high + 1, (256, *kept.network.image_shape))
            .astype(np.uint8)
        )
    return images[:256].copy()  # torch wants to own what it reads


def rate(function, images, seconds):
    """Images per second of `function`: the best of as many calls as the time allows."""
    best, end = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        function(images)
        best = max(best, len(images) / (time.perf_counter() - start))
    return best


def measure(name, seconds, folder):
    """One row for each way to compute, for one model."""
    kept = model.load(ROOT / "models" / f"{name}.pt")
    images = images_of(kept, folder)
    packed = Packed(kept.network)
    trained = checkpoint.load(ROOT / "models" / f"{name}.pt").model
    scores = reference.evaluate(kept.network, images)[0]
    assert np.array_equal(packed.scores(images), scores), f"{name}: packed scores must equal the reference's"

    def with_torch(batch):
        with torch.no_grad():
            return trained(torch.from_numpy(batch))

    rows = []
    with hardened(trained):
        assert np.array_equal(with_torch(images).argmax(1).numpy(), scores.argmax(1)), (
            f"{name}: torch must compute the same classes"
        )
        for way, function in ("NumPy, packed", packed.scores), ("torch", with_torch):
            rows += [
                {
                    "model": name,
                    "way": f"{way}, {count} at once",
                    "images_per_second": rate(function, images[:count], seconds),
                }
                for count in BATCHES
            ]
    for build in json.loads((record.FOLDER / "shipped.json").read_text())["builds"]:
        if build["model"] == name:
            device = BOARDS[build["board"]].device
            least = bound.bound(kept.network, device)
            rows.append(
                {
                    "model": name,
                    "way": " ".join([build["board"], build.get("pace", "")]).strip(),
                    "images_per_second": build["images_per_second"],
                    "bound": build["clock_mhz"] * 1e6 / least.cycles,
                    "bound_by": least.by,
                }
            )
    return rows


def table(rows):
    """The rows as Markdown."""
    lines = ["| model | on | images per second | the device's bound at that clock |", "|---|---|---|---|"]
    for row in rows:
        most = f"{row['bound']:,.0f} ({row['bound_by']})" if "bound" in row else ""
        lines.append(f"| {row['model']} | {row['way']} | {row['images_per_second']:,.0f} | {most} |")
    return "\n".join(lines) + "\n"


def plot(rows, path):
    """One bar per row, on a logarithmic axis, with the device's bound as a mark."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "sbgen"
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 0.32 * len(rows) + 1), layout="constrained")
    labels = [f"{row['model']}: {row['way']}" for row in rows]
    colours = ["tab:blue" if "bound" in row else "tab:gray" for row in rows]
    axes.barh(labels, [row["images_per_second"] for row in rows], color=colours)
    marked = [n for n, row in enumerate(rows) if "bound" in row]
    axes.plot(
        [rows[n]["bound"] for n in marked],
        marked,
        "k|",
        markersize=10,
        label="bound of the device at that clock",
    )
    axes.set(xscale="log", xlabel="images per second (gray: one thread of a CPU)")
    axes.invert_yaxis()
    axes.legend(loc="lower right")
    figure.savefig(path, metadata={"Date": None})


def main():
    shipped = sorted(path.stem for path in (ROOT / "models").glob("*.pt"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--models", nargs="+", choices=shipped, default=shipped, help="names without .pt (all)"
    )
    parser.add_argument("--seconds", type=float, default=3.0, help="for each way and batch (3)")
    parser.add_argument("--data", type=Path, help="folder that holds mnist/, ... (SBGEN_DATA)")
    options = parser.parse_args()

    torch.set_num_threads(1)
    rows = [row for name in options.models for row in measure(name, options.seconds, options.data)]
    record.write(
        "cpu", {"command": "python benchmarks/cpu.py", "processor": record.processor(), "rows": rows}
    )
    (record.FOLDER / "cpu.md").write_text(
        f"One thread of {record.processor()}; boards from shipped.json.\n\n" + table(rows), encoding="utf-8"
    )
    plot(rows, record.FOLDER / "cpu.svg")
    print(table(rows))


if __name__ == "__main__":
    main()
