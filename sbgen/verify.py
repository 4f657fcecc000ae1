"""`sbgen verify`: a built design against the model, rung by rung, down to the bits of the bitstream."""

import json
from dataclasses import dataclass
from pathlib import Path

from .console import Console
from .errors import ModelError
from .ledger import RungError, SkippedError, climb

__all__ = ["Built", "add_arguments", "run"]


def add_arguments(parser):
    """Add the options of `sbgen verify`."""
    parser.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="a folder of `sbgen build`")
    parser.add_argument("--bitstream", type=Path, metavar="FILE",
                        help="only read the weights and thresholds back out of this bitstream (of DIR, or of the folder it is in)")


@dataclass(frozen=True, kw_only=True)
class Built:
    """What a build has left.

    Parameters
    ----------
    folder : Path
    report : dict
    board : Board
    design : Design
    """

    folder: Path
    report: dict
    board: object
    design: object

    @classmethod
    def load(cls, folder):
        """A folder of `sbgen build`; a `ModelError` when it is none."""
        from . import boards
        from .compiler import design as design_file
        from .compiler import exchange

        try:
            report = json.loads((folder / "report.json").read_text(encoding="ascii"))
            board = boards.get(report["board"])
        except OSError as error:
            raise ModelError(f"{folder} must be a folder of `sbgen build`, but its report.json cannot be read: "
                             f"{error.strerror or error}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError(f"{folder}: report.json must be that of a build, but it is damaged "
                             f"({type(error).__name__}); build again") from error
        return cls(folder=folder, report=report, board=board,
                   design=design_file.load(folder / "design.json", exchange.load(folder / "network.json")))

    @property
    def family(self):
        return self.board.device.family

    def verilog(self, name):
        """The text of ``core.v`` or ``top.v``."""
        try:
            return (self.folder / name).read_text(encoding="ascii")
        except OSError as error:
            raise SkippedError(f"{name} is not there") from error

    def netlist(self, name):
        """The netlist of that name, as `sbgen.boards.netlist.load` gives it."""
        from .boards import netlist

        if not (self.folder / name).exists():
            raise SkippedError(f"{name} is not there: built without a bitstream, or by an earlier sbgen")
        return netlist.load(self.folder / name)

    @property
    def bitstream(self):
        """The build's own bitstream."""
        for name in "top.bin", "top.bit":
            if (self.folder / name).exists():
                return self.folder / name
        raise SkippedError("there is no bitstream: built with --no-bitstream")


def run(arguments):
    """Climb the rungs; the exit code is 1 when one has failed."""
    if arguments.folder is None and arguments.bitstream is None:
        raise ModelError("a folder of `sbgen build`, or --bitstream FILE, must be given; try: sbgen verify build/digits-icebreaker")
    built = Built.load(arguments.folder or arguments.bitstream.absolute().parent)
    console = Console()
    rungs = [("weights in the bitstream", lambda step: _read_back(built, arguments.bitstream or built.bitstream))]
    entries = climb(rungs, console=console)
    console.line()
    for entry in entries:
        console.line(f"  {entry.status:8}{entry.rung}", style={"PASS": "green", "FAIL": "bold red"}.get(entry.status))
        console.line(f"          {entry.note}")
    return int(any(entry.status == "FAIL" for entry in entries))


def _read_back(built, path):
    """Every weight and threshold in block RAM, read back out of a bitstream, is the network's."""
    from .boards import bitstream, readback

    parts = readback.read(
        design=built.design, verilog=built.verilog("top.v"), netlist=built.netlist("placed.json.gz"),
        rams=bitstream.block_rams(bitstream.unpack(path, family=built.family), family=built.family), family=built.family)
    for part in parts:
        if part.difference is not None:
            raise RungError(f"{part.layer}, {readback.tell(part)}")
    bits, constant = (sum(getattr(part, name) for part in parts) for name in ("bits", "constant"))
    note = f"all {bits - constant:,} bits in block RAM equal the model's"
    logic = [f"{part.layer}'s {part.what}" for part in parts if not part.bits]
    if constant:
        logic.insert(0, f"{constant:,} bits that are the same in every word")
    return note + (f"; in logic, which the netlists show: {', '.join(logic)}" if logic else "")
