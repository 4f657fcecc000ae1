"""Plain Verilog of a component, through RTLIL and yosys."""

import os
import tempfile
from pathlib import Path

from amaranth.back import rtlil
from amaranth.lib import wiring

from .. import tools

__all__ = ["convert"]
