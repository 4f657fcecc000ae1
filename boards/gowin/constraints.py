"""The constraint file of nextpnr-himbaechel-gowin: the top level's pins and settings of their buffers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..board_spec import BoardSpec, Pin

__all__ = ["cst"]


def cst(board: BoardSpec, pins: Sequence[Pin] | None = None, *, margin: float = 0.0) -> str:
    """The constraint file for the given pins, or for the board's.

    It has no clocks, so `margin` changes nothing: nextpnr's option ``--freq`` is for all of them.
    """
    lines = []
    for pin in board.pins if pins is None else pins:
        lines.append(f'IO_LOC "{pin.port}" {pin.site};')
        if pin.attrs:
            settings = " ".join(f"{name}={value}" for name, value in pin.attrs)
            lines.append(f'IO_PORT "{pin.port}" {settings};')
    return "\n".join(lines) + "\n"
