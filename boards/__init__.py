"""Boards as data, and the way from Verilog to a running board."""

import difflib

from ..errors import BoardError
from .board import Board
from .ice40_hx8k_b_evn import ICE40_HX8K_B_EVN
from .icebreaker import ICEBREAKER
from .ulx3s_85f import ULX3S_85F

__all__ = ["BOARDS", "Board", "get"]

#: Every board that sbgen knows, by name.
BOARDS = {board.name: board for board in (ICEBREAKER, ICE40_HX8K_B_EVN, ULX3S_85F)}


def get(name: str) -> Board:
    """The board of that name.

    Parameters
    ----------
    name : str
        A key of `BOARDS`, with ``-`` as good as ``_``, or ``module:Class`` of an iCE40 or ECP5 platform of
        amaranth-boards (or written like one), which then runs at its oscillator's clock.
    """
    spelled = name.replace("-", "_")
    if spelled in BOARDS:
        return BOARDS[spelled]
    if ":" in name:
        board = Board(
            name=name.rpartition(":")[2], description=f"amaranth-boards platform {name}", platform=name
        )
        board.device, board.pins  # noqa: B018
        return board
    near = difflib.get_close_matches(spelled.lower(), BOARDS, n=2, cutoff=0.4)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise BoardError(
        f"unknown board {name!r}: known are {', '.join(BOARDS)}, and MODULE:CLASS of an amaranth-boards "
        f"platform{hint}"
    )
