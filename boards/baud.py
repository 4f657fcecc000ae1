"""The baud rate of a board's serial line: what its clock and its USB converter both can make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import BoardError
from ..hw import uart

if TYPE_CHECKING:
    from .board_spec import BoardSpec

__all__ = ["TOLERANCE", "choose"]

#: Maximum error of the baud rate: half of what a byte tolerates, the other half is for the other side.
TOLERANCE = 0.02


def choose(board: BoardSpec, *, clock_mhz: float, baud: float | None = None) -> tuple[int, int]:
    """The baud rate of a board at a clock, and its clock cycles per bit.

    Parameters
    ----------
    board : BoardSpec
    clock_mhz : float
    baud : float, optional
        The rate that is wanted. When left out it is the fastest that is possible, or the board's where its
        converter is not known.

    Returns
    -------
    (int, int)
        The rate that a host must request, and the divisor of the clock.

    Raises
    ------
    BoardError
        The clock or the converter cannot make the rate.
    """
    clock_hz, chip = clock_mhz * 1e6, board.usb_chip
    if baud is None and chip is not None:
        for divisor in range(uart.MINIMUM_DIVISOR, int(clock_hz)):
            for off in (1 + TOLERANCE, 1):
                rate = chip.nearest(min(off * clock_hz / divisor, chip.max_baud))
                if _is_right(clock_hz, rate, divisor):
                    # Another divisor may be nearer, as a converter's rates may lie far apart.
                    return round(rate), uart.divisor(clock_hz=clock_hz, baud=rate)
    baud = board.baud if baud is None else baud
    rate = baud if chip is None else chip.nearest(baud)
    divisor = uart.divisor(clock_hz=clock_hz, baud=rate)
    if not _is_right(clock_hz, rate, divisor):
        raise BoardError(
            f"the baud rate must be within {TOLERANCE:.0%} of what a clock of {clock_mhz:g} MHz can make with"
            f" at least {uart.MINIMUM_DIVISOR} cycles per bit, but {rate:,.0f} is off by"
            f" {uart.baud_error(clock_hz=clock_hz, baud=rate):+.1%} at {divisor}; choose another --baud or"
            " --clock"
        )
    if abs(rate / baud - 1) > TOLERANCE:
        assert chip is not None
        raise BoardError(
            f"the baud rate must be within {TOLERANCE:.0%} of one that the board's {chip.name} can make, but"
            f" the nearest to {baud:,.0f} is {rate:,.0f}; choose that --baud"
        )
    return round(rate), divisor


def _is_right(clock_hz: float, rate: float, divisor: int) -> bool:
    return divisor >= uart.MINIMUM_DIVISOR and abs(clock_hz / divisor / rate - 1) <= TOLERANCE
