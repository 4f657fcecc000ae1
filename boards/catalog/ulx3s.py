"""ULX3S with each of its four devices: ECP5, FT231X."""

from ..board_spec import BoardSpec, Programmer
from ..usb_chips import FT231X

__all__ = ["ULX3S"]

ULX3S = tuple(
    BoardSpec(
        name=f"ulx3s_{size}",
        description=f"Radiona ULX3S-{size.upper()}",
        platform=f"amaranth_boards.ulx3s:ULX3S_{size.upper()}_Platform",
        clock_mhz=75,
        programmers=(
            Programmer(
                tool="openFPGALoader",
                sram=("--board", "ulx3s"),
                flash=("--board", "ulx3s", "--write-flash"),
                first="sram",
                serial=("--ftdi-serial", "{serial}"),
            ),
        ),
        usb=((0x0403, 0x6015),),
        usb_chip=FT231X,
    )
    for size in ("12f", "25f", "45f", "85f")
)
