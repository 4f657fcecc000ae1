"""What an FPGA's core takes, as a range: an estimate from measured currents, not a measurement.

No open tool has a model of power, and nobody measured block RAM. The lower end takes every logic cell as
quiet and memories as free. The upper end takes every cell as busy in every cycle, and each bit that a memory
reads as one busy cell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Currents", "Power", "power", "words"]


@dataclass(frozen=True, kw_only=True)
class Currents:
    """Currents of a device's core.

    Parameters
    ----------
    volt : float
        Of the core.
    stopped_ua : float
        While the clock of a configured device is stopped, in microampere.
    network_ua_per_mhz : float
        Of a running clock and its global network, in microampere per MHz.
    quiet_ua_per_mhz, busy_ua_per_mhz : float
        Of a logic cell whose output rests, and of one that is busy in every cycle.
    pll_ua : float
    memory_bits : dict of str to int
        For each memory of a report's resources the bits that one of them reads at once.
    source : str
        Where the currents were published.
    """

    volt: float
    stopped_ua: float
    network_ua_per_mhz: float
    quiet_ua_per_mhz: float
    busy_ua_per_mhz: float
    pll_ua: float
    memory_bits: Mapping[str, int]
    source: str

    def running_ua(self, clock_mhz: float, used: Mapping[str, int], *, pll: bool) -> tuple[float, float]:
        """The range of the current while the clock runs, in microampere.

        Parameters
        ----------
        clock_mhz : float
        used : dict of str to int
            Cells of each resource, with logic cells as ``"lut"``.
        pll : bool
            Whether a PLL makes the clock.
        """
        always = self.stopped_ua + self.network_ua_per_mhz * clock_mhz + self.pll_ua * pll
        read = sum(used[name] * bits for name, bits in self.memory_bits.items())
        least = self.quiet_ua_per_mhz * used["lut"]
        most = self.busy_ua_per_mhz * (used["lut"] + read)
        return always + least * clock_mhz, always + most * clock_mhz


@dataclass(frozen=True, kw_only=True)
class Power:
    """The power of a board's core voltage, each as (least, most); what is around the FPGA is not in it.

    Parameters
    ----------
    running_mw : pair of float
        While the clock runs.
    stopped_mw : pair of float or None
        While it is stopped; None where it never is.
    images_per_second : float
        The rate of the following.
    average_mw : pair of float
    image_uj : pair of float
        Energy of one image.
    """

    running_mw: tuple[float, float]
    stopped_mw: tuple[float, float] | None
    images_per_second: float
    average_mw: tuple[float, float]
    image_uj: tuple[float, float]


def power(
    currents: Currents,
    *,
    clock_mhz: float,
    used: Mapping[str, int],
    pll: bool,
    images_per_second: float,
    awake_cycles: float | None,
) -> Power:
    """The power of a design.

    Parameters
    ----------
    clock_mhz, used, pll
        As in `Currents.running_ua`.
    images_per_second : float
        How many images come.
    awake_cycles : float or None
        For how many cycles an image keeps the clock running; None where it never stops.
    """
    running = currents.running_ua(clock_mhz, used, pll=pll)
    stopped = None
    average = running
    if awake_cycles is not None:
        # The free clock still runs on wires to some flip-flops, which nobody measured.
        stopped = currents.stopped_ua, currents.stopped_ua + currents.network_ua_per_mhz * clock_mhz
        share = min(1.0, images_per_second * awake_cycles / (clock_mhz * 1e6))
        average = (
            stopped[0] + share * (running[0] - stopped[0]),
            stopped[1] + share * (running[1] - stopped[1]),
        )

    def milliwatt(microampere: tuple[float, float]) -> tuple[float, float]:
        return microampere[0] * currents.volt / 1e3, microampere[1] * currents.volt / 1e3

    average_mw = milliwatt(average)
    return Power(
        running_mw=milliwatt(running),
        stopped_mw=None if stopped is None else milliwatt(stopped),
        images_per_second=images_per_second,
        average_mw=average_mw,
        image_uj=(average_mw[0] / images_per_second * 1e3, average_mw[1] / images_per_second * 1e3),
    )


def words(power: Mapping[str, Any]) -> str:
    """What a report says of a `Power`, as a dictionary."""

    def span(ends: Sequence[float]) -> str:
        return f"{ends[0]:.3g} ... {ends[1]:.3g}"

    text = (
        f"{span(power['average_mw'])} mW in the FPGA's core at {power['images_per_second']:,.0f} images/s,"
        f" {span(power['image_uj'])} uJ per image (estimate)"
    )
    if power["stopped_mw"] is None:
        return text
    return (
        f"{text}; {span(power['running_mw'])} mW while the clock runs, {span(power['stopped_mw'])} mW while"
        " it is stopped"
    )
