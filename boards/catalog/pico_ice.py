"""tinyVision.ai pico-ice: iCE40UP5K, with an RP2040 as programmer and serial port."""

from ..board_spec import BoardSpec, Programmer
from ..usb_chips import RP2040

__all__ = ["PICO_ICE"]

PICO_ICE = BoardSpec(
    name="pico_ice",
    description="tinyVision.ai pico-ice",
    platform="sbgen.boards.platforms.pico_ice:PicoIcePlatform",
    note="the RP2040 runs its default firmware, which makes the clock and has one baud rate",
    clock_mhz=48,
    baud=115200,
    programmers=(
        Programmer(
            tool="dfu-util",
            flash=("-d", "1209:b1c0", "-a", "0", "-D"),
            sram=("-d", "1209:b1c0", "-a", "1", "-D"),
        ),
    ),
    usb=((0x1209, 0xB1C0),),
    serial_interface=2,
    usb_chip=RP2040,
)
