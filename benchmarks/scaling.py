"""Time and memory from a network to its Verilog, by the size of the network.

    python benchmarks/scaling.py [--series dense deep cnv] [--largest 4096]

Networks with random weights are folded for the ECP5-85F, lowered and converted to Verilog, each in a process
and on a core of its own:

* dense: 784-W-10, W from 64 to 4096 (3.3 million weights, nine tenths of the device's block RAM);
* deep: 784-W-W-W-10, FINN's TFC (64), SFC (256) and LFC (1024);
* cnv: FINN's CNV topology on 32 x 32 x 3 raw pixels, 3x3 convolutions W-W-P-2W-2W-P-4W-4W, dense 8W-8W-10, W
  from 8 to 64 (CNV).

Each is folded twice: as `sbgen build` does by default, and as fast as the whole device allows, which takes
more hardware. Seconds are processor time, yosys included, so that other work on the machine does not count.
Writes ``results/scaling.json``, a table and a plot of it. Exits with status 1 if CNV takes more than a minute
or 2 GiB.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import record

from sbgen import atomic
from sbgen.compiler.ir import PIXEL_BITS, Binarize, Conv2d, Dense, MaxPool, Network, Scores
from sbgen.console import Console

NAME = "scaling"

DEVICE = "ecp5-85f"

#: Widths of each series of networks.
SERIES = {"dense": (64, 256, 1024, 4096), "deep": (64, 256, 1024), "cnv": (8, 16, 32, 64)}

#: This process, and those that it started.
BOTH = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN

FOLDINGS = ("usual", "whole device")

#: What CNV may take, in seconds and MiB.
SECONDS, MEMORY = 60, 2048

COLUMNS = (
    "series",
    "W",
    "folding",
    "weights",
    "cycles",
    "fold s",
    "lower s",
    "Verilog s",
    "total s",
    "peak MiB",
    "Verilog MB",
)


class _Layers:
    """A chain of random layers that grows from its input shape on."""

    def __init__(self, image_shape):
        self.rng = np.random.default_rng(0)
        self.image_shape = self.shape = image_shape
        self.layers = []

    def add(self, kind, **fields):
        self.layers.append(kind(name=f"{kind.__name__.lower()}_{len(self.layers)}", **fields))
        self.shape = self.layers[-1].output_shape(self.shape)

    def weighted(self, kind, shape, *, planes=1):
        inputs = int(np.prod(shape[1:]))
        thresholds = np.round(self.rng.normal(inputs / 2, np.sqrt(inputs) / 2, shape[0]) * (2**planes - 1))
        self.add(
            kind,
            weights=self.rng.integers(0, 2, shape),
            thresholds=thresholds.clip(0, inputs * (2**planes - 1)).astype(int),
            planes=planes,
        )

    def dense(self, outputs):
        self.weighted(Dense, (outputs, int(np.prod(self.shape))))

    def network(self, name):
        classes = 10
        self.add(
            Scores,
            weights=self.rng.integers(0, 2, (classes, int(np.prod(self.shape)))),
            offsets=np.zeros(classes, int),
        )
        return Network(
            name=name,
            image_shape=self.image_shape,
            layers=tuple(self.layers),
            labels=tuple(map(str, range(classes))),
        )


def network_of(series, width):
    """The network of that width."""
    if series == "cnv":
        chain = _Layers((32, 32, 3))
        for n, outputs in enumerate((width, width, 2 * width, 2 * width, 4 * width, 4 * width)):
            if n in (2, 4):
                chain.add(MaxPool, kernel=(2, 2), stride=(2, 2))
            chain.weighted(Conv2d, (outputs, 3, 3, chain.shape[2]), planes=1 if n else PIXEL_BITS)
        hidden = (8 * width, 8 * width)
    else:
        chain = _Layers((28, 28))
        chain.add(Binarize, thresholds=np.full((784, 1), 128))
        hidden = (width,) * (3 if series == "deep" else 1)
    for outputs in hidden:
        chain.dense(outputs)
    return chain.network(f"{series}-{width}")


def measure(series, width, folding):
    """One network in this process, on one of its cores: a dictionary of what was measured."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    from sbgen.compiler import cycles, fold, lower, verilog
    from sbgen.compiler.device import DEVICES
    from sbgen.compiler.fit import FILL

    network, seconds, began = network_of(series, width), {}, time.monotonic()

    def used():
        return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, BOTH))

    def timed(step, function):
        start = used()
        result = function()
        seconds[step] = round(used() - start, 2)
        return result

    design = timed(
        "fold", partial(fold.fold, network, DEVICES[DEVICE], fill=FILL if folding == "whole device" else None)
    )
    core = timed("lower", lambda: lower.lower(design))
    text = timed("verilog", lambda: verilog.convert(core))
    wall_seconds = round(time.monotonic() - began, 2)
    # Of this process and of the largest that it started (yosys): together at most so much at any time.
    peaks = [resource.getrusage(who).ru_maxrss / 1024 for who in BOTH]
    return {
        "series": series,
        "width": width,
        "folding": folding,
        "weights": network.weight_bits,
        "cycles": max(cycles.stage_cycles(design)),
        "seconds": seconds,
        "total_seconds": round(sum(seconds.values()), 2),
        "wall_seconds": wall_seconds,
        "peak_mib": round(sum(peaks)),
        "verilog_bytes": len(text),
    }


