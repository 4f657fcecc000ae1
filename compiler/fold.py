"""Folding a network to a device: PE, SIMD and memories for each layer.

The slowest stage sets the pace, so the search is over the number of cycles per image. `search` finds the
cheapest design for a number of cycles, and bisection the minimum number whose design fits the device. Weights
go into single-port RAM, which is filled at start-up, only if block RAM does not suffice.
"""

from collections.abc import Mapping
from itertools import product

from ..errors import FitError
from .bound import bounds
from .cycles import predict, stage_cycles
from .design import Design
from .device import Device
from .estimate import estimate
from .fit import FILL, easy_fill, excess, excess_words
from .ir import Network
from .layers import scores_rule
from .linked import check_network
from .remedies import remedies, slowest
from .search import Fitter

__all__ = ["fold", "trade_off"]


def fold(
    network: Network,
    device: Device,
    *,
    cycles: int | None = None,
    fill: Mapping[str, float] | None = None,
    patchable: bool = False,
) -> Design:
    """The fastest design on `device`, or the smallest that takes at most `cycles` an image.

    Parameters
    ----------
    network : Network
    device : Device
    cycles : int, optional
        Maximum cycles per image.
    fill : dict, optional
        Share of each resource that may be used. The default is `FILL` with `cycles`, else `easy_fill`, or
        more if the network would not fit otherwise.
    patchable : bool
        Whether weights and thresholds can be replaced in the bitstream.

    Raises
    ------
    FitError
        When no folding fits: what is over, by how much, and what would fit.
    """
    check_network(network)
    fitter = Fitter(network, device, patchable=patchable)
    # SPRAM is loaded at start-up, so it is not in the bitstream's ROMs, and used only if block RAM does not
    # suffice.
    sprams = sorted({0, 0 if patchable else device.spram})
    if cycles is not None:
        return _within(fitter, cycles, fill or FILL, sprams)
    high = slowest(network)
    for spram, share in product(sprams, (easy_fill(device), FILL) if fill is None else (fill,)):
        smallest, misfit, max_banks = fitter.fitting(high, share, spram=spram)
        if smallest is not None:
            # Deep ROMs are for what fits with nothing else.
            return _fastest(fitter, share, smallest, high, spram=spram, banks=(max_banks,))
    assert misfit is not None  # every layer has a folding that is this slow
    over = excess(estimate(misfit, device, exact=False), device, share)
    what = f"network {network.name!r} does not fit {device.name} at any folding: {excess_words(over)}"
    raise FitError("; ".join([what, *remedies(network, device, patchable=patchable)]))


def _within(fitter: Fitter, cycles: int, fill: Mapping[str, float], sprams: list[int]) -> Design:
    """The smallest design that takes at most `cycles` an image."""
    network, device = fitter.catalog.network, fitter.catalog.device
    least, aim, spram = scores_rule(network).results_cycles, cycles, sprams[0]
    if cycles < least:
        raise FitError(
            f"an image of {network.outputs} scores takes at least {least} cycles to output its results, "
            f"not {cycles}"
        )
    while True:
        design, misfit, _ = fitter.fitting(aim, fill, spram=spram) if aim >= least else (None, None, None)
        if design is None and spram < sprams[-1]:
            spram = sprams[-1]
            continue
        if design is None:
            if misfit is None:
                raise FitError(f"no folding takes at most {cycles} cycles an image; allow more cycles")
            over = excess(estimate(misfit, device, exact=False), device, fill)
            raise FitError(
                f"at {cycles} cycles an image {excess_words(over)} on {device.name}; allow more cycles"
            )
        interval = predict(design).interval
        if interval <= cycles:
            return design
        # Each stage takes no more than requested, but they wait for each other and must be faster to make up
        # for it.
        aim = min(aim - 1, aim * cycles // interval)


def _fastest(
    fitter: Fitter,
    fill: Mapping[str, float],
    best: Design,
    high: int,
    *,
    spram: int,
    banks: tuple[float, ...],
) -> Design:
    """The design of the fewest cycles that fits; `best` takes `high`."""
    network = fitter.catalog.network
    low = scores_rule(network).results_cycles - 1  # `high` fits, `low` does not
    step: int | None = min(max(bounds(network, fitter.catalog.device).values()), high - 1)
    aim = max(step or 0, low + 1)
    while high - low > 1:
        design = fitter.fitting(aim, fill, spram=spram, banks=banks).design
        if design is None:
            low, step = aim, step and 2 * step
        else:
            best, high, step = design, aim, None
        # Up from the guess in steps that double, then by halves.
        aim = min(low + (step or high), (low + high) // 2)
    return best


def trade_off(network: Network, device: Device, *, patchable: bool = False) -> list[Design]:
    """Designs that fit `device`, from the fastest to the smallest, each with about half the pace of the one
    before; `patchable` as for `fold`. None takes fewer LUTs than another that is as fast.

    Raises
    ------
    FitError
        When no folding fits.
    """
    designs = [fold(network, device, fill=FILL, patchable=patchable)]
    used, end = estimate(designs[0], device, exact=False), slowest(network)
    luts, spram = used["lut"], used["spram"] and device.spram
    fitter, aim = Fitter(network, device, patchable=patchable), max(stage_cycles(designs[0]))
    while aim < end:
        aim = min(2 * aim, end)
        design = fitter.fitting(aim, FILL, spram=spram).design
        if design is None:
            continue
        fewer = estimate(design, device, exact=False)["lut"]
        if fewer > 0.99 * luts:
            break
        designs.append(design)
        luts = fewer
    return designs
