"""The constraint file of nextpnr-ecp5: pins of the top level's ports, and settings of their buffers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..board_spec import BoardSpec, Pin

__all__ = ["lpf"]


def lpf(board: BoardSpec, pins: Sequence[Pin] | None = None, *, margin: float = 0.0) -> str:
    """The constraint file for the given pins, or for the board's.

    The oscillator's frequency is written higher by `margin`, a fraction; the clocks of a PLL follow from it.
    """
    lines = []
    for pin in board.pins if pins is None else pins:
        lines.append(f'LOCATE COMP "{pin.port}" SITE "{pin.site}";')
        if pin.attrs:
            settings = " ".join(f"{name}={value}" for name, value in pin.attrs)
            lines.append(f'IOBUF PORT "{pin.port}" {settings};')
    if board.oscillator is None:
        lines.append(f'FREQUENCY PORT "clk" {board.oscillator_mhz * (1 + margin):g} MHZ;')
    return "\n".join(lines) + "\n"