def row(run):
    """A run as a row of the table."""
    return (
        run["series"],
        run["width"],
        run["folding"],
        run["weights"],
        run["cycles"],
        *(f"{run['seconds'][step]:.1f}" for step in ("fold", "lower", "verilog")),
        f"{run['total_seconds']:.1f}",
        run["peak_mib"],
        f"{run['verilog_bytes'] / 1e6:.1f}",
    )


def markdown(runs):
    rows = [COLUMNS, ["---"] * len(COLUMNS), *map(row, runs)]
    return "".join(
        "| " + " | ".join(f"{cell:,}" if isinstance(cell, int) else cell for cell in cells) + " |\n"
        for cells in rows
    )


def plot(runs, path):
    """Seconds and memory against the number of weights, as SVG."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = NAME  # the same picture for the same figures
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for series in SERIES:
        for folding, style in zip(FOLDINGS, ("o-", "s--"), strict=True):
            mine = [run for run in runs if (run["series"], run["folding"]) == (series, folding)]
            for axis, key in zip(axes, ("total_seconds", "peak_mib"), strict=True):
                axis.plot(
                    [run["weights"] for run in mine],
                    [run[key] for run in mine],
                    style,
                    color=f"C{list(SERIES).index(series)}",
                    label=f"{series}, {folding}",
                    markersize=4,
                )
    for axis, title, limit in zip(
        axes, ("seconds, fold to Verilog", "peak memory, MiB"), (SECONDS, MEMORY), strict=True
    ):
        axis.axhline(limit, color="gray", linewidth=0.8)
        axis.set(xscale="log", yscale="log", xlabel="weights", title=title)
    axes[0].legend(fontsize="small")
    with atomic.replaced(path) as part:
        figure.savefig(part, format="svg", metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", nargs="+", choices=SERIES, default=list(SERIES))
    parser.add_argument(
        "--largest",
        type=int,
        default=max(map(max, SERIES.values())),
        metavar="W",
        help="leave wider ones out",
    )
    parser.add_argument(
        "--one",
        nargs=3,
        metavar=("SERIES", "W", "FOLDING"),
        help="a single network, in this process; prints JSON",
    )
    options = parser.parse_args()
    if options.one:
        series, width, folding = options.one
        print(json.dumps(measure(series, int(width), folding)))
        return 0
    console, runs = Console(), []
    for series in options.series:
        for width in SERIES[series]:
            for folding in FOLDINGS:
                if width > options.largest:
                    continue
                with console.step(f"{series} {width}, {folding}") as step:
                    done = subprocess.run(
                        [sys.executable, __file__, "--one", series, str(width), folding],
                        check=True,
                        stdout=subprocess.PIPE,
                        text=True,
                    )
                    runs.append(json.loads(done.stdout))
                    step.note(f"{runs[-1]['total_seconds']:.1f} s, {runs[-1]['peak_mib']} MiB")
    console.table(COLUMNS, map(row, runs))
    path = record.write(NAME, {"device": DEVICE, "runs": runs})
    atomic.write(path.with_suffix(".md"), markdown(runs), encoding="ascii")
    plot(runs, path.with_suffix(".svg"))
    console.line(f"written to {Path(path).relative_to(record.FOLDER.parent.parent)}")
    cnv = [run for run in runs if (run["series"], run["width"]) == ("cnv", 64)]
    missed = [run for run in cnv if run["total_seconds"] > SECONDS or run["peak_mib"] > MEMORY]
    if cnv:
        console.line(
            f"{'MISSED ' if missed else 'reached'}  Verilog of CNV within {SECONDS} s and {MEMORY} MiB on one"
            " core"
        )
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
