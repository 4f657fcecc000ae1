"""Baud rates of the USB serial converters on boards."""

import math
from dataclasses import dataclass

from ..errors import BoardError

__all__ = ["FT231X", "FT2232H", "RP2040", "UsbChip"]


@dataclass(frozen=True, kw_only=True)
class UsbChip:
    """A USB serial converter, which divides a clock to make a baud rate.

    The divisor is a multiple of ``1 / steps``: any from `least` on, and those of `also`.

    Parameters
    ----------
    name : str
        As its vendor writes it.
    clock_hz : int
        The baud rate at a divisor of 1.
    steps : int
        Divisors between one integer and the next.
    least : float
        The smallest divisor from which on all are possible; infinity if only those of `also` are.
    also : tuple of float
        Smaller divisors that are possible too.
    """

    name: str
    clock_hz: int
    steps: int = 1
    least: float = 1
    also: tuple[float, ...] = ()

    @property
    def max_baud(self) -> float:
        """The fastest baud rate."""
        return self.clock_hz / min((self.least, *self.also))

    def nearest(self, baud: float) -> float:
        """The baud rate that the converter really makes when `baud` is requested.

        Raises
        ------
        BoardError
            When `baud` is not above 0, or faster than the converter can be.
        """
        # A converter may round 12,000,001 to what it can make, but a driver refuses it.
        if not 0 < baud <= self.max_baud:
            raise BoardError(
                f"the baud rate must be at most {self.max_baud:,.0f}, the fastest of the board's {self.name},"
                f" but it is {baud:,.0f}; choose a lower --baud"
            )
        wanted = self.clock_hz / baud
        from_least = max(self.least, round(wanted * self.steps) / self.steps)
        return min((self.clock_hz / n for n in (from_least, *self.also)), key=lambda rate: abs(rate - baud))


#: FTDI's converters at Hi-Speed (their data sheets and AN_120): 12 MHz over 1, 1.5, 2, 2.125, 2.25 ...
FT2232H = UsbChip(name="FT2232H", clock_hz=12_000_000, steps=8, least=2, also=(1, 1.5))

#: FTDI's converters at Full Speed: 3 MHz over the same.
FT231X = UsbChip(name="FT231X", clock_hz=3_000_000, steps=8, least=2, also=(1, 1.5))

#: The RP2040 of a pico-ice, whose firmware has one rate.
RP2040 = UsbChip(name="RP2040 of a pico-ice", clock_hz=115_200, least=math.inf, also=(1,))
