"""How fast a convolutional network could be on the iCEBreaker: the fewest LUTs for each number of cycles.

    python benchmarks/convolution_limits.py

`cnn-mnist` with the folding by hand of `benchmarks/convolutions.py`, but its second and third convolution in
every folding of positions at once, outputs, inputs and memories that is worth a try, and the pools as wide as
what is before them. Of those whose block RAMs and SPRAMs fit, the fewest LUTs, as estimated, for each number
of cycles per image, as predicted. Writes ``results/convolution_limits.json``.
"""

import itertools
import sys
from typing import NamedTuple

import record
from convolutions import DESIGNS, made

from sbgen.compiler import design_file
from sbgen.compiler.cycles import predict
from sbgen.compiler.design import Design
from sbgen.compiler.estimate import estimate, stage_cost
from sbgen.compiler.layers import rules
from sbgen.errors import SbgenError

NAME = "cnn-icebreaker"

#: The places of the convolutions that vary, with their positions, outputs and inputs at once.
VARIED = {
    3: ((1, 2, 3, 4, 5, 7), (2, 3, 4, 6, 8, 10, 12, 16), (12, 24)),
    5: ((1, 2, 3, 5), (1, 2, 3, 4, 6, 8), (12, 16, 24, 48)),
}

STORES = (
    {},
    {"store": "spram", "sprams": 1},
    {"store": "spram", "sprams": 2},
    {"store": "spram", "sprams": 3},
)

#: Most cycles per image of what is tried, and how many of the cheapest pairs are looked at as a whole.
SLOWEST, PAIRS = 4_500, 400


class Choice(NamedTuple):
    """A folding of a layer with its cycles and what it takes."""

    cycles: int
    lut: float
    bram: int
    spram: int
    fields: dict


def choices(rule, sizes, device):
    """The foldings of a layer that are fast enough and that no other beats in all respects."""
    found = []
    for at_once, pe, simd in itertools.product(*sizes):
        for store, split in itertools.product(STORES, ({}, {"splitter_store": "bram"})):
            if split and at_once == 1:
                continue
            fields = {"pe": pe, "simd": simd, "at_once": at_once, "rows": 6, **store, **split}
            try:
                stage = rule.stage(design_file.folding_of(rule, fields))
            except (SbgenError, ValueError):
                continue  # not of this layer's sizes
            if stage.cycles <= SLOWEST:
                cost = stage_cost(stage, device=device)
                found.append(Choice(stage.cycles, cost.lut, cost.bram, cost.spram, fields))
    found.sort(key=lambda choice: choice[:4])
    return [
        choice
        for n, choice in enumerate(found)
        if not any(all(a <= b for a, b in zip(other[:4], choice[:4], strict=True)) for other in found[:n])
    ]


def main():
    design, board = made(NAME)
    network, device, placed = design.network, board.device, rules(design.network)
    both = [choices(placed[n], sizes, device) for n, sizes in VARIED.items()]
    pairs = [
        pair
        for pair in itertools.product(*both)
        if sum(choice.bram for choice in pair) < device.bram
        and sum(choice.spram for choice in pair) <= device.spram
    ]
    pairs.sort(key=lambda pair: sum(choice.lut for choice in pair))
    rows = []
    for pair in pairs[:PAIRS]:
        layers = [dict(fields) for fields in DESIGNS[NAME][2]]
        for n, choice in zip(VARIED, pair, strict=True):
            layers[n] = choice.fields
        layers[4] = {"pe": pair[0].fields["pe"], "simd": pair[0].fields["pe"], "queued": True}
        foldings = [design_file.folding_of(*each) for each in zip(placed, layers, strict=True)]
        whole = Design(network=network, foldings=tuple(foldings))
        used = estimate(whole, device)
        if used["bram"] <= device.bram and used["spram"] <= device.spram:
            rows.append(
                {"cycles": predict(whole).interval, **used, "convolutions": [layers[n] for n in VARIED]}
            )
    rows.sort(key=lambda row: (row["cycles"], row["lut"]))
    best = [row for n, row in enumerate(rows) if all(row["lut"] < other["lut"] for other in rows[:n])]
    for row in best:
        print(row)
    record.write(
        "convolution_limits",
        {
            "command": "python benchmarks/convolution_limits.py",
            "design": NAME,
            "device_luts": device.lut,
            "choices": [len(each) for each in both],
            "pairs_that_fit_memories": len(pairs),
            "pairs_predicted": min(PAIRS, len(pairs)),
            "best": best,
        },
    )


if __name__ == "__main__":
    sys.exit(main())
