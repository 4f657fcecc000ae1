"""What the flow needs of a family's PLL: the nearest clock that it can make, and the PLL itself."""

from abc import ABC, abstractmethod
from typing import Self

from amaranth.hdl import Instance, Value

from ..errors import BoardError

__all__ = ["Pll", "check_range"]


class Pll(ABC):
    """Settings of a PLL that makes one clock from an oscillator."""

    @classmethod
    @abstractmethod
    def nearest(cls, *, oscillator_mhz: float, clock_mhz: float) -> Self:
        """The settings whose clock is nearest to `clock_mhz`; a `BoardError` if it is out of range."""

    @classmethod
    def second(cls, *, oscillator_mhz: float, clock_mhz: float) -> Self:
        """The settings of another PLL beside the core's, whose clock is within 0.1 % of `clock_mhz`.

        Raises
        ------
        BoardError
            When no device of the family has another, or it cannot make such a clock.
        """
        raise BoardError(
            f"the clock must be {clock_mhz:g} MHz for a link over USB, since the device has no PLL beside the"
            f" core's; choose --clock {clock_mhz:g}"
        )

    @property
    @abstractmethod
    def clock_mhz(self) -> float:
        """The clock that the PLL really makes."""

    @abstractmethod
    def instance(self, *, i: Value, o: Value, locked: Value, pad: bool) -> Instance:
        """The PLL from signal `i` to signal `o`.

        With `pad`, `i` is the pin of the PLL's own pad; some families then connect it in another way.
        """


def check_range(what: str, value: float, low: float, high: float) -> None:
    """Raise a `BoardError` unless ``low <= value <= high``."""
    if not low <= value <= high:
        raise BoardError(f"{what} must be in {low:g} ... {high:g}, not {value:g}; choose another clock")
