"""Sparse networks with all weights wired in, one image a cycle: from a register of pixels to the label.

    python benchmarks/sparse.py sparse --flow ice40
    python benchmarks/sparse.py sparse-lut6 --flow lut6

A network is the name of a preset, which is trained first, or a model file. The core takes a whole image in
each cycle and outputs its label: thresholds of pixels, neurons, sums of groups and the arg max are in it. The
register that collects the pixels, one a cycle, is counted apart. The emitted Verilog is simulated on the test
images and compared with the reference, label by label and score by score. `ice40` packs, places and routes
for an HX8K; `lut6` counts LUTs after yosys' `synth_xilinx`, without place and route.

Each part, from training to the last seed, is stored in ``build/sparse`` when it ends. Another run of the same
commit goes on after it. Writes ``results/sparse.json`` and ``results/sparse.md``.
"""

import argparse
import json
import re
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from record import FOLDER, MEASURED, write

from sbgen import tools
from sbgen.boards.ice40.flow import SYNTHESIS
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
from sbgen.compiler.weight_count import weights
from sbgen.train import data
from sbgen.train.presets import PRESETS

#: What papers report of such networks on MNIST: not measured here.
PUBLISHED = (
    {
        "network": "TreeLUT (I)",
        "accuracy": 0.97,
        "lut6": 4478,
        "tool": "Vivado, xcvu9p placed and routed",
        "leaves_out": "nothing known",
        "source": "arXiv 2501.01511, as cited by later tables",
    },
    {
        "network": "DWN",
        "accuracy": 0.978,
        "lut6": 2092,
        "tool": "Vivado, xcvu9p placed and routed",
        "leaves_out": "the encoder of pixels to thermometer bits",
        "source": "arXiv 2410.11112, as cited by later tables",
    },
)

