"""Colorlight 5A-75B, an LED panel driver: ECP5-25F, without USB."""

from ..board_spec import BoardSpec, Programmer

__all__ = ["COLORLIGHT_5A_75B"]

COLORLIGHT_5A_75B = BoardSpec(
    name="colorlight_5a_75b",
    description="Colorlight 5A-75B v7.0",
    platform="amaranth_boards.colorlight_5a75b_r7_0:Colorlight_5A75B_R70Platform",
    note="a JTAG adapter (FT232H) at J27 to J34; a USB serial adapter at J19: M13 (rx), P11 (tx), 3.3 V",
    clock_mhz=75,
    programmers=(
        Programmer(
            tool="openFPGALoader",
            sram=("--board", "colorlight", "--cable", "ft232"),
            flash=("--board", "colorlight", "--cable", "ft232", "--unprotect-flash", "--write-flash"),
            first="sram",
            serial=("--ftdi-serial", "{serial}"),
        ),
    ),
    serial_interface=None,
)
