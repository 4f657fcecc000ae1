"""The iCE40 UltraPlus' internal oscillator of 48 MHz."""

from dataclasses import dataclass
from typing import ClassVar, Self

from amaranth.build import Platform
from amaranth.hdl import Instance, Value

from ...errors import BoardError
from ..oscillator import Oscillator

__all__ = ["HighFrequencyOscillator"]


@dataclass(frozen=True, kw_only=True)
class HighFrequencyOscillator(Oscillator):
    """SB_HFOSC (Lattice FPGA-TN-02008): 48 MHz over 1, 2, 4 or 8.

    Parameters
    ----------
    log_divisor : int
        0 ... 3
    """

    log_divisor: int

    primitive: ClassVar[tuple[str, str]] = ("SB_HFOSC", "CLKHF")

    #: The data sheet (FPGA-DS-02008) has 10 % over the commercial range of temperatures.
    tolerance: ClassVar[float] = 0.10

    settle_seconds: ClassVar[float] = 100e-6

    @classmethod
    def of(cls, platform: Platform) -> Self:
        """As `Oscillator.of`; the setting is the platform's ``hfosc_div``."""
        divisor = getattr(platform, "hfosc_div", None)
        if not isinstance(divisor, int) or divisor not in range(4):
            raise BoardError(
                f"{type(platform).__name__}: hfosc_div must be 0 ... 3 where the clock is SB_HFOSC, but it is"
                f" {divisor!r}"
            )
        return cls(log_divisor=divisor)

    @property
    def clock_mhz(self) -> float:
        return 48 / 2**self.log_divisor

    def instance(self, *, o: Value) -> Instance:
        """As `Oscillator.instance`."""
        return Instance(
            "SB_HFOSC", p_CLKHF_DIV=f"0b{self.log_divisor:02b}", i_CLKHFPU=1, i_CLKHFEN=1, o_CLKHF=o
        )
