import itertools

import pytest
from amaranth.hdl import Signal

from sbgen.boards.ecp5.pll import Ecp5Pll
from sbgen.boards.gowin.pll import GowinPll
from sbgen.boards.ice40.pll import Ice40Pll
from sbgen.errors import BoardError

# What icepll -i 12 -o CLOCK says: (clock, divr, divf, divq, filter_range).
ICEPLL = [
    (20, 0, 52, 5, 1),
    (24, 0, 63, 5, 1),
    (48, 0, 63, 4, 1),
    (60, 0, 79, 4, 1),
    (96, 0, 63, 3, 1),
    (150, 0, 49, 2, 1),
]


class TestIce40:
    @pytest.mark.parametrize("clock,divr,divf,divq,filter_range", ICEPLL)
    def test_agrees_with_icepll(self, clock, divr, divf, divq, filter_range):
        pll = Ice40Pll.nearest(oscillator_mhz=12, clock_mhz=clock)
        assert (pll.divr, pll.divf, pll.divq, pll.filter_range) == (divr, divf, divq, filter_range)

    @pytest.mark.parametrize("oscillator", [10, 12, 25, 48, 100, 133])
    @pytest.mark.parametrize("clock", [16, 33.3, 50, 101, 275])
    def test_nothing_legal_is_nearer(self, oscillator, clock):
        pll = Ice40Pll.nearest(oscillator_mhz=oscillator, clock_mhz=clock)
        best = min(
            abs(oscillator / (r + 1) * (f + 1) / 2**q - clock)
            for r, f, q in itertools.product(range(16), range(128), range(1, 7))
            if 10 <= oscillator / (r + 1) <= 133
            and 533 <= oscillator / (r + 1) * (f + 1) <= 1066
            and 16 <= oscillator / (r + 1) * (f + 1) / 2**q <= 275
        )
        assert abs(pll.clock_mhz - clock) == best

    def test_filter_range_follows_the_phase_detector(self):
        for oscillator, expected in (16, 1), (25, 2), (40, 3), (65, 4), (100, 5), (133, 6):
            pll = Ice40Pll(oscillator_mhz=oscillator, divr=0, divf=int(1000 / oscillator) - 1, divq=4)
            assert pll.filter_range == expected

    @pytest.mark.parametrize(
        "oscillator,clock,what",
        [
            (3.3, 48, "input in MHz must be in 10 ... 133, not 3.3"),
            (12, 12.5, "output in MHz must be in 16 ... 275, not 12.5"),
            (12, 300, "output in MHz must be in 16 ... 275, not 300"),
        ],
    )
    def test_out_of_reach(self, oscillator, clock, what):
        with pytest.raises(BoardError, match=what):
            Ice40Pll.nearest(oscillator_mhz=oscillator, clock_mhz=clock)

    def test_settings_are_checked(self):
        with pytest.raises(BoardError, match="VCO in MHz must be in 533 ... 1066, not 12"):
            Ice40Pll(oscillator_mhz=12, divr=0, divf=0, divq=1)


class TestEcp5:
    # From the table at the head of prjtrellis' ecppll, which is Lattice's own tool's.
    @pytest.mark.parametrize(
        "oscillator,clock,refclk,feedback,output",
        [
            (12, 60, 1, 5, 10),
            (20, 30, 2, 3, 20),
            (45, 30, 3, 2, 20),
            (70, 40, 7, 4, 15),
            (90, 40, 9, 4, 15),
            (43, 86, 1, 2, 7),
        ],
    )
    def test_agrees_with_the_vendor(self, oscillator, clock, refclk, feedback, output):
        pll = Ecp5Pll.nearest(oscillator_mhz=oscillator, clock_mhz=clock)
        assert (pll.clki_div, pll.clkfb_div, pll.clkop_div) == (refclk, feedback, output)

    def test_100_from_25(self):
        pll = Ecp5Pll.nearest(oscillator_mhz=25, clock_mhz=100)
        assert (pll.clki_div, pll.clkfb_div, pll.clkop_div, pll.vco_mhz) == (1, 4, 6, 600)

    @pytest.mark.parametrize("oscillator,clock", [(25, 33.3), (8, 16), (400, 398), (48, 123)])
    def test_the_clock_is_near(self, oscillator, clock):
        pll = Ecp5Pll.nearest(oscillator_mhz=oscillator, clock_mhz=clock)
        assert abs(pll.clock_mhz / clock - 1) < 0.01

    def test_out_of_reach(self):
        with pytest.raises(BoardError, match="output in MHz must be in 10 ... 400, not 500"):
            Ecp5Pll.nearest(oscillator_mhz=25, clock_mhz=500)


class TestGowin:
    # What gowin_pll of Project Apicula says for 27 MHz; of equal clocks it may choose another VCO.
    @pytest.mark.parametrize(
        "clock,idiv,fbdiv", [(54, 1, 2), (81, 1, 3), (108, 1, 4), (33, 9, 11), (60, 9, 20), (101.25, 4, 15)]
    )
    def test_agrees_with_gowin_pll(self, clock, idiv, fbdiv):
        pll = GowinPll.nearest(oscillator_mhz=27, clock_mhz=clock)
        assert (pll.idiv, pll.fbdiv) == (idiv, fbdiv) and 500 <= pll.vco_mhz <= 1200

    @pytest.mark.parametrize("oscillator", [12, 27, 50])
    @pytest.mark.parametrize("clock", [4, 33.3, 81, 123, 400])
    def test_nothing_legal_is_nearer(self, oscillator, clock):
        pll = GowinPll.nearest(oscillator_mhz=oscillator, clock_mhz=clock)
        best = min(
            abs(oscillator / i * f - clock)
            for i, f, o in itertools.product(
                range(1, 65), range(1, 65), (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128)
            )
            if 3 <= oscillator / i
            and 500 <= oscillator / i * f * o <= 1200
            and 3.90625 <= oscillator / i * f <= 600
        )
        assert abs(pll.clock_mhz - clock) == best

    def test_its_cell_counts_from_zero(self):
        pll = GowinPll(oscillator_mhz=27, idiv=1, fbdiv=3, odiv=8)
        found = pll.instance(i=Signal(), o=Signal(), locked=Signal()).parameters
        assert (found["IDIV_SEL"], found["FBDIV_SEL"], found["ODIV_SEL"]) == (0, 2, 8)
        assert found["FCLKIN"] == "27"

    @pytest.mark.parametrize(
        "oscillator,clock,what",
        [
            (2, 48, "input in MHz must be in 3 ... 400, not 2"),
            (27, 3, "output in MHz must be in 3.90625 ... 600, not 3"),
            (27, 700, "output in MHz must be in 3.90625 ... 600, not 700"),
        ],
    )
    def test_out_of_reach(self, oscillator, clock, what):
        with pytest.raises(BoardError, match=what):
            GowinPll.nearest(oscillator_mhz=oscillator, clock_mhz=clock)

    def test_settings_are_checked(self):
        with pytest.raises(BoardError, match="VCO in MHz must be in 500 ... 1200, not 54"):
            GowinPll(oscillator_mhz=27, idiv=1, fbdiv=1, odiv=2)
