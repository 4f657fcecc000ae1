"""Block RAMs of memories: as many as `Device.brams` says are left by the synthesis of every family."""

import json
import random
from collections import Counter

import pytest

from sbgen import boards, tools
from sbgen.boards import flow
from sbgen.errors import ToolError

#: A board of each family, and the start of its block RAMs' names in a netlist.
FAMILIES = {"icebreaker": "SB_RAM40_4K", "ulx3s_85f": "DP16KD", "tang_nano_9k": "SDP"}

#: ROMs of a run.
ROMS = 12


def sizes(rng, device):
    """(width, depth) of a memory of a few block RAMs."""
    narrow, wide = (depth for _, depth in (device.fabric.bram_shapes[n] for n in (0, -2)))
    depth = rng.choice([rng.randrange(65, wide), rng.randrange(narrow + 1, 4 * narrow), 3 * narrow])
    return rng.randrange(1, 1 + min(40, 10 * narrow * 16 // depth)), depth


def rom(n, width, depth, rng, folder):
    """The Verilog of a ROM of random words."""
    words = "\n".join(f"{rng.getrandbits(width):x}" for _ in range(depth))
    (folder / f"rom{n}.hex").write_text(words)
    return f"""
module rom{n}(input clk, input [15:0] address, output out);
  (* ram_style = "block" *) reg [{width - 1}:0] words [0:{depth - 1}];
  reg [{width - 1}:0] word;
  initial $readmemh("rom{n}.hex", words);
  always @(posedge clk) word <= words[address];
  assign out = ^word;
endmodule
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", FAMILIES)
def test_synthesis_takes_as_many_as_the_device_says(name, seed, tmp_path):
    print("seed", seed)
    rng, board = random.Random(seed), boards.get(name)
    roms = [sizes(rng, board.device) for _ in range(ROMS)]
    text = "".join(rom(n, width, depth, rng, tmp_path) for n, (width, depth) in enumerate(roms))
    instances = "".join(
        f"  rom{n} r{n}_(.clk(clk), .address(address), .out(out[{n}]));\n" for n in range(ROMS)
    )
    text += f"""
module top(input clk, input rx, output reg tx, output led);
  reg [15:0] address = 0;
  wire [{ROMS - 1}:0] out;
  always @(posedge clk) begin address <= {{address, rx}}; tx <= ^out; end
{instances}  assign led = rx;
endmodule
"""
    try:
        plan = flow.plan(verilog=text, board=board, clock_mhz=board.oscillator_mhz, seeds=[1])
    except ToolError as error:
        pytest.skip(str(error))
    for file, content in plan.files.items():
        (tmp_path / file).write_text(content)
    tools.run(plan.synthesis.tool, plan.synthesis.args, cwd=tmp_path, log=tmp_path / "log")
    cells = json.loads((tmp_path / plan.synthesis.writes[0]).read_text())["modules"]["top"]["cells"]
    found = Counter(cell.split("_")[0] for cell, c in cells.items() if c["type"].startswith(FAMILIES[name]))
    for n, (width, depth) in enumerate(roms):
        assert found[f"r{n}"] == board.device.brams(width=width, depth=depth), (width, depth)
