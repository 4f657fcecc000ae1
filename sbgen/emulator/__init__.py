"""A built board without the board: its top level in Verilator, behind a pseudo-terminal and a TCP socket.

::

    host ══ pseudo-terminal or socket ══ Ends ══ pipes ══ main.cpp ── rx, tx ── top.v or the placed netlist

The program in the middle converts bytes to the bits of the serial line and back, so the host talks to the
same UART, link and core as on the board. Only the PLL is a wire, and the SPI flash a model.
"""

from .board import EmulatedBoard
from .program import Program, compiled

__all__ = ["EmulatedBoard", "Program", "compiled"]
