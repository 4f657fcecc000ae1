"""Sipeed Tang Primer 20K on its Dock: Gowin GW2A-18C with DDR3, which nothing here uses."""

from typing import ClassVar

from amaranth.build import Attrs, Clock, Pins, Resource
from amaranth.vendor import GowinPlatform
from amaranth_boards.resources import LEDResources, UARTResource

__all__ = ["TangPrimer20kPlatform"]


class TangPrimer20kPlatform(GowinPlatform):
    """Pins of the module's and the Dock's schematics (Sipeed) and of litex-boards' platform for them."""

    part = "GW2A-LV18PG256C8/I7"
    family = "GW2A-18C"
    default_clk = "clk27"
    resources: ClassVar = [
        Resource("clk27", 0, Pins("H11", dir="i"), Clock(27e6), Attrs(IO_TYPE="LVCMOS33")),
        *LEDResources(pins="L16 L14 N14 N16 A13 C13", invert=True, attrs=Attrs(IO_TYPE="LVCMOS18")),
        UARTResource(0, rx="T13", tx="M11", attrs=Attrs(IO_TYPE="LVCMOS33", PULL_MODE="UP")),
    ]
    connectors: ClassVar[list] = []
