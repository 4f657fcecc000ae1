"""Lattice iCE40, with the tools of Project IceStorm and nextpnr-ice40."""

from ..family import Family
from . import icebox, truth_tables
from .block_rams import BLOCK_RAMS
from .cells import CELLS
from .clock_buffer import clock_buffer
from .configuration import differences
from .constraints import pcf
from .flow import PACKER, UNPACKER, plan
from .layout import Ice40Layout
from .oscillator import HighFrequencyOscillator
from .pll import PLL_PADS, WITHOUT_PLL, Ice40Pll
from .power import CURRENTS

__all__ = ["ICE40"]

ICE40 = Family(
    name="ice40",
    title="iCE40",
    plan=plan,
    constraints=pcf,
    layout_file="top.asc",
    bitstream_file="top.bin",
    packer=PACKER,
    unpacker=UNPACKER,
    placement_mib=700,
    # A logic cell is a LUT with its flip-flop, which is what fills the device.
    resource_cells={
        "lut": ("ICESTORM_LC",),
        "bram": ("ICESTORM_RAM",),
        "spram": ("ICESTORM_SPRAM",),
        "dsp": ("ICESTORM_DSP",),
    },
    flip_flops="SB_DFF",
    pll=Ice40Pll,
    pll_pads=PLL_PADS,
    without_pll=WITHOUT_PLL,
    oscillators={"SB_HFOSC": HighFrequencyOscillator},
    clock_buffer=clock_buffer,
    currents=CURRENTS,
    adapter_attrs={"PULLUP": 1},
    usb=True,
    layout=Ice40Layout,
    differences=differences,
    compared="bits",
    unpacked_alike=True,
    block_rams=BLOCK_RAMS,
    cells=CELLS,
    patchable_luts=truth_tables.patchable_luts,
    truth_tables=truth_tables.compare,
    to_verilog=icebox.verilog,
)
