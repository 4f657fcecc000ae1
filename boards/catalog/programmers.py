"""Programmers that several boards have in common."""

from ..board_spec import Programmer

__all__ = ["ICE40_BY_FT2232H"]

#: The flash of an iCE40 behind an FT2232H with the USB ids of its maker.
ICE40_BY_FT2232H = (
    Programmer(tool="iceprog", flash=(), serial=("-d", "s:0x0403:0x6010:{serial}")),
    Programmer(
        tool="openFPGALoader", flash=("--board", "ice40_generic"), serial=("--ftdi-serial", "{serial}")
    ),
)
