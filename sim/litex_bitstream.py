"""The SoC of `litex/soc.py` as a bitstream of the ULX3S-85F, by yosys, nextpnr-ecp5 and ecppack.

    python sim/litex_bitstream.py OUT [CYCLES]

OUT is a new folder for everything; ``openFPGALoader --board ulx3s`` loads its ``soc.bit``. The console is the
board's serial port, at 115,200 baud; the button F1 runs the program again. The core takes at most CYCLES per
image (2,000). Timing must be met, and the weights of the core and the program of the processor are read back
from the bitstream. Needs the extra `soc` and the compiler riscv64-unknown-elf-gcc.
"""

import json
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import litex_soc
import numpy as np

from sbgen import tools
from sbgen.boards import memories
from sbgen.boards.ecp5 import ECP5, PACKER, UNPACKER
from sbgen.boards.seeds import read_report

__all__ = ["Built", "build"]

CLOCK_MHZ = 50


@dataclass(frozen=True, kw_only=True)
class Built:
    """What place and route and the bitstream show.

    Parameters
    ----------
    fmax_mhz : float
        By nextpnr's timing analysis; at least `CLOCK_MHZ`.
    lut, ff, bram : int
    core_bits, program_bits : int
        Bits of the core's memories, and of the processor's, that are in block RAM; all are right.
    """

    fmax_mhz: float
    lut: int
    ff: int
    bram: int
    core_bits: int
    program_bits: int


def build(out: Path, *, core_cycles: int = 2000) -> Built:
    """Build the SoC in a folder that is there, and read its memories back.

    Raises
    ------
    ToolError
        A tool fails; nextpnr does where timing is not met.
    """
    litex_soc.prepare(out, core_cycles=core_cycles, ulx3s=True)

    def run(name: str, *args: str) -> None:
        tools.run(tools.find(name), args, cwd=out, log=out / f"{name}.log")

    # LiteX's own scripts ask for a yosys on PATH; its files are used as they are.
    run("yosys", "-s", "soc.ys")
    placed = ("--textcfg", "soc.config", "--write", "placed.json", "--report", "report.json")
    device = ("--85k", "--package", "CABGA381", "--speed", "6", "--seed", "1")
    run("nextpnr-ecp5", "--json", "soc.json", "--lpf", "soc.lpf", *placed, *device)
    run(PACKER.name, *PACKER.arguments("soc.config", "soc.bit"))
    run(UNPACKER.name, *UNPACKER.arguments("soc.bit", "read.config"))
    fmax_mhz, used = read_report(out / "report.json", aim_mhz=CLOCK_MHZ)
    core, program = _read_back(out)
    return Built(
        fmax_mhz=fmax_mhz,
        **{
            name: sum(used[cell]["used"] for cell in ECP5.resource_cells[name])
            for name in ("lut", "ff", "bram")
        },
        core_bits=core,
        program_bits=program,
    )


def _read_back(out: Path) -> tuple[int, int]:
    """Compare the bitstream's block RAMs with the core's memories and the program; returns how many bits."""
    netlist = json.loads((out / "placed.json").read_text())["modules"]["top"]
    cells = memories.cells(netlist, family=ECP5)
    rams = ECP5.layout((out / "read.config").read_text()).block_rams()
    paths = {cell.memory.replace(".", "_"): cell.memory for cell in cells}

    def compare(memory: memories.Memory) -> int:
        """Bits of a memory, whose path has underscores between the instances; 0 where it is in LUTs."""
        if memory.path not in paths:
            return 0
        read = memories.read(replace(memory, path=paths[memory.path]), cells, rams, family=ECP5)
        assert np.array_equal(read, memory.words), f"{memory.path} is not in the bitstream as it should be"
        return read.size

    core = (out / "core" / "digits.v").read_text().replace("module digits", "module top.digits")
    found = memories.memories(core)
    in_core = sum(
        compare(replace(memory, path=memory.path.replace(".", "_"))) for memory in found if memory.block
    )
    in_processor = compare(_program(out))
    assert in_core and in_processor, "no memory is in block RAM"
    return in_core, in_processor


def _program(out: Path) -> memories.Memory:
    """The SoC's ROM, as LiteX has it from a file."""
    (last,) = re.findall(r"^reg \[31:0\] rom\[0:(\d+)\];", (out / "soc.v").read_text(), re.MULTILINE)
    words = np.zeros(int(last) + 1, "<u4")
    program = np.fromfile(out / "program.bin", np.uint8)
    words.view(np.uint8)[: len(program)] = program
    bits = np.unpackbits(words.view(np.uint8).reshape(-1, 4), axis=1, bitorder="little")
    return memories.Memory(path="rom", words=bits, block=True)


def main() -> None:
    out = Path(sys.argv[1]).absolute()
    out.mkdir(parents=True)
    built = build(out, core_cycles=int(*sys.argv[2:] or [2000]))
    print(built)
    print(f"see {out / 'soc.bit'}")


if __name__ == "__main__":
    main()
