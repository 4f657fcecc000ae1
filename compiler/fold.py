"""Folding a network to a device: PE, SIMD and memories for each layer.

The slowest stage sets the pace, so a design is searched for by the number of cycles per image. `search` finds
the cheapest design for that number, or that none fits; what fits in some cycles fits in more, so bisection
finds the minimum.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from ..errors import FitError
from .bound import bound, bounds
from .capacity import holds
from .cycles import predict, stage_cycles
from .design import Design, check_label_only
from .device import Device
from .estimate import estimate
from .fit import FILL, easy_fill, excess, excess_words
from .ir import Network
from .linked import check_network
from .remedies import remedies, slowest
from .search import Search

__all__ = ["fold", "trade_off"]


def fold(
    network: Network,
    device: Device,
    *,
    cycles: int | None = None,
    enough: int | None = None,
    fill: Mapping[str, float] | None = None,
    patchable: bool = False,
    label_only: bool = False,
    batch: int = 1,
) -> Design:
    """The fastest design on `device`, or the smallest that takes at most `cycles` an image.

    Parameters
    ----------
    network : Network
    device : Device
    cycles : int, optional
        Maximum cycles per image.
    enough : int, optional
        Without `cycles`: the smallest design that takes at most so many cycles will do, if there is one.
    fill : dict, optional
        Share of each resource that may be used. The default is `FILL` with `cycles`, else `easy_fill` without
        SPRAM for weights, or more if the network would not fit otherwise.
    patchable, label_only, batch
        As in `Design`.

    Raises
    ------
    ModelError
        The core of the network cannot report only the label.
    FitError
        When no folding fits: what is over, by how much, and what would fit.
    """
    check_network(network)
    if label_only:
        check_label_only(network)
    misfits = f"network {network.name!r} does not fit {device.name} at any folding: "
    if not holds(network, device, patchable=patchable):
        raise FitError(misfits + "; ".join(remedies(network, device, patchable=patchable)))
    if cycles is not None:
        search = Search(
            network,
            device,
            fill=fill or FILL,
            patchable=patchable,
            max_banks=device.fabric.max_banks,
            label_only=label_only,
            batch=batch,
        )
        return _within(search, cycles)
    # Weights in SPRAM are not in the bitstream: they are loaded at start-up. Unless the most of a device is
    # requested, they are there only if block RAM does not suffice.
    fills = (easy_fill(device), FILL) if fill is None else (fill,)
    least = bound(network, device, label_only=label_only, batch=batch).cycles
    for spram in (False, True) if fill is None else (True,):
        if not holds(network, device, patchable=patchable, spram=spram):
            continue
        search = Search(
            network,
            device,
            fill=fills[0],
            patchable=patchable,
            spram=spram,
            label_only=label_only,
            batch=batch,
        )
        for within in _limits(search, fills):
            # No search is needed for what no design can do.
            chosen = None if enough is None or enough < least else _smallest(within, enough)
            if chosen is None:
                chosen = _fastest(within)
            if chosen is not None:
                return chosen
    misfit = search.misfit(slowest(network))
    assert misfit is not None  # every layer has a folding that is this slow
    over = excess(estimate(misfit, device, exact=False), device, fills[-1])
    raise FitError(misfits + "; ".join([excess_words(over), *remedies(network, device, patchable=patchable)]))


def _limits(search: Search, fills: Sequence[Mapping[str, float]]) -> Iterator[Search]:
    """A search within shares of the device, first the smaller. Deep ROMs are for what fits with nothing
    else.
    """
    for fill, max_banks in product(fills, (search.device.fabric.max_banks, math.inf)):
        yield search.limited(fill=fill, max_banks=max_banks)


def _within(search: Search, cycles: int) -> Design:
    """The smallest design that takes at most `cycles` an image."""
    if cycles < search.least:
        raise FitError(
            f"an image of {search.network.outputs} scores takes at least {search.least} cycles to output its "
            f"results, not {cycles}"
        )
    design = _smallest(search, cycles)
    if design is not None:
        return design
    misfit, device = search.misfit(cycles), search.device
    over = misfit and excess(estimate(misfit, device, exact=False), device, search.fill)
    if not over:
        raise FitError(f"no folding takes at most {cycles} cycles an image; allow more cycles")
    raise FitError(f"at {cycles} cycles an image {excess_words(over)} on {device.name}; allow more cycles")


def _smallest(search: Search, cycles: int) -> Design | None:
    """The smallest design that takes at most `cycles` an image; None if none fits."""
    aim = cycles
    while aim >= search.least and (design := search.design(aim)) is not None:
        # Each stage takes no more than requested, but they wait for each other and must be faster to make up
        # for it.
        if predict(design).interval <= cycles:
            return design
        aim = max(stage_cycles(design)) - 1
    return None


def _fastest(search: Search) -> Design | None:
    """The cheapest of the fastest designs that fit; None if none does."""
    network, high = search.network, slowest(search.network)
    if search.design(high, any_fits=True) is None:
        return None
    low = search.least - 1  # does not fit
    step: int | None = min(max(bounds(network, search.device, search.batch).values()), high - 1)
    aim = max(step or 0, low + 1)
    while high - low > 1:
        design = search.design(aim, any_fits=True)
        if design is None:
            low, step = aim, step and 2 * step
        else:
            high, step = max(low + 1, max(stage_cycles(design))), None
        # Up from the guess in steps that double, then by halves.
        aim = min(low + (step or high), (low + high) // 2)
    return search.design(high)


def trade_off(network: Network, device: Device, *, patchable: bool = False) -> list[Design]:
    """Designs that fit `device`, from the fastest to the smallest, each with about half the pace of the one
    before; `patchable` as for `fold`. None takes fewer LUTs than another that is as fast.

    Raises
    ------
    FitError
        When no folding fits.
    """
    designs = [fold(network, device, fill=FILL, patchable=patchable)]
    every = Search(network, device, fill=FILL, patchable=patchable)
    search = next(each for each in _limits(every, (FILL,)) if each.design(slowest(network), any_fits=True))
    luts, end = estimate(designs[0], device, exact=False)["lut"], slowest(network)
    aim = max(stage_cycles(designs[0]))
    while aim < end:
        aim = min(2 * aim, end)
        design = search.design(aim)
        assert design is not None  # as for fewer cycles
        fewer = estimate(design, device, exact=False)["lut"]
        if fewer > 0.99 * luts:
            break
        designs.append(design)
        luts = fewer
    return designs
