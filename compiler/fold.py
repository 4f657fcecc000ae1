"""Folding a network to a device: PE, SIMD and memories for each layer.

The slowest stage sets the pace, so the search is over the number of cycles that an image may take. For a given number, the
cheapest folding of each layer that keeps to it is found by dynamic programming along the chain, since a layer's width
converter depends on how wide the beats of the layer before are. The least number of cycles whose result fits the device is
found by bisection.
"""

import math
from dataclasses import replace
from itertools import product

from ..errors import FitError
from .design import Design, Folding
from .device import DEVICES, Device
from .estimate import Cost, binarize_cost, converter_cost, estimate, layer_cost
from .ir import Network
from .lower import mvtu_parameters

__all__ = ["FILL", "check_fit", "fold"]

#: Share of a device to use: what place and route fills within minutes, with room left to meet the clock.
FILL = {"lut": 0.6, "ff": 0.6, "bram": 1.0}

#: Widest weight word, in bits, that a layer reads in one cycle.
_MAX_WORD = 8192

#: Deepest ROM, in words, that is tried in LUTs: beyond it a block RAM is cheaper on every device.
_MAX_LUT_DEPTH = 64

#: Most bits of a replay buffer that are tried in flip-flops.
_MAX_LUT_REPLAY = 128

#: What a block RAM may cost, in shares of the device, relative to a LUT: tried in this order.
_BRAM_PRICES = (0.3, 1.0, 3.0)


