"""OrangeCrab r0.2: ECP5-25F, whose USB leads to the FPGA itself."""

from ..board_spec import BoardSpec, Programmer

__all__ = ["ORANGECRAB_R0_2"]

ORANGECRAB_R0_2 = BoardSpec(
    name="orangecrab_r0_2",
    description="OrangeCrab r0.2, 25F",
    platform="amaranth_boards.orangecrab_r0_2:OrangeCrabR0_2_25FPlatform",
    note=(
        "--link usb, or a USB serial adapter at pins 0 (rx) and 1 (tx), 3.3 V; to load, plug it in with the"
        " button held"
    ),
    clock_mhz=72,
    programmers=(
        Programmer(tool="openFPGALoader", flash=("--board", "orangeCrab")),
        Programmer(tool="dfu-util", flash=("-d", "1209:5af0", "-a", "0", "-D"), serial=("-S", "{serial}")),
    ),
    usb=((0x1209, 0x5AF0),),
    serial_interface=None,
    uart=("N17", "M18"),
)
