"""Resources of a design before synthesis.

Block RAMs are counted exactly. LUTs are a sum over structures, each with a cost that was fitted to real
synthesis and packing (``benchmarks/estimate.py`` measures the error, and prints the fit anew); on iCE40 a LUT
is a logic cell after packing, which is what runs out. Flip-flops are counted from the structure and come out
a little high, since synthesis removes constant ones.
"""

import json
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ..hw.binarize import period
from ..hw.lookup import Lookup as LookupUnit
from ..hw.mvtu import LANES_TOGETHER, MERGED_GROUPS, Parameters
from ..hw.popcount import XnorPopcount
from ..hw.replay import ReplayBuffer
from ..hw.sums import WindowSums
from ..hw.width import conversions
from .ir import PIXEL_LEVELS, Add, Binarize, Fork, Lookup, Threshold
from .shortcut_queue import depths
from .stage import forks, input_lanes, stages

__all__ = [
    "FLASH_LOADER",
    "Cost",
    "binarize_cost",
    "converter_cost",
    "error_band",
    "estimate",
    "lookup_cost",
    "mvtu_cost",
    "queue_cost",
    "replay_cost",
    "scale_cost",
    "stage_cost",
    "structures",
    "sums_cost",
    "unrolled_cost",
    "window_cost",
]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Resources, in the units of the device: 4-input LUTs, flip-flops, block RAMs, single-port RAMs."""

    lut: float = 0
    ff: float = 0
    bram: int = 0
    spram: int = 0

    def __add__(self, other):
        return Cost(
            lut=self.lut + other.lut,
            ff=self.ff + other.ff,
            bram=self.bram + other.bram,
            spram=self.spram + other.spram,
        )


#: What it takes to fill SPRAM from the board's flash (`sbgen.hw.flash_loader`), besides.
FLASH_LOADER = Cost(lut=150, ff=120)

# LUTs of a table of pixels, for each run but one, and for each bit where it is a ROM.
_LOOKUP_RUN, _LOOKUP_BIT = 8, 10

# What `benchmarks/estimate.py` measured and wrote: for each family the LUTs of one unit of each structure
# (see `structures`), and how far whole designs were from their estimates.
_CALIBRATION = json.loads((Path(__file__).parent / "calibration.json").read_text(encoding="ascii"))


def error_band(device):
    """How far real LUTs were from the estimate: ``{"designs": measured, "low": share, "high": share}``, e.g.
    -0.05 and 0.08.
    """
    return _CALIBRATION[device.family]["lut"]


def _bits(limit):
    return math.ceil(math.log2(limit + 1))


def _rom_luts(depth, patchable=False):
    """LUTs for each bit of a ROM of `depth` words in LUTs; up to four words share the LUT that uses them, but
    in patchable ones.
    """
    blocks = -(-depth // 16)
    if patchable:
        return 1 if blocks == 1 else 2.3 * blocks
    return 0 if depth == 1 else 0.5 if depth <= 4 else 1 if blocks == 1 else 2.3 * blocks


def structures(p: Parameters):
    """How many units of each structure a matrix-vector-threshold unit has."""
    return {
        **{name: p.pe * count for name, count in XnorPopcount.parts(p.simd).items()},
        "input": (2 + p.weights_registered) * p.simd,
        "accumulate": p.pe * p.accumulator_width,
        "start": p.pe * p.accumulator_width * (2 if p.planes > 1 else 1) if p.beats > 1 else 0,
        "preset": (
            p.pe * p.total_width * _rom_luts(p.groups, p.patchable)
            if p.preset_store == "lut"
            and (not p.presets_constant if p.patchable else p.groups > MERGED_GROUPS)
            else 0
        ),
        "queue": p.queue_depth * p.pe * (1 if p.signs else p.sum_width),
        "rom": (
            p.pe * p.simd * _rom_luts(p.groups * p.plane_beats, p.patchable) if p.weight_store == "lut" else 0
        ),
        "count": _bits(p.cycles) + _bits(p.slices) + _bits(p.groups) + p.queue_depth,
    }


def _mvtu_ffs(p: Parameters):
    parts = XnorPopcount.parts(p.simd)
    counts = parts["pair"] / 2 + parts["full_adder"] / 2 + parts["add"] + parts["delay"]
    queue = p.queue_depth * p.pe * (1 if p.signs else p.sum_width)
    control = 2 * (p.latency - 2) + _bits(p.cycles) + _bits(p.slices) + _bits(p.groups) + 6
    rom = p.pe * p.simd * ((p.weight_store == "lut") + p.weights_registered)
    copies = -(-p.pe // LANES_TOGETHER) * (p.simd + 2) if p.registered else p.simd
    return (
        (1 + p.weights_registered) * p.simd
        + copies
        + rom
        + p.pe * (counts + p.accumulator_width)
        + queue
        + control
    )


def _varying_bits(words):
    """Bits of a ROM's word that are not the same in every word: synthesis keeps no others."""
    varying = 0
    for word in words:
        varying |= word ^ words[0]
    return varying.bit_count()