#: By flow: inputs of a table, the device of the estimate, synthesis.
FLOWS = {
    "ice40": (4, "hx8k", f"{SYNTHESIS} -top top"),
    # The names of wires are hidden: abc9 takes "a[0]" and bit 0 of "a" for the same wire, and fails.
    "lut6": (6, None, "rename -hide w:*; synth_xilinx -family xc7 -noiopad -noclkbuf -nodsp -nosrl -top top"),
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


def cells(modules, name="top"):
    """The cells of a module by their types, with those of the modules in it."""
    counts: dict[str, int] = {}
    for cell in modules[name]["cells"].values():
        kind = cell["type"]
        is_cell = kind not in modules or {"blackbox", "whitebox"} & modules[kind]["attributes"].keys()
        inner = {kind: 1} if is_cell else cells(modules, kind)
        for each, count in inner.items():
            counts[each] = counts.get(each, 0) + count
    return counts


def shift_register(module):
    """The flip-flops that collect the pixels: of each bit of `d`, the longest chain of flip-flops alone."""
    followers: dict[int, list[int]] = {}
    for cell in module["cells"].values():
        ports = cell["connections"]
        if "Q" in ports and "D" in ports:
            followers.setdefault(ports["D"][0], []).append(ports["Q"][0])
    total = 0
    for bit in module["ports"]["d"]["bits"]:
        ends, length = [bit], 0
        while ends := [follower for end in ends for follower in followers.get(end, ())]:
            length += 1
        total += length
    return total


def synthesise(text, core, flow, folder):
    """The cells of the netlist by type, and the flip-flops of the pixels.

    Modules stay apart in the netlist of `lut6`, so that no LUT of two of them is merged.
    """
    _, device, script = FLOWS[flow]
    (folder / "core.v").write_text(re.sub(r"\bmodule top\b", "module core", text, count=1))
    (folder / "top.v").write_text(top(core))
    flat = "" if device is None else "setattr -mod -unset keep_hierarchy *; flatten; opt_clean;"
    tools.run(
        tools.find("yosys"),
        ["-p", f"read_verilog -sv core.v top.v; {script}; {flat} write_json top.json"],
        cwd=folder,
        log=folder / "yosys.log",
    )
    modules = json.loads((folder / "top.json").read_text())["modules"]
    return cells(modules), shift_register(modules["top"])


def place(folder, seed, mhz):
    """Logic cells of an HX8K, and the clock that a seed reaches."""
    options = ["--hx8k", "--package", "ct256", "--pcf-allow-unconstrained", "--timing-allow-fail"]
    tools.run(
        tools.find("nextpnr-ice40"),
        [
            *options,
            *("--json", "top.json", "--report", "report.json"),
            *("--freq", str(mhz), "--seed", str(seed)),
        ],
        cwd=folder,
        log=folder / "place.log",
    )
    report = json.loads((folder / "report.json").read_text())
    clock = next(iter(report["fmax"].values()))["achieved"]
    return report["utilization"]["ICESTORM_LC"]["used"], round(clock, 2)


class Parts:
    """Results of the parts of a measurement, which a later run of the same commit finds again.

    Parameters
    ----------
    path : Path
        A JSON file.
    key : list
        What they were computed from.
    """

    def __init__(self, path, key):
        self._path, self._key, self._done = path, key, {}
        if path.exists() and MEASURED["clean"] and (old := json.loads(path.read_text()))["key"] == key:
            self._done = old["done"]

    def __call__(self, name, compute):
        """What `compute` returns, as JSON has it, and the seconds of processor time it took."""
        if name not in self._done:
            begun = time.process_time(), _children()
            found = compute()
            seconds = time.process_time() - begun[0] + _children() - begun[1]
            self._done[name] = [found, round(seconds, 1)]
            self._path.write_text(json.dumps({"key": self._key, "done": self._done}))
            print(f"  {name:12}{seconds:8.1f} s  {found}", flush=True)
        return self._done[name][0]

    @property
    def seconds(self):
        """Of all parts, by their names."""
        return {name: seconds for name, (_, seconds) in self._done.items()}


def _children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def trained(name, options):
    """The model file of a preset, trained if need be."""
    path = FOLDER.parents[1] / "build" / "sparse" / f"{name}.pt"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        command = ["train", "--preset", name, "--out", str(path), "--resume"]
        more = ["--data", str(options.data)] if options.data else []
        subprocess.run([sys.executable, "-m", "sbgen", *command, *more], check=True)
    return path


def measure(name, options):
    path = trained(name, options) if name in PRESETS else Path(name)
    size, device, _ = FLOWS[options.flow]
    found = model.load(path)
    network = passes.apply_passes(found.network)
    folder = FOLDER.parents[1] / "build" / "sparse" / f"{path.stem}-{options.flow}"
    folder.mkdir(parents=True, exist_ok=True)
    digest = exchange.digest(found.network)
    part = Parts(folder / "parts.json", [MEASURED["commit"], digest, options.images, options.mhz])
    _, _, images, labels = data.load("mnist", options.data)
    _, classes = fast_reference.evaluate(found.network, images)
    row = {
        "network": path.stem,
        "flow": options.flow,
        "sha256": digest[:16],
        "trained": {
            "preset": found.info["settings"]["preset"],
            "epochs": found.info["settings"]["epochs"],
            "seed": found.info["seed"],
        },
        "weights": sum(weights(found.network)),
        "layers": [layer.outputs for layer in network.layers[1:]],
        "fan_in": [layer.fan_in for layer in network.layers[1:]],
        "accuracy": round(float((classes == labels).mean()), 4),
    }
    design = at_once(network, size)
    core = lower.lower(design)

    def verilog_text():
        if not (folder / "verilog.v").exists() or "verilog" not in part.seconds:
            (folder / "verilog.v").write_text(verilog.convert(core))
        return (folder / "verilog.v").read_text()

    part("verilog", lambda: len(verilog_text()))
    simulated, interval = part(
        "simulation", lambda: verify(verilog_text(), core, network, images[: options.images])
    )
    row |= {
        "images_simulated": simulated,
        "interval_cycles": interval,
        "latency_cycles": cycles.predict(design).latency,
        "tables": [len(each.part.tables) for each in core.submodules if hasattr(each.part, "tables")],
    }
    kinds, register = part("synthesis", lambda: synthesise(verilog_text(), core, options.flow, folder))
    row["pixel_register_ffs"] = register
    if device is None:
        row["luts"] = sum(count for kind, count in kinds.items() if re.fullmatch("LUT[1-6]|INV", kind))
        row |= {kind: kinds.get(kind, 0) for kind in ("CARRY4", "MUXF7", "MUXF8", "FDRE")}
    else:
        row["estimate"] = sum(
            round(estimate.part_cost(each.part, device=DEVICES[device]).lut) for each in core.submodules
        )
        seeds = range(1, options.seeds + 1)
        placed = [part(f"seed {seed}", lambda seed=seed: place(folder, seed, options.mhz)) for seed in seeds]
        clocks = [clock for _, clock in placed]
        row |= {
            "cells": placed[0][0],
            "luts": placed[0][0] - register,
            "fmax_mhz": clocks,
            "median_mhz": statistics.median(clocks),
        }
    row["seconds"] = part.seconds
    return row


def table(rows):
    """The results as Markdown, with what papers report."""
    lines = ["| network | MNIST | LUTs | of | what is left out |", "|---|---|---|---|---|"]
    for row in rows:
        placed = "median_mhz" in row
        luts = "iCE40 cells, HX8K placed and routed" if placed else "LUT6, yosys, not placed"
        clock = f", {row['median_mhz']:.0f} MHz" if placed else ""
        lines.append(
            f"| sbgen `{row['network']}` | {row['accuracy']:.2%} | {row['luts']:,} | {luts}{clock} |"
            f" the register of the pixels: {row['pixel_register_ffs']:,} flip-flops |"
        )
    for row in PUBLISHED:
        lines.append(
            f"| {row['network']}, published | {row['accuracy']:.1%} | {row['lut6']:,} |"
            f" LUT6, {row['tool']} | {row['leaves_out']} ({row['source']}) |"
        )
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="+", help="presets, or model files")
    parser.add_argument("--flow", choices=FLOWS, default="ice40")
    parser.add_argument("--seeds", type=int, default=3, help="of place and route")
    parser.add_argument("--mhz", type=float, default=100)
    parser.add_argument("--images", type=int, default=10_000, help="test images to simulate")
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    path = FOLDER / "sparse.json"
    old = json.loads(path.read_text()) if path.exists() else {"rows": []}
    rows = {(row["network"], row["flow"]): row for row in old["rows"]}
    for each in options.networks:
        print(each, options.flow, flush=True)
        row = {**measure(each, options), **MEASURED}
        rows[row["network"], row["flow"]] = row
        published = {row["network"]: row for row in PUBLISHED}
        write("sparse", {"published": published, "rows": list(rows.values())}, measured={})
        (FOLDER / "sparse.md").write_text(table(rows.values()), encoding="utf-8")


if __name__ == "__main__":
    main()
