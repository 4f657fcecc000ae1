"""Convolutional networks with patches and several positions against each weight word, as fast as the device.

    python benchmarks/convolutions.py [--only NAME ...] [--images 4] [--place 3]

For each design, which is chosen by hand: cycles per image as predicted, resources as estimated, and with
``--images N`` the scores of N images of the emitted Verilog in Verilator, which must be the reference's, and
the cycles that these took. ``--place N`` also places and routes it with N seeds (the larger takes an hour).
Rows that are not measured stay as they are in ``results/convolutions.json``. Exits with status 1 if a score
or a number of cycles differs.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import record
from emitted import emitted

from sbgen import boards, network_cache
from sbgen.compiler import design_file
from sbgen.compiler.cycles import predict
from sbgen.compiler.design import Design
from sbgen.compiler.estimate import estimate
from sbgen.compiler.layers import rules

MODELS = Path(__file__).parent.parent / "models"

#: Of a window on a large device: registers, and as many rows as are of use.
_LARGE = {"registered": True, "queued": True, "rows": 6}

#: For each design its model, its board, and the fields of each layer in the order of the network.
DESIGNS = {
    "cnn-icebreaker": (
        "cnn-mnist",
        "icebreaker",
        [
            {"pe": 2, "simd": 1},
            {"pe": 6, "simd": 18, "store": "lut", "patches": True, "queued": True},
            {"pe": 6, "simd": 6, "queued": True},
            {"pe": 10, "simd": 24, "at_once": 2, "rows": 6, "store": "spram", "sprams": 1},
            {"pe": 10, "simd": 10, "queued": True},
            {
                "pe": 2,
                "simd": 16,
                "at_once": 5,
                "rows": 6,
                "store": "spram",
                "sprams": 2,
                "splitter_store": "bram",
            },
            {"pe": 1, "simd": 4, "store": "spram", "sprams": 1},
        ],
    ),
    "cnv-ulx3s-85f": (
        "cnv-cifar10",
        "ulx3s_85f",
        [
            {"pe": 32, "simd": 27, "at_once": 3, "patches": True, "store": "lut", **_LARGE},
            {"pe": 16, "simd": 64, "at_once": 7, **_LARGE},
            {"pe": 16, "simd": 16, "queued": True, "rows": 4},
            {"pe": 8, "simd": 64, "at_once": 6, **_LARGE},
            {"pe": 5, "simd": 128, "at_once": 5, **_LARGE},
            {"pe": 5, "simd": 5, "queued": True, "rows": 4},
            {"pe": 5, "simd": 128, **_LARGE},
            {"pe": 1, "simd": 128, "preset_store": "bram", **_LARGE},
            {"pe": 1, "simd": 32, "preset_store": "bram", "registered": True},
            {"pe": 1, "simd": 64, "preset_store": "bram", "registered": True},
            {"pe": 1, "simd": 4, "registered": True},
        ],
    ),
}


def made(name):
    """The design and its board."""
    model, board, layers = DESIGNS[name]
    network = network_cache.load(MODELS / f"{model}.pt")
    foldings = [design_file.folding_of(*pair) for pair in zip(rules(network), layers, strict=True)]
    return Design(network=network, foldings=tuple(foldings)), boards.get(board)


def simulated(design, images):
    """Whether the emitted Verilog has the reference's scores, and the cycles between its images."""
    found, row = emitted(design, images)
    return row | {"cycles_per_image": int(found.interval_cycles)}


def placed(name, design, seeds):
    """The Fmax of each seed, and the clock and rate of the build with the fastest."""
    with tempfile.TemporaryDirectory(prefix="sbgen-") as folder:
        design_file.save(design, Path(folder) / "design.json")
        model, board, _ = DESIGNS[name]
        command = ["build", "--model", str(MODELS / f"{model}.pt"), "--board", board, "--no-sim"]
        subprocess.run(
            [sys.executable, "-m", "sbgen", *command, "--design", f"{folder}/design.json"]
            + ["--clock", "best", "--seeds", str(seeds), "--out", f"{folder}/build"],
            check=True,
        )
        timing = json.loads(Path(folder, "build", "report.json").read_text())["timing"]
    fmax = [trial["fmax_mhz"] for trial in timing["trials"]]
    return {"fmax_mhz": fmax, "median_mhz": statistics.median(fmax)} | {
        key: timing[key] for key in ("clock_mhz", "images_per_second")
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=DESIGNS, default=list(DESIGNS), metavar="NAME")
    parser.add_argument("--images", type=int, default=0, help="images to simulate in Verilator (0)")
    parser.add_argument("--place", type=int, default=0, metavar="N", help="seeds to place and route with (0)")
    options = parser.parse_args()

    path = record.FOLDER / "convolutions.json"
    known = json.loads(path.read_text()) if path.exists() else {"designs": []}
    rows = {row["name"]: row for row in known["designs"]}
    wrong = False
    for name in options.only:
        design, board = made(name)
        cycles = predict(design)
        row = {
            "name": name,
            "cycles_per_image": cycles.interval,
            "latency_cycles": cycles.latency,
            "layers": list(cycles.layers),
            **{f"{what}_estimate": count for what, count in estimate(design, board.device).items()},
            **record.MEASURED,
        }
        if options.images:
            row["simulated"] = simulated(design, options.images)
            wrong |= not row["simulated"]["scores_equal"]
            wrong |= row["simulated"]["cycles_per_image"] != cycles.interval
        if options.place:
            row["placed"] = placed(name, design, options.place)
        rows[name] = row
        print(row, flush=True)
        record.write("convolutions", {"designs": list(rows.values())}, measured={})
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
