"""Random networks against their hardware, and how many have each feature.

    python benchmarks/random_networks.py [--seed 0] [--count 500] [--largest 24] [--images 3] [--jobs 1]
                                         [--patchable] [--board NAME]... [--level placed]

Each seed is a network, a folding and images, as for `sbgen fuzz`. The emitted Verilog runs twice, without and
with stalls; every score, class and predicted cycle is compared with the reference. With boards, each seed
uses the next of them: the emitted Verilog or a netlist of its top level answers through its pins. Writes
``results/random-networks.json``, ``patchable-networks.json`` or ``LEVEL-networks.json`` after every few
networks. Exits with status 1 if anything differs.
"""

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import record

from sbgen import boards, fuzzing, tools
from sbgen.boards.placed import LEVELS
from sbgen.commands import fuzz
from sbgen.compiler.features import FEATURES, features
from sbgen.compiler.random_network import image_count, random_images
from sbgen.console import Console
from sbgen.errors import FitError

#: Networks between two writings.
_BETWEEN = 5


def measure(seed, *, largest, most, names, level, patchable):
    """One seed: its line in the record, and its features."""
    board = boards.get(names[seed % len(names)]) if names else None
    design = fuzzing.random_design(
        seed, largest=largest, patchable=patchable or None, board=board, level=level
    )
    count = image_count(design, most)
    images = random_images(seed, design.network, count)
    start = time.monotonic()
    outcome = {
        "seed": seed,
        **({"board": board.name} if board else {}),
        "layers": len(design.network.layers),
        "weights": design.network.weight_bits,
        "scores": (1 if board else 2) * count * design.network.outputs,
    }
    try:
        failure = fuzzing.check(design, images, simulator="icarus", seed=seed, board=board, level=level)
    except FitError as error:
        return {
            **outcome,
            "scores": 0,
            "outcome": f"too big: {error}",
            "seconds": round(time.monotonic() - start, 1),
        }, []
    return {
        **outcome,
        "outcome": "equal" if failure is None else f"{failure.kind}: {failure.text}",
        "seconds": round(time.monotonic() - start, 1),
    }, features(design, images)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the first network (0)")
    parser.add_argument("--count", type=int, default=500, metavar="N", help="networks (500)")
    parser.add_argument("--largest", type=int, default=24, metavar="N", help="as for `sbgen fuzz` (24)")
    parser.add_argument("--images", type=int, default=3, metavar="N", help="as for `sbgen fuzz` (3)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="networks at the same time (1)")
    parser.add_argument("--patchable", action="store_true", help="as for `sbgen fuzz`")
    parser.add_argument(
        "--board", action="append", default=[], metavar="NAME", help="under its top level; may be repeated"
    )
    parser.add_argument("--level", choices=LEVELS, default="placed", help="as for `sbgen fuzz` (placed)")
    options = parser.parse_args()
    console, start, networks, met = Console(), time.monotonic(), [], Counter()
    placed = options.board if options.level == "placed" else []
    used = ("iverilog", "yosys", *sorted({f"nextpnr-{boards.get(name).device.family}" for name in placed}))
    name = (
        f"{options.level}-networks"
        if options.board
        else "patchable-networks"
        if options.patchable
        else "random-networks"
    )
    command = " ".join(
        [
            "python benchmarks/random_networks.py",
            f"--seed {options.seed} --count {options.count}",
            f"--largest {options.largest} --images {options.images}",
            *["--patchable"] * options.patchable,
            *(f"--board {board}" for board in options.board),
            *[f"--level {options.level}"] * bool(options.board),
        ]
    )

    def write():
        equal = sum(network["outcome"] == "equal" for network in networks)
        return equal, record.write(
            name,
            {
                "command": command,
                "tools": {tool: tools.find(tool).version for tool in used},
                "seconds": round(time.monotonic() - start),
                "seeds": [options.seed, options.seed + len(networks) - 1],
                "networks": len(networks),
                "equal": equal,
                "too_big": sum(network["outcome"].startswith("too big") for network in networks),
                "scores": sum(network["scores"] for network in networks),
                "networks_with": {feature: met[feature] for feature in FEATURES},
                "each": networks,
            },
        )

    seeds = range(options.seed, options.seed + options.count)
    with (
        console.step(f"{len(seeds)} networks from seed {options.seed}") as step,
        ProcessPoolExecutor(options.jobs) as pool,
    ):
        work = partial(
            measure,
            largest=options.largest,
            most=options.images,
            names=options.board,
            level=options.level,
            patchable=options.patchable,
        )
        for network, has in pool.map(work, seeds):
            networks.append(network)
            met.update(has)
            if network["outcome"] != "equal":
                console.line(f"  {network}")
            if len(networks) % _BETWEEN == 0:
                write()
            step.progress(len(networks), len(seeds))
    equal, path = write()
    fuzz.report_features(console, met)
    console.line(
        f"{equal} of {len(networks)} equal; written to {path.relative_to(record.FOLDER.parent.parent)}"
    )
    return 0 if all(network["outcome"].split(":")[0] in ("equal", "too big") for network in networks) else 1


if __name__ == "__main__":
    sys.exit(main())
