"""Sparse networks with all weights wired in, one image a cycle: from a register of pixels to the label.

    python benchmarks/sparse.py models/sparse-mnist.pt --flow ice40
    python benchmarks/sparse.py sparse-lut6.pt --flow xc7

The core takes a whole image in each cycle and outputs its label: thresholds of pixels, neurons, sums of
groups and the arg max are in it. The register that collects the pixels, one a cycle, is counted apart. The
emitted Verilog is simulated on test images and compared with the reference, label by label and score by
score. `ice40` packs, places and routes for an HX8K; `xc7` counts LUTs after yosys' `synth_xilinx`, without
place and route.
"""

import argparse
import json
import re
import statistics
import time
from pathlib import Path

from record import FOLDER, MEASURED, write

from sbgen import tools
from sbgen.compiler import (
    cycles,
    estimate,
    exchange,
    fast_reference,
    lower,
    passes,
    reference,
    simulate,
    verilog,
)
from sbgen.compiler.design import Design
from sbgen.compiler.device import DEVICES
from sbgen.compiler.frontends import model
from sbgen.compiler.layers import rules
from sbgen.train import data

#: What papers report of such networks on MNIST: not measured here.
PUBLISHED = (
    {
        "network": "TreeLUT (I)",
        "accuracy": 0.97,
        "lut6": 4478,
        "leaves_out": "nothing known; post-route of an xcvu9p",
        "source": "arXiv 2501.01511, as cited by later tables",
    },
    {
        "network": "DWN",
        "accuracy": 0.978,
        "lut6": 2092,
        "leaves_out": "the encoder of pixels to thermometer bits; post-route of an xcvu9p",
        "source": "arXiv 2410.11112, as cited by later tables",
    },
)

#: By flow: inputs of a table, the device of the estimate, synthesis.
FLOWS = {
    "ice40": (4, "hx8k", "synth_ice40 -top top"),
    "xc7": (6, None, "synth_xilinx -family xc7 -noiopad -noclkbuf -nodsp -nosrl -top top"),
}


def at_once(network, size):
    """The design that takes an image in each cycle."""
    foldings = [
        rule.unrolled(table_inputs=size) if rule.unrolled_as else rule.folding(simd=rule.limits[1])
        for rule in rules(network)
    ]
    return Design(network=network, foldings=tuple(foldings), label_only=True)


def top(core):
    """The core behind a register that takes a pixel in each cycle."""
    pixels, label = 8 * core.pixels, core.label_width
    return f"""
module top(input clk, input [7:0] d, input valid, output reg [{label - 1}:0] label, output reg done);
  reg [{pixels - 1}:0] pixels;
  wire [{core.o.payload.as_value().shape().width - 1}:0] o;
  wire o_valid;
  core core(.clk(clk), .rst(1'b0), .i__payload(pixels), .i__valid(valid), .i__ready(),
    .o__payload(o), .o__valid(o_valid), .o__ready(1'b1));
  always @(posedge clk) begin
    pixels <= {{d, pixels[{pixels - 1}:8]}};
    label <= o[{core.score_width + label - 1}:{core.score_width}];
    done <= o_valid;
  end
endmodule
"""


def verify(text, core, network, images):
    """The number of images whose labels and scores equal the reference in the Verilog, and the interval."""
    scores, classes = fast_reference.evaluate(network, images)
    found = simulate.simulate(
        text, network, images, lanes=core.lanes, simulator="verilator", results=core.outputs
    )
    if (found.scores != reference.results(scores, 1)).any() or (found.labels != classes).any():
        raise SystemExit("the Verilog is wrong")
    return len(images), found.interval_cycles


