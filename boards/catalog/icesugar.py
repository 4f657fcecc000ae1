"""MuseLab iCESugar: iCE40UP5K, and a microcontroller (iCELink) as programmer and serial port."""

from ..board_spec import BoardSpec, Programmer

__all__ = ["ICESUGAR"]

ICESUGAR = BoardSpec(
    name="icesugar",
    description="MuseLab iCESugar v1.5",
    platform="amaranth_boards.icesugar:ICESugarPlatform",
    clock_mhz=48,
    baud=115200,
    programmers=(Programmer(tool="icesprog", flash=()),),
    usb=((0x1D50, 0x602B),),
    serial_interface=1,
)
