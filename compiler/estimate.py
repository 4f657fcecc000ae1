"""Resources of a design before synthesis.

Block RAMs are counted exactly. LUTs are a sum over structures, each with a cost that was fitted to real synthesis and packing
(``benchmarks/estimate.py`` measures the error, and prints the fit anew); on iCE40 a LUT is a logic cell after packing, which is
what runs out. Flip-flops are counted from the structure and come out a little high, since synthesis removes constant ones.
"""

import math
from dataclasses import dataclass

import numpy as np

from ..hw.mvtu import Parameters
from ..hw.popcount import XnorPopcount
from ..hw.replay import ReplayBuffer
from .ir import Binarize
from .lower import mvtu_parameters

__all__ = ["HOST_LINK", "Cost", "binarize_cost", "converter_cost", "estimate", "layer_cost",
           "mvtu_cost", "replay_cost", "structures"]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Resources, in the units of the device: 4-input LUTs, flip-flops, block RAMs."""

    lut: float = 0
    ff: float = 0
    bram: int = 0

    def __add__(self, other):
        return Cost(lut=self.lut + other.lut, ff=self.ff + other.ff, bram=self.bram + other.bram)


#: What the board's harness takes besides the core: UART, framing, checksums, reset.
HOST_LINK = {"ice40": Cost(lut=430, ff=270), "ecp5": Cost(lut=480, ff=270)}

# LUTs for one unit of each structure (see `structures`).
_UNIT_COSTS = {
    "ice40": {"leaf": 2.08, "leaf_out": 2.11, "add": 0.56, "accumulate": 0.0, "start": 1.01, "preset": 0.72, "queue": 1.17,
              "rom": 0.79, "count": 3.78},
    "ecp5": {"leaf": 0.50, "leaf_out": 4.09, "add": 0.87, "accumulate": 0.97, "start": 0.65, "preset": 1.01, "queue": 0.64,
             "rom": 0.61, "count": 3.13},
}


def _bits(limit):
    return math.ceil(math.log2(limit + 1))


def _rom_luts(depth):
    """LUTs for each bit of a ROM of `depth` words in LUTs; up to four words share the LUT that uses them."""
    blocks = -(-depth // 16)
    return 0 if depth == 1 else 0.5 if depth <= 4 else 1 if blocks == 1 else 2.3 * blocks


def structures(p: Parameters):
    """How many units of each structure a matrix-vector-threshold unit has."""
    first, *rest = XnorPopcount.plan(p.simd)
    return {
        "leaf": p.pe * sum(max(len(group) - 1, 0.5) for group in first),
        "leaf_out": p.pe * sum(_bits(sum(group)) for group in first),
        "add": p.pe * sum((len(group) - 1) * _bits(sum(group)) for stage in rest for group in stage),
        "accumulate": p.pe * p.sum_width,
        "start": p.pe * p.sum_width if p.slices > 1 else 0,
        "preset": (p.pe * p.sum_width * _rom_luts(p.groups)
                   if p.preset_store == "lut" and p.groups > 4 else 0),
        "queue": p.queue_depth * p.pe * (1 if p.signs else p.sum_width),
        "rom": p.pe * p.simd * _rom_luts(p.cycles) if p.weight_store == "lut" else 0,
        "count": _bits(p.cycles) + _bits(p.slices) + _bits(p.groups) + p.queue_depth,
    }


def _mvtu_ffs(p: Parameters):
    counts = sum(_bits(sum(group)) for stage in XnorPopcount.plan(p.simd) for group in stage)
    queue = p.queue_depth * p.pe * (1 if p.signs else p.sum_width)
    control = 2 * (1 + XnorPopcount.latency(p.simd)) + _bits(p.cycles) + _bits(p.slices) + _bits(p.groups) + 6
    rom = p.pe * p.simd if p.weight_store == "lut" else 0
    return p.simd + rom + p.pe * (counts + p.sum_width) + queue + control


def _varying_bits(words):
    """Bits of a ROM's word that are not the same in every word: synthesis keeps no others."""
    varying = 0
    for word in words:
        varying |= word ^ words[0]
    return varying.bit_count()


