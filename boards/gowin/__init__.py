"""Gowin's LittleBee and Arora chips, with the tools of Project Apicula and nextpnr-himbaechel."""

from ..converter import Function
from ..family import Family
from . import frames, truth_tables
from .block_rams import BLOCK_RAMS
from .cells import CELLS
from .configuration import differences
from .constraints import cst
from .flow import plan
from .layout import GowinLayout
from .pll import GowinPll

__all__ = ["GOWIN"]

GOWIN = Family(
    name="gowin",
    title="Gowin",
    plan=plan,
    constraints=cst,
    layout_file="top.frames",
    bitstream_file="top.fs",
    # No tool of Apicula shows the contents of block RAMs.
    packer=Function(name="pack", convert=frames.pack),
    unpacker=Function(name="unpack", convert=frames.unpack),
    placement_mib=1200,
    # A LUT is also half of an adder's bit.
    resource_cells={"lut": ("LUT4", "ALU"), "ff": ("DFF",), "bram": ("BSRAM",), "dsp": ("MULT18X18",)},
    pll=GowinPll,
    adapter_attrs={"IO_TYPE": "LVCMOS33", "PULL_MODE": "UP"},
    layout=GowinLayout,
    differences=differences,
    compared="bits",
    compared_with="what the build packed",
    unpacked_alike=True,
    block_rams=BLOCK_RAMS,
    cells=CELLS,
    truth_tables=truth_tables.compare,
)
