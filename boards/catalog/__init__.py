"""Every board that sbgen knows by name, each in a file of its own."""

from ..board_spec import BoardSpec
from .colorlight_5a_75b import COLORLIGHT_5A_75B
from .ice40_hx8k_b_evn import ICE40_HX8K_B_EVN
from .icebreaker import ICEBREAKER
from .icestick import ICESTICK
from .icesugar import ICESUGAR
from .orangecrab_r0_2 import ORANGECRAB_R0_2
from .pico_ice import PICO_ICE
from .tang_nano_9k import TANG_NANO_9K
from .tang_nano_20k import TANG_NANO_20K
from .tang_primer_20k import TANG_PRIMER_20K
from .tinyfpga_bx import TINYFPGA_BX
from .ulx3s import ULX3S
from .upduino_v3 import UPDUINO_V3, UPDUINO_V3_12MHZ
from .vendor import VENDOR_BOARDS

__all__ = ["BOARDS", "VENDOR_BOARDS"]

#: Boards by name for whose devices there is an open place and route.
BOARDS: dict[str, BoardSpec] = {
    board.name: board
    for board in (
        ICEBREAKER,
        ICE40_HX8K_B_EVN,
        ICESTICK,
        ICESUGAR,
        PICO_ICE,
        TINYFPGA_BX,
        UPDUINO_V3,
        UPDUINO_V3_12MHZ,
        *ULX3S,
        COLORLIGHT_5A_75B,
        ORANGECRAB_R0_2,
        TANG_NANO_9K,
        TANG_NANO_20K,
        TANG_PRIMER_20K,
    )
}
