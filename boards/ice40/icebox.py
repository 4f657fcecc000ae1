"""An iCE40's bitstream turned back into Verilog, by Project IceStorm's icebox_vlog."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from ... import tools
from . import spram_pins
from .cells import CELLS
from .constraints import pcf

if TYPE_CHECKING:
    from ..board_spec import BoardSpec

__all__ = ["verilog"]

#: The block RAM under the name and with the pins that icebox_vlog writes.
_BLOCK_RAM = Path(__file__).with_name("icebox.v")


def verilog(text: str, board: BoardSpec) -> str:
    """The module ``top`` of an unpacked bitstream, and the modules it needs.

    Parameters
    ----------
    text : str
        As `bitstream.unpack` returns it.
    board : BoardSpec
        Whose pins become the ports.

    Raises
    ------
    ToolError
        When icebox_vlog is missing or fails.
    """
    tool = tools.find("icebox_vlog")
    with tools.temporary() as folder:
        (folder / "top.asc").write_text(text)
        (folder / "top.pcf").write_text(pcf(board).replace("-pullup yes ", ""))
        converted = tools.run(
            tool,
            ["-n", "top", "-d", board.package.lower(), "-p", "top.pcf", "top.asc"],
            cwd=folder,
            log=folder / "log",
        )
    converted = _with_sprams(converted, text)
    return _with_modules(converted if board.oscillator is None else _with_clock(converted))


def _with_sprams(converted: str, text: str) -> str:
    """icebox_vlog leaves SPRAMs out, but its comments say which net each of their pins is on."""
    added = "".join(spram_pins.instances(text, spram_pins.nets(converted)))
    lines = (line for line in converted.splitlines(keepends=True) if not line.startswith("//"))
    body, end, rest = "".join(lines).rpartition("endmodule")
    return body + added + end + rest


def _with_clock(text: str) -> str:
    """An oscillator in the FPGA drives a global network as an unused pin would: that pin becomes ``clk``."""
    header = re.search(r"^module top \((.*?)\);$", text, re.MULTILINE)
    assert header
    (pin,) = re.findall(r"input (io_\d+_\d+_\d+)\b", header[1])
    return re.sub(rf"\b{pin}\b", "clk", text)


def _with_modules(text: str) -> str:
    """What icebox_vlog wrote, in a form that simulators read, with the modules it needs."""
    header = re.search(r"^module top \((.*?)\);$", text, re.MULTILINE)
    assert header
    ports = header[1].split(", ")
    # The ports are declared again as wires, which only the older form of a header allows.
    names = ", ".join(port.split()[1] for port in ports)
    declarations = "\n".join(f"{port};" for port in ports)
    text = text.replace(header[0], f"module top ({names});\n{declarations}", 1)
    # icebox_vlog does not know the wire from the clock's pin to a PLL that takes the pin for itself.
    text = re.sub(r"\.PACKAGEPIN\(\w+\)", ".PACKAGEPIN(clk)", text)
    return text + "".join(
        path.read_text(encoding="ascii") for path in (CELLS.modules, _BLOCK_RAM, CELLS.plls)
    )
