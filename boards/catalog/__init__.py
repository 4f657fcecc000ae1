"""Every board that sbgen knows by name, each in a file of its own."""

from ..board_spec import BoardSpec
from .ice40_hx8k_b_evn import ICE40_HX8K_B_EVN
from .icebreaker import ICEBREAKER
from .ulx3s_85f import ULX3S_85F

__all__ = ["BOARDS"]

#: Boards by name.
BOARDS: dict[str, BoardSpec] = {board.name: board for board in (ICEBREAKER, ICE40_HX8K_B_EVN, ULX3S_85F)}
