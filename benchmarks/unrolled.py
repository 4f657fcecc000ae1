"""Layers with their weights wired in, compared with da4ml's adder graphs of the same layers with thresholds.

    pip install -e .[benchmark]
    python benchmarks/unrolled.py --layers random-64x64 trained-64x64 --by sbgen da4ml "da4ml, depth bounded"

Each layer is unpipelined, between two shift registers, so that it needs three pins. It is simulated as
emitted against NumPy with random vectors, and goes through the same synthesis, packing, and place and route.
Cells are counted after packing without the shift registers. `abc9` does not prove its own result, which takes
longer than finding it. da4ml bounds the depth of its graph only on request: the third row allows (`hard_dc`)
two adders more than the minimum. A layer that does not fit the device is only packed. Rows are written as
they come; those of other layers stay.
"""

import argparse
import json
import os
import resource
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from record import FOLDER, MEASURED, write

from sbgen import tools
from sbgen.boards.ice40.flow import SYNTHESIS
from sbgen.compiler.frontends import model
from sbgen.compiler.unrolled import unroll
from sbgen.compiler.verilog import convert
from sbgen.hw.mvtu import Parameters

MODELS = Path(__file__).parents[1] / "models"

#: Synthesis, place and route, its options, cell of a LUT, how many of them, whether each bit of a shift
#: register takes one (elsewhere only one that is loaded does).
FAMILIES = {
    "ice40": (
        SYNTHESIS,
        "nextpnr-ice40",
        ["--hx8k", "--package", "ct256", "--pcf-allow-unconstrained"],
        "ICESTORM_LC",
        7_680,
        True,
    ),
    "ecp5": (
        "synth_ecp5 -nowidelut",
        "nextpnr-ecp5",
        ["--85k", "--package", "CABGA381", "--speed", "6", "--lpf-allow-unconstrained"],
        "TRELLIS_COMB",
        83_640,
        False,
    ),
}
LEVELS = 10**6  # no register within a layer
VECTORS = 200
DEPTH = 2  # of da4ml's third row


def random_layer(inputs, outputs):
    rng = np.random.default_rng(0)
    weights = rng.integers(0, 2, (outputs, inputs))
    return weights, np.clip(
        np.round(rng.normal(inputs / 2, np.sqrt(inputs) / 2, outputs)), 0, inputs + 1
    ).astype(int)


def trained_layer(name, at, outputs):
    """The first outputs of the dense layer at a place of a shipped model."""
    layer = model.load(MODELS / f"{name}.pt").network.layers[at]
    return layer.weights[:outputs].astype(int), layer.thresholds[:outputs].astype(int)


LAYERS = {
    "random-64x64": lambda: random_layer(64, 64),
    "trained-64x64": lambda: trained_layer("tfc-mnist", 2, 64),
    "random-256x64": lambda: random_layer(256, 64),
    "trained-256x64": lambda: trained_layer("sfc-mnist", 2, 64),
}


