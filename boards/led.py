"""A top level that tests itself in a Verilog simulator: whether its LED lights, and stays on."""

from __future__ import annotations

from pathlib import Path

from .. import tools
from ..compiler.simulate import HardwareError, build
from . import flash_image

__all__ = ["lights"]

_TESTBENCH = """\
`timescale 1ns/1ps
`ifdef VERILATOR
module testbench(input clk);
`else
module testbench;
  reg clk = 0;
  always #5 clk = ~clk;
`endif
  wire led;
`ifdef FLASH
  wire cs_n, sck, copi, cipo;
  top dut(.clk(clk), .led(led), .flash_cs(cs_n), .flash_clk(sck), .flash_copi(copi), .flash_cipo(cipo));
  spi_flash #(.BYTES(`FLASH), .OFFSET(`OFFSET)) flash(
    .clk(clk), .cs_n(cs_n), .sck(sck), .copi(copi), .cipo(cipo));
`else
  top dut(.clk(clk), .led(led));
`endif
  integer got, deadline, stay, on, cycle = 0, lit = -1;
  initial got = $value$plusargs("deadline=%d", deadline) + $value$plusargs("stay=%d", stay)
    + $value$plusargs("on=%d", on);
  always @(posedge clk) begin
    cycle <= cycle + 1;
    if (cycle > 2) begin
      if (lit < 0 && led === on[0]) lit <= cycle;
      if (lit >= 0 && led !== on[0]) begin
        $display("went out in cycle %0d", cycle);
        $finish;
      end
      if (lit >= 0 && cycle == lit + stay) begin
        $display("lit in cycle %0d", lit);
        $finish;
      end
      if (lit < 0 && cycle == deadline) begin
        $display("dark");
        $finish;
      end
    end
  end
endmodule
"""


def lights(
    verilog: str,
    *,
    simulator: str,
    deadline: int,
    stay: int,
    inverted: bool,
    folder: Path,
    flash: bytes = b"",
) -> tuple[bool, str]:
    """Whether the LED of a top level lights in time and stays on.

    Parameters
    ----------
    verilog : str
        With the module ``top`` and the pins ``clk`` and ``led``.
    simulator : str
        One of `sbgen.compiler.simulate.SIMULATORS`.
    deadline, stay : int
        Cycles until it must be on, and for which it must stay on.
    inverted : bool
        Whether a low level is on.
    folder : Path
        Where to build; it exists already.
    flash : bytes
        As for `pins.Pins`.

    Returns
    -------
    lit : bool
    simulator : str
        Its name and version.

    Raises
    ------
    HardwareError
        The LED goes out again.
    """
    macros = {}
    if flash:
        verilog += flash_image.MODEL.read_text(encoding="ascii")
        (folder / "flash.hex").write_text(flash_image.as_hex(flash))
        macros = {"FLASH": len(flash), "OFFSET": flash_image.OFFSET}
    (folder / "top.v").write_text(verilog)
    (folder / "testbench.v").write_text(_TESTBENCH)
    program, name = build(folder, simulator=simulator, macros=macros, quick=True)
    said = tools.run(
        program,
        [f"+deadline={deadline}", f"+stay={stay}", f"+on={int(not inverted)}"],
        cwd=folder,
        log=folder / "run.log",
    )
    if "went out" in said:
        raise HardwareError(
            f"the LED must stay on after all images, but {name} found: {said[said.index('went out') :]}"
        )
    return "lit in" in said, name