def _steps(length, least=1):
    """The least width for each number of beats that `length` elements can take, and the powers of two."""
    widths = {-(-length // beats) for beats in range(1, length + 1)}
    widths |= {1 << n for n in range(length.bit_length()) if 1 << n <= length}
    return sorted(width for width in widths if width >= least)


def _shapes(layer, cycles):
    """(pe, simd) of a weighted layer that take at most `cycles`: for each SIMD the fewest processing elements."""
    for simd in _steps(layer.inputs):
        slices = -(-layer.inputs // simd)
        if slices > cycles:
            continue
        least = -(-layer.outputs // (cycles // slices))
        # A power of two or a divisor meets the next layer's beats more easily.
        choices = {least, min(1 << (least - 1).bit_length(), layer.outputs),
                   next(pe for pe in range(least, layer.outputs + 1) if layer.outputs % pe == 0)}
        yield from ((pe, simd) for pe in choices if pe * simd <= _MAX_WORD)


def _stores(layer, pe, simd):
    """Every sensible choice of memories for a shape."""
    slices, groups = -(-layer.inputs // simd), -(-layer.outputs // pe)
    stores = ("bram", "lut") if slices * groups <= _MAX_LUT_DEPTH else ("bram",)
    presets = ("bram", "lut") if groups > 16 else ("lut",)
    replays = ("bram", "lut") if groups > 1 and simd * slices <= _MAX_LUT_REPLAY else ("bram",)
    for store, preset_store, replay_store in product(stores, presets, replays):
        yield Folding(pe=pe, simd=simd, store=store, preset_store=preset_store, replay_store=replay_store)


def _keeps_pace(length, i_lanes, o_lanes, cycles):
    """Whether the width converter between two layers takes at most `cycles` for a vector."""
    narrow = math.gcd(i_lanes, o_lanes)
    return -(-length // narrow) <= cycles or narrow == min(i_lanes, o_lanes)


class _Search:
    """The costs of one network on one device, kept between the steps of the bisection."""

    def __init__(self, network, device):
        self.network, self.device = network, device
        self.parameters = [mvtu_parameters(layer, Folding(pe=1, simd=1)) for layer in network.layers[1:]]
        self.costs = {}

    def _cheapest(self, n, pe, simd, bram_price):
        """The memories that are cheapest for a shape of layer `n`: (price, folding)."""
        key = n, pe, simd, bram_price
        if key not in self.costs:
            self.costs[key] = min(
                ((self._price(self._cost(n, folding), bram_price), folding)
                 for folding in _stores(self.network.layers[n + 1], pe, simd)), key=lambda choice: choice[0])
        return self.costs[key]

    def _cost(self, n, folding):
        parameters = replace(self.parameters[n], pe=folding.pe, simd=folding.simd, weight_store=folding.store,
                             preset_store=folding.preset_store)
        return layer_cost(parameters, replay_store=folding.replay_store, device=self.device, exact=False)

    def _price(self, cost, bram_price):
        return cost.lut / self.device.lut + bram_price * cost.bram / max(1, self.device.bram)

    def design(self, cycles, bram_price):
        """The cheapest design that takes at most `cycles` an image, or None."""
        first, *rest = self.network.layers
        # Best way to reach each width of beats: (price so far, foldings so far).
        best = {}
        for lanes in _steps(first.inputs, least=-(-first.inputs // cycles)):
            pe = lanes * first.levels
            # The board packs single pixels into beats: a register a lane.
            cost = binarize_cost(first, lanes) + Cost(lut=lanes * first.levels)
            best[pe] = self._price(cost, bram_price), (Folding(pe=pe, simd=lanes),)
        for n, layer in enumerate(rest):
            found = {}
            for pe, simd in _shapes(layer, cycles):
                own, folding = self._cheapest(n, pe, simd, bram_price)
                for lanes, (before, foldings) in best.items():
                    if before + own >= found.get(pe, (math.inf,))[0]:
                        continue
                    if not _keeps_pace(layer.inputs, lanes, simd, cycles):
                        continue
                    total = before + own + self._price(converter_cost(layer.inputs, lanes, simd), bram_price)
                    if total < found.get(pe, (math.inf,))[0]:
                        found[pe] = total, (*foldings, folding)
            best = found
        # Results leave one at a time.
        best = {pe: (total + self._price(converter_cost(self.network.classes, pe, 1, self.parameters[-1].sum_width),
                                         bram_price), foldings) for pe, (total, foldings) in best.items()}
        if not best:
            return None
        return Design(network=self.network, foldings=min(best.values(), key=lambda way: way[0])[1])

    def fitting(self, cycles, fill):
        """A design that takes at most `cycles` an image and fits, and one that does not; either may be None."""
        misfit = None
        for bram_price in _BRAM_PRICES:
            design = self.design(cycles, bram_price)
            if design is None:
                break
            if not excess(estimate(design, self.device, exact=False), self.device, fill):
                return design, None
            misfit = misfit or design
        return None, misfit


def excess(resources, device, fill=FILL):
    """What `resources` ask for beyond the share `fill` of the device: ``{name: (asked, available)}``."""
    return {name: (resources[name], int(getattr(device, name) * share)) for name, share in fill.items()
            if resources[name] > getattr(device, name) * share}


def check_fit(design, device):
    """Refuse a design that the estimate says is too big for the whole device.

    Raises
    ------
    FitError
        With what is over, by how much, and what would fit.
    """
    over = excess(estimate(design, device), device, dict.fromkeys(FILL, 1.0))
    if over:
        raise FitError(f"the design does not fit {device.name}: {_over(over)}; {_remedy(design.network, device)}")


def fold(network: Network, device: Device, *, cycles=None, fill=FILL) -> Design:
    """The design that is fastest on `device`, or the smallest that takes at most `cycles` an image.

    Parameters
    ----------
    cycles : int, optional
        Cycles an image may take at most.
    fill : dict
        Share of each resource that may be used.

    Raises
    ------
    FitError
        When no folding fits: what is over, by how much, and what would fit.
    """
    search = _Search(network, device)
    least = network.classes  # results leave one a cycle
    if cycles is not None:
        if cycles < least:
            raise FitError(f"an image of {least} classes takes at least {least} cycles, one a result, not {cycles}")
        design, misfit = search.fitting(cycles, fill)
        if design is None:
            if misfit is None:
                raise FitError(f"no folding takes at most {cycles} cycles an image; allow more cycles")
            over = excess(estimate(misfit, device), device, fill)
            raise FitError(f"at {cycles} cycles an image {_over(over)} on {device.name}; allow more cycles or take a "
                           "larger board")
        return design

    slowest = _slowest(network)
    best, misfit = search.fitting(slowest, fill)
    if best is None:
        over = excess(estimate(misfit, device), device, fill)
        raise FitError(f"network {network.name!r} does not fit {device.name} at any folding: {_over(over)}; "
                       f"{_remedy(network, device)}")
    low, high = least - 1, slowest  # `high` fits, `low` does not
    while high - low > 1:
        middle = (low + high) // 2
        design, _ = search.fitting(middle, fill)
        if design is None:
            low = middle
        else:
            best, high = design, middle
    return best


def _slowest(network):
    """Cycles an image of the smallest folding, one input and one output at a time."""
    return max([network.pixels, network.classes] + [layer.inputs * layer.outputs for layer in network.layers[1:]])


_NAMES = {"lut": "LUTs", "ff": "flip-flops", "bram": "block RAMs"}


def _over(over):
    return ", ".join(f"{asked:,} {_NAMES[name]} are asked for and {available:,} can be used"
                     for name, (asked, available) in over.items())


def _remedy(network, device):
    """What would fit: the smallest known device that does, or how far the weights would have to shrink."""
    bits = network.weight_bits
    for other in sorted(DEVICES.values(), key=lambda each: each.lut):
        if other.lut <= device.lut:
            continue
        design, _ = _Search(network, other).fitting(_slowest(network), FILL)
        if design is not None:
            return f"it would fit {other.name}, or train a network of fewer than {bits:,} weights"
    return f"train a network of fewer than {bits:,} weights"