def processor_seconds():
    """Of this process and all that it has waited for."""
    return sum(
        each.ru_utime + each.ru_stime
        for each in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def ours(weights, thresholds):
    """Verilog of a module ``layer(clk, x, y)`` that registers its outputs."""
    rows = tuple(
        int.from_bytes(np.packbits(row.astype(bool), bitorder="little").tobytes(), "little")
        for row in weights
    )
    unit = Parameters(
        inputs=weights.shape[1], weights=rows, presets=tuple((-thresholds).tolist()), pe=1, simd=1
    )
    text = convert(unroll(unit, levels=LEVELS).create(), name="unit")
    outputs, inputs = weights.shape
    return (
        text
        + f"""
module layer(input clk, input [{inputs - 1}:0] x, output [{outputs - 1}:0] y);
  unit unit(.clk(clk), .rst(1'b0), .i__payload(x), .i__valid(1'b1), .i__ready(),
    .o__payload(y), .o__valid(), .o__ready(1'b1));
endmodule
"""
    )


def theirs(weights, thresholds, depth):
    """The same of da4ml."""
    from da4ml.codegen.rtl import RTLModel
    from da4ml.trace import FixedVariableArray, HWConfig, comb_trace

    outputs, inputs = weights.shape
    x = FixedVariableArray.from_kif(
        np.zeros(inputs, int),
        np.ones(inputs, int),
        np.zeros(inputs, int),
        HWConfig(1, -1, -1),
        0,
        {} if depth is None else {"hard_dc": depth},
    )
    # A kernel that is not contiguous in C's order is solved wrongly. Of inputs 0 and 1 the sum is the count
    # less the weights of -1.
    sums = x @ np.ascontiguousarray((2 * weights - 1).T.astype(np.float64))
    logic = comb_trace(x, sums >= thresholds - (1 - weights).sum(1))
    with tempfile.TemporaryDirectory() as folder:
        RTLModel(logic, "graph", folder, flavor="verilog").write()
        folder = Path(folder) / "src"
        used = [path for path in sorted((folder / "static").glob("*.v")) if path.stem != "lookup_table"]
        text = "\n".join(path.read_text() for path in (*used, folder / "graph.v"))
    return (
        text
        + f"""
module layer(input clk, input [{inputs - 1}:0] x, output reg [{outputs - 1}:0] y);
  wire [{outputs - 1}:0] now;
  graph graph(.model_inp(x), .model_out(now));
  always @(posedge clk) y <= now;
endmodule
"""
    )


MAKERS = {
    "sbgen": ours,
    "da4ml": lambda *layer: theirs(*layer, None),
    "da4ml, depth bounded": lambda *layer: theirs(*layer, DEPTH),
}


def top(inputs, outputs):
    """A layer between two shift registers."""
    return f"""
module top(input clk, input d, input load, output q);
  reg [{inputs - 1}:0] x;
  reg [{outputs - 1}:0] out;
  wire [{outputs - 1}:0] y;
  layer layer(.clk(clk), .x(x), .y(y));
  always @(posedge clk) begin
    x <= {{x, d}};
    out <= load ? y : out >> 1;
  end
  assign q = out[0];
endmodule
"""


def verify(folder, weights, thresholds):
    """Compare ``layer.v`` with NumPy in Icarus."""
    outputs, inputs = weights.shape
    vectors = np.random.default_rng(1).integers(0, 2, (VECTORS, inputs))
    (folder / "vectors.txt").write_text("".join("".join(map(str, vector[::-1])) + "\n" for vector in vectors))
    (folder / "bench.v").write_text(f"""
`timescale 1ns/1ps
module bench;
  reg clk = 0;
  reg [{inputs - 1}:0] vectors [0:{VECTORS - 1}];
  reg [{inputs - 1}:0] x;
  wire [{outputs - 1}:0] y;
  integer n;
  layer layer(.clk(clk), .x(x), .y(y));
  initial begin
    $readmemb("vectors.txt", vectors);
    for (n = 0; n < {VECTORS}; n = n + 1) begin
      x = vectors[n];
      #1 clk = 1;
      #1 clk = 0;
      $display("y %b", y);
    end
  end
endmodule
""")
    tools.run(
        tools.find("iverilog"),
        ["-g2012", "-s", "bench", "-o", "bench.vvp", "bench.v", "layer.v"],
        cwd=folder,
        log=folder / "iverilog.log",
    )
    told = tools.run(tools.find("vvp"), ["bench.vvp"], cwd=folder, log=folder / "vvp.log")
    found = [
        [int(bit) for bit in reversed(line.split()[1])] for line in told.splitlines() if line.startswith("y ")
    ]
    expected = (vectors[:, None, :] == weights[None]).sum(2) >= thresholds
    if not np.array_equal(found, expected):
        raise SystemExit(f"the Verilog in {folder} is wrong")


def measure(name, make, weights, thresholds, family, seeds, router):
    synthesis, program, options, cell, available, cell_per_bit = FAMILIES[family]
    outputs, inputs = weights.shape
    with tempfile.TemporaryDirectory() as folder:
        folder, begun = Path(folder), processor_seconds()
        text = make(weights, thresholds)
        generation = processor_seconds() - begun
        (folder / "layer.v").write_text(text)
        (folder / "top.v").write_text(top(inputs, outputs))
        verify(folder, weights, thresholds)
        begun = processor_seconds()
        script = (
            f"scratchpad -set abc9.verify 0; read_verilog -sv layer.v top.v; {synthesis} -top top -json"
            " top.json"
        )
        tools.run(tools.find("yosys"), ["-p", script], cwd=folder, log=folder / "yosys.log")
        synthesised = processor_seconds() - begun

        def place(*more):
            tools.run(
                tools.find(program),
                [*options, "--json", "top.json", "--timing-allow-fail", "--report", "report.json", *more],
                cwd=folder,
                log=folder / "place.log",
            )
            return json.loads((folder / "report.json").read_text())

        used = place("--pack-only")["utilization"][cell]["used"]
        clocks = []
        if used < available:
            clocks = [
                next(iter(place("--freq", "60", "--seed", str(seed), "--router", router)["fmax"].values()))[
                    "achieved"
                ]
                for seed in seeds
            ]
    return {
        "by": name,
        "cells": used - outputs - inputs * cell_per_bit,
        "fmax_mhz": [round(each, 2) for each in clocks],
        "median_mhz": round(statistics.median(clocks), 2) if clocks else None,
        "generation_s": round(generation, 2),
        "synthesis_s": round(synthesised, 2),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", nargs="+", choices=LAYERS, default=list(LAYERS))
    parser.add_argument("--family", choices=FAMILIES, default="ice40")
    parser.add_argument("--seeds", type=int, default=3, help="of place and route; 0 packs only")
    parser.add_argument(
        "--router", choices=["router1", "router2"], default="router1", help="the second is for large layers"
    )
    parser.add_argument("--name", help="of the file of results")
    parser.add_argument("--by", nargs="+", choices=MAKERS, default=["sbgen", "da4ml"], help="(%(default)s)")
    options = parser.parse_args()

    name = options.name or f"unrolled-{options.family}"
    path = FOLDER / f"{name}.json"
    old = json.loads(path.read_text()) if path.exists() else {"rows": []}
    rows = {(row["layer"], row["by"]): row for row in old["rows"]}
    for layer in options.layers:
        weights, thresholds = LAYERS[layer]()
        for by in options.by:
            begun, load = time.monotonic(), os.getloadavg()[0]
            row = rows[layer, by] = {
                "layer": layer,
                **measure(
                    by,
                    MAKERS[by],
                    weights,
                    thresholds,
                    options.family,
                    range(1, options.seeds + 1),
                    options.router,
                ),
                "router": options.router,
                "load_before": load,
                **MEASURED,
            }
            write(
                name, {"family": options.family, "vectors": VECTORS, "rows": list(rows.values())}, measured={}
            )
            print(f"{row}  ({time.monotonic() - begun:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
