"""A SoC of LiteX with a VexRiscv and the core of a folder, as Verilog.

    python soc.py FOLDER NAME OUT [--program PROGRAM.bin] [--ulx3s]

FOLDER is one of `sbgen build --core NAME --shell wishbone`. OUT gets ``soc.v``, the contents of the SoC's
memories, ``sources.txt``, which names other Verilog files, and ``soc.h`` with the addresses for programs.

The SoC is for a simulator, and its console is a stream of bytes. With ``--ulx3s`` it is for the ULX3S-85F:
its console is the serial port, at 115,200 baud, and OUT also gets ``soc.ys`` for yosys and ``soc.lpf``,
the pins and the clock.
"""

import argparse
import importlib.util
import os
from pathlib import Path

from litex.build.generic_platform import Pins, Subsignal
from litex.build.sim import SimPlatform
from litex.soc.cores.clock import ECP5PLL
from litex.soc.integration.soc import SoCRegion
from litex.soc.integration.soc_core import SoCCore
from migen import ClockDomain, Module

#: Where the core's registers are: outside the processor's data cache.
BASE = 0x9000_0000

CLOCK_HZ = 50_000_000

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
    """The clock of the simulator."""

    def __init__(self, platform):
        self.clock_domains.cd_sys = ClockDomain()
        self.comb += [
            self.cd_sys.clk.eq(platform.request("sys_clk")),
            self.cd_sys.rst.eq(platform.request("sys_rst")),
        ]


class _Pll(Module):
    """The clock of the ULX3S, from its 25 MHz; the button F1 is the reset."""

    def __init__(self, platform):
        self.clock_domains.cd_sys = ClockDomain()
        self.submodules.pll = pll = ECP5PLL()
        self.comb += pll.reset.eq(platform.request("rst"))
        pll.register_clkin(platform.request("clk25"), 25e6)
        pll.create_clkout(self.cd_sys, CLOCK_HZ)


def _platform(ulx3s):
    """Where the SoC is, its clock, and what its console is connected to."""
    if not ulx3s:
        return SimPlatform("SIM", _IO), _Clock, "sim"
    from litex_boards.platforms import radiona_ulx3s

    return radiona_ulx3s.Platform(device="LFE5U-85F", toolchain="trellis"), _Pll, "serial"


def create(folder, name, program, *, ulx3s):
    """The SoC; `program` is the words of its ROM."""
    spec = importlib.util.spec_from_file_location(f"{name}_litex", folder / f"{name}_litex.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (core,) = (getattr(module, each) for each in module.__all__)
    platform, clock, console = _platform(ulx3s)
    soc = SoCCore(
        platform,
        CLOCK_HZ,
        cpu_type="vexriscv",
        cpu_variant="standard",
        ident="",
        ident_version=False,
        uart_name=console,
        integrated_rom_size=0x10000,
        integrated_rom_init=program,
        integrated_sram_size=0x4000,
        timer_uptime=True,
    )
    soc.submodules.crg = clock(platform)
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
    parser = argparse.ArgumentParser()
    for name in ("folder", "name", "out"):
        parser.add_argument(name)
    parser.add_argument("--program", type=Path)
    parser.add_argument("--ulx3s", action="store_true")
    options = parser.parse_args()
    folder, out = Path(options.folder).absolute(), Path(options.out).absolute()
    content = options.program.read_bytes() if options.program else b""
    content += bytes(-len(content) % 4)
    os.chdir(out)  # where LiteX writes the contents of memories
    words = [int.from_bytes(content[n : n + 4], "little") for n in range(0, len(content), 4)]
    soc = create(folder, options.name, words, ulx3s=options.ulx3s)
    soc.platform.output_dir = str(out)
    if options.ulx3s:
        soc.platform.build(soc, build_dir=str(out), build_name="soc", run=False)
    else:
        soc.finalize()
        soc.platform.get_verilog(soc, name="soc").write(str(out / "soc.v"))
    (out / "sources.txt").write_text("".join(f"{source[0]}\n" for source in soc.platform.sources))
    (out / "soc.h").write_text("".join(f"#define {n} {at:#x}u\n" for n, at in addresses(soc).items()))


if __name__ == "__main__":
    main()
