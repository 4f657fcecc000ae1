"""Predicted cycles against simulated ones, on random networks and foldings.

    python benchmarks/cycles.py [--count 200] [--first-seed 0]

For each seed a random design goes through the emitted Verilog in Icarus, twice: without stalls, where the cycle of every
image's last score must be the predicted one, and with random stalls, where only the scores must be right. Ends with status
1 when a single cycle or score differs.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter

import numpy as np
import record

from sbgen.compiler import cycles, lower, reference, verilog
from sbgen.compiler.random_network import random_design, random_images
from sbgen.compiler.simulate import Simulator
from sbgen.console import Console

IMAGES = 8  # enough for every design to reach its steady state


def measure(seed, folder):
    """One design: what was predicted, what was simulated, and whether all scores are right."""
    design = random_design(seed)
    network = design.network
    images = random_images(seed, network, IMAGES)
    scores, labels = reference.evaluate(network, images)
    predicted = cycles.predict(design, images=IMAGES)
    simulator = Simulator(verilog.convert(lower.lower(design)), network, lanes=design.foldings[0].simd,
                          simulator="icarus", folder=folder)
    free = simulator.run(images)
    stalled = simulator.run(images, stall=seed + 1)
    finishes = tuple((free.last_scores - free.first_beats[0]).tolist())
    return {
        "seed": seed,
        "layers": [[layer.inputs, layer.outputs, folding.pe, folding.simd] for layer, folding in design.stages],
        "predicted": {"latency": predicted.latency, "interval": predicted.interval},
        "simulated": {"latency": free.latency_cycles, "interval": free.interval_cycles},
        "cycles_equal": predicted.finishes == finishes,
        "scores_equal": bool(np.array_equal(free.scores, scores) and np.array_equal(stalled.scores, scores)
                             and np.array_equal(free.labels, labels) and np.array_equal(stalled.labels, labels)),
    }, simulator.name


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=200, help="designs (200)")
    parser.add_argument("--first-seed", type=int, default=0, help="seed of the first; the others follow it (0)")
    options = parser.parse_args()
    console, start, designs = Console(), time.monotonic(), []
    seeds = range(options.first_seed, options.first_seed + options.count)
    console.line(f"seeds {seeds[0]} ... {seeds[-1]}")
    with console.step(f"{len(seeds)} random designs") as step:
        for seed in seeds:
            with tempfile.TemporaryDirectory(prefix="sbgen-") as folder:
                design, simulator = measure(seed, folder)
            designs.append(design)
            if not (design["cycles_equal"] and design["scores_equal"]):
                console.line(f"seed {seed} differs: {design}")
            step.progress(len(designs), len(seeds))
    cycles_equal = sum(design["cycles_equal"] for design in designs)
    scores_equal = sum(design["scores_equal"] for design in designs)
    depths = Counter(len(design["layers"]) for design in designs)
    intervals = sorted(design["simulated"]["interval"] for design in designs)
    console.table(["designs", "cycles equal", "scores equal", "layers", "interval", "images each"], [[
        len(designs), cycles_equal, scores_equal, f"{min(depths)} ... {max(depths)}",
        f"{intervals[0]} ... {intervals[-1]}", IMAGES]])
    path = record.write("cycles", {
        "command": f"python benchmarks/cycles.py --count {options.count} --first-seed {options.first_seed}",
        "simulator": simulator, "images": IMAGES, "seconds": round(time.monotonic() - start, 1),
        "designs": len(designs), "cycles_equal": cycles_equal, "scores_equal": scores_equal, "each": designs})
    console.line(f"written to {path.relative_to(record.FOLDER.parent.parent)}")
    return 0 if cycles_equal == scores_equal == len(designs) else 1


if __name__ == "__main__":
    sys.exit(main())
