"""The plots of ``docs/performance.md`` from the results of `mvtu.py` and `unrolled.py`.

    python benchmarks/plots.py

Left: LUTs of a matrix-vector-threshold unit per multiply-accumulate and cycle, compared with a plain
behavioural unit and FINN's. A line marks the minimum for products and their count on such LUTs if words are
not encoded. Right: cells per weight of a layer with its weights wired in.
"""

import json
from pathlib import Path

import matplotlib as mpl
import numpy as np
from record import FOLDER

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "sbgen"

from matplotlib import pyplot as plt

TARGET = Path(__file__).parents[1] / "docs" / "performance.svg"

#: LUTs to compute and count one binary product, in the smallest structure for words that are not encoded: two
#: products in three LUT4 and their sums; three products in two LUT6 and ternary adders. Accumulator,
#: threshold and control are not included.
FLOORS = {"up5k": 2.4, "hx8k": 2.4, "ecp5": 2.4, "xc7": 1.33}

COLOURS = ("tab:blue", "tab:gray", "tab:orange")


def bars(axes, groups, series):
    """Bars side by side, a group for each of `groups`; `series` are names and values, NaN where there is
    none.
    """
    width = 0.8 / len(series)
    for n, (name, values) in enumerate(series.items()):
        places = np.arange(len(groups)) + (n - (len(series) - 1) / 2) * width
        drawn = axes.bar(places, values, width * 0.95, label=name, color=COLOURS[n])
        axes.bar_label(drawn, ["" if np.isnan(value) else f"{value:.2f}" for value in values], fontsize=8)
    axes.set_xticks(np.arange(len(groups)), groups)
    axes.spines[["top", "right"]].set_visible(False)


def series_of(rows, groups, by, place, value):
    """For each name that `by` has in the rows its values in the order of the groups."""
    names = list(dict.fromkeys(row[by] for row in rows))
    return {
        name: [
            next((value(row) for row in rows if row[by] == name and place(row) == group), float("nan"))
            for group in groups
        ]
        for name in names
    }


def units(axes):
    rows = [
        row
        for row in json.loads((FOLDER / "mvtu.json").read_text())["units"]
        if (row["pe"], row["simd"]) == (16, 64)
    ]
    families = list(dict.fromkeys(row["family"] for row in rows))
    bars(
        axes,
        families,
        series_of(rows, families, "unit", lambda row: row["family"], lambda row: row["luts_a_mac"]),
    )
    for n, family in enumerate(families):
        axes.plot(
            [n - 0.45, n + 0.45],
            [FLOORS[family]] * 2,
            "k--",
            linewidth=1,
            label=None if n else "minimum without encoding, counts alone",
        )
    axes.set(title="unit of 16 x 64", ylabel="LUTs per multiply-accumulate and cycle")
    axes.set_ylim(0, 1.35 * axes.get_ylim()[1])
    axes.legend(fontsize=8, loc="upper left", ncols=2)


def layers(axes):
    rows = [
        row | {"place": f"{row['layer']}\n{family}"}
        for family in ("ice40", "ecp5")
        if (FOLDER / f"unrolled-{family}.json").exists()
        for row in json.loads((FOLDER / f"unrolled-{family}.json").read_text())["rows"]
    ]
    places = list(dict.fromkeys(row["place"] for row in rows))

    def per_weight(row):
        inputs, outputs = map(int, row["layer"].rpartition("-")[2].split("x"))
        return row["cells"] / (inputs * outputs)

    bars(axes, places, series_of(rows, places, "by", lambda row: row["place"], per_weight))
    axes.tick_params(axis="x", labelsize=7)
    axes.set(title="weights wired in, thresholds included", ylabel="cells per weight")
    axes.set_ylim(0, 1.3 * axes.get_ylim()[1])
    axes.legend(fontsize=8, loc="upper left", ncols=2)


def main():
    figure, (left, right) = plt.subplots(
        ncols=2, figsize=(13, 3.8), layout="constrained", width_ratios=(2, 3)
    )
    units(left)
    layers(right)
    figure.savefig(TARGET, metadata={"Date": None})
    print(TARGET)


if __name__ == "__main__":
    main()
