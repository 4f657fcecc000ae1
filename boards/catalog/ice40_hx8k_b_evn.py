"""Lattice iCE40HX-8K Breakout Board: iCE40HX8K, FT2232H."""

from ..board_spec import BoardSpec
from ..usb_chips import FT2232H
from .programmers import ICE40_BY_FT2232H

__all__ = ["ICE40_HX8K_B_EVN"]

ICE40_HX8K_B_EVN = BoardSpec(
    name="ice40_hx8k_b_evn",
    description="Lattice iCE40HX-8K Breakout Board",
    platform="amaranth_boards.ice40_hx8k_b_evn:ICE40HX8KBEVNPlatform",
    clock_mhz=120,
    # The board's jumpers as delivered connect the flash, as both commands here expect.
    programmers=ICE40_BY_FT2232H,
    usb=((0x0403, 0x6010),),
    serial_interface=1,
    usb_chip=FT2232H,
)
