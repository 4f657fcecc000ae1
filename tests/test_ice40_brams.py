"""The techmap of block RAMs replaces yosys' own: it must create the same cells."""

import json

from sbgen import tools
from sbgen.boards.ice40.flow import BRAMS

# A RAM of each width and a ROM, whose last words nobody knows.
RAMS = """
module ram #(parameter W = 16, A = 8, FACTOR = 1, WRITTEN = 1) (
    input clk, we, input [A-1:0] ra, wa, input [W-1:0] d, output reg [W-1:0] q);
  reg [W-1:0] words [0:(1 << A) - 1];
  integer n;
  initial for (n = 0; n < (1 << A) - 3; n = n + 1) words[n] = n * FACTOR + (n >> 3);
  always @(posedge clk) begin
    q <= words[ra];
    if (we && WRITTEN) words[wa] <= d;
  end
endmodule

module top(input clk, we, input [10:0] ra, wa, input [15:0] d, output [15:0] q0,
           output [7:0] q1, output [3:0] q2, output [1:0] q3, output [15:0] q4);
  ram #(16, 8, 40503) ram0(clk, we, ra[7:0], wa[7:0], d, q0);
  ram #(8, 9, 77) ram1(clk, we, ra[8:0], wa[8:0], d[7:0], q1);
  ram #(4, 10, 7) ram2(clk, we, ra[9:0], wa[9:0], d[3:0], q2);
  ram #(2, 11, 3) ram3(clk, we, ra, wa, d[1:0], q3);
  ram #(16, 8, 31001, 0) rom(clk, 1'b0, ra[7:0], wa[7:0], d, q4);
endmodule
"""


def test_block_rams_as_yosys_maps_them(tmp_path):
    (tmp_path / "top.v").write_text(RAMS)
    (tmp_path / "brams.v").write_text(BRAMS.read_text())
    made = []
    for techmap in "brams.v", "+/ice40/brams_map.v":
        tools.run(
            tools.find("yosys"),
            [
                "-p",
                (
                    "read_verilog top.v; hierarchy -top top; proc; flatten; opt -full; memory -nomap;"
                    f" memory_libmap -lib +/ice40/brams.txt; techmap -map {techmap}; opt_clean; write_json"
                    " top.json"
                ),
            ],
            cwd=tmp_path,
            log=tmp_path / "yosys.log",
        )
        cells = json.loads((tmp_path / "top.json").read_text())["modules"]["top"]["cells"]
        made.append(
            sorted(
                json.dumps([cell["type"], cell["parameters"], cell["connections"]], sort_keys=True)
                for cell in cells.values()
            )
        )
    assert made[0] == made[1]
    assert sum(cell.startswith('["SB_RAM40_4K"') for cell in made[0]) == 5
