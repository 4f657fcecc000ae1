"""Predicted cycles against simulated ones, on random networks and foldings.

    python benchmarks/cycles.py [--dense 200] [--images 100] [--first-seed 0]

Dense networks, then networks with convolutions and pooling. For each seed the emitted Verilog of a random
design runs in Icarus twice. Without stalls, the cycle of every image's last score must be the predicted one.
With random stalls, only the scores and the best classes are compared. Exits with status 1 if a single cycle
or score differs.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import replace

import numpy as np
import record

from sbgen.compiler import cycles, lower, reference, verilog
from sbgen.compiler.random_network import random_design, random_images
from sbgen.compiler.simulate import Simulator
from sbgen.console import Console

IMAGES = 8  # enough for every design to reach its steady state


def measure(kind, seed, folder):
    """One design: what was predicted, what was simulated, and whether all scores are right."""
    design = random_design(seed, images=kind == "images")
    network = design.network
    if network.decision == "argmax":
        design = replace(design, top_k=1 + seed % network.classes)
    images = random_images(seed, network, IMAGES)
    scores, _ = reference.evaluate(network, images)
    ranked = (
        reference.decide(network, scores).reshape(len(scores), -1)
        if design.top_k == 1
        else reference.ranked(scores, design.top_k)
    )
    predicted = cycles.predict(design, images=IMAGES)
    simulator = Simulator(
        verilog.convert(core := lower.lower(design)),
        network,
        lanes=core.lanes,
        simulator="icarus",
        folder=folder,
        top_k=design.top_k,
        ram_contents=core.ram_contents,
    )
    free = simulator.run(images)
    stalled = simulator.run(images, stall=seed + 1)
    finishes = tuple((free.last_scores - free.first_beats[0]).tolist())
    return {
        "kind": kind,
        "seed": seed,
        "layers": [
            [type(layer).__name__, *shape, f"pe {pe}", f"simd {simd}"]
            for layer, (pe, simd), shape in zip(
                network.layers, design.shapes, network.shapes[1:], strict=True
            )
        ],
        "top": design.top_k,
        "predicted": {"latency": predicted.latency, "interval": predicted.interval},
        "simulated": {"latency": free.latency_cycles, "interval": free.interval_cycles},
        "cycles_equal": predicted.finishes == finishes,
        "scores_equal": bool(
            np.array_equal(free.scores, scores)
            and np.array_equal(stalled.scores, scores)
            and np.array_equal(free.ranked, ranked)
            and np.array_equal(stalled.ranked, ranked)
        ),
    }, simulator.name


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dense", type=int, default=200, metavar="N", help="dense networks (200)")
    parser.add_argument(
        "--images", type=int, default=100, metavar="N", help="networks with convolutions (100)"
    )
    parser.add_argument(
        "--first-seed", type=int, default=0, help="seed of the first; the others follow it (0)"
    )
    options = parser.parse_args()
    console, start, designs, rows = Console(), time.monotonic(), [], []
    for kind in "dense", "images":
        seeds = range(options.first_seed, options.first_seed + getattr(options, kind))
        with console.step(f"{kind}, seeds {options.first_seed} ...") as step:
            for n, seed in enumerate(seeds, start=1):
                step.note(f"seed {seed}")  # what a failure is to be repeated with
                with tempfile.TemporaryDirectory(prefix="sbgen-") as folder:
                    design, simulator = measure(kind, seed, folder)
                designs.append(design)
                if not (design["cycles_equal"] and design["scores_equal"]):
                    console.line(f"differs: {design}")
                step.progress(n, len(seeds))
        of_kind = [design for design in designs if design["kind"] == kind]
        depths = sorted(len(design["layers"]) for design in of_kind)
        intervals = sorted(design["simulated"]["interval"] for design in of_kind)
        if of_kind:
            rows.append(
                [
                    kind,
                    len(of_kind),
                    sum(design["cycles_equal"] for design in of_kind),
                    sum(design["scores_equal"] for design in of_kind),
                    f"{depths[0]} ... {depths[-1]}",
                    f"{intervals[0]} ... {intervals[-1]}",
                    IMAGES,
                ]
            )
    columns = ["networks", "designs", "cycles equal", "scores equal", "layers", "interval", "images each"]
    console.table(columns, rows)
    path = record.write(
        "cycles",
        {
            "command": (
                f"python benchmarks/cycles.py --dense {options.dense} --images {options.images} "
                f"--first-seed {options.first_seed}"
            ),
            "simulator": simulator,
            "seconds": round(time.monotonic() - start, 1),
            "summary": [dict(zip(columns, row, strict=True)) for row in rows],
            "designs": designs,
        },
    )
    console.line(f"written to {path.relative_to(record.FOLDER.parent.parent)}")
    return 0 if all(design["cycles_equal"] and design["scores_equal"] for design in designs) else 1


if __name__ == "__main__":
    sys.exit(main())
