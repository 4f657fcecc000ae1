"""The levels of `sbgen verify`, from the trained model down to the bits of the bitstream.

::

    model ─▶ network ─▶ Amaranth ─▶ core.v ─▶ top.v ─▶ netlist ─▶ placed netlist ─▶ bitstream ─▶ Verilog
           reference ══ every score of every image ══════════════════════╝           ╚═ weights
"""

from . import bitstream, files, pins, simulation, trained, weights
from .level import Level
from .subject import Build, Subject

__all__ = ["BITSTREAM_LEVELS", "LEVELS"]

_WEIGHTS = Level[Subject]("weights in the bitstream", weights.check)
_CONFIGURATION = Level[Subject]("configuration in the bitstream", bitstream.configuration)
_TRUTH_TABLES = Level[Subject](
    "truth tables in the bitstream", bitstream.truth_tables, applies=bitstream.has_truth_tables
)

#: What is checked of a build, in this order. The names are keys of ledger.json.
LEVELS: tuple[Level[Build], ...] = (
    Level("files of the build", files.check),
    Level("model, hardened", trained.check),
    Level("Amaranth simulator", simulation.amaranth),
    Level("Verilog in Icarus", simulation.icarus),
    Level("Verilog in Verilator", simulation.verilator),
    Level("board's Verilog", pins.emitted),
    Level("netlist, synthesised", pins.synthesised),
    Level("netlist, placed and routed", pins.placed),
    _WEIGHTS,
    _CONFIGURATION,
    _TRUTH_TABLES,
    Level("bitstream as Verilog", pins.unpacked),
)

#: What is checked of one bitstream (``sbgen verify --bitstream``).
BITSTREAM_LEVELS: tuple[Level[Subject], ...] = (
    Level("bitstream of the build", bitstream.origin),
    _WEIGHTS,
    _CONFIGURATION,
    _TRUTH_TABLES,
)
