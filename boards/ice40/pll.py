"""The iCE40's PLL: the nearest clock that it can make from an oscillator, and its instance."""

from dataclasses import dataclass
from typing import Self

from amaranth.hdl import Instance, Value

from ..pll import Pll, check_range

__all__ = ["PLL_PADS", "WITHOUT_PLL", "Ice40Pll"]

#: Device and pads from which its PLLs can be fed, by package (icestorm's icebox: PLLOUT_A's pin). The PLL
#: takes such a pad for itself, and the pin cannot be an ordinary input then. From any other pin the PLL is
#: fed through the fabric.
PLL_PADS = {
    ("up5k", "sg48"): ("35",),
    ("up5k", "uwg30"): ("B3",),
    ("hx1k", "tq144"): ("49",),
    ("hx4k", "tq144"): ("49", "129"),
    ("hx8k", "ct256"): ("F7", "R9"),
    ("lp8k", "cm81"): ("G4",),
}

#: Device and package without the PLL's supply (icestorm's icebox: noplls_db).
WITHOUT_PLL = frozenset({("hx1k", "vq100"), ("lp1k", "cm36")})


@dataclass(frozen=True, kw_only=True)
class Ice40Pll(Pll):
    """Settings of the iCE40's SB_PLL40 with simple feedback (Lattice FPGA-TN-02052, icestorm's icepll). ::

        oscillator -> 1/(divr+1) -> phase detector -> VCO -+-> 1/2**divq -> clock
                                           ^-- 1/(divf+1) -+

    Parameters
    ----------
    oscillator_mhz : float
        10 ... 133 MHz.
    divr, divf, divq : int
        The dividers' settings: 0 ... 15, 0 ... 127 and 1 ... 6.
    """

    oscillator_mhz: float
    divr: int
    divf: int
    divq: int

    def __post_init__(self) -> None:
        check_range("DIVR", self.divr, 0, 15)
        # The usage guide says 63; icestorm found 127 to be the limit with simple feedback.
        check_range("DIVF", self.divf, 0, 127)
        check_range("DIVQ", self.divq, 1, 6)
        check_range("the PLL's input in MHz", self.oscillator_mhz, 10, 133)
        check_range("the PLL's phase detector in MHz", self.pfd_mhz, 10, 133)
        check_range("the PLL's VCO in MHz", self.vco_mhz, 533, 1066)
        check_range("the PLL's output in MHz", self.clock_mhz, 16, 275)

    @classmethod
    def nearest(cls, *, oscillator_mhz: float, clock_mhz: float) -> Self:
        """The settings whose clock is nearest to `clock_mhz`; of equals, the one with the fastest phase
        detector.
        """
        check_range("the PLL's input in MHz", oscillator_mhz, 10, 133)
        check_range("the PLL's output in MHz", clock_mhz, 16, 275)
        candidates = (
            (abs(oscillator_mhz / (divr + 1) * (divf + 1) / 2**divq - clock_mhz), divr, divf, divq)
            for divr in range(16)
            if 10 <= oscillator_mhz / (divr + 1) <= 133
            for divf in range(128)
            if 533 <= oscillator_mhz / (divr + 1) * (divf + 1) <= 1066
            for divq in range(1, 7)
            if 16 <= oscillator_mhz / (divr + 1) * (divf + 1) / 2**divq <= 275
        )
        _, divr, divf, divq = min(candidates)
        return cls(oscillator_mhz=oscillator_mhz, divr=divr, divf=divf, divq=divq)

    @property
    def pfd_mhz(self) -> float:
        return self.oscillator_mhz / (self.divr + 1)

    @property
    def vco_mhz(self) -> float:
        return self.pfd_mhz * (self.divf + 1)

    @property
    def clock_mhz(self) -> float:
        """The clock that the PLL really makes."""
        return self.vco_mhz / 2**self.divq

    @property
    def filter_range(self) -> int:
        """Setting of the loop filter, which follows from the phase detector's frequency."""
        return next((n for n, limit in enumerate((17, 26, 44, 66, 101), 1) if self.pfd_mhz < limit), 6)

    def instance(self, *, i: Value, o: Value, locked: Value, pad: bool) -> Instance:
        """The PLL from signal `i` to signal `o`.

        With `pad`, `i` is the pin of the PLL's own pad, which it then takes for itself.
        """
        return Instance(
            "SB_PLL40_PAD" if pad else "SB_PLL40_CORE",
            p_FEEDBACK_PATH="SIMPLE",
            p_DIVR=self.divr,
            p_DIVF=self.divf,
            p_DIVQ=self.divq,
            p_FILTER_RANGE=self.filter_range,
            i_RESETB=1,
            i_BYPASS=0,
            o_PLLOUTGLOBAL=o,
            o_LOCK=locked,
            **{"i_PACKAGEPIN" if pad else "i_REFERENCECLK": i},
        )
