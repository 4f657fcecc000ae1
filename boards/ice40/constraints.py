"""The constraint file of nextpnr-ice40: which port of the top level is which pin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..board_spec import BoardSpec, Pin

__all__ = ["pcf"]


def pcf(board: BoardSpec, pins: Sequence[Pin] | None = None, *, margin: float = 0.0) -> str:
    """The constraint file for the given pins, or for the board's.

    Only the pull-up is written. The I/O standards of the platforms are all 3.3 V LVCMOS or similar, which is
    the buffers' default. The clock is an option of place and route, so `margin` changes nothing.
    """
    lines = []
    for pin in board.pins if pins is None else pins:
        pullup = " -pullup yes" if dict(pin.attrs).get("PULLUP") and pin.port == "rx" else ""
        lines.append(f"set_io{pullup} {pin.port} {pin.site}")
    return "\n".join(lines) + "\n"
