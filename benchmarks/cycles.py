"""Predicted cycles against simulated ones, on random networks and foldings.

    python benchmarks/cycles.py [--dense 200] [--images 100] [--first-seed 0]

Dense networks, then networks with convolutions and pooling. For each seed the emitted Verilog of a random
design runs in Icarus twice. Without stalls, the cycle of every image's last score must be the predicted one.
With random stalls, only the scores and the best classes are compared. Exits with status 1 if a single cycle
or score differs.

Seeds of designs that take Icarus minutes are passed over: their units could count more than two million bits
while an image takes its cycles, or a layer has more than a hundred outputs at once. A run of the same commit
that was interrupted is continued.
"""

import argparse
import itertools
import json
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

#: Bits that the units of a design could count per image, and outputs of a layer at once.
_MOST_BITS, _MOST_OUTPUTS = 2_000_000, 100


def drawn(kind, count, first_seed):
    """So many designs that Icarus simulates in seconds, each with its seed, from the first seed on."""

    def designs():
        for seed in itertools.count(first_seed):
            design = random_design(seed, images=kind == "images")
            at_once = sum(pe * simd for pe, simd in design.shapes)
            few_bits = max(cycles.stage_cycles(design)) * at_once <= _MOST_BITS
            if few_bits and max(pe for pe, _ in design.shapes) <= _MOST_OUTPUTS:
                if design.network.decision == "argmax":
                    design = replace(design, top_k=1 + seed % design.network.classes)
                yield seed, design

    return itertools.islice(designs(), count)


def measure(kind, seed, design, folder):
    """One design: what was predicted, what was simulated, and whether all scores are right."""
    network = design.network
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
        "simulator": simulator.name,
    }


COLUMNS = ["networks", "designs", "cycles equal", "scores equal", "layers", "interval", "images each"]


def command(options):
    """What repeats the record."""
    return (
        f"python benchmarks/cycles.py --dense {options.dense} --images {options.images} "
        f"--first-seed {options.first_seed}"
    )


def earlier(options):
    """The designs that an interrupted run of the same commit and options has measured, by kind and seed."""
    path = record.FOLDER / "cycles.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    same = {**record.MEASURED, "command": command(options)}
    if not record.MEASURED["clean"] or any(found.get(name) != value for name, value in same.items()):
        return {}
    return {(row["kind"], row["seed"]): row for row in found["designs"]}


def store(options, designs, rows, seconds):
    """Write the record of what is measured so far, and return its path."""
    return record.write(
        "cycles",
        {
            "command": command(options),
            "simulator": designs[0]["simulator"] if designs else None,
            "seconds": round(seconds, 1),
            "summary": [dict(zip(COLUMNS, row, strict=True)) for row in rows],
            "designs": designs,
        },
    )


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
    console, rows = Console(), []
    known = earlier(options)
    designs, seconds = [], sum(row["seconds"] for row in known.values())
    for kind in "dense", "images":
        count = getattr(options, kind)
        with console.step(f"{kind}, seeds {options.first_seed} ...") as step:
            for n, (seed, design) in enumerate(drawn(kind, count, options.first_seed), start=1):
                step.note(f"seed {seed}")  # what a failure is to be repeated with
                if (row := known.get((kind, seed))) is None:
                    start = time.monotonic()
                    with tempfile.TemporaryDirectory(prefix="sbgen-") as folder:
                        row = measure(kind, seed, design, folder)
                    row["seconds"] = round(time.monotonic() - start, 1)
                    seconds += row["seconds"]
                designs.append(row)
                if not (row["cycles_equal"] and row["scores_equal"]):
                    console.line(f"differs: {row}")
                store(options, designs, rows, seconds)
                step.progress(n, count)
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
    console.table(COLUMNS, rows)
    path = store(options, designs, rows, seconds)
    console.line(f"written to {path.relative_to(record.FOLDER.parent.parent)}")
    return 0 if all(design["cycles_equal"] and design["scores_equal"] for design in designs) else 1


if __name__ == "__main__":
    sys.exit(main())
