"""Sipeed Tang Primer 20K on its Dock: Gowin GW2A-18C, BL616."""

from ..board_spec import BoardSpec, Programmer

__all__ = ["TANG_PRIMER_20K"]

TANG_PRIMER_20K = BoardSpec(
    name="tang_primer_20k",
    description="Sipeed Tang Primer 20K on its Dock",
    platform="sbgen.boards.platforms.tang_primer_20k:TangPrimer20kPlatform",
    clock_mhz=108,
    programmers=(
        Programmer(
            tool="openFPGALoader",
            sram=("--board", "tangprimer20k"),
            flash=("--board", "tangprimer20k", "--write-flash"),
            first="sram",
            serial=("--ftdi-serial", "{serial}"),
        ),
    ),
    # The interface chip, a BL616, appears as an FT2232 whose second interface is the UART.
    usb=((0x0403, 0x6010),),
    serial_interface=1,
)