def _converter(length, i_lanes, o_lanes, element_bits):
    cost, between = Cost(), math.gcd(i_lanes, o_lanes)
    if i_lanes != between:
        bits = i_lanes * element_bits
        cost += Cost(lut=bits + 12, ff=bits + 4 + _bits(-(-length // i_lanes)))
    if o_lanes != between:
        bits = o_lanes * element_bits
        whole = -(-length // between) % (o_lanes // between) == 0
        cost += Cost(lut=bits * (1 if whole else 1.3) + 8, ff=bits + 4 + _bits(o_lanes // between))
    return cost


@cache
def converter_cost(*, i_length, i_lanes, o_length, o_lanes, element_bits=1):
    """The width converters between two layers (see `sbgen.hw.width.conversions`)."""
    steps = conversions(i_length=i_length, i_lanes=i_lanes, o_length=o_length, o_lanes=o_lanes)
    return sum((_converter(*step, element_bits) for step in steps), Cost())


def mvtu_cost(parameters, *, device, exact=True):
    """The matrix-vector-threshold unit of one layer.

    Parameters
    ----------
    parameters : Parameters
    device : Device
    exact : bool
        Whether ROMs are counted from their contents or, faster, from their shape alone, which can be a little
        more.
    """
    p = parameters
    units = _CALIBRATION[device.family]["units"]
    cost = Cost(lut=sum(units[name] * count for name, count in structures(p).items()), ff=_mvtu_ffs(p))
    for store, width, depth, contents in (
        (p.weight_store, p.pe * p.simd, p.groups * p.plane_beats, "weight_words"),
        (p.preset_store, p.pe * p.total_width, p.groups, "preset_words"),
    ):
        if store == "bram":
            if p.patchable:  # every bit is there, or the whole ROM is not
                width *= contents == "weight_words" or not p.presets_constant
            elif exact:
                width = _varying_bits(getattr(p, contents))
            # Where block RAMs stand behind each other, each bit is chosen from them.
            cost += Cost(
                lut=width * (device.banks(width=width, depth=depth) - 1),
                bram=device.brams(width=width, depth=depth),
            )
    if p.weight_blocks:
        cost += Cost(lut=_bits(p.weight_depth - 1) + p.weight_blocks, spram=p.weight_blocks)
    if p.rest_width:
        cost += Cost(
            bram=device.brams(
                width=_varying_bits(p.rest_words) if exact else p.rest_width, depth=p.weight_depth
            )
        )
    return cost


def unrolled_cost(parameters):
    """A layer whose weights are wired in: its tables, and the registers that hold what no table just gave."""
    p = parameters
    held = sum(
        p.stage(place) < at or place < p.first_table for at, kept in enumerate(p.kept) for place in kept
    )
    return Cost(lut=len(p.tables) + held + 2, ff=p.registers)


def replay_cost(*, width, beats, repeats, store, device):
    """The replay buffer before a layer that needs its input more than once."""
    if beats == 1:
        return Cost(lut=width + _bits(repeats) + 6, ff=width + _bits(repeats))
    index = _bits(beats - 1)
    depth = ReplayBuffer.depth(beats)
    control = Cost(lut=14 + 5 * index + 2 * _bits(repeats), ff=2 * index + _bits(repeats) + 6)
    if store == "bram":
        return control + Cost(bram=device.brams(width=width, depth=depth))
    return control + Cost(lut=width * depth * 1.6, ff=width * depth)


def window_cost(geometry, *, lanes, store, device):
    """The sliding window of a convolution or pooling layer."""
    address = _bits(geometry.depth - 1)
    counters = sum(
        _bits(limit - 1)
        for limit in (
            geometry.slices // geometry.groups,
            *geometry.kernel,
            geometry.repeats,
            geometry.groups,
            geometry.out_width,
            geometry.out_height,
            geometry.width * geometry.slices,
        )
    )
    padded = sum(any(each) for each in geometry.padding)
    control = Cost(
        lut=5 * address + 2.5 * counters + 25 + padded * 20 + lanes * bool(padded),
        ff=2 * address + counters + 12,
    )
    if store == "bram":
        return control + Cost(bram=device.brams(width=lanes, depth=geometry.depth))
    return control + Cost(lut=lanes * geometry.depth * 1.6, ff=lanes * geometry.depth)


def sums_cost(geometry, *, lanes, store, device, greatest=1):
    """The sums of a pooling layer: an adder and a register per lane, and the row of windows where it holds
    several.

    `greatest` is the maximum of the elements that are added.
    """
    width, depth = WindowSums.width(geometry, greatest) * lanes, WindowSums.depth(geometry)
    counters = sum(_bits(limit - 1) for limit in (geometry.slices, geometry.height, geometry.width))
    cost = Cost(
        lut=2.4 * width + 2.5 * counters + 10, ff=width + lanes * greatest.bit_length() + counters + 4
    )
    if depth == 1:
        return cost
    cost += Cost(lut=4 * _bits(depth - 1), ff=2 * _bits(depth - 1))
    if store == "bram":
        return cost + Cost(bram=device.brams(width=width, depth=depth))
    return cost + Cost(lut=width * depth * 1.6, ff=width * depth)


def stage_cost(stage, *, device, exact=True):
    """One layer without the width converters before it; `exact` as for `mvtu_cost`."""
    if isinstance(stage.layer, Binarize):
        return binarize_cost(stage.layer, stage.i_lanes)
    if isinstance(stage.layer, Lookup):
        return lookup_cost(stage.layer, stage.i_lanes)
    if isinstance(stage.layer, (Add, Fork, Threshold)):
        return _elementwise_cost(stage, device=device)
    cost = Cost()
    if stage.window:
        cost += window_cost(
            stage.window, lanes=stage.i_lanes * stage.planes, store=stage.folding.replay_store, device=device
        )
    if stage.gathers:
        cost += _converter(stage.unit.inputs, stage.i_lanes, stage.unit.simd, stage.planes)
    if stage.repeats > 1:
        cost += replay_cost(
            width=stage.unit.simd * stage.planes,
            beats=stage.unit.slices,
            repeats=stage.repeats,
            store=stage.folding.replay_store,
            device=device,
        )
    if stage.unit and stage.planes > 1 and not stage.folding.unrolled:
        cost += Cost(lut=3 * stage.unit.simd + 8, ff=_bits(stage.unit.plane_beats) + 3)  # bit planes
    if stage.sums:
        return cost + sums_cost(
            stage.sums,
            lanes=stage.i_lanes,
            store=stage.folding.replay_store,
            device=device,
            greatest=stage.i_greatest,
        )
    if stage.folding.unrolled:
        return cost + unrolled_cost(stage.unit)
    if stage.unit:
        return cost + mvtu_cost(stage.unit, device=device, exact=exact)
    return cost + Cost(lut=stage.i_lanes + 8, ff=stage.i_lanes + 4)  # pooling


def scale_cost(scaling, *, device):
    """Scales and offsets of single classes."""
    width = scaling.scale_width + scaling.offset_width
    cost = Cost(lut=3.1 * scaling.score_width + scaling.scale_width / 2 + 30, ff=2 * scaling.score_width + 12)
    if scaling.store == "bram":
        return cost + Cost(bram=device.brams(width=_varying_bits(scaling.words), depth=scaling.classes))
    return cost + Cost(lut=width * _rom_luts(scaling.classes), ff=width)


def _elementwise_cost(stage, *, device):
    bits = stage.i_greatest.bit_length()
    match stage.layer:
        case Fork():
            return Cost(lut=6, ff=2)  # its queue is `queue_cost`
        case Add():
            total = stage.o_greatest.bit_length()
            terms = stage.layer.scale.bit_count()
            return Cost(lut=stage.i_lanes * total * terms + 4, ff=stage.i_lanes * total + 1)
        case Threshold():
            beats = -(-stage.i_length // stage.i_lanes)
            word = stage.i_lanes * (int(stage.layer.thresholds.max()).bit_length() + 1)
            cost = Cost(
                lut=stage.i_lanes * (bits + 2) + 6, ff=stage.i_lanes * (bits + 1) + 2 + _bits(beats - 1)
            )
            if beats == 1:
                return cost
            if stage.folding.preset_store == "bram":
                return cost + Cost(bram=device.brams(width=word, depth=beats))
            return cost + Cost(lut=word * max(1, _rom_luts(beats)), ff=word)


def queue_cost(stage, depth, *, device):
    """The queue of the shortcut that begins at the `Fork` of a stage."""
    width, address = stage.i_lanes * stage.i_greatest.bit_length(), _bits(depth - 1)
    control = Cost(lut=6 * address + 8, ff=3 * address + 2)
    if stage.folding.replay_store == "bram":
        return control + Cost(bram=device.brams(width=width, depth=depth))
    return control + Cost(lut=width * depth * 1.6, ff=width * (depth + 1))


def binarize_cost(layer, lanes):
    """Comparators of `lanes` pixels: a power of two is one bit of the pixel, and one that varies is a small
    ROM of its period.
    """
    unused = -layer.inputs % lanes

    def padded(rest):
        return np.concatenate([layer.thresholds, rest]).reshape(-1, lanes * layer.levels)

    beats = period([row.tobytes() for row in padded(np.full((unused, layer.levels), PIXEL_LEVELS))])
    # That a lane is unused in the last beat is one gate more, not a ROM.
    each = padded(np.repeat(layer.thresholds[-1:], unused, axis=0))[:beats]
    varies = (each != each[0]).any(axis=0)
    power = np.isin(each[0], (0, 64, 128, 192, 256))
    luts = varies.sum() * (8 + 8 * _rom_luts(beats)) + (~varies & ~power).sum() * 3
    return Cost(lut=float(luts), ff=_bits(beats - 1) if varies.any() else 0)


def lookup_cost(layer, lanes):
    """Tables of `lanes` pixels: comparators and an adder, or a function of eight bits for each bit of the
    number.
    """
    runs, width = LookupUnit.runs(layer.table), int(layer.table.max()).bit_length()
    each = (
        _LOOKUP_RUN * (len(runs) - 1) + 8 * any(moved for _, moved in runs) if runs else _LOOKUP_BIT * width
    )
    return Cost(lut=lanes * each + 4, ff=4)


def estimate(design, device, *, host_link=True, exact=True):
    """What `design` takes on `device`: a dictionary ``{"lut": n, "ff": n, "bram": n, "spram": n, "dsp": 0}``.

    `exact` as for `mvtu_cost`; without it the block RAMs are an upper bound.
    """
    fabric = device.fabric
    cost = Cost(lut=fabric.host_link_lut, ff=fabric.host_link_ff) if host_link else Cost()
    length, lanes = design.network.pixels, input_lanes(design)
    made, fork_of, depth_of = stages(design), forks(design.network), depths(design)
    for n, stage in enumerate(made):
        cost += converter_cost(
            i_length=length,
            i_lanes=lanes,
            o_length=stage.i_length,
            o_lanes=stage.i_lanes,
            element_bits=stage.i_greatest.bit_length(),
        )
        cost += stage_cost(stage, device=device, exact=exact)
        if n in depth_of:
            cost += queue_cost(stage, depth_of[n], device=device)
        if n in fork_of:
            cost += converter_cost(
                i_length=length,
                i_lanes=made[fork_of[n]].o_lanes,
                o_length=length,
                o_lanes=stage.i_lanes,
                element_bits=stage.kept_greatest.bit_length(),
            )
        length, lanes = stage.o_length, stage.o_lanes
    sum_bits = score_bits = stage.unit.sum_width
    if stage.scaling:
        cost += scale_cost(stage.scaling, device=device)
        score_bits = stage.scaling.score_width
    cost += converter_cost(i_length=length, i_lanes=lanes, o_length=length, o_lanes=1, element_bits=sum_bits)
    cost += Cost(lut=3 * score_bits + 16, ff=score_bits + 8)  # argmax
    if host_link and cost.spram:
        cost += FLASH_LOADER
    if host_link and design.patchable and device.fabric.patchable_store == "bram":
        cost += Cost(bram=1)  # the answer to identify
    return {"lut": round(cost.lut), "ff": round(cost.ff), "bram": cost.bram, "spram": cost.spram, "dsp": 0}
