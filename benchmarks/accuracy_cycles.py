"""Accuracy of the shipped models against the cycles of an image and the LUTs, board by board.

    python benchmarks/accuracy_cycles.py [--boards icebreaker ulx3s_85f]

Each model in ``models/`` is folded for each board to the fastest design that is quickly built, without regard
to the host link; the reason is kept where it does not fit. Cycles and block RAMs are those of the design,
LUTs are estimated. Where ``results/shipped.json`` has a build of the same model file and speed, the placed
LUTs are beside them. Accuracies are those of the model file, hardened, on the validation and test images.
Writes ``results/accuracy_cycles.json``, its table, and the plot of ``docs/performance.md``: the models of
MNIST.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

import record

from sbgen import atomic
from sbgen.boards import BOARDS
from sbgen.compiler.estimate import estimate
from sbgen.compiler.fold import fold
from sbgen.compiler.frontends import model
from sbgen.console import Console
from sbgen.errors import SbgenError
from sbgen.sizing import interval
from sbgen.target import of_board

NAME = "accuracy_cycles"

ROOT = Path(__file__).parent.parent

MODELS = ROOT / "models"

PLOT = ROOT / "docs" / "accuracy_cycles.svg"

#: The smallest board that takes most models, and one that takes all.
DEFAULT_BOARDS = ("icebreaker", "ulx3s_85f")

#: The data set of the plot: accuracies on others are not comparable.
PLOTTED = "mnist"

COLUMNS = ("model", "validation", "test", "weights", "board", "cycles", "images/s", "LUTs", "placed", "BRAMs")


def placed(digest, board, cycles):
    """LUTs of the placed design of this model file and speed in the record of the builds; None without."""
    builds = json.loads((record.FOLDER / "shipped.json").read_text())["builds"]
    same = {"model_sha256": digest, "board": board, "cycles_per_image": cycles}
    return next((row["lut"] for row in builds if same.items() <= row.items()), None)


def folded(network, board, digest):
    """Cycles, rate and resources of the design; or why there is none."""
    target = of_board(board, None)
    try:
        design = fold(network, target.device)
    except SbgenError as error:
        return {"failure": str(error)}
    used, cycles = estimate(design, target.device), interval(design)[0]
    return {
        "failure": None,
        "cycles": cycles,
        "clock_mhz": target.clock_mhz,
        "images_per_second": round(target.clock_mhz * 1e6 / cycles),
        "lut": used["lut"],
        "bram": used["bram"],
        "placed_lut": placed(digest, board, cycles),
    }


def measure(path, board):
    """A row of the record."""
    read, digest = model.load(path), hashlib.sha256(path.read_bytes()).hexdigest()
    return {
        "model": path.stem,
        "model_sha256": digest,
        "dataset": read.info["dataset"],
        **{part: read.info["accuracy"][part]["hardened"] for part in ("validation", "test")},
        "weights": read.network.weight_bits,
        "board": board,
        **folded(read.network, board, digest),
    }


def cells(row):
    """A row of the table."""
    first = (row["model"], f"{row['validation']:.2%}", f"{row['test']:.2%}", row["weights"], row["board"])
    if row["failure"]:
        return (*first, "does not fit", None, None, None, None)
    figures = (row[name] for name in ("cycles", "images_per_second", "lut", "placed_lut", "bram"))
    return (*first, *figures)


def markdown(rows):
    def line(values):
        texts = [
            "" if value is None else f"{value:,}" if isinstance(value, int) else value for value in values
        ]
        return f"| {' | '.join(texts)} |\n"

    return "".join(map(line, (COLUMNS, ["---"] * len(COLUMNS), *map(cells, rows))))


def plot(rows, boards):
    """Accuracy against cycles, a colour for each board, as SVG."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = NAME  # the same picture for the same figures
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4), layout="constrained")
    for board, marker in zip(boards, "osD^v"[: len(boards)], strict=True):
        mine = [
            row
            for row in rows
            if row["board"] == board and row["dataset"] == PLOTTED and row["failure"] is None
        ]
        axes.plot([row["cycles"] for row in mine], [100 * row["test"] for row in mine], marker, label=board)
        for row in mine:
            axes.annotate(
                f"{row['model'].removesuffix(f'-{PLOTTED}')}, {row['lut']:,} LUTs",
                (row["cycles"], 100 * row["test"]),
                xytext=(5, 4),
                textcoords="offset points",
                fontsize=7,
            )
    axes.set(xscale="log", xlabel="cycles an image", ylabel=f"% of the test images of {PLOTTED.upper()}")
    axes.margins(x=0.2, y=0.15)
    axes.legend(fontsize=8, loc="lower right")
    with atomic.replaced(PLOT) as part:
        figure.savefig(part, format="svg", metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--boards", nargs="+", choices=list(BOARDS), default=list(DEFAULT_BOARDS))
    options = parser.parse_args()
    console, rows = Console(), []
    for path in sorted(MODELS.glob("*.pt")):
        for board in options.boards:
            with console.step(f"{path.stem} on {board}") as step:
                rows.append(measure(path, board))
                step.note(rows[-1]["failure"] or f"{rows[-1]['cycles']:,} cycles")
    rows.sort(key=lambda row: (row["dataset"], row["test"]))
    written = record.write(NAME, {"rows": rows})
    atomic.write(written.with_suffix(".md"), markdown(rows), encoding="ascii")
    plot(rows, options.boards)
    console.table(COLUMNS, [["" if cell is None else cell for cell in cells(row)] for row in rows])
    return 0


if __name__ == "__main__":
    sys.exit(main())
