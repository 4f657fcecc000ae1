"""TinyFPGA BX: iCE40LP8K, whose USB leads to the FPGA itself."""

from ..board_spec import BoardSpec, Programmer

__all__ = ["TINYFPGA_BX"]

TINYFPGA_BX = BoardSpec(
    name="tinyfpga_bx",
    description="TinyFPGA BX",
    platform="amaranth_boards.tinyfpga_bx:TinyFPGABXPlatform",
    note="a USB serial adapter at pins 1 (rx) and 2 (tx), 3.3 V; press reset before loading",
    clock_mhz=48,
    programmers=(Programmer(tool="tinyprog", flash=("-p",)),),
    usb=((0x1D50, 0x6130),),
    serial_interface=None,
    uart=("A2", "A1"),
)