def converter_cost(length, i_lanes, o_lanes, element_bits=1):
    """The width converter between two layers."""
    if i_lanes == o_lanes:
        return Cost()
    if i_lanes % o_lanes == 0:
        bits = i_lanes * element_bits
        return Cost(lut=bits + 12, ff=bits + 4 + _bits(-(-length // i_lanes)))
    if o_lanes % i_lanes == 0:
        bits = o_lanes * element_bits
        whole = -(-length // i_lanes) % (o_lanes // i_lanes) == 0
        return Cost(lut=bits * (1 if whole else 1.3) + 8, ff=bits + 4 + _bits(o_lanes // i_lanes))
    between = math.gcd(i_lanes, o_lanes)
    return converter_cost(length, i_lanes, between, element_bits) + converter_cost(length, between, o_lanes, element_bits)


def mvtu_cost(parameters, *, device, exact=True):
    """The matrix-vector-threshold unit of one layer.

    Parameters
    ----------
    parameters : Parameters
    device : Device
    exact : bool
        Whether ROMs are counted from their contents or, faster, from their shape alone, which can be a little more.
    """
    p = parameters
    units = _UNIT_COSTS[device.family]
    cost = Cost(lut=sum(units[name] * count for name, count in structures(p).items()), ff=_mvtu_ffs(p))
    for store, width, depth, contents in ((p.weight_store, p.pe * p.simd, p.cycles, "weight_words"),
                                          (p.preset_store, p.pe * p.sum_width, p.groups, "preset_words")):
        if store == "bram":
            if exact:
                width = _varying_bits(getattr(p, contents))
            cost += Cost(bram=device.brams(width=width, depth=depth))
    return cost


def replay_cost(*, width, beats, repeats, store, device):
    """The replay buffer before a layer that needs its input more than once."""
    if repeats == 1:
        return Cost()
    index = _bits(beats - 1)
    depth = ReplayBuffer.depth(beats)
    control = Cost(lut=14 + 5 * index + 2 * _bits(repeats), ff=2 * index + _bits(repeats) + 6)
    if store == "bram":
        return control + Cost(bram=device.brams(width=width, depth=depth))
    return control + Cost(lut=width * depth * 1.6, ff=width * depth)


def layer_cost(parameters, *, replay_store, device, exact=True):
    """One layer without the width converter before it; arguments as for `mvtu_cost` and `replay_cost`."""
    return (mvtu_cost(parameters, device=device, exact=exact)
            + replay_cost(width=parameters.simd, beats=parameters.slices, repeats=parameters.groups,
                          store=replay_store, device=device))


def binarize_cost(layer, lanes):
    """Comparators of `lanes` pixels: a power of two is one bit of the pixel, and one that varies is a small ROM."""
    beats = -(-layer.inputs // lanes)
    padded = np.concatenate([layer.thresholds, np.repeat(layer.thresholds[-1:], beats * lanes - layer.inputs, axis=0)])
    each = padded.reshape(beats, lanes * layer.levels)
    varies = (each != each[0]).any(axis=0)
    power = np.isin(each[0], (0, 64, 128, 192, 256))
    luts = varies.sum() * (8 + 8 * _rom_luts(beats)) + (~varies & ~power).sum() * 3
    return Cost(lut=float(luts), ff=_bits(beats - 1) if varies.any() else 0)


def estimate(design, device, *, host_link=True, exact=True):
    """What `design` takes on `device`: a dictionary ``{"lut": n, "ff": n, "bram": n, "spram": 0, "dsp": 0}``.

    `exact` as for `mvtu_cost`; without it the block RAMs are an upper bound.
    """
    cost = HOST_LINK[device.family] if host_link else Cost()
    lanes = None
    for layer, folding in design.stages:
        if isinstance(layer, Binarize):
            cost += binarize_cost(layer, folding.simd)
        else:
            cost += converter_cost(layer.inputs, lanes, folding.simd)
            cost += layer_cost(mvtu_parameters(layer, folding), replay_store=folding.replay_store, device=device,
                              exact=exact)
        lanes = folding.pe
    score_bits = mvtu_parameters(*design.stages[-1]).sum_width
    cost += converter_cost(design.network.classes, lanes, 1, score_bits)
    cost += Cost(lut=3 * score_bits + 16, ff=score_bits + 8)  # argmax
    return {"lut": round(cost.lut), "ff": round(cost.ff), "bram": cost.bram, "spram": 0, "dsp": 0}
