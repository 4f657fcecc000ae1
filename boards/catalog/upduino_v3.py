"""UPduino 3: iCE40UP5K with its internal oscillator, FT232H."""

from dataclasses import replace

from ..board_spec import BoardSpec, Programmer
from ..usb_chips import FT2232H

__all__ = ["UPDUINO_V3", "UPDUINO_V3_12MHZ"]

UPDUINO_V3 = BoardSpec(
    name="upduino_v3",
    description="tinyVision.ai UPduino v3, internal oscillator",
    platform="amaranth_boards.upduino_v3:UpduinoV3Platform",
    note="the internal oscillator may be off by more than a UART bears; upduino_v3_12mhz is accurate",
    programmers=(
        Programmer(tool="iceprog", flash=(), serial=("-d", "s:0x0403:0x6014:{serial}")),
        Programmer(
            tool="openFPGALoader",
            flash=("--board", "ice40_generic", "--cable", "ft232"),
            serial=("--ftdi-serial", "{serial}"),
        ),
    ),
    usb=((0x0403, 0x6014),),
    usb_chip=FT2232H,  # an FT232H, which makes the same rates
    # The converter shares two wires with the flash, which must not be selected meanwhile.
    uart=("15", "14"),
    kept_high=(("spi_flash_1x", "cs"),),
)

UPDUINO_V3_12MHZ = replace(
    UPDUINO_V3,
    name="upduino_v3_12mhz",
    description="tinyVision.ai UPduino v3, crystal oscillator",
    note="solder the jumper OSC, which connects the 12 MHz oscillator with pin 20",
    clock="clk12",
    clock_mhz=48,
)
