"""Tools that do nothing but leave the files that the flow reads."""

#: A small top level.
VERILOG = """\
module top(input clk, input rx, output tx, output led);
  reg [7:0] count = 0;
  always @(posedge clk) count <= count + rx;
  assign tx = count[7], led = count[6];
endmodule
"""

#: Place and route, and synthesis, as programs.
PLACE = """
import json, sys, time
seed = int(sys.argv[sys.argv.index("--seed") + 1])
print("Info: Device utilisation:")
print("Info:         ICESTORM_LC:   {used}/   5280    13%")
if {used} > 5280:
    print("ERROR: Unable to place cell 'x', no BELs remaining"); raise SystemExit(1)
option = dict(zip(sys.argv, sys.argv[1:]))
if seed in {slow}:
    while True:
        time.sleep(60)
open(option["--asc"], "w").write(str(seed))
top = {{"ports": {{}}, "cells": {{}}, "netnames": {{}}}}
json.dump({{"modules": {{"top": top}}}}, open(option["--write"], "w"))
report = {{"fmax": {{"clk": {{"achieved": {fmax}[seed], "constraint": float(option["--freq"])}}}},
          "utilization": {{"ICESTORM_LC": {{"used": {used}, "available": 5280}}}}}}
json.dump(report, open(option["--report"], "w"))
"""
SYNTHESIS = """
import json
cells = {str(n): {"type": t, "parameters": {}, "attributes": {"src": "/a/path"}, "connections": {}}
         for n, t in enumerate(["SB_LUT4", "SB_DFFE", "SB_DFF"])}
json.dump({"modules": {"top": {"ports": {}, "cells": cells, "netnames": {}}}}, open("top.json", "w"))
"""
