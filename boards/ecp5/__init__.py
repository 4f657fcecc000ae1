"""Lattice ECP5, with the tools of Project Trellis and nextpnr-ecp5."""

from ..family import Family
from .block_rams import BLOCK_RAMS
from .cells import CELLS
from .configuration import differences
from .constraints import lpf
from .flow import PACKER, UNPACKER, plan
from .layout import Ecp5Layout
from .pll import Ecp5Pll

__all__ = ["ECP5"]

ECP5 = Family(
    name="ecp5",
    title="ECP5",
    plan=plan,
    constraints=lpf,
    layout_file="top.config",
    bitstream_file="top.bit",
    packer=PACKER,
    unpacker=UNPACKER,
    placement_mib=2500,
    resource_cells={
        "lut": ("TRELLIS_COMB",),
        "ff": ("TRELLIS_FF",),
        "bram": ("DP16KD",),
        "dsp": ("MULT18X18D",),
    },
    pll=Ecp5Pll,
    differential_clock=True,
    adapter_attrs={"IO_TYPE": "LVCMOS33", "PULLMODE": "UP"},
    usb=True,
    layout=Ecp5Layout,
    differences=differences,
    compared="settings",
    unpacked_alike=False,
    block_rams=BLOCK_RAMS,
    cells=CELLS,
)
