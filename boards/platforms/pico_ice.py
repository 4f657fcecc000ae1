"""tinyVision.ai pico-ice: iCE40UP5K with an RP2040 that makes its clock and its serial port."""

from typing import ClassVar

from amaranth.build import Attrs, Clock, Connector, Pins, Resource
from amaranth.vendor import LatticeICE40Platform
from amaranth_boards.resources import LEDResources, SPIFlashResources, UARTResource

__all__ = ["PicoIcePlatform"]

_LVCMOS = Attrs(IO_STANDARD="SB_LVCMOS")


class PicoIcePlatform(LatticeICE40Platform):
    """Pins of github.com/tinyvision-ai-inc/pico-ice-sdk, examples/ice_apio_uart_echo/pico_ice.pcf; the RP2040
    runs its default firmware."""

    device = "iCE40UP5K"
    package = "SG48"
    default_clk = "clk12"
    resources: ClassVar = [
        Resource("clk12", 0, Pins("35", dir="i"), Clock(12e6), Attrs(GLOBAL=True, IO_STANDARD="SB_LVCMOS")),
        *LEDResources(pins="39 40 41", invert=True, attrs=_LVCMOS),
        UARTResource(0, rx="27", tx="25", attrs=Attrs(IO_STANDARD="SB_LVCMOS", PULLUP=1)),
        *SPIFlashResources(0, cs_n="16", clk="15", copi="14", cipo="17", attrs=_LVCMOS),
    ]
    connectors: ClassVar = [
        Connector("pmod", 0, "4  2  47 45 - - 3  48 46 44 - -"),
        Connector("pmod", 1, "43 38 34 31 - - 42 36 32 28 - -"),
        Connector("pmod", 2, "27 25 21 19 - - 26 23 20 18 - -"),
    ]
