"""The cheapest design of a network on a device that takes at most a number of cycles.

For a number of cycles per image, dynamic programming along the chain finds the cheapest folding of each layer
that takes no more, since the cost of a layer's width converter depends on how wide the beats of the layer
before are. Single-port RAMs are counted along the way, since they are few and whole.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

from ..hw import mvtu, window
from ..hw.spram import BLOCK_DEPTH, BLOCK_WIDTH, blocks
from ..hw.width import conversions
from .design import Design
from .device import Device
from .estimate import Cost, converter_cost, estimate, part_cost, stage_cost
from .fit import excess
from .folding import Folding, QueueFolding, Spram, WeightedFolding, WindowFolding
from .ir import Network
from .layers import rules
from .layers.rule import Memories
from .layers.weighted import MAX_LUT_BUFFER, WeightedRule, folded_unit
from .linked import may_enter
from .shortcut_queue import depth
from .stage import Stage, shortcut

__all__ = ["Catalog", "Fitter", "Fitting", "Search", "free_rows"]

#: What a block RAM may cost, in shares of the device, relative to a LUT: tried in this order.
_BRAM_PRICES = (0.03, 0.3, 1.0, 3.0)


class Catalog:
    """The stages that the layers of a network can become on a device, with their costs."""

    def __init__(self, network: Network, device: Device, *, patchable: bool = False) -> None:
        self.network, self.device, self.patchable = network, device, patchable
        self.rules = rules(network)
        fabric = device.fabric
        self._memories = Memories(
            registered=fabric.registered,
            patchable_store=fabric.patchable_store if patchable else None,
            table_inputs=fabric.lut_inputs,
        )
        self.stages = cache(self._stages)  # a layer's, with some pe and simd, in up to so many SPRAMs
        self._unit = cache(self._first_unit)

    def _stages(self, n: int, pe: int, simd: int, spram: int) -> list[tuple[Cost, Stage]]:
        rule = self.rules[n]
        found = [self.stage(n, folding) for folding in rule.foldings(pe, simd, self._memories)]
        if spram and rule.layer.weight_bits:
            found += [self.stage(n, folding) for each in found for folding in self._in_spram(each, spram)]
        # The board packs single pixels into beats: a register of eight bits a lane.
        packing = Cost(lut=8 * simd) if rule.takes == "pixel" else Cost()
        return [(stage_cost(each, device=self.device, exact=False) + packing, each) for each in found]

    def _in_spram(self, choice: Stage, spram: int) -> Iterator[Folding]:
        """The foldings of a stage whose weights are in block RAM with all or part of each word in SPRAM."""
        unit = choice.unit
        folding = choice.folding
        if not isinstance(folding, WeightedFolding) or folding.store != "bram":
            return
        assert isinstance(unit, mvtu.Parameters)
        if unit.weight_depth <= BLOCK_DEPTH:
            for count in range(1, min(spram, blocks(unit.pe * unit.simd)) + 1):
                rest = max(0, unit.pe * unit.simd - count * BLOCK_WIDTH)
                if not rest or self.device.brams(width=rest, depth=unit.weight_depth) <= self.device.bram:
                    yield replace(folding, weights=Spram(count))

    def _first_unit(self, n: int, lanes: int | None) -> mvtu.Parameters | None:
        rule = self.rules[n]
        return rule.unit(rule.folding(pe=1, simd=lanes or 1), patchable=self.patchable)

    def stage(self, n: int, folding: Folding) -> Stage:
        """The stage of layer `n`, with as many rows in its line buffers as cost no further block RAM."""
        rule, unit = self.rules[n], None
        if isinstance(rule, WeightedRule) and isinstance(folding, WeightedFolding):
            first = self._unit(n, rule.pixel_lanes(folding.simd))
            assert first is not None
            unit = replace(first, **folded_unit(folding))
        found = rule.stage_of(folding, unit)
        moves = found.part(window.Parameters)
        if moves is None or not isinstance(folding, WindowFolding) or folding.replay_store != "bram":
            return found
        rows = free_rows(moves.geometry, width=moves.width, device=self.device)
        return rule.stage_of(replace(folding, rows=rows), unit)


def free_rows(geometry: window.Geometry, *, width: int, device: Device) -> int:
    """The maximum number of rows that line buffers of `width` bits can hold in the block RAMs that they take
    anyway.
    """
    low, high = geometry.rows_range(height=geometry.height, kernel=geometry.kernel, stride=geometry.stride)

    def brams(rows: int) -> int:
        return device.brams(width=width, depth=rows * geometry.width * geometry.slices)

    return max(rows for rows in range(low, high + 1) if brams(rows) == brams(low))


@cache
def _converts_in_time(
    i_length: int, i_lanes: int, o_length: int, o_lanes: int, elements: int, cycles: int
) -> bool:
    """Whether the width converters between two stages take at most `cycles` for elements of an image."""
    for length, *lanes in conversions(i_length=i_length, i_lanes=i_lanes, o_length=o_length, o_lanes=o_lanes):
        narrow = math.gcd(*lanes)
        if narrow != min(lanes) and elements // length * -(-length // narrow) > cycles:
            return False
    return True


@dataclass(frozen=True, kw_only=True)
class _Way:
    """The cheapest stages so far that end with beats of some width."""

    price: float
    length: int
    lanes: int
    stages: tuple[Stage, ...]


class _Priced(NamedTuple):
    """The cheapest memories of a shape for a number of SPRAMs."""

    spram: int
    price: float
    stage: Stage


class Search:
    """The cheapest designs for one setting.

    Parameters
    ----------
    catalog : Catalog
    spram : int
        SPRAMs that may be used.
    max_banks : int or inf
        Maximum number of block RAMs one after the other in a ROM.
    """

    def __init__(self, catalog: Catalog, *, spram: int, max_banks: float) -> None:
        self.catalog, self.spram, self.max_banks = catalog, spram, max_banks
        self._shapes = cache(self._all_shapes)
        self._cheapest = cache(self._all_cheapest)
        self._forks = {add: fork for fork, add in catalog.network.shortcuts}

    def _all_shapes(self, n: int, cycles: int) -> tuple[tuple[int, int], ...]:
        return tuple(self.catalog.rules[n].shapes(cycles, self._shallow))

    def _all_cheapest(self, n: int, pe: int, simd: int, bram_price: float) -> list[_Priced]:
        """For each number of SPRAMs, the memories that are cheapest for a shape of layer `n`."""
        priced = [
            _Priced(cost.spram, self._price(cost, bram_price), stage)
            for cost, stage in self.catalog.stages(n, pe, simd, self.spram)
            if self._is_shallow(stage)
        ]
        return [
            min((each for each in priced if each.spram == spram), key=lambda each: each.price)
            for spram in sorted({each.spram for each in priced})
        ]

    def _shallow(self, *, width: int, depth: int) -> bool:
        return self.catalog.device.banks(width=width, depth=depth) <= self.max_banks

    def _is_shallow(self, stage: Stage) -> bool:
        unit, store = stage.unit, stage.folding.store
        if not isinstance(unit, mvtu.Parameters) or store not in ("bram", "spram"):
            return True
        width = unit.rest_width if store == "spram" else unit.pe * unit.simd
        return not width or self._shallow(width=width, depth=unit.weight_depth)

    def _price(self, cost: Cost, bram_price: float) -> float:
        device = self.catalog.device
        return cost.lut / device.lut + bram_price * cost.bram / max(1, device.bram)

    def design(self, cycles: int, bram_price: float) -> Design | None:
        """The cheapest design that takes at most `cycles` an image, or None."""
        best = self._begin(cycles, bram_price)
        for n in range(1, len(self.catalog.rules)):
            best = self._extend(best, n, cycles, bram_price)
        if not best:
            return None

        def whole(way: _Way) -> float:
            unit = way.stages[-1].unit
            assert unit is not None  # of the scores, which leave one at a time
            out = converter_cost(
                i_length=way.length,
                i_lanes=way.lanes,
                o_length=way.length,
                o_lanes=1,
                element_bits=unit.sum_width,
            )
            return way.price + self._price(out, bram_price)

        stages = min(best.values(), key=whole).stages
        return Design(
            network=self.catalog.network,
            foldings=tuple(stage.folding for stage in stages),
            patchable=self.catalog.patchable,
        )

    def _begin(self, cycles: int, bram_price: float) -> dict[tuple[int, int], _Way]:
        """The cheapest first stage for each (width of beats, SPRAMs)."""
        first, pixels = self.catalog.rules[0], self.catalog.network.pixels
        best: dict[tuple[int, int], _Way] = {}
        for priced in self._in_time(0, cycles, bram_price):
            lanes, simd = first.shape(priced.stage.folding)
            reached = lanes, priced.spram
            if not may_enter(first, simd) or -(-pixels // first.beat_pixels(simd)) > cycles:
                continue
            if reached not in best or priced.price < best[reached].price:
                best[reached] = _Way(
                    price=priced.price, length=priced.stage.o_length, lanes=lanes, stages=(priced.stage,)
                )
        return best

    def _extend(
        self, best: Mapping[tuple[int, int], _Way], n: int, cycles: int, bram_price: float
    ) -> dict[tuple[int, int], _Way]:
        """The cheapest ways through layer `n`, from those through the layer before."""
        elements = math.prod(self.catalog.rules[n].input_shape)
        found: dict[tuple[int, int], _Way] = {}
        for spram, own, chosen in self._in_time(n, cycles, bram_price):
            for (_, used), way in best.items():
                price, reached = way.price + own, (chosen.o_lanes, used + spram)
                if used + spram > self.spram or reached in found and price >= found[reached].price:
                    continue
                if not _converts_in_time(
                    way.length, way.lanes, chosen.i_length, chosen.i_lanes, elements, cycles
                ):
                    continue
                converter = converter_cost(
                    i_length=way.length,
                    i_lanes=way.lanes,
                    o_length=chosen.i_length,
                    o_lanes=chosen.i_lanes,
                    element_bits=chosen.i_maximum.bit_length(),
                )
                price += self._price(converter, bram_price)
                before = way.stages
                if n in self._forks:
                    before, own_price = self._shortcut(way, n, chosen, cycles, bram_price)
                    price += own_price
                if price < (found[reached].price if reached in found else math.inf):
                    found[reached] = _Way(
                        price=price, length=chosen.o_length, lanes=chosen.o_lanes, stages=(*before, chosen)
                    )
        return found

    def _in_time(self, n: int, cycles: int, bram_price: float) -> Iterator[_Priced]:
        """The stages of layer `n` that take at most `cycles`."""
        for pe, simd in self._shapes(n, cycles):
            for priced in self._cheapest(n, pe, simd, bram_price):
                if priced.stage.cycles <= cycles:
                    yield priced

    def _shortcut(
        self, way: _Way, n: int, add: Stage, cycles: int, bram_price: float
    ) -> tuple[tuple[Stage, ...], float]:
        """The stages of a way with the cheapest memory for the shortcut that ends at the `Add`, layer `n`,
        and the price of the shortcut.
        """
        begin = self._forks[n]
        fork = way.stages[begin]
        length, beats = add.i_length, depth((*way.stages[begin:], add))
        elements, bits = math.prod(self.catalog.rules[n].input_shape), fork.i_maximum.bit_length()
        if not _converts_in_time(length, fork.o_lanes, length, add.i_lanes, elements, cycles):
            return way.stages, math.inf
        converter = converter_cost(
            i_length=length, i_lanes=fork.o_lanes, o_length=length, o_lanes=add.i_lanes, element_bits=bits
        )
        small = beats * fork.o_lanes * bits <= MAX_LUT_BUFFER
        folding = fork.folding
        assert isinstance(folding, QueueFolding)
        forks = [
            replace(fork, folding=replace(folding, replay_store=store))
            for store in (("bram", "lut") if small else ("bram",))
        ]

        def price(fork: Stage) -> float:
            queue = part_cost(shortcut(fork, beats), device=self.catalog.device)
            return self._price(converter + queue, bram_price)

        fork = min(forks, key=price)
        return (*way.stages[:begin], fork, *way.stages[begin + 1 :]), price(fork)


class Fitting(NamedTuple):
    """A design that fits, or one that does not; both None if no folding takes so few cycles.

    `max_banks` is the setting of the search that found the design.
    """

    design: Design | None
    misfit: Design | None
    max_banks: float


class Fitter:
    """Designs of a network that fit a device, by a `Search` for each setting."""

    def __init__(self, network: Network, device: Device, *, patchable: bool = False) -> None:
        self.catalog = Catalog(network, device, patchable=patchable)
        #: The limits on the depth of ROMs, in the order in which they are tried.
        self.banks: tuple[float, ...] = (device.fabric.max_banks, math.inf)
        self._search = cache(lambda spram, max_banks: Search(self.catalog, spram=spram, max_banks=max_banks))

    def fitting(
        self,
        cycles: int,
        fill: Mapping[str, float],
        *,
        spram: int = 0,
        banks: tuple[float, ...] | None = None,
    ) -> Fitting:
        """A design that takes at most `cycles` an image.

        Parameters
        ----------
        cycles : int
        fill : dict
            Share of each resource of the device that may be used.
        spram : int
            SPRAMs that may be used.
        banks : tuple, optional
            Instead of `banks` of this object.
        """
        device, misfit, max_banks = self.catalog.device, None, math.inf
        for max_banks in banks or self.banks:
            for bram_price in _BRAM_PRICES:
                design = self._search(spram, max_banks).design(cycles, bram_price)
                if design is None:
                    break
                over = excess(estimate(design, device, exact=False), device, fill)
                if not over:
                    return Fitting(design, None, max_banks)
                misfit = design
                if over.keys() != {"bram"}:
                    break  # with a higher price of block RAMs more of the rest is over
        return Fitting(None, misfit, max_banks)
