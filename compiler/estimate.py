"""Resources of a design before synthesis.

Block RAMs are counted exactly. LUTs are a sum over structures, each with a cost that was fitted to real
synthesis and packing (``benchmarks/estimate.py`` measures the error, and prints the fit anew); on iCE40 a LUT
is a logic cell after packing, which is what runs out. Flip-flops are counted from the structure. Their
estimate is slightly high, since synthesis removes constant ones.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from amaranth.hdl import Shape

from ..hw import (
    add,
    argmax,
    best,
    binarize,
    collector,
    deep_queue,
    discard,
    fork,
    lookup,
    maximum,
    mvtu,
    patches,
    planes,
    pool,
    replay,
    scale,
    short_queue,
    signs,
    splitter,
    sums,
    threshold,
    unrolled,
    width,
    window,
)
from ..hw.part import Part
from ..hw.popcount import XnorPopcount
from . import link_store
from .design import Design
from .device import Device
from .ir import PIXEL_LEVELS, Network
from .pipeline import ends_of, stages
from .pixel_codes import pixel_codes
from .stage import Stage

__all__ = [
    "COSTS",
    "FLASH_LOADER",
    "Cost",
    "converter_cost",
    "end_cost",
    "error_band",
    "estimate",
    "host_link_cost",
    "least_unit_luts",
    "part_cost",
    "stage_cost",
    "structures",
]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Resources, in the units of the device: 4-input LUTs, flip-flops, block RAMs, single-port RAMs."""

    lut: float = 0
    ff: float = 0
    bram: int = 0
    spram: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            lut=self.lut + other.lut,
            ff=self.ff + other.ff,
            bram=self.bram + other.bram,
            spram=self.spram + other.spram,
        )


#: The loader that fills SPRAM from the board's flash (`sbgen.hw.flash_loader`).
FLASH_LOADER = Cost(lut=150, ff=120)

#: LUTs of a byte of the host link's store in flip-flops.
_STORE_LUTS = 15

# LUTs of a table of pixels, for each run but one, and for each bit where it is a ROM.
_LOOKUP_RUN, _LOOKUP_BIT = 8, 10

# What `benchmarks/estimate.py` measured and wrote: for each family the LUTs of one unit of each structure
# (see `structures`), and how far whole designs were from their estimates.
_CALIBRATION = json.loads((Path(__file__).parent / "calibration.json").read_text(encoding="ascii"))


def error_band(device: Device) -> dict[str, float]:
    """How far real LUTs were from the estimate: ``{"designs": measured, "low": share, "high": share}``, e.g.
    -0.05 and 0.08.
    """
    return _CALIBRATION[device.costs]["lut"]


def _bits(limit: int) -> int:
    return limit.bit_length()


