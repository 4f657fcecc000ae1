"""iCEBreaker: iCE40UP5K, FT2232H."""

from ..board_spec import BoardSpec
from ..usb_chips import FT2232H
from .programmers import ICE40_BY_FT2232H

__all__ = ["ICEBREAKER"]

ICEBREAKER = BoardSpec(
    name="icebreaker",
    description="1BitSquared iCEBreaker",
    platform="amaranth_boards.icebreaker:ICEBreakerPlatform",
    clock_mhz=48,
    programmers=ICE40_BY_FT2232H,
    usb=((0x0403, 0x6010),),
    serial_interface=1,
    usb_chip=FT2232H,
)
