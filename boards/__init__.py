"""Boards as data, and the way from Verilog to a running board."""

import difflib

from ..errors import BoardError
from .board_spec import BoardSpec
from .catalog import BOARDS

__all__ = ["BOARDS", "BoardSpec", "get"]


def get(name: str) -> BoardSpec:
    """The board of that name.

    Parameters
    ----------
    name : str
        A key of `BOARDS`, in which ``-`` may replace ``_``, or ``module:Class`` of a platform of
        amaranth-boards (or of a class like one), which then runs at its oscillator's clock.

    Raises
    ------
    BoardError
        When there is no such board, or sbgen cannot use it.
    """
    spelled = name.replace("-", "_")
    if spelled in BOARDS:
        return BOARDS[spelled]
    if ":" in name:
        board = BoardSpec(
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
