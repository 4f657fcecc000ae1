"""The matrix-vector-threshold unit compared with a plain one: size and clock after place and route.

    python benchmarks/mvtu.py [--families up5k hx8k ecp5 xc7] [--pe 16] [--simd 64] [--seeds 1 2 3]

Both compute a layer of 256 inputs and 256 outputs with thresholds from block RAM. Icarus first compares the
plain unit with the layer's own outputs (`tests/test_hw_mvtu.py` tests the other). Weights are streamed in, so
no memory of them is counted. Each unit is between shift registers, whose cost is subtracted: on iCE40, where
a flip-flop takes a logic cell, all of them, else the LUTs that load the last one. For xc7 there is only
synthesis. Writes ``results/mvtu.json`` and ``results/mvtu.md``.
"""

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from amaranth.hdl import Signal
from record import FOLDER, MEASURED, write
from scan import Scan

from sbgen import tools
from sbgen.boards.ice40.flow import SYNTHESIS
from sbgen.compiler.verilog import convert
from sbgen.hw.mvtu import Mvtu, Parameters

INPUTS = OUTPUTS = 256


@dataclass(frozen=True, kw_only=True)
class Flow:
    """How a family is built for: its LUT-like cells, and whether a flip-flop takes one."""

    synthesis: str
    program: str = ""
    options: tuple = ()
    cell: str = ""
    shared: bool = False


FLOWS = {
    "up5k": Flow(
        synthesis=f"{SYNTHESIS} -device u",
        program="nextpnr-ice40",
        cell="ICESTORM_LC",
        shared=True,
        options=("--up5k", "--package", "sg48", "--pcf-allow-unconstrained", "--freq", "60"),
    ),
    "hx8k": Flow(
        synthesis=f"{SYNTHESIS} -device hx",
        program="nextpnr-ice40",
        cell="ICESTORM_LC",
        shared=True,
        options=("--hx8k", "--package", "ct256", "--pcf-allow-unconstrained", "--freq", "150"),
    ),
    "ecp5": Flow(
        synthesis="synth_ecp5 -nowidelut",
        program="nextpnr-ecp5",
        cell="TRELLIS_COMB",
        options=(
            "--85k",
            "--package",
            "CABGA381",
            "--lpf-allow-unconstrained",
            "--freq",
            "180",
            "--router",
            "router2",
        ),
    ),
    "xc7": Flow(synthesis="synth_xilinx -family xc7 -flatten -nowidelut"),
}

#: LUTs of FINN's binary matrix-vector unit in RTL (Alam et al., ACM TECS 2022,
#: github.com/asadalam/FINN_MatrixVector_RTL), the same layer through the same tools (yosys 0.70 with its
#: slang frontend), before packing and without thresholds.
FINN = {
    "ecp5": {(16, 64): 3169, (16, 16): 1165, (4, 64): 878, (1, 64): 305},
    "up5k": {(16, 64): 3409, (16, 16): 1110, (4, 64): 985, (1, 64): 384},
    "xc7": {(16, 64): 2334, (16, 16): 795, (4, 64): 689, (1, 64): 177},
}
FINN["hx8k"] = FINN["up5k"]

PLAIN = """
module plain #(parameter PE = 16, SIMD = 64, SLICES = 4, GROUPS = 16, W = 9) (
    input clk, input rst, input i_valid, output i_ready, input [SIMD-1:0] x, input [PE*SIMD-1:0] w,
    output reg o_valid, input o_ready, output reg [PE-1:0] o);
  reg [PE*W-1:0] thresholds [0:GROUPS-1];
  initial $readmemh("thresholds.hex", thresholds);
  reg [PE*W-1:0] threshold;
  reg [15:0] slice, group;
  reg [1:0] valid, first, last;
  wire move = ~o_valid | o_ready;
  assign i_ready = move;
  always @(posedge clk)
    if (rst) begin slice <= 0; group <= 0; valid <= 0; o_valid <= 0; end
    else if (move) begin
      valid <= {valid, i_valid};
      first <= {first, slice == 0};
      last <= {last, i_valid & (slice == SLICES - 1)};
      if (i_valid) slice <= slice == SLICES - 1 ? 0 : slice + 1;
      if (valid[1] & last[1]) group <= group == GROUPS - 1 ? 0 : group + 1;
      o_valid <= valid[1] & last[1];
    end
  always @(posedge clk) if (move)
    threshold <= thresholds[valid[1] & last[1] ? (group == GROUPS - 1 ? 0 : group + 1) : group];
  genvar lane;
  generate for (lane = 0; lane < PE; lane = lane + 1) begin : lanes
    reg [SIMD-1:0] agree;
    reg [$clog2(SIMD+1)-1:0] sum, count;
    reg [W-1:0] total;
    wire [W-1:0] next = (first[1] ? 0 : total) + count;
    integer n;
    always @* begin
      sum = 0;
      for (n = 0; n < SIMD; n = n + 1) sum = sum + agree[n];
    end
    always @(posedge clk) if (move) begin
      agree <= ~(x ^ w[lane*SIMD +: SIMD]);
      count <= sum;
      if (valid[1]) total <= next;
      o[lane] <= next >= threshold[lane*W +: W];
    end
  end endgenerate
endmodule

module top(input clk, input rst, input d, input i_valid, output i_ready,
    output q, output o_valid, input o_ready);
  localparam PE = {pe}, SIMD = {simd};
  reg [SIMD-1:0] x; reg [PE*SIMD-1:0] w; reg [PE-1:0] taken; wire [PE-1:0] o;
  plain #(.PE(PE), .SIMD(SIMD), .SLICES({slices}), .GROUPS({groups})) unit (
    .clk(clk), .rst(rst), .i_valid(i_valid), .i_ready(i_ready), .x(x), .w(w),
    .o_valid(o_valid), .o_ready(o_ready), .o(o));
  always @(posedge clk) begin
    x <= {x, d}; w <= {w, x[SIMD-1]};
    taken <= o_valid ? o : taken >> 1;
  end
  assign q = taken[0];
endmodule
"""


