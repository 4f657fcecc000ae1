"""A top level that tests itself in a Verilog simulator: whether its LED lights, and stays on."""

from __future__ import annotations

from pathlib import Path

from .. import tools
from ..compiler.simulate import HardwareError
from . import testbench

__all__ = ["lights"]

_BODY = """\
  wire led;
  top dut(.clk(clk), .led(led) `FLASH_PINS);
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
        As for `testbench.compile_top`.

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
    program, name = testbench.compile_top(
        verilog, body=_BODY, simulator=simulator, folder=folder, flash=flash
    )
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
