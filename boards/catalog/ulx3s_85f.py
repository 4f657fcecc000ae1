"""ULX3S with the largest device: ECP5-85F, FT231X."""

from ..board_spec import BoardSpec, Programmer
from ..usb_chips import FT231X

__all__ = ["ULX3S_85F"]

ULX3S_85F = BoardSpec(
    name="ulx3s_85f",
    description="Radiona ULX3S-85F",
    platform="amaranth_boards.ulx3s:ULX3S_85F_Platform",
    clock_mhz=75,
    programmers=(Programmer(tool="openFPGALoader", args=("--board", "ulx3s")),),
    usb=((0x0403, 0x6015),),
    usb_chip=FT231X,
)
