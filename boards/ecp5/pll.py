"""The ECP5's PLL: the nearest clock that it can make from an oscillator, and its instance."""

from dataclasses import dataclass
from itertools import product
from typing import Any, Self

from amaranth.hdl import Instance, Signal, Value

from ...errors import BoardError
from ..pll import Pll, check_range

__all__ = ["Ecp5Pll"]


@dataclass(frozen=True, kw_only=True)
class Ecp5Pll(Pll):
    """Settings of the ECP5's EHXPLLL with its output CLKOP fed back (Lattice FPGA-TN-02200, prjtrellis'
    ecppll). ::

        oscillator -> 1/clki_div -> phase detector -> VCO -> 1/clkop_div -+-> clock
                                          ^            |--- 1/clkfb_div --+
                                                       +-> 1/clkos_div -> clock

    Parameters
    ----------
    oscillator_mhz : float
        8 ... 400 MHz.
    clki_div, clkfb_div, clkop_div : int
        The dividers: 1 ... 128, 1 ... 80 and 1 ... 128.
    clkos_div : int
        1 ... 128 if the clock is output CLKOS, whose multiples of the oscillator are finer; 0 if it is CLKOP.
    """

    oscillator_mhz: float
    clki_div: int
    clkfb_div: int
    clkop_div: int
    clkos_div: int = 0

    def __post_init__(self) -> None:
        check_range("CLKI_DIV", self.clki_div, 1, 128)
        check_range("CLKFB_DIV", self.clkfb_div, 1, 80)
        check_range("CLKOP_DIV", self.clkop_div, 1, 128)
        check_range("CLKOS_DIV", self.clkos_div, 0, 128)
        check_range("the PLL's input in MHz", self.oscillator_mhz, 8, 400)
        check_range("the PLL's phase detector in MHz", self.pfd_mhz, 3.125, 400)
        check_range("the PLL's VCO in MHz", self.vco_mhz, 400, 800)
        check_range("the PLL's output in MHz", self.clock_mhz, 10, 400)

    @classmethod
    def nearest(cls, *, oscillator_mhz: float, clock_mhz: float) -> Self:
        """The settings whose clock is nearest to `clock_mhz`; of equals, the one whose VCO is nearest to 600
        MHz.
        """
        check_range("the PLL's input in MHz", oscillator_mhz, 8, 400)
        check_range("the PLL's output in MHz", clock_mhz, 10, 400)
        candidates = (
            (abs(out - clock_mhz), abs(out * clkop_div - 600), clki_div, clkfb_div, clkop_div)
            for clki_div in range(1, 129)
            if 3.125 <= oscillator_mhz / clki_div <= 400
            for clkfb_div in range(1, 81)
            if 10 <= (out := oscillator_mhz / clki_div * clkfb_div) <= 400
            for clkop_div in range(1, 129)
            if 400 <= out * clkop_div <= 800
        )
        _, _, clki_div, clkfb_div, clkop_div = min(candidates)
        return cls(oscillator_mhz=oscillator_mhz, clki_div=clki_div, clkfb_div=clkfb_div, clkop_div=clkop_div)

    @classmethod
    def second(cls, *, oscillator_mhz: float, clock_mhz: float) -> Self:
        """As `Pll.second`: each device has at least two."""
        candidates = (
            (abs(oscillator_mhz / clki_div * clkfb_div * clkop_div / clkos_div - clock_mhz), divs)
            for divs in product(range(1, 17), range(1, 81), range(1, 81), range(1, 17))
            for clki_div, clkfb_div, clkop_div, clkos_div in (divs,)
            if 400 <= oscillator_mhz / clki_div * clkfb_div * clkop_div <= 800
            and 3.125 <= oscillator_mhz / clki_div <= 400
            and 10 <= oscillator_mhz / clki_div * clkfb_div <= 400
        )
        error, (clki_div, clkfb_div, clkop_div, clkos_div) = min(candidates)
        if error > 0.001 * clock_mhz:
            raise BoardError(
                f"the PLL must make {clock_mhz:g} MHz of {oscillator_mhz:g} MHz for a link over USB, but"
                f" misses it by {error:g} MHz; choose another board"
            )
        return cls(
            oscillator_mhz=oscillator_mhz,
            clki_div=clki_div,
            clkfb_div=clkfb_div,
            clkop_div=clkop_div,
            clkos_div=clkos_div,
        )

    @property
    def pfd_mhz(self) -> float:
        return self.oscillator_mhz / self.clki_div

    @property
    def vco_mhz(self) -> float:
        return self.pfd_mhz * self.clkfb_div * self.clkop_div

    @property
    def clock_mhz(self) -> float:
        """The clock that the PLL really makes."""
        if self.clkos_div:
            return self.vco_mhz / self.clkos_div
        return self.pfd_mhz * self.clkfb_div

    def instance(self, *, i: Value, o: Value, locked: Value, pad: bool = False) -> Instance:
        """The PLL from signal `i` to signal `o`; any pin can feed it, so `pad` changes nothing."""
        outputs: dict[str, Any] = {"o_CLKOP": o, "i_CLKFB": o}
        if self.clkos_div:
            fed_back = Signal(name="pll_feedback")
            outputs = {
                "o_CLKOP": fed_back,
                "i_CLKFB": fed_back,
                "p_CLKOS_ENABLE": "ENABLED",
                "p_CLKOS_DIV": self.clkos_div,
                "p_CLKOS_FPHASE": 0,
                "p_CLKOS_CPHASE": self.clkos_div // 2,
                "o_CLKOS": o,
            }
        return Instance(
            "EHXPLLL",
            # The analog settings are the vendor's for this mode, as ecppll writes them.
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2",
            p_PLLRST_ENA="DISABLED",
            p_INTFB_WAKE="DISABLED",
            p_STDBY_ENABLE="DISABLED",
            p_DPHASE_SOURCE="DISABLED",
            p_OUTDIVIDER_MUXA="DIVA",
            p_OUTDIVIDER_MUXB="DIVB",
            p_OUTDIVIDER_MUXC="DIVC",
            p_OUTDIVIDER_MUXD="DIVD",
            p_CLKI_DIV=self.clki_div,
            p_CLKFB_DIV=self.clkfb_div,
            p_FEEDBK_PATH="CLKOP",
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_DIV=self.clkop_div,
            p_CLKOP_FPHASE=0,
            p_CLKOP_CPHASE=self.clkop_div // 2,
            i_CLKI=i,
            i_RST=0,
            i_STDBY=0,
            i_PHASESEL0=0,
            i_PHASESEL1=0,
            i_PHASEDIR=1,
            i_PHASESTEP=1,
            i_PHASELOADREG=1,
            i_PLLWAKESYNC=0,
            i_ENCLKOP=0,
            o_LOCK=locked,
            **outputs,
        )
