"""How much of a device a design may fill."""

from collections.abc import Mapping

from .device import Device

__all__ = ["EASY_LUTS", "FILL", "FULL", "Excess", "easy_fill", "excess", "excess_words"]

#: Share of a device that place and route can fill and still meet a clock.
FILL: Mapping[str, float] = {"lut": 0.85, "ff": 0.85, "bram": 1.0, "spram": 1.0}

#: Share that they can fill for a lower clock. Estimates of designs that are so large are up to 9 % too low.
FULL: Mapping[str, float] = {**FILL, "lut": 0.9, "ff": 0.9}

#: Share of the LUTs, and number of them, that synthesis, place and route take within a quarter of an hour:
#: the default. So many also keep every block RAM of the largest device busy (36 bits each of 208, 2.6 LUTs a
#: bit).
EASY_FILL = 0.6
EASY_LUTS = 25_000

#: LUTs that the host link takes more than when these were chosen; they do not reduce what a core may take.
_MORE_LINK = 470

#: What is over: ``{resource: (requested, available)}``.
Excess = dict[str, tuple[int, int]]

_WORDS = {"lut": "LUTs", "ff": "flip-flops", "bram": "block RAMs", "spram": "SPRAMs"}


def easy_fill(device: Device) -> dict[str, float]:
    """The shares that a design fills if no pace is requested."""
    share = min(EASY_FILL, EASY_LUTS / device.lut)
    return {**FILL, "lut": share + _MORE_LINK / device.lut, "ff": share}


def excess(resources: Mapping[str, int], device: Device, fill: Mapping[str, float]) -> Excess:
    """What `resources` request beyond the share `fill` of the device."""
    return {
        name: (resources[name], int(getattr(device, name) * share))
        for name, share in fill.items()
        if resources[name] > getattr(device, name) * share
    }


def excess_words(over: Excess) -> str:
    """The excess as a message has it."""
    return ", ".join(
        f"{requested:,} {_WORDS[name]} are requested and {available:,} can be used"
        for name, (requested, available) in over.items()
    )
