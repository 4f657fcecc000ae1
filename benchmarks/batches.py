"""Dense networks with batches: images per second, latency and resources, the fastest design of each batch.

    python benchmarks/batches.py [--only NAME ...] [--images 7] [--place 3]

Cycles are as predicted, resources as estimated. ``--images N`` also compares the scores of N images of the
emitted Verilog in Verilator with the reference, and the cycle of every image with the prediction.
``--place N`` places and routes with N seeds, at the clock of the row. Rows that are not measured stay as they
are in ``results/batches.json``. Exits with status 1 if a score or a cycle differs.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import record
from emitted import emitted

from sbgen import boards, network_cache
from sbgen.compiler import design_file, exchange
from sbgen.compiler.bound import bound
from sbgen.compiler.cycles import predict
from sbgen.compiler.estimate import estimate
from sbgen.compiler.fit import FILL
from sbgen.compiler.fold import fold
from sbgen.compiler.ir import Binarize, Dense, Network, Scores

MODELS = Path(__file__).parent.parent / "models"


def lfc():
    """A network of the size of FINN's LFC (784-1024-1024-1024-10), with random weights and thresholds."""
    rng = np.random.default_rng(1)
    layers, inputs = [Binarize(name="binarize", thresholds=np.full((784, 1), 128))], 784
    for n in range(3):
        weights, thresholds = rng.integers(0, 2, (1024, inputs)), rng.integers(inputs // 4, inputs, 1024)
        layers.append(Dense(name=f"linear{n + 1}", weights=weights, thresholds=thresholds))
        inputs = 1024
    layers.append(
        Scores(name="scores", weights=rng.integers(0, 2, (10, inputs)), offsets=np.zeros(10, np.int64))
    )
    return Network(
        name="lfc-random", image_shape=(28, 28, 1), layers=tuple(layers), labels=tuple("0123456789")
    )


#: For each row its network, board, the clock that its rate assumes, in MHz, and the batches.
ROWS = {
    "tfc-icebreaker": ("tfc-mnist", "icebreaker", 45, (1, 2, 3)),
    "sfc-icebreaker": ("sfc-mnist", "icebreaker", 45, (1, 2, 6)),
    "lfc-ulx3s-85f": (lfc, "ulx3s_85f", 90, (1, 2)),
}


def network_of(model):
    return model() if callable(model) else network_cache.load(MODELS / f"{model}.pt")


def simulated(design, predicted, images):
    """Whether the emitted Verilog has the reference's scores, and its images come in the predicted cycles."""
    found, row = emitted(design, images)
    finishes = tuple(found.last_scores - found.first_beats[0])
    return row | {"cycles_equal": finishes == predicted}


def placed(design, board, clock_mhz, seeds):
    """The Fmax of each seed at a requested clock."""
    with tempfile.TemporaryDirectory(prefix="sbgen-") as folder:
        at = Path(folder)
        design_file.save(design, at / "design.json")
        exchange.save(design.network, at / "network.json")
        command = ["build", "--model", str(at / "network.json"), "--board", board, "--no-sim", "--force"]
        command += ["--design", str(at / "design.json"), "--clock", str(clock_mhz), "--seeds", str(seeds)]
        subprocess.run([sys.executable, "-m", "sbgen", *command, "--out", str(at / "build")], check=True)
        timing = json.loads((at / "build" / "report.json").read_text())["timing"]
    fmax = [trial["fmax_mhz"] for trial in timing["trials"]]
    return {"fmax_mhz": fmax, "median_mhz": statistics.median(fmax)} | {
        key: timing[key] for key in ("clock_mhz", "images_per_second")
    }


def measured(name, batch, options):
    """One row, and whether what was simulated differs."""
    model, board_name, clock_mhz, _ = ROWS[name]
    network, board = network_of(model), boards.get(board_name)
    design = fold(network, board.device, fill=FILL, batch=batch)
    cycles = predict(design)
    row = {
        "name": name,
        "batch": batch,
        "cycles_per_image": cycles.interval,
        "latency_cycles": cycles.latency,
        "alone_cycles": cycles.alone,
        "bound_cycles": bound(network, board.device, batch=batch).cycles,
        "clock_mhz": clock_mhz,
        "images_per_second": round(clock_mhz * 1e6 / cycles.interval),
        **{f"{what}_estimate": count for what, count in estimate(design, board.device).items()},
        **record.MEASURED,
    }
    wrong = False
    if options.images:
        finishes = predict(design, images=options.images).finishes
        row["simulated"] = simulated(design, finishes, options.images)
        wrong = not (row["simulated"]["scores_equal"] and row["simulated"]["cycles_equal"])
    if options.place:
        row["placed"] = placed(design, board_name, clock_mhz, options.place)
    return row, wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=ROWS, default=list(ROWS), metavar="NAME")
    parser.add_argument("--batch", type=int, nargs="+", help="only these batches")
    parser.add_argument("--images", type=int, default=0, help="images to simulate in Verilator (0)")
    parser.add_argument("--place", type=int, default=0, metavar="N", help="seeds to place and route with (0)")
    options = parser.parse_args()

    path = record.FOLDER / "batches.json"
    known = json.loads(path.read_text()) if path.exists() else {"designs": []}
    rows = {(row["name"], row["batch"]): row for row in known["designs"]}
    wrong = False
    for name in options.only:
        for batch in options.batch or ROWS[name][3]:
            row, differs = measured(name, batch, options)
            wrong |= differs
            rows[name, batch] = row
            print(row, flush=True)
            record.write("batches", {"designs": list(rows.values())}, measured={})
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
