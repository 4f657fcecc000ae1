"""The cheapest design of a network on a device that takes at most a number of cycles per image.

The price of a design is a sum over its layers and the width converters between them, so the minimum is found
exactly (`sbgen.compiler.chain`). The host link comes last: it stores requests in what the core leaves of the
device. A stage is made and priced only if by its counters alone it could be part of a cheaper design than the
best known (branch and bound).

Two things are not sums over layers. The queue of a shortcut depends on all layers that it passes: the search
assumes a depth, and repeats itself with a larger one until the queue of the design is no deeper. Flip-flops
are not counted along the way: where a design has too many, the search repeats itself with a price for them.
"""

import math
from collections.abc import Mapping
from copy import copy
from functools import cache
from typing import NamedTuple

import numpy as np

from .candidates import Candidates, Catalog
from .chain import Chain, Prices
from .cycles import stage_cycles
from .design import Design
from .device import Device
from .estimate import Cost, estimate, host_link_cost
from .fit import excess
from .ir import Network
from .layers import rules, scores_rule
from .pipeline import input_lanes
from .pixel_codes import pixel_codes
from .shortcut_queue import depths
from .stage import Stage

__all__ = ["Search", "price"]

#: What a flip-flop costs, in LUTs: tried in this order until a design has few enough.
_FF_PRICES = (0.0, 0.3, 1.0, 3.0)


def price(design: Design, device: Device) -> float:
    """What the search minimizes, in LUTs: the LUTs of a design, those that pack pixels into its beats, and a
    small price for its block RAMs and SPRAMs.
    """
    used = estimate(design, device, exact=False)
    packs = rules(design.network)[0].takes == "pixel" and not design.label_only
    packing = 8 * input_lanes(design) if packs else 0
    return used["lut"] + packing + Prices(device=device).rams(used["bram"], used["spram"])


class _Cheapest(NamedTuple):
    """The price of a design with its host link, in LUTs, and the SPRAMs and block RAMs of its core."""

    price: float
    spram: int
    bram: int