class Streamed(Mvtu):
    """The unit with weights from outside."""

    def __init__(self, parameters):
        super().__init__(parameters)
        self.weights = Signal(parameters.pe * parameters.simd)

    def _weights(self, m, address, read):
        return self.weights


def layer(pe, simd):
    """The unit of a random layer."""
    rng = random.Random(1)
    return Parameters(
        inputs=INPUTS,
        weights=tuple(rng.getrandbits(INPUTS) for _ in range(OUTPUTS)),
        presets=tuple(
            -min(INPUTS, max(1, round(rng.gauss(INPUTS / 2, INPUTS**0.5 / 2)))) for _ in range(OUTPUTS)
        ),
        pe=pe,
        simd=simd,
        preset_store="bram",
    )


def sources(pe, simd):
    """For each unit its Verilog files."""
    parameters = layer(pe, simd)
    width = INPUTS.bit_length()
    words = [
        sum(
            -preset << lane * width
            for lane, preset in enumerate(parameters.presets[group * pe : (group + 1) * pe])
        )
        for group in range(parameters.groups)
    ]
    plain = PLAIN
    for name, value in (
        ("pe", pe),
        ("simd", simd),
        ("slices", parameters.slices),
        ("groups", parameters.groups),
    ):
        plain = plain.replace(f"{{{name}}}", str(value))
    unit = Streamed(parameters)
    return {
        "sbgen": {"top.v": convert(Scan(unit, also=[unit.weights]))},
        "plain": {"top.v": plain, "thresholds.hex": "".join(f"{word:x}\n" for word in words)},
    }


def check(files, pe, simd):
    """Compare what the module ``plain`` in ``top.v`` computes for two random vectors with the layer's
    outputs.
    """
    parameters, rng = layer(pe, simd), random.Random(2)
    vectors = [[rng.getrandbits(1) for _ in range(INPUTS)] for _ in range(2)]
    word, beats = (1 << simd) - 1, []
    for vector in vectors:
        inputs = sum(bit << n for n, bit in enumerate(vector))
        for group in range(parameters.groups):
            rows = parameters.weights[group * pe : (group + 1) * pe]
            beats += [
                (inputs >> at & word, sum((row >> at & word) << lane * simd for lane, row in enumerate(rows)))
                for at in range(0, INPUTS, simd)
            ]
    bench = f"""
module bench;
  reg clk = 0, rst = 1, valid = 0;
  reg [{simd + pe * simd - 1}:0] beats [0:{len(beats) - 1}];
  wire ready, o_valid;
  wire [{pe - 1}:0] o;
  integer n;
  plain #(.PE({pe}), .SIMD({simd}), .SLICES({parameters.slices}), .GROUPS({parameters.groups})) unit (
    .clk(clk), .rst(rst), .i_valid(valid), .i_ready(ready), .x(beats[n][{simd - 1}:0]),
    .w(beats[n][{simd + pe * simd - 1}:{simd}]), .o_valid(o_valid), .o_ready(1'b1), .o(o));
  always #1 clk = ~clk;
  always @(negedge clk) if (o_valid) $display("o %b", o);
  initial begin
    $readmemh("beats.hex", beats);
    n = 0;
    repeat (3) @(negedge clk);
    rst = 0;
    @(negedge clk) valid = 1;
    repeat ({len(beats) - 1}) @(negedge clk) n = n + 1;
    @(negedge clk) valid = 0;
    repeat (5) @(negedge clk);
    $finish;
  end
endmodule
"""
    with tempfile.TemporaryDirectory(prefix="sbgen-") as folder:
        folder = Path(folder)
        for name, text in (
            files | {"bench.v": bench, "beats.hex": "".join(f"{x | w << simd:x}\n" for x, w in beats)}
        ).items():
            (folder / name).write_text(text, encoding="utf-8")
        tools.run(
            tools.find("iverilog"),
            ["-g2012", "-s", "bench", "-o", "bench.vvp", "bench.v", "top.v"],
            cwd=folder,
            log=folder / "iverilog.log",
        )
        said = tools.run(tools.find("vvp"), ["bench.vvp"], cwd=folder, log=folder / "vvp.log")
    found = [
        int(bit) for line in said.splitlines() if line.startswith("o ") for bit in reversed(line.split()[1])
    ]
    if found != [bit for vector in vectors for bit in parameters.compute(vector)]:
        raise SystemExit("the plain unit computes something else")


