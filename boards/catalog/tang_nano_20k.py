"""Sipeed Tang Nano 20K: Gowin GW2AR-18C, BL616."""

from ..board_spec import BoardSpec, Programmer

__all__ = ["TANG_NANO_20K"]

TANG_NANO_20K = BoardSpec(
    name="tang_nano_20k",
    description="Sipeed Tang Nano 20K",
    platform="sbgen.boards.platforms.tang_nano_20k:TangNano20kPlatform",
    clock_mhz=108,
    programmers=(
        Programmer(
            tool="openFPGALoader",
            sram=("--board", "tangnano20k"),
            flash=("--board", "tangnano20k", "--write-flash"),
            first="sram",
            serial=("--ftdi-serial", "{serial}"),
        ),
    ),
    # The interface chip, a BL616, appears as an FT2232 whose second interface is the UART.
    usb=((0x0403, 0x6010),),
    serial_interface=1,
)
