"""Gowin's PLL: the nearest clock that it can make from an oscillator, and its instance."""

from dataclasses import dataclass
from typing import Self

from amaranth.hdl import Instance, Value

from ..pll import Pll, check_range

__all__ = ["GowinPll"]

#: Dividers between VCO and output.
_OUTPUT_DIVIDERS = (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128)

#: What is allowed on all our chips, in MHz: GW1NR-9 C6/I5 (Gowin DS117) and GW2A-18 C8/I7 (DS102) differ.
_INPUT = (3, 400)
_VCO = (500, 1200)
_OUTPUT = (3.90625, 600)


@dataclass(frozen=True, kw_only=True)
class GowinPll(Pll):
    """Settings of the rPLL with its output fed back inside (Gowin UG286). ::

        oscillator -> 1/idiv -> phase detector -> VCO -> 1/odiv -+-> clock
                                      ^-------------- 1/fbdiv ---+

    Parameters
    ----------
    oscillator_mhz : float
        3 ... 400 MHz.
    idiv, fbdiv : int
        1 ... 64; the parameters of the cell are one less.
    odiv : int
        2, 4, 8, 16, 32, 48, 64, 80, 96, 112 or 128.
    """

    oscillator_mhz: float
    idiv: int
    fbdiv: int
    odiv: int

    def __post_init__(self) -> None:
        check_range("IDIV", self.idiv, 1, 64)
        check_range("FBDIV", self.fbdiv, 1, 64)
        check_range("ODIV", self.odiv, 2, 128)
        check_range("the PLL's input in MHz", self.oscillator_mhz, *_INPUT)
        check_range("the PLL's phase detector in MHz", self.pfd_mhz, *_INPUT)
        check_range("the PLL's VCO in MHz", self.vco_mhz, *_VCO)
        check_range("the PLL's output in MHz", self.clock_mhz, *_OUTPUT)

    @classmethod
    def nearest(cls, *, oscillator_mhz: float, clock_mhz: float) -> Self:
        """The settings whose clock is nearest to `clock_mhz`; of equals, the one with the fastest phase
        detector, and of these the one with the slowest VCO.
        """
        check_range("the PLL's input in MHz", oscillator_mhz, *_INPUT)
        check_range("the PLL's output in MHz", clock_mhz, *_OUTPUT)
        candidates = (
            (abs(out - clock_mhz), idiv, odiv, fbdiv)
            for idiv in range(1, 65)
            if oscillator_mhz / idiv >= _INPUT[0]
            for fbdiv in range(1, 65)
            if _OUTPUT[0] <= (out := oscillator_mhz / idiv * fbdiv) <= _OUTPUT[1]
            for odiv in _OUTPUT_DIVIDERS
            if _VCO[0] <= out * odiv <= _VCO[1]
        )
        _, idiv, odiv, fbdiv = min(candidates)
        return cls(oscillator_mhz=oscillator_mhz, idiv=idiv, fbdiv=fbdiv, odiv=odiv)

    @property
    def pfd_mhz(self) -> float:
        return self.oscillator_mhz / self.idiv

    @property
    def vco_mhz(self) -> float:
        return self.clock_mhz * self.odiv

    @property
    def clock_mhz(self) -> float:
        """The clock that the PLL really makes."""
        return self.pfd_mhz * self.fbdiv

    def instance(self, *, i: Value, o: Value, locked: Value, pad: bool = False) -> Instance:
        """The PLL from signal `i` to signal `o`; any pin can feed it, so `pad` changes nothing."""
        return Instance(
            "rPLL",
            p_FCLKIN=f"{self.oscillator_mhz:g}",
            p_IDIV_SEL=self.idiv - 1,
            p_FBDIV_SEL=self.fbdiv - 1,
            p_ODIV_SEL=self.odiv,
            p_CLKFB_SEL="internal",
            p_DYN_IDIV_SEL="false",
            p_DYN_FBDIV_SEL="false",
            p_DYN_ODIV_SEL="false",
            p_DYN_DA_EN="false",
            p_PSDA_SEL="0000",
            p_DUTYDA_SEL="1000",
            i_CLKIN=i,
            i_CLKFB=0,
            i_RESET=0,
            i_RESET_P=0,
            i_FBDSEL=0,
            i_IDSEL=0,
            i_ODSEL=0,
            i_PSDA=0,
            i_DUTYDA=0,
            i_FDLY=0,
            o_CLKOUT=o,
            o_LOCK=locked,
        )
