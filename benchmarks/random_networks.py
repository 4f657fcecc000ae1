"""Random networks against their hardware, and what kinds of networks they were.

    python benchmarks/random_networks.py [--seed 0] [--count 1000] [--largest 48] [--images 6] [--jobs 1] [--board NAME]...

Each seed makes a network, a folding and images, as `sbgen fuzz` does. The emitted Verilog runs twice, free and stalled; every score, class
and predicted cycle is compared with the reference. With boards, each seed goes to the next of them: placed and routed, and the netlist
asked through the board's pins. Writes ``results/random-networks.json`` or ``results/placed-networks.json``, after every few networks
as far as it got. Ends with status 1 when anything differs.
"""

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import record

from sbgen import boards, fuzz, tools
from sbgen.compiler.ir import Conv2d
from sbgen.compiler.random_network import random_design, random_images
from sbgen.console import Console
from sbgen.errors import FitError

#: Networks between two writings.
_BETWEEN = 5


def kinds(design):
    """What of the kinds of layers, numbers and stores a design has."""
    layers, foldings = design.network.layers, design.foldings
    found = {type(layer).__name__ for layer in layers}
    found |= {"grouped Conv2d" for layer in layers if isinstance(layer, Conv2d) and layer.groups > 1}
    found |= {"padding of 1" for layer in layers if isinstance(layer, Conv2d) and layer.padding_bit and any(map(any, layer.padding))}
    found |= {"ternary weights" for layer in layers if getattr(layer, "mask", None) is not None}
    found |= {"input of several bits" for layer in layers if getattr(layer, "planes", 1) > 1}
    found |= {"scaled classes" for layer in layers if getattr(layer, "scales", None) is not None}
    found |= {f"weights {folding.store}" for layer, folding in zip(layers, foldings, strict=True) if layer.weight_bits}
    return found


def measure(seed, *, largest, count, names):
    """One seed: the line that is written of it, and its kinds."""
    board = boards.get(names[seed % len(names)]) if names else None
    design = random_design(seed, largest=largest, spram=board is None)
    images = random_images(seed, design.network, count)
    start = time.monotonic()
    outcome = {"seed": seed, **({"board": board.name} if board else {}), "layers": len(design.network.layers),
               "weights": design.network.weight_bits, "scores": (1 if board else 2) * count * design.network.classes}
    try:
        failure = fuzz.check(design, images, simulator="icarus", seed=seed, board=board)
    except FitError as error:
        return {**outcome, "scores": 0, "outcome": f"too big: {error}", "seconds": round(time.monotonic() - start, 1)}, set()
    return {**outcome, "outcome": "equal" if failure is None else f"{failure.kind}: {failure.text}",
            "seconds": round(time.monotonic() - start, 1)}, kinds(design)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the first network (0)")
    parser.add_argument("--count", type=int, default=1000, metavar="N", help="networks (1000)")
    parser.add_argument("--largest", type=int, default=48, metavar="N", help="most pixels of an image and neurons of a layer (48)")
    parser.add_argument("--images", type=int, default=6, metavar="N", help="random images for each (6)")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="networks at the same time (1)")
    parser.add_argument("--board", action="append", default=[], metavar="NAME", help="place and route for it; may be given again")
    options = parser.parse_args()
    console, start, networks, met = Console(), time.monotonic(), [], Counter()
    used = ("iverilog", "yosys", *sorted({f"nextpnr-{boards.get(name).device.family}" for name in options.board}))
    command = " ".join(["python benchmarks/random_networks.py", f"--seed {options.seed} --count {options.count}",
                        f"--largest {options.largest} --images {options.images}", *(f"--board {name}" for name in options.board)])

    def write():
        equal = sum(network["outcome"] == "equal" for network in networks)
        return equal, record.write("placed-networks" if options.board else "random-networks", {
            "command": command, "tools": {name: tools.find(name).version for name in used},
            "seconds": round(time.monotonic() - start), "seeds": [options.seed, options.seed + len(networks) - 1],
            "networks": len(networks), "equal": equal,
            "too_big": sum(network["outcome"].startswith("too big") for network in networks),
            "scores": sum(network["scores"] for network in networks), "kinds": dict(sorted(met.items())), "each": networks})

    seeds = range(options.seed, options.seed + options.count)
    with console.step(f"{len(seeds)} networks from seed {options.seed}") as step, ProcessPoolExecutor(options.jobs) as pool:
        work = partial(measure, largest=options.largest, count=options.images, names=options.board)
        for network, has in pool.map(work, seeds):
            networks.append(network)
            met.update(has)
            if network["outcome"] != "equal":
                console.line(f"  {network}")
            if len(networks) % _BETWEEN == 0:
                write()
            step.progress(len(networks), len(seeds))
    equal, path = write()
    console.line(f"{equal} of {len(networks)} equal; written to {path.relative_to(record.FOLDER.parent.parent)}")
    return 0 if all(network["outcome"].split(":")[0] in ("equal", "too big") for network in networks) else 1


if __name__ == "__main__":
    sys.exit(main())
