"""Boards whose place and route is their vendor's alone: a build writes the project of the vendor's tools."""

from ..board_spec import BoardSpec
from ..usb_chips import FT2232H

__all__ = ["VENDOR_BOARDS"]

#: Boards by name.
VENDOR_BOARDS: dict[str, BoardSpec] = {
    board.name: board
    for board in (
        BoardSpec(
            name="arty_a7",
            description="Digilent Arty A7-35T",
            platform="amaranth_boards.arty_a7:ArtyA7_35Platform",
            usb=((0x0403, 0x6010),),
            serial_interface=1,
            usb_chip=FT2232H,
        ),
        BoardSpec(
            name="arty_a7_100",
            description="Digilent Arty A7-100T",
            platform="amaranth_boards.arty_a7:ArtyA7_100Platform",
            usb=((0x0403, 0x6010),),
            serial_interface=1,
            usb_chip=FT2232H,
        ),
        BoardSpec(
            name="cmod_a7",
            description="Digilent Cmod A7-35T",
            platform="amaranth_boards.cmod_a7:CmodA7_35Platform",
            usb=((0x0403, 0x6010),),
            serial_interface=1,
            usb_chip=FT2232H,
        ),
        BoardSpec(
            name="de0_nano",
            description="Terasic DE0-Nano",
            platform="amaranth_boards.de0nano:DE0NanoPlatform",
            note="a USB serial adapter at GPIO-0, 3.3 V: D3 (rx), C3 (tx)",
            serial_interface=None,
            uart=("D3", "C3"),
        ),
        BoardSpec(
            name="de10_lite",
            description="Terasic DE10-Lite",
            platform="amaranth_boards.de10_lite:DE10LitePlatform",
            note="a USB serial adapter at GPIO, 3.3 V: V10 (rx), W10 (tx)",
            serial_interface=None,
        ),
        BoardSpec(
            name="tang_nano",
            description="Sipeed Tang Nano (GW1N-1)",
            platform="amaranth_boards.tang_nano:TangNanoPlatform",
            serial_interface=0,
        ),
    )
}
