"""A SoC of LiteX with a VexRiscv and the core of a folder, as Verilog.

    python soc.py FOLDER NAME OUT [PROGRAM.bin]

FOLDER is one of `sbgen build --core NAME --shell wishbone`. OUT gets ``soc.v``, the contents of the SoC's
memories, ``sources.txt``, which names other Verilog files, and ``soc.h`` with the addresses for programs.
"""

import importlib.util
import os
import sys
from pathlib import Path

from litex.build.generic_platform import Pins, Subsignal
from litex.build.sim import SimPlatform
from litex.soc.integration.soc import SoCRegion
from litex.soc.integration.soc_core import SoCCore
from migen import ClockDomain, Module

#: Where the core's registers are: outside the processor's data cache.
BASE = 0x9000_0000

_IO = [
    ("sys_clk", 0, Pins(1)),
    ("sys_rst", 0, Pins(1)),
    (
        "serial",
        0,
        *(
            Subsignal(f"{side}_{name}", Pins(bits))
            for side in ("source", "sink")
            for name, bits in (("valid", 1), ("ready", 1), ("data", 8))
        ),
    ),
]


class _Clock(Module):
    def __init__(self, platform):
        self.clock_domains.cd_sys = ClockDomain()
        self.comb += [
            self.cd_sys.clk.eq(platform.request("sys_clk")),
            self.cd_sys.rst.eq(platform.request("sys_rst")),
        ]


def create(folder, name, program):
    """The SoC; `program` is the words of its ROM."""
    spec = importlib.util.spec_from_file_location(f"{name}_litex", folder / f"{name}_litex.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (core,) = (getattr(module, each) for each in module.__all__)
    platform = SimPlatform("SIM", _IO)
    soc = SoCCore(
        platform,
        50_000_000,
        cpu_type="vexriscv",
        cpu_variant="standard",
        ident="",
        ident_version=False,
        uart_name="sim",
        integrated_rom_size=0x10000,
        integrated_rom_init=program,
        integrated_sram_size=0x4000,
        timer_uptime=True,
    )
    soc.submodules.crg = _Clock(platform)
    soc.classifier = core(platform)
    soc.bus.add_slave("classifier", soc.classifier.bus, SoCRegion(origin=BASE, size=core.SIZE, cached=False))
    soc.irq.add("classifier", use_loc_if_exists=True)
    return soc


def addresses(soc):
    """The registers that the program uses, by their names in C."""
    found = {"CORE_BASE": BASE}
    for peripheral, registers in {
        "uart": ("rxtx", "txfull"),
        "timer0": ("uptime_latch", "uptime_cycles"),
    }.items():
        region = soc.csr_regions[peripheral]
        at = region.origin
        for register in region.obj:
            if register.name in registers:
                found[f"{peripheral}_{register.name}".upper()] = at
            at += 4 * -(-register.size // region.busword)
    return found


def main():
    folder, name, out, *program = sys.argv[1:]
    folder, out = Path(folder).absolute(), Path(out).absolute()
    content = Path(program[0]).read_bytes() if program else b""
    content += bytes(-len(content) % 4)
    os.chdir(out)  # where LiteX writes the contents of memories
    soc = create(
        folder, name, [int.from_bytes(content[n : n + 4], "little") for n in range(0, len(content), 4)]
    )
    soc.platform.output_dir = str(out)
    soc.finalize()
    soc.platform.get_verilog(soc, name="soc").write(str(out / "soc.v"))
    (out / "sources.txt").write_text("".join(f"{source[0]}\n" for source in soc.platform.sources))
    (out / "soc.h").write_text("".join(f"#define {n} {at:#x}u\n" for n, at in addresses(soc).items()))


if __name__ == "__main__":
    main()
