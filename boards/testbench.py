"""A testbench of a board's top level: its clock, the flash that holds its weights, and the top level itself.

What else there is at the pins is the body of the testbench, by `led` and `pins`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from ..compiler.simulate import build
from . import flash_image

if TYPE_CHECKING:
    from .. import tools

__all__ = ["compile_top"]

_HEAD = """\
`timescale 1ns/1ps
`ifdef VERILATOR
module testbench(input clk);
`else
module testbench;
  reg clk = 0;
  always #5 clk = ~clk;
`endif
`ifdef FLASH
  wire cs_n, sck, copi, cipo;
  spi_flash #(.BYTES(`FLASH), .OFFSET(`OFFSET)) flash(
    .clk(clk), .cs_n(cs_n), .sck(sck), .copi(copi), .cipo(cipo));
  `define FLASH_PINS , .flash_cs(cs_n), .flash_clk(sck), .flash_copi(copi), .flash_cipo(cipo)
`else
  `define FLASH_PINS
`endif
"""


def compile_top(
    verilog: str,
    *,
    body: str,
    simulator: str,
    folder: Path,
    flash: bytes = b"",
    macros: Mapping[str, int] = MappingProxyType({}),
    waves: bool = False,
) -> tuple[tools.Tool, str]:
    """Compile a top level with its testbench, fast rather than to a fast program.

    Parameters
    ----------
    verilog : str
        With the module ``top``, and those that `body` uses.
    body : str
        The rest of the module ``testbench``. It has one instance of ``top``, whose connections are ``clk``,
        its own, and at their end the macro ``FLASH_PINS``.
    simulator : str
        One of `sbgen.compiler.simulate.SIMULATORS`.
    folder : Path
        Where to build; it exists already.
    flash : bytes
        Contents of the flash from `flash_image.OFFSET` on; empty if the top level has no flash.
    macros : mapping of str
        Defined for the body.
    waves : bool
        As of `sbgen.compiler.simulate.build`.

    Returns
    -------
    program : `sbgen.tools.Tool`
        To be run in that folder.
    simulator : str
        Its name and version.

    Raises
    ------
    ToolError
        When the simulator is missing or refuses the Verilog.
    """
    if flash:
        verilog += flash_image.MODEL.read_text(encoding="ascii")
        (folder / "flash.hex").write_text(flash_image.as_hex(flash))
        macros = {**macros, "FLASH": len(flash), "OFFSET": flash_image.OFFSET}
    (folder / "top.v").write_text(verilog)
    (folder / "testbench.v").write_text(f"{_HEAD}{body}endmodule\n")
    return build(folder, simulator=simulator, macros=macros, waves=waves, quick=True)
