"""Measured currents of iCE40 devices."""

from ..power import Currents

__all__ = ["CURRENTS"]

#: By device. The UP5K's are from designs made with the open tools on Lattice's breakout board, measured on
#: the core's rail at 1.219 V. A halted clock: 92 uA. 12 MHz with a 28-bit counter: 613.5 uA, against 85.6 uA
#: of a blank design, so 44 uA/MHz for a clock. 196 more cells of slow counters: 27.8 uA, so 0.012 uA/MHz for
#: each. 180 cells of a multiplier: 351 uA, so 0.163. At 48 MHz a PLL takes 100 uA on its own rail and 390 uA
#: on the core's.
CURRENTS = {
    "up5k": Currents(
        volt=1.219,
        stopped_ua=92.1,
        network_ua_per_mhz=44.0,
        quiet_ua_per_mhz=0.012,
        busy_ua_per_mhz=0.163,
        pll_ua=490.0,
        memory_bits={"bram": 16, "spram": 16},
        source="tinyvision-ai-inc/ice40_power on GitHub",
    )
}