class Search:
    """The cheapest designs of a network on a device. What is priced for one number of cycles is used again
    for others.

    Parameters
    ----------
    network : Network
    device : Device
    fill : dict
        Share of each resource of the device that may be used.
    patchable, spram, label_only, batch
        As in `Catalog`.
    max_banks : int or inf
        Maximum number of block RAMs one after the other in a weight ROM.

    Attributes
    ----------
    least : int
        Cycles in which the results of an image leave, whatever the folding.
    """

    def __init__(
        self,
        network: Network,
        device: Device,
        *,
        fill: Mapping[str, float],
        patchable: bool = False,
        spram: bool = True,
        max_banks: float = math.inf,
        label_only: bool = False,
        batch: int = 1,
    ) -> None:
        self.network, self.device, self.fill = network, device, fill
        self.patchable, self.max_banks, self.label_only = patchable, max_banks, label_only
        self.batch, self.least = batch, 1 if label_only else scores_rule(network).results_cycles
        self._prices = Prices(device=device)
        self._catalog = Catalog(
            network, device, patchable=patchable, spram=spram, label_only=label_only, batch=batch
        )
        self._layers = [Candidates(self._catalog, n) for n in range(len(network.layers))]
        self._shortcuts = {end: start for start, end in network.shortcuts}
        self._image_bytes = pixel_codes(network, patchable=patchable).image_bytes
        self._link = cache(self._link_cost)
        self._fitting: list[Design] = []

    def limited(self, *, fill: Mapping[str, float], max_banks: float) -> "Search":
        """A search within other limits, which shares what was priced."""
        search = copy(self)
        search.fill, search.max_banks, search._fitting = fill, max_banks, []
        return search

    def design(self, cycles: int, *, any_fits: bool = False) -> Design | None:
        """The cheapest design that takes at most `cycles` an image in each of its layers; None if none fits.

        With `any_fits` any design that fits will do, which is found sooner.
        """
        for ff_price in _FF_PRICES:
            stages = self._with_queues(cycles, ff_price, any_fits)
            if stages is None:
                break
            design = self._design(stages)
            if not excess(estimate(design, self.device, exact=False), self.device, self.fill):
                self._fitting.append(design)
                return design
        # Where no price brought few enough flip-flops, an earlier design may still fit.
        known = [design for design in self._fitting if max(stage_cycles(design)) <= cycles]
        return min(known, key=lambda design: price(design, self.device), default=None)

    def _design(self, stages: list[Stage]) -> Design:
        foldings = tuple(stage.folding for stage in stages)
        return Design(
            network=self.network,
            foldings=foldings,
            patchable=self.patchable,
            label_only=self.label_only,
            batch=self.batch,
        )

    def _with_queues(self, cycles: int, ff_price: float, any_fits: bool) -> list[Stage] | None:
        """The stages of the cheapest design, none of whose queues is deeper than was assumed."""
        waits = dict.fromkeys(self._shortcuts.values(), 1)
        while True:
            stages = self._solve(cycles, ff_price, waits, any_fits)
            if stages is None:
                return None
            longer = {
                begin: wait for begin, wait in _waits(self.network, stages).items() if wait > waits[begin]
            }
            if not longer:
                return stages
            waits |= longer

    def _solve(
        self, cycles: int, ff_price: float, waits: Mapping[int, int], any_fits: bool
    ) -> list[Stage] | None:
        """The stages of the cheapest design with queues of these depths, in vectors."""
        in_time = [layer.in_time(cycles) for layer in self._layers]
        if not all(shapes.any() for shapes in in_time):
            return None
        least = [
            self._make_cheapest(layer, shapes, cycles)
            for layer, shapes in zip(self._layers, in_time, strict=True)
        ]
        if math.isinf(sum(least)):
            return None
        chain = self._chain(cycles, ff_price, waits)
        found = self._cheapest(chain, ff_price)
        if found is None or not any_fits:
            most = self._most_price if found is None else found.price
            spare = most - self._link(0, 0).lut - sum(least)
            more = [
                layer.make(shapes & (layer.least_lut <= spare + own))
                for layer, shapes, own in zip(self._layers, in_time, least, strict=True)
            ]
            if any(more):
                chain = self._chain(cycles, ff_price, waits)
                found = self._cheapest(chain, ff_price)
        return None if found is None else chain.stages(found.spram, found.bram)

    def _make_cheapest(self, layer: Candidates, shapes: np.ndarray, cycles: int) -> float:
        """Make the shapes of a layer with the fewest counters for each number of inputs at once, and all that
        could be cheaper; the price of the cheapest.
        """
        order = np.lexsort((layer.least_cycles, layer.least_lut))
        order = order[shapes[order]]
        _, first = np.unique(layer.simd[order], return_index=True)
        wanted = np.zeros(len(shapes), bool)
        wanted[order[first]] = True
        layer.make(wanted)
        least = self._least(layer, cycles)
        if layer.make(shapes & (layer.least_lut < least)):
            least = self._least(layer, cycles)
        return least

    def _least(self, layer: Candidates, cycles: int) -> float:
        made = layer.columns(cycles, self.max_banks)
        return float((made.lut + self._prices.rams(made.bram, made.spram)).min(initial=math.inf))

    @property
    def _most_price(self) -> float:
        """What a design that fits costs at most."""
        device = self.device
        return device.lut * self.fill["lut"] + self._prices.rams(device.bram, device.spram)

    def _chain(
        self, cycles: int, ff_price: float, waits: Mapping[int, int], *, counted: bool = True
    ) -> Chain:
        """The chains of what was made, with block RAMs and SPRAMs counted or only priced."""
        columns = [layer.columns(cycles, self.max_banks) for layer in self._layers]
        bram = int(self.device.bram * self.fill["bram"])
        if not self._shortcuts:
            bram = min(bram, sum(int(each.bram.max(initial=0)) for each in columns))
        return Chain(
            rules=self._catalog.rules,
            columns=columns,
            cycles=cycles,
            most=(int(self._catalog.spram * self.fill["spram"]), bram) if counted else None,
            prices=Prices(device=self.device, ff=ff_price),
            shortcuts=self._shortcuts,
            switches=frozenset(self.network.switches),
            waits=waits,
        )

    def misfit(self, cycles: int) -> Design | None:
        """A cheap design that takes at most `cycles` an image, whether it fits or not; None if no folding is
        that fast.
        """
        in_time = [layer.in_time(cycles) for layer in self._layers]
        if not all(shapes.any() for shapes in in_time):
            return None
        for layer, shapes in zip(self._layers, in_time, strict=True):
            self._make_cheapest(layer, shapes, cycles)
        chain = self._chain(cycles, 0, dict.fromkeys(self._shortcuts.values(), 1), counted=False)
        return self._design(chain.stages(0, 0)) if np.isfinite(chain.luts).any() else None

    def _cheapest(self, chain: Chain, ff_price: float) -> _Cheapest | None:
        """The cheapest design that fits, flip-flops apart. Where they have a price, which is in the LUTs of a
        chain, whether the LUTs fit is not known here.
        """
        limited = ("bram", "spram") if ff_price else ("lut", "bram", "spram")
        luts, best = chain.luts, None
        for spram, bram in np.argwhere(np.isfinite(luts)).tolist():
            link = self._link(bram, spram)
            core, used = float(luts[spram, bram]), {"bram": bram + link.bram, "spram": spram + link.spram}
            if excess(
                {"lut": round(core + link.lut), **used},
                self.device,
                {name: self.fill[name] for name in limited},
            ):
                continue
            found = core + link.lut + self._prices.rams(used["bram"], used["spram"])
            if best is None or found < best.price:
                best = _Cheapest(found, spram, bram)
        return best

    def _link_cost(self, bram: int, spram: int) -> Cost:
        if not self.device.host_link:
            return Cost()
        return host_link_cost(
            Cost(bram=bram, spram=spram),
            image_bytes=self._image_bytes,
            patchable=self.patchable,
            device=self.device,
        )


def _waits(network: Network, stages: list[Stage]) -> dict[int, int]:
    """The depth of the queue of each `Fork` and `Switch`, in vectors, by its place."""
    return {
        begin: -(-beats // -(-stages[begin].i_length // stages[begin].i_lanes))
        for begin, beats in depths(network, stages).items()
    }
