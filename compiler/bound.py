"""A lower bound on the cycles per image of any design of a network on a device.

It holds for every folding, whatever the search finds, and is as simple as that allows:

* Each layer alone, as built, at its widest: line buffers output one pixel per cycle, a unit takes one plane
  per cycle, the host link bounds the pixels per cycle. The core outputs a score per cycle.
* All layers together on the device: each product takes LUTs, and each weight is read once per image, or in
  dense layers once per batch, from block RAMs, SPRAMs or LUTs. A layer has memories of its own, which must
  hold its weights and output them in time. LUTs need no port, but hold 16 bits each, have a multiplexer
  between them, and each bit that they output is a product.
"""

import math
from dataclasses import dataclass

import numpy as np

from ..hw.spram import BLOCK_DEPTH, BLOCK_WIDTH
from .device import Device
from .ir import Network
from .layers import Rule, rules, scores_rule
from .linked import widest

__all__ = ["AS_BUILT", "DEVICE", "LUTS_PER_PRODUCT", "RESULTS", "Bound", "bound", "bounds", "layer_bounds"]

#: Deepest ROM, in LUTs, whose multiplexer is counted exactly.
_DEEP = 512

#: What limits: the slowest layer at its widest, the LUTs and memories of the device together, the results.
AS_BUILT, DEVICE, RESULTS = "stages as built", "LUTs and memories", "results"

#: LUTs that one product of a bit and a weight bit takes in each cycle, counted and summed, by the inputs of
#: a LUT: the minimum that was measured for weights from a memory, which are coded (`sbgen.hw.popcount`). For
#: six inputs it is one LUT, less than any known structure takes.
LUTS_PER_PRODUCT = {4: 1.8, 6: 1.0}


@dataclass(frozen=True, kw_only=True)
class Bound:
    """The minimum of cycles per image.

    Parameters
    ----------
    limits : dict of int
        By what limits them: `AS_BUILT`, `DEVICE`, `RESULTS`.
    layers : dict of int
        Of each layer alone, by its name.
    """

    limits: dict[str, int]
    layers: dict[str, int]

    @property
    def by(self) -> str:
        """The largest of the limits."""
        return max(self.limits, key=lambda name: self.limits[name])

    @property
    def cycles(self) -> int:
        return self.limits[self.by]

    @property
    def slowest(self) -> str:
        """The layer that binds where `by` is `AS_BUILT`."""
        return max(self.layers, key=lambda name: self.layers[name])


def layer_bounds(network: Network, *, linked: bool = True, batch: int = 1) -> dict[str, int]:
    """The minimum of cycles per image of each layer, by its name: folded as wide as possible, and where it is
    `linked`, as wide as the host link allows.
    """
    found = {}
    for n, rule in enumerate(rules(network, batch)):
        pe, simd = rule.limits
        simd = simd if n or not linked else widest(rule, simd)
        stage = rule.stage(rule.fastest(pe=pe, simd=simd))
        entry = 0 if n else -(-network.pixels // rule.beat_pixels(simd))
        found[rule.layer.name] = max(entry, 1 if rule.may_be_wired else stage.cycles)
    return found


def bound(network: Network, device: Device, *, label_only: bool = False, batch: int = 1) -> Bound:
    """The bound of a network on a device, of designs with these fields."""
    layers = layer_bounds(network, linked=not label_only, batch=batch)
    return Bound(
        limits={
            AS_BUILT: max(layers.values()),
            DEVICE: _device_cycles(network, device, batch),
            RESULTS: 1 if label_only else scores_rule(network).results_cycles,
        },
        layers=layers,
    )


def bounds(network: Network, device: Device, batch: int = 1) -> dict[str, int]:
    """The limits of `bound`."""
    return bound(network, device, batch=batch).limits


def _device_cycles(network: Network, device: Device, batch: int) -> int:
    """The minimum of cycles per image for which the device has enough LUTs and memories; where it has never,
    the cycles of one product at a time.
    """
    placed = rules(network, batch)
    weighted = [rule for rule in placed if rule.layer.weight_bits and not rule.may_be_wired]
    low, high = 0, max([1, *(_products(rule) for rule in weighted)])
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _has_enough(weighted, device, middle) else (middle, high)
    return high


def _products(rule: Rule) -> int:
    """Products of a bit and a weight bit per image."""
    return rule.layer.weight_bits * rule.positions * getattr(rule.layer, "planes", 1)


def _has_enough(weighted: list[Rule], device: Device, cycles: int) -> bool:
    """Whether the device has what these layers take at least: a table of the fewest LUTs by SPRAMs and block
    RAMs, as that of `sbgen.compiler.chain`.
    """
    inputs = device.fabric.lut_inputs
    luts = np.full((device.spram + 1, device.bram + 1), math.inf)
    luts[0, 0] = 0
    for rule in weighted:
        bits, counters = rule.layer.weight_bits, LUTS_PER_PRODUCT[inputs] * _products(rule) / cycles
        # All positions of a window could share a word, so that each weight is read once.
        choices = [(0, 0, _rom_luts(bits, _products(rule), cycles, inputs, rule.images))]
        choices += [
            (spram, _brams(bits, cycles * rule.images, spram, device), counters)
            for spram in range(device.spram + 1)
        ]
        after = np.full_like(luts, math.inf)
        for spram, bram, own in choices:
            if bram <= device.bram:
                part = after[spram:, bram:]
                np.minimum(part, luts[: luts.shape[0] - spram, : luts.shape[1] - bram] + own, out=part)
        luts = after
    return bool(luts.min() <= device.lut)


def _rom_luts(bits: int, products: int, cycles: int, inputs: int, images: int) -> float:
    """LUTs that a layer takes at least with its weights in LUTs: a word has a counter for each of its bits
    and each of the images computed together, and in each column of so many LUTs a multiplexer, of LUTs with
    one output each.
    """
    reads = cycles * images
    depth = -(-reads // (1 << inputs))
    luts = np.arange(1, min(depth, _DEEP) + 1)
    column = luts + np.ceil((luts + np.ceil(np.log2(luts)) - 1) / (inputs - 1))
    width = np.maximum(bits / reads, bits / (luts * (1 << inputs)))
    counters = LUTS_PER_PRODUCT[inputs] * np.maximum(products / cycles, images * width)
    least = float((counters + width * column).min())
    if depth > _DEEP:
        deep = LUTS_PER_PRODUCT[inputs] * products / cycles + bits / (1 << inputs) * (1 + 1 / (inputs - 1))
        least = min(least, deep)
    return least


def _brams(bits: int, cycles: int, spram: int, device: Device) -> int:
    """Block RAMs that a layer takes at least next to so many SPRAMs, which output a word per cycle."""
    width = max(width for width, _ in device.fabric.bram_shapes)
    largest = max(width * depth for width, depth in device.fabric.bram_shapes)
    rest = max(0, bits - spram * BLOCK_WIDTH * min(cycles, BLOCK_DEPTH))
    return max(-(-rest // largest), -(-rest // (width * cycles)))