def synthesise(text, core, script, folder):
    """The cells of the netlist by type, and the flip-flops of the pixels."""
    (folder / "core.v").write_text(re.sub(r"\bmodule top\b", "module core", text, count=1))
    (folder / "top.v").write_text(top(core))
    flat = "setattr -mod -unset keep_hierarchy *; flatten; opt_clean"
    tools.run(
        tools.find("yosys"),
        ["-p", f"read_verilog -sv core.v top.v; {script}; {flat}; write_json top.json"],
        cwd=folder,
        log=folder / "yosys.log",
    )
    netlist = json.loads((folder / "top.json").read_text())["modules"]["top"]
    kinds: dict[str, int] = {}
    for cell in netlist["cells"].values():
        kinds[cell["type"]] = kinds.get(cell["type"], 0) + 1
    bits = {
        bit for name in netlist["netnames"] if name == "pixels" for bit in netlist["netnames"][name]["bits"]
    }
    register = sum(
        bool(bits & set(cell["connections"].get("Q", ())))
        for cell in netlist["cells"].values()
        if "Q" in cell["connections"]
    )
    return kinds, register


def place(folder, seeds, mhz):
    """Logic cells of an HX8K, and the clock of each seed."""

    def run(*more):
        options = ["--hx8k", "--package", "ct256", "--pcf-allow-unconstrained", "--timing-allow-fail"]
        tools.run(
            tools.find("nextpnr-ice40"),
            [*options, "--json", "top.json", "--report", "report.json", *more],
            cwd=folder,
            log=folder / "place.log",
        )
        return json.loads((folder / "report.json").read_text())

    cells, clocks = None, []
    for seed in seeds:
        report = run("--freq", str(mhz), "--seed", str(seed))
        cells = report["utilization"]["ICESTORM_LC"]["used"]
        clocks.append(round(next(iter(report["fmax"].values()))["achieved"], 2))
    return cells, clocks


def measure(path, options):
    size, device, script = FLOWS[options.flow]
    found = model.load(path)
    network = passes.apply_passes(found.network)
    design = at_once(network, size)
    core = lower.lower(design)
    text = verilog.convert(core)
    _, _, images, labels = data.load("mnist", options.data)
    _, classes = fast_reference.evaluate(found.network, images)
    simulated, interval = verify(text, core, network, images[: options.images])
    row = {
        "network": path.stem,
        "flow": options.flow,
        "sha256": exchange.digest(found.network)[:16],
        "layers": [layer.outputs for layer in network.layers[1:]],
        "fan_in": [layer.fan_in for layer in network.layers[1:]],
        "accuracy": round(float((classes == labels).mean()), 4),
        "images_simulated": simulated,
        "interval_cycles": interval,
        "latency_cycles": cycles.predict(design).latency,
        "tables": [len(part.tables) for each in core.submodules if hasattr(part := each.part, "tables")],
    }
    if device is not None:
        row["estimate"] = sum(
            round(estimate.part_cost(each.part, device=DEVICES[device]).lut) for each in core.submodules
        )
    with tools.temporary() as folder:
        begun = time.process_time()
        kinds, register = synthesise(text, core, script, folder)
        row["pixel_register_ffs"] = register
        if options.flow == "xc7":
            row["luts"] = sum(count for kind, count in kinds.items() if re.fullmatch("LUT[1-6]|INV", kind))
            row |= {name: kinds.get(name, 0) for name in ("CARRY4", "MUXF7", "MUXF8", "FDRE")}
        else:
            cells, clocks = place(folder, range(1, options.seeds + 1), options.mhz)
            row |= {
                "cells": cells,
                "luts": cells - register,
                "fmax_mhz": clocks,
                "median_mhz": statistics.median(clocks),
            }
        row["seconds"] = round(time.process_time() - begun, 1)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--flow", choices=FLOWS, default="ice40")
    parser.add_argument("--seeds", type=int, default=3, help="of place and route")
    parser.add_argument("--mhz", type=float, default=100)
    parser.add_argument("--images", type=int, default=2000, help="test images to simulate")
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    path = FOLDER / "sparse.json"
    old = json.loads(path.read_text()) if path.exists() else {"rows": []}
    rows = {(row["network"], row["flow"]): row for row in old["rows"]}
    for each in options.models:
        row = {**measure(each, options), **MEASURED}
        rows[row["network"], row["flow"]] = row
        write("sparse", {"published": list(PUBLISHED), "rows": list(rows.values())}, measured={})
        print(row, flush=True)


if __name__ == "__main__":
    main()
