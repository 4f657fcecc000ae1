"""PLL settings: the nearest clock that a device's PLL can make from an oscillator, and the PLL itself."""

from dataclasses import dataclass

from amaranth.hdl import Instance

from ..errors import BoardError

__all__ = ["FAMILIES", "Ecp5Pll", "Ice40Pll"]


def _check(what, value, low, high):
    if not low <= value <= high:
        raise BoardError(f"{what} must be in {low:g} ... {high:g}, not {value:g}; choose another clock")


@dataclass(frozen=True, kw_only=True)
class Ice40Pll:
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

    def __post_init__(self):
        _check("DIVR", self.divr, 0, 15)
        # The usage guide says 63; icestorm found 127 to be the limit with simple feedback.
        _check("DIVF", self.divf, 0, 127)
        _check("DIVQ", self.divq, 1, 6)
        _check("the PLL's input in MHz", self.oscillator_mhz, 10, 133)
        _check("the PLL's phase detector in MHz", self.pfd_mhz, 10, 133)
        _check("the PLL's VCO in MHz", self.vco_mhz, 533, 1066)
        _check("the PLL's output in MHz", self.clock_mhz, 16, 275)

    @classmethod
    def nearest(cls, *, oscillator_mhz, clock_mhz):
        """The settings whose clock is nearest to `clock_mhz`; of equals, the one with the fastest phase
        detector.
        """
        _check("the PLL's input in MHz", oscillator_mhz, 10, 133)
        _check("the PLL's output in MHz", clock_mhz, 16, 275)
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
    def pfd_mhz(self):
        return self.oscillator_mhz / (self.divr + 1)

    @property
    def vco_mhz(self):
        return self.pfd_mhz * (self.divf + 1)

    @property
    def clock_mhz(self):
        """The clock that it really makes."""
        return self.vco_mhz / 2**self.divq

    @property
    def filter_range(self):
        """Setting of the loop filter, which follows from the phase detector's frequency."""
        return next((n for n, limit in enumerate((17, 26, 44, 66, 101), 1) if self.pfd_mhz < limit), 6)

    def instance(self, *, i, o, locked, pad):
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


@dataclass(frozen=True, kw_only=True)
class Ecp5Pll:
    """Settings of the ECP5's EHXPLLL with its output CLKOP fed back (Lattice FPGA-TN-02200, prjtrellis'
    ecppll). ::

        oscillator -> 1/clki_div -> phase detector -> VCO -> 1/clkop_div -+-> clock
                                          ^------------ 1/clkfb_div ------+

    Parameters
    ----------
    oscillator_mhz : float
        8 ... 400 MHz.
    clki_div, clkfb_div, clkop_div : int
        The dividers: 1 ... 128, 1 ... 80 and 1 ... 128.
    """

    oscillator_mhz: float
    clki_div: int
    clkfb_div: int
    clkop_div: int

    def __post_init__(self):
        _check("CLKI_DIV", self.clki_div, 1, 128)
        _check("CLKFB_DIV", self.clkfb_div, 1, 80)
        _check("CLKOP_DIV", self.clkop_div, 1, 128)
        _check("the PLL's input in MHz", self.oscillator_mhz, 8, 400)
        _check("the PLL's phase detector in MHz", self.pfd_mhz, 3.125, 400)
        _check("the PLL's VCO in MHz", self.vco_mhz, 400, 800)
        _check("the PLL's output in MHz", self.clock_mhz, 10, 400)

    @classmethod
    def nearest(cls, *, oscillator_mhz, clock_mhz):
        """The settings whose clock is nearest to `clock_mhz`; of equals, the one whose VCO is nearest to 600
        MHz.
        """
        _check("the PLL's input in MHz", oscillator_mhz, 8, 400)
        _check("the PLL's output in MHz", clock_mhz, 10, 400)
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

    @property
    def pfd_mhz(self):
        return self.oscillator_mhz / self.clki_div

    @property
    def vco_mhz(self):
        return self.clock_mhz * self.clkop_div

    @property
    def clock_mhz(self):
        """The clock that it really makes."""
        return self.pfd_mhz * self.clkfb_div

    def instance(self, *, i, o, locked, pad=False):
        """The PLL from signal `i` to signal `o`; any pin can feed it, so `pad` changes nothing."""
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
            i_CLKFB=o,
            i_RST=0,
            i_STDBY=0,
            i_PHASESEL0=0,
            i_PHASESEL1=0,
            i_PHASEDIR=1,
            i_PHASESTEP=1,
            i_PHASELOADREG=1,
            i_PLLWAKESYNC=0,
            i_ENCLKOP=0,
            o_CLKOP=o,
            o_LOCK=locked,
        )


#: The PLL of each device family.
FAMILIES = {"ice40": Ice40Pll, "ecp5": Ecp5Pll}