def _rom_luts(depth: int, patchable: bool = False, *, inputs: int = 4) -> float:
    """LUTs of so many inputs for each bit of a ROM of `depth` words; up to four words share the LUT that uses
    them, but in patchable ones.
    """
    blocks = -(-depth // (1 << inputs))
    if patchable:
        return 1 if blocks == 1 else 2.3 * blocks
    return 0 if depth == 1 else 0.5 if depth <= 4 else 1 if blocks == 1 else 2.3 * blocks


def structures(p: mvtu.Parameters, *, lut_inputs: int = 4) -> dict[str, float]:
    """How many units of each structure a matrix-vector-threshold unit has, with LUTs of so many inputs."""
    lanes = p.pe * p.vectors
    return {
        **{name: lanes * count for name, count in XnorPopcount.parts(p.simd).items()},
        "input": (2 + p.weights_registered) * p.simd * p.vectors,
        "accumulate": lanes * p.accumulator_width,
        "start": lanes * p.accumulator_width * (2 if p.planes > 1 else 1) if p.beats > 1 else 0,
        "preset": (
            p.pe * p.total_width * _rom_luts(p.groups, p.patchable, inputs=lut_inputs)
            if p.preset_store == "lut"
            and (not p.presets_constant if p.patchable else p.groups > mvtu.MERGED_GROUPS)
            else 0
        ),
        "queue": p.queue_depth * lanes * (1 if p.signs else p.sum_width),
        "rom": (
            p.pe * p.simd * _rom_luts(p.groups * p.plane_beats, p.patchable, inputs=lut_inputs)
            if p.weight_store == "lut"
            else 0
        ),
        # Weights that are registered behind block RAM; a cell before the flip-flop, where a family needs one.
        "fetch": p.pe * p.simd if p.weights_registered and p.weight_store == "bram" else 0,
        "count": _bits(p.cycles) + _bits(p.slices) + _bits(p.groups) + p.queue_depth,
    }


def _mvtu_ffs(p: mvtu.Parameters) -> float:
    parts = XnorPopcount.parts(p.simd)
    counts = parts["pair"] / 2 + parts["full_adder"] / 2 + parts["add"] + parts["delay"]
    lanes = p.pe * p.vectors
    queue = p.queue_depth * lanes * (1 if p.signs else p.sum_width)
    control = 2 * (p.latency - 2) + _bits(p.cycles) + _bits(p.slices) + _bits(p.groups) + 6
    rom = p.pe * p.simd * ((p.weight_store == "lut") + p.weights_registered)
    copies = -(-p.pe // mvtu.LANES_TOGETHER) * (p.simd + 2) if p.registered else p.simd
    return (
        ((1 + p.weights_registered) * p.simd + copies) * p.vectors
        + rom
        + lanes * (counts + p.accumulator_width)
        + queue
        + control
    )


def _varying_bits(words: Sequence[int]) -> int:
    """Bits of a ROM's word that are not the same in every word: synthesis keeps no others."""
    varying = 0
    for word in words:
        varying |= word ^ words[0]
    return varying.bit_count()


def _converter(length: int, i_lanes: int, o_lanes: int, element_bits: int) -> Cost:
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
def converter_cost(
    *, i_length: int, i_lanes: int, o_length: int, o_lanes: int, element_bits: int = 1
) -> Cost:
    """The width converters between two layers (see `sbgen.hw.width.conversions`)."""
    steps = width.conversions(i_length=i_length, i_lanes=i_lanes, o_length=o_length, o_lanes=o_lanes)
    return sum((_converter(*step, element_bits) for step in steps), Cost())


def _width(p: width.Parameters, device: Device, exact: bool) -> Cost:
    return _converter(p.length, p.i_lanes, p.o_lanes, Shape.cast(p.shape).width)


def _memory(device: Device, *, store: str, width: int, depth: int) -> Cost:
    """A memory that is written."""
    if store == "bram":
        return Cost(bram=device.brams(width=width, depth=depth))
    return Cost(lut=width * depth * 1.6, ff=width * depth)


def _mvtu(p: mvtu.Parameters, device: Device, exact: bool) -> Cost:
    units = _CALIBRATION[device.costs]["units"]
    counts = structures(p, lut_inputs=device.fabric.lut_inputs)
    cost = Cost(lut=sum(units[name] * count for name, count in counts.items()), ff=_mvtu_ffs(p))
    for store, bits, depth, contents in (
        (p.weight_store, p.pe * p.simd, p.groups * p.plane_beats, "weight_words"),
        (p.preset_store, p.pe * p.total_width, p.groups, "preset_words"),
    ):
        if store == "bram":
            if p.patchable:  # every bit is there, or the whole ROM is not
                bits *= contents == "weight_words" or not p.presets_constant
            elif exact:
                bits = _varying_bits(getattr(p, contents))
            # Where a ROM is several block RAMs deep, each bit is selected from them.
            cost += Cost(
                lut=bits * (device.banks(width=bits, depth=depth) - 1),
                bram=device.brams(width=bits, depth=depth),
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


def _unrolled(p: unrolled.Parameters, device: Device, exact: bool) -> Cost:
    """Its tables, and the registers of bits that no table outputs in the same cycle."""
    held = sum(
        p.stage(place) < at or place < p.first_table for at, places in enumerate(p.held) for place in places
    )
    return Cost(lut=len(p.tables) + held + 2, ff=p.registers)


def _replay(p: replay.Parameters, device: Device, exact: bool) -> Cost:
    word = Shape.cast(p.shape).width
    if p.beats == 1:
        return Cost(lut=word + _bits(p.repeats) + 6, ff=word + _bits(p.repeats))
    index = _bits(p.beats - 1)
    control = Cost(lut=14 + 5 * index + 2 * _bits(p.repeats), ff=2 * index + _bits(p.repeats) + 6)
    return control + _memory(device, store=p.store, width=word, depth=p.depth)


def _collector(p: collector.Parameters, device: Device, exact: bool) -> Cost:
    """A memory for each vector of a batch."""
    index, passes, vector = _bits(p.beats - 1), _bits(p.repeats), p.counts.width
    control = Cost(
        lut=22 + 5 * index + 2 * passes + 6 * vector + 2 * p.batch, ff=2 * index + passes + 3 * vector + 15
    )
    each = _memory(device, store=p.store, width=p.width, depth=p.depth)
    return sum([each] * p.batch, control)


def _discard(p: discard.Parameters, device: Device, exact: bool) -> Cost:
    """The queue of counts, and the counters of what passes."""
    counts, counters = p.counts.width, _bits(p.beats - 1) + p.counts.width
    places = p.depth * counts
    return Cost(
        lut=places + 2 * p.depth + 2.5 * counters + 2 * counts + 8, ff=places + _bits(p.depth) + counters
    )


def _planes(p: planes.Parameters, device: Device, exact: bool) -> Cost:
    return Cost(lut=3 * p.lanes + 8, ff=_bits(p.beats) + 3)


def _window(p: window.Parameters, device: Device, exact: bool) -> Cost:
    geometry = p.geometry
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
    padded = sum(any(sides) for sides in geometry.padding)
    # Each further word that is read at once has an address, and padding, of its own.
    behind = geometry.at_once - 1
    control = Cost(
        lut=5 * address
        + 2.5 * counters
        + 25
        + padded * 20
        + p.width * bool(padded)
        + behind * (1.5 * address + padded * 8 + p.width * bool(padded)),
        ff=2 * address + counters + 12 + behind,
    )
    each = _memory(device, store=p.store, width=p.width, depth=geometry.depth)
    return sum([each] * geometry.at_once, control)


def _patches(p: patches.Parameters, device: Device, exact: bool) -> Cost:
    bits = p.columns * p.kernel[0] * Shape.cast(p.pixel).width
    counters = sum(_bits(limit - 1) for limit in (p.fed, p.kernel[0], max(p.columns, p.moves)))
    return Cost(lut=bits + 3 * counters + 8, ff=bits + counters + 1)


def _splitter(p: splitter.Parameters, device: Device, exact: bool) -> Cost:
    """Its queues, and what selects one."""
    word = Shape.cast(p.word).width
    if p.store == "bram":
        counters = _bits(p.beats - 1) + _bits(p.steps - 1) + _bits(p.at_once - 1)
        select = Cost(lut=word * p.at_once / 2 + 2.5 * counters + 6, ff=counters)
        return select + _replay(p.banks, device, exact)
    places = sum(p.depths)
    counters = 2 * _bits(p.beats - 1) + 2 * _bits(p.steps - 1) + _bits(p.at_once - 1)
    return Cost(
        lut=(places + p.at_once / 2) * word + 2 * places + 2.5 * counters + 4 * p.at_once + 8,
        ff=places * word + counters + sum(_bits(depth) for depth in p.depths),
    )


def _pool(p: pool.Parameters, device: Device, exact: bool) -> Cost:
    return Cost(lut=p.lanes + 8, ff=p.lanes + 4)


def _maximum(p: maximum.Parameters, device: Device, exact: bool) -> Cost:
    width = p.lanes * p.width
    return Cost(lut=2 * width + p.lanes + 8, ff=width + 4)


def _sums(p: sums.Parameters, device: Device, exact: bool) -> Cost:
    """An adder and a register for each lane, and the row of windows where it holds several."""
    geometry, width = p.geometry, p.width * p.lanes
    counters = sum(_bits(limit - 1) for limit in (geometry.slices, geometry.height, geometry.width))
    cost = Cost(
        lut=2.4 * width + 2.5 * counters + 10, ff=width + p.lanes * p.maximum.bit_length() + counters + 4
    )
    if p.depth == 1:
        return cost
    cost += Cost(lut=4 * _bits(p.depth - 1), ff=2 * _bits(p.depth - 1))
    return cost + _memory(device, store=p.store, width=width, depth=p.depth)


def _scale(p: scale.Parameters, device: Device, exact: bool) -> Cost:
    width = p.scale_width + p.offset_width
    cost = Cost(lut=3.1 * p.score_width + p.scale_width / 2 + 30, ff=2 * p.score_width + 12)
    if p.store == "bram":
        return cost + Cost(bram=device.brams(width=_varying_bits(p.words), depth=p.classes))
    return cost + Cost(lut=width * _rom_luts(p.classes, inputs=device.fabric.lut_inputs), ff=width)


def _fork(p: fork.Parameters, device: Device, exact: bool) -> Cost:
    return Cost(lut=6, ff=2)


def _deep_queue(p: deep_queue.Parameters, device: Device, exact: bool) -> Cost:
    address = _bits(p.depth - 1)
    control = Cost(lut=6 * address + 8, ff=3 * address + 2)
    if p.store == "bram":
        return control + Cost(bram=device.brams(width=p.width, depth=p.depth))
    return control + Cost(lut=p.width * p.depth * 1.6, ff=p.width * (p.depth + 1))


def _short_queue(p: short_queue.Parameters, device: Device, exact: bool) -> Cost:
    bits = p.width * p.depth
    return Cost(lut=bits + 6, ff=bits + _bits(p.depth))


def _add(p: add.Parameters, device: Device, exact: bool) -> Cost:
    total = (p.maximum + p.scale * p.kept_maximum).bit_length()
    return Cost(lut=p.lanes * total * p.scale.bit_count() + 4, ff=p.lanes * total + 1)


def _threshold(p: threshold.Parameters, device: Device, exact: bool) -> Cost:
    word = p.lanes * p.lane_width
    count = 1 if p.levels == 1 else 2 * p.o_width * p.levels / 2  # the comparisons are added, and inverted
    cost = Cost(
        lut=p.lanes * (p.levels * p.width + 1 + count) + 6,
        ff=p.lanes * (p.width + p.o_width) + 2 + _bits(p.beats - 1),
    )
    if p.beats == 1:
        return cost
    if p.store == "bram":
        return cost + Cost(bram=device.brams(width=word, depth=p.beats))
    return cost + Cost(lut=word * max(1, _rom_luts(p.beats, inputs=device.fabric.lut_inputs)), ff=word)


def _binarize(p: binarize.Parameters, device: Device, exact: bool) -> Cost:
    """Comparators: with a power of two it is one bit of the pixel, and a threshold that varies is a small ROM
    of its period.
    """
    thresholds = np.array(p.thresholds)
    unused = -len(thresholds) % p.lanes

    def padded(rest: np.ndarray) -> np.ndarray:
        return np.concatenate([thresholds, rest]).reshape(-1, p.lanes * p.levels)

    beats = binarize.period([row.tobytes() for row in padded(np.full((unused, p.levels), PIXEL_LEVELS))])
    # That a lane is unused in the last beat is one gate more, not a ROM.
    each = padded(np.repeat(thresholds[-1:], unused, axis=0))[:beats]
    varies = (each != each[0]).any(axis=0)
    power = np.isin(each[0], (0, 64, 128, 192, 256))
    luts = (
        varies.sum() * (8 + 8 * _rom_luts(beats, inputs=device.fabric.lut_inputs))
        + (~varies & ~power).sum() * 3
    )
    return Cost(lut=float(luts), ff=_bits(beats - 1) if varies.any() else 0)


def _lookup(p: lookup.Parameters, device: Device, exact: bool) -> Cost:
    """Comparators and an adder, or a function of eight bits for each bit of the number."""
    runs = p.runs
    lane = (
        _LOOKUP_RUN * (len(runs) - 1) + 8 * any(moved for _, moved in runs) if runs else _LOOKUP_BIT * p.width
    )
    return Cost(lut=p.lanes * lane + 4, ff=4)


def _decision(p: argmax.Parameters | signs.Parameters, device: Device, exact: bool) -> Cost:
    return Cost(lut=3 * p.score_width + 16, ff=p.score_width + 8)


def _best(p: best.Parameters, device: Device, exact: bool) -> Cost:
    """A comparison and a choice for each pair of a tree, and the label bits chosen so far."""
    cost, ranges, bits = Cost(lut=p.latency + 2, ff=p.latency), p.classes, 0
    for depth in range(1, p.depth + 1):
        pairs, held = ranges // 2, -(-ranges // 2)
        cost += Cost(lut=pairs * (2 * p.score_width + bits + 1))
        ranges, bits = held, bits + 1
        if depth % p.levels == 0 or depth == p.depth:
            cost += Cost(lut=ranges - pairs and p.score_width, ff=ranges * (p.score_width + bits))
    return cost


#: What each part takes, by its parameters, the device and `exact` as for `part_cost`.
COSTS: dict[type[Part], Callable[..., Cost]] = {
    add.Parameters: _add,
    argmax.Parameters: _decision,
    best.Parameters: _best,
    binarize.Parameters: _binarize,
    collector.Parameters: _collector,
    deep_queue.Parameters: _deep_queue,
    discard.Parameters: _discard,
    fork.Parameters: _fork,
    lookup.Parameters: _lookup,
    mvtu.Parameters: _mvtu,
    patches.Parameters: _patches,
    planes.Parameters: _planes,
    maximum.Parameters: _maximum,
    pool.Parameters: _pool,
    replay.Parameters: _replay,
    scale.Parameters: _scale,
    short_queue.Parameters: _short_queue,
    signs.Parameters: _decision,
    splitter.Parameters: _splitter,
    sums.Parameters: _sums,
    threshold.Parameters: _threshold,
    unrolled.Parameters: _unrolled,
    width.Parameters: _width,
    window.Parameters: _window,
}


def part_cost(part: Part, *, device: Device, exact: bool = True) -> Cost:
    """What one part takes.

    Parameters
    ----------
    exact : bool
        Whether ROMs are counted from their contents or, faster, from their shape alone, which can be slightly
        more.
    """
    return COSTS[type(part)](part, device, exact)


def _parts_cost(parts: Sequence[Part], *, device: Device, exact: bool) -> Cost:
    return sum((part_cost(part, device=device, exact=exact) for part in parts), Cost())


def stage_cost(stage: Stage, *, device: Device, exact: bool = True) -> Cost:
    """One layer without the width converters before it; `exact` as for `part_cost`."""
    return _parts_cost(stage.parts, device=device, exact=exact)


def least_unit_luts(
    unit: mvtu.Parameters, pe: np.ndarray, simd: np.ndarray, *, counters: np.ndarray, device: Device
) -> np.ndarray:
    """LUTs that a unit like `unit` takes at least with each `pe` and `simd`, and with so many counters of
    `simd` products: without its memories and its queue.
    """
    units = _CALIBRATION[device.costs]["units"]
    widths, at = np.unique(simd, return_inverse=True)
    each = [
        sum(units[name] * count for name, count in XnorPopcount.parts(width).items())
        for width in widths.tolist()
    ]
    slices, groups = -(-unit.inputs // simd), -(-unit.outputs // pe)
    beats = slices * unit.halves * unit.planes
    lanes = units["accumulate"] + units["start"] * (beats > 1)
    counted = sum(np.floor(np.log2(limit)) + 1 for limit in (groups * beats, slices, groups))
    return (
        counters * np.array(each)[at]
        + 2 * simd * units["input"]
        + pe * unit.accumulator_width * lanes
        + units["count"] * counted
    )


def end_cost(network: Network, last: Stage, device: Device, *, label_only: bool = False) -> Cost:
    """What is after the last stage: width converters, the scaling of scores if any, the decision."""
    _, scaling, decision = ends_of(network, last, label_only=label_only)
    assert last.unit is not None  # the last layer has weights
    # Here counts have the bits of sums, also where they are scaled and need no sign.
    cost = converter_cost(
        i_length=last.o_length,
        i_lanes=last.o_lanes,
        o_length=last.o_length,
        o_lanes=network.outputs if label_only else 1,
        element_bits=last.unit.sum_width,
    )
    return cost + _parts_cost((*scaling, decision), device=device, exact=False)


def host_link_cost(core: Cost, *, image_bytes: int, patchable: bool, device: Device) -> Cost:
    """What is around a core that takes `core`: the host link, with its store in what the core leaves, and the
    loader of SPRAM.
    """
    fabric = device.fabric
    cost = Cost(lut=fabric.host_link_lut, ff=fabric.host_link_ff, bram=fabric.host_link_bram)
    if core.spram:
        cost += FLASH_LOADER
    if patchable and fabric.patchable_store == "bram":
        cost += Cost(bram=1)  # the answer to identify
    store = link_store.choose(
        image_bytes=image_bytes, bram=core.bram + cost.bram, spram=core.spram, device=device
    )
    if store.kind == "lut":
        cost += Cost(lut=_STORE_LUTS * store.depth, ff=8 * store.depth)
    return cost + Cost(bram=store.bram, spram=store.spram)


def estimate(design: Design, device: Device, *, host_link: bool = True, exact: bool = True) -> dict[str, int]:
    """What `design` takes on `device`: a dictionary ``{"lut": n, "ff": n, "bram": n, "spram": n, "dsp": 0}``.

    `exact` as for `part_cost`; without it the block RAMs are an upper bound. A device without a board has no
    `host_link`.
    """
    made, cost = stages(design), Cost()
    for stage in made:
        for parts in stage.entry, stage.parts, stage.shortcut:
            cost += _parts_cost(parts, device=device, exact=exact)
    cost += end_cost(design.network, made[-1], device, label_only=design.label_only)
    host_link = host_link and device.host_link
    if host_link:
        codes = pixel_codes(design.network, patchable=design.patchable)
        cost += host_link_cost(cost, image_bytes=codes.image_bytes, patchable=design.patchable, device=device)
    return {"lut": round(cost.lut), "ff": round(cost.ff), "bram": cost.bram, "spram": cost.spram, "dsp": 0}
