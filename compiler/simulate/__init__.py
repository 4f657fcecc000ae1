"""A network's images through the emitted Verilog, in a Verilog simulator with no Python in the loop.

::

    beats.bin ──▶ source ══ i ══▶ top ══ o ══▶ sink ──▶ images.txt, scores.txt
                  (may stall)                  (may stall)

The testbench is plain enough for Icarus, which starts at once, and for Verilator, which compiles for some
twenty seconds and then is some hundred times faster. Stalls come from a generator written in Verilog, so both
simulators see the same stalls and agree in every cycle.
"""

from .programs import SIMULATORS, build, require, verilate
from .run import HardwareError, Simulation, Simulator, quickest, simulate
from .workload import layer_work, patience, rest, work

__all__ = [
    "SIMULATORS",
    "HardwareError",
    "Simulation",
    "Simulator",
    "build",
    "layer_work",
    "patience",
    "quickest",
    "require",
    "rest",
    "simulate",
    "verilate",
    "work",
]
