"""What a clock that stops saves: clock edges and memory reads of the placed netlist, and the power.

    python benchmarks/power.py [--model models/tfc-mnist.pt] [--board icebreaker] [--fps 30]

Builds the model twice: as `sbgen build` does by default, and with ``--sleep --fps``. The netlist behind place
and route of each answers a request of one image in Verilator, which counts the rising edges of the clock that
drives the core, and the reads of every block RAM, from the end of reset and loading to the end of the
response. A second of images is then that many times the rate, or, where the clock never stops, all cycles of
a second. Every score must be the reference's. Writes ``results/power.json``.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import record

from sbgen.boards import flash_image, netlist_verilog, pins
from sbgen.boards.harness import HOLD_BITS
from sbgen.built import Built
from sbgen.compiler import reference
from sbgen.train import data

ROOT = Path(__file__).parents[1]

#: A testbench of Verilator ends with the counts.
_READS = "  integer reads = 0;\n  always @(posedge rclk) if (re) reads = reads + 1;\n"
_SAY_READS = '  final $display("reads %0d", reads);\n'


def counting(text, clock):
    """The Verilog of a netlist that counts: edges of the net `clock`, and reads of each block RAM."""
    top, rest = text.split("endmodule", 1)
    edges = f"  integer edges = 0;\n  always @(posedge {clock}) edges = edges + 1;\n"
    top += edges + '  final $display("edges %0d", edges);\n'
    head, ram, tail = re.split(r"(module ice40_ram .*?\n)endmodule", rest, maxsplit=1, flags=re.DOTALL)
    return f"{top}endmodule{head}{ram}{_READS}{_SAY_READS}endmodule{tail}"


def clock_of(netlist):
    """The net of the clock with the most flip-flops, as `netlist_verilog` names it."""
    counts = {}
    for cell in netlist["cells"].values():
        if cell["type"] == "ICESTORM_LC" and (bits := cell["connections"].get("CLK")):
            counts[bits[0]] = counts.get(bits[0], 0) + 1
    return f"n{max(counts, key=counts.get)}"


def measure(out, images, rate):
    """Edges and reads of a build: of one image, and of a second of them."""
    built = Built(out)
    netlist = built.netlist("placed.json.gz")
    top, report = built.top, built.report
    with tempfile.TemporaryDirectory() as folder:
        asked = pins.Pins(
            counting(netlist_verilog.verilog(netlist, family=built.board.family), clock_of(netlist)),
            built.network,
            simulator="verilator",
            divisor=top.divisor,
            reset_cycles=top.reset_cycles + top.load_cycles + 100,
            folder=folder,
            flash=flash_image.weight_bytes(built.core().ram_contents),
        )
        answers = asked.ask(images[:1])
        said = (Path(folder) / "run.log").read_text()
    assert (answers.scores == reference.evaluate(built.network, images[:1])[0]).all()
    edges, reads = (
        sum(map(int, re.findall(rf"^{what} (\d+)$", said, re.MULTILINE))) for what in ("edges", "reads")
    )
    timing, power = report["timing"], report["power"]
    second = timing["clock_mhz"] * 1e6
    reads_per_edge = reads / edges
    # Reset and loading are not of an image, and the clock runs on after the response, which ends the
    # simulation.
    edges += HOLD_BITS * top.divisor - top.reset_cycles - top.load_cycles
    share = min(1.0, rate * edges / second) if timing["sleeps"] else 1.0
    return {
        "clock_mhz": timing["clock_mhz"],
        "sleeps": timing["sleeps"],
        "cycles_per_image": timing["cycles_per_image"],
        "edges_of_an_image": edges,
        "reads_of_an_image": round(reads_per_edge * edges),
        "edges_per_second": round(share * second),
        "reads_per_second": round(share * second * reads_per_edge),
        "average_mw": power["average_mw"],
        "running_mw": power["running_mw"],
        "stopped_mw": power["stopped_mw"],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=ROOT / "models/tfc-mnist.pt")
    parser.add_argument("--board", default="icebreaker")
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--fps", type=float, default=30)
    options = parser.parse_args()

    images = data.load(options.dataset)[2]
    rows = {}
    for name, extra in (("default", []), ("sleep", ["--sleep", "--fps", f"{options.fps:g}"])):
        out = ROOT / "build/power" / f"{options.model.stem}-{name}"
        command = ["build", "--model", str(options.model), "--board", options.board, "--out", str(out)]
        subprocess.run(
            [sys.executable, "-m", "sbgen", *command, "--images", "10", *extra], check=True, cwd=ROOT
        )
        rows[name] = measure(out, images, options.fps)
        print(name, rows[name])
    less = {
        key: round(rows["default"][key] / rows["sleep"][key], 1)
        for key in ("edges_per_second", "reads_per_second")
    }
    for end, name in enumerate(("least", "most")):
        less[name] = round(rows["default"]["average_mw"][end] / rows["sleep"]["average_mw"][end], 1)
    print("times less", less)
    record.write(
        "power",
        {
            "command": f"python benchmarks/power.py --fps {options.fps:g}",
            "model": options.model.stem,
            "board": options.board,
            "images_per_second": options.fps,
            "builds": rows,
            "times_less": less,
        },
    )


if __name__ == "__main__":
    main()
