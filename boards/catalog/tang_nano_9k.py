"""Sipeed Tang Nano 9K: Gowin GW1NR-9C, BL702."""

from ..board_spec import BoardSpec, Programmer

__all__ = ["TANG_NANO_9K"]

TANG_NANO_9K = BoardSpec(
    name="tang_nano_9k",
    description="Sipeed Tang Nano 9K",
    platform="amaranth_boards.tang_nano_9k:TangNano9kPlatform",
    clock_mhz=81,
    programmers=(
        Programmer(
            tool="openFPGALoader",
            sram=("--board", "tangnano9k"),
            flash=("--board", "tangnano9k", "--write-flash"),
            first="sram",
            serial=("--ftdi-serial", "{serial}"),
        ),
    ),
    # The interface chip, a BL702, appears as an FT2232 whose second interface is the UART.
    usb=((0x0403, 0x6010),),
    serial_interface=1,
)