def measure(files, flow, *, pe, simd, seeds):
    """LUTs (logic cells on iCE40) of a unit alone and its Fmax in MHz, one for each seed."""
    with tempfile.TemporaryDirectory(prefix="sbgen-") as folder:
        folder = Path(folder)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        tools.run(
            tools.find("yosys"),
            ["-p", f"read_verilog top.v; {flow.synthesis} -top top; write_json top.json"],
            cwd=folder,
            log=folder / "yosys.log",
        )
        if not flow.program:
            cells = json.loads((folder / "top.json").read_text())["modules"]["top"]["cells"].values()
            return sum(cell["type"].startswith("LUT") for cell in cells) - pe, []
        fmax = []
        for more in [("--seed", str(seed)) for seed in seeds] or [("--pack-only",)]:
            tools.run(
                tools.find(flow.program),
                [
                    *flow.options,
                    "--json",
                    "top.json",
                    "--report",
                    "report.json",
                    "--timing-allow-fail",
                    *more,
                ],
                cwd=folder,
                log=folder / "nextpnr.log",
            )
            report = json.loads((folder / "report.json").read_text())
            if seeds:
                fmax.append(round(min(clock["achieved"] for clock in report["fmax"].values()), 1))
        scan = pe + (simd + pe * simd if flow.shared else 0)
        return report["utilization"][flow.cell]["used"] - scan, fmax


def table(rows):
    """The results as Markdown."""
    lines = [
        "| family | PE x SIMD | unit | LUTs | LUTs a MAC | Fmax, median (range) |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        fmax = (
            f"{row['fmax_median']:.1f} MHz ({min(row['fmax']):.1f} ... {max(row['fmax']):.1f})"
            if row["fmax"]
            else ""
        )
        lines.append(
            f"| {row['family']} | {row['pe']} x {row['simd']} | {row['unit']} | {row['luts']:,} |"
            f" {row['luts_a_mac']:.2f} | {fmax} |"
        )
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", nargs="+", choices=FLOWS, default=list(FLOWS))
    parser.add_argument("--pe", type=int, default=16)
    parser.add_argument("--simd", type=int, default=64)
    parser.add_argument(
        "--seeds", type=int, nargs="*", default=[1, 2, 3], help="of place and route; none packs only"
    )
    options = parser.parse_args()
    pe, simd = options.pe, options.simd

    load = os.getloadavg()
    rows = []
    files_of = sources(pe, simd)
    check(files_of["plain"], pe, simd)
    for family in options.families:
        for unit, files in files_of.items():
            luts, fmax = measure(files, FLOWS[family], pe=pe, simd=simd, seeds=options.seeds)
            rows.append(
                {
                    "family": family,
                    "pe": pe,
                    "simd": simd,
                    "unit": unit,
                    "luts": luts,
                    "luts_a_mac": luts / (pe * simd),
                    "fmax": fmax,
                    "fmax_median": statistics.median(fmax) if fmax else None,
                    **MEASURED,
                }
            )
            print(rows[-1], file=sys.stderr)
        if luts := FINN[family].get((pe, simd)):
            rows.append(
                {
                    "family": family,
                    "pe": pe,
                    "simd": simd,
                    "unit": "FINN, no thresholds",
                    "luts": luts,
                    "luts_a_mac": luts / (pe * simd),
                    "fmax": [],
                    "fmax_median": None,
                    **MEASURED,
                }
            )
    path = FOLDER / "mvtu.json"
    measured = {(family, pe, simd) for family in options.families}
    rows += [
        row
        for row in (json.loads(path.read_text())["units"] if path.exists() else [])
        if (row["family"], row["pe"], row["simd"]) not in measured
    ]
    rows.sort(key=lambda row: (list(FLOWS).index(row["family"]), row["pe"], row["simd"]))
    write(
        "mvtu",
        {
            "command": "python benchmarks/mvtu.py",
            "load": load,
            "tools": {name: str(tools.find(name)) for name in ("yosys", "nextpnr-ice40", "nextpnr-ecp5")},
            "units": rows,
        },
        measured={},
    )
    (FOLDER / "mvtu.md").write_text(table(rows), encoding="utf-8")
    print(table(rows))


if __name__ == "__main__":
    main()
