"""Random foldings."""

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np

from ...hw.rom import STORES
from ...hw.spram import BLOCK_DEPTH, BLOCK_WIDTH, blocks
from ..design import Design, to_patchable
from ..device import FABRICS
from ..folding import ConvFolding, Folding, Rom, Spram, WeightedFolding, WindowFolding
from ..ir import Binarize, Conv2d, Dense, MaxPool, Network, Scores
from ..layers import Rule, rules
from ..layers.weighted import WeightedRule
from .draws import generator, one_in, size

__all__ = ["fold_at_random", "image_cycles"]

#: Weights read at once by a layer, and thresholds of pixels of a larger image: a simulator and yosys take
#: longer for more. Of an image of many pixels, each of which takes cycles, fewer.
_MAX_PARALLEL, _MAX_COMPARED, _MAX_FOR_ALL_PIXELS = 1024, 24, 100_000

#: Bits of a beat of integers, which Icarus takes apart anew with each that changes: 171 pixels in a beat took
#: 0.2 s a cycle.
_MAX_BITS = 192

#: Weights of an unrolled layer, all planes counted, times the cycles of an image: the tables are simulated in
#: each cycle.
_MAX_UNROLLED = 500_000

#: Widest word, in bits, of a layer in SPRAM: that of all blocks of an iCE40UP5K.
_SPRAM_WIDTH = 4 * BLOCK_WIDTH


def _parallel(rng: np.random.Generator, limit: int) -> int:
    match rng.integers(6):
        case 0:
            return 1
        case 1:
            return limit
        case _:
            return size(rng, limit)


def _cycles(rule: Rule, folding: Folding) -> int:
    """Cycles that a layer is busy with an image."""
    if not isinstance(rule, WeightedRule):
        _, simd = rule.shape(folding)
        return prod(rule.input_shape) // simd
    return rule.positions * rule.layer.planes * rule.weight_words(*rule.shape(folding))


def _pe_and_simd(
    rng: np.random.Generator, rule: Rule, lanes: int | None, cycles: int, parallel: int
) -> Folding:
    """A legal folding of random pe and simd, with neither too many cycles nor more than `parallel` weights at
    once.
    """
    pe_limit, simd_limit = rule.limits
    simd_limit = simd_limit if lanes is None else min(simd_limit, lanes)
    simd = rule.legal_simd(_parallel(rng, simd_limit))
    if not rule.layer.weight_bits:
        if isinstance(rule.layer, Binarize) and rule.layer.outputs > 2 * _MAX_COMPARED:
            simd = min(simd, max(1, _MAX_COMPARED // rule.layer.levels))
        while simd < simd_limit and prod(rule.input_shape) // simd > cycles:
            simd = min(2 * simd, simd_limit)
        return rule.folding(simd=simd)
    legal = rule.legal_pe
    pe = int(rng.choice(legal)) if rule.layer.groups > 1 else _parallel(rng, pe_limit)
    while pe * simd > parallel:
        pe, simd = max(n for n in legal if n <= -(-pe // 2)), rule.legal_simd(-(-simd // 2))
    while _cycles(rule, rule.folding(pe=pe, simd=simd)) > cycles and (pe < pe_limit or simd < simd_limit):
        pe, simd = (
            min(n for n in legal if n >= min(2 * pe, pe_limit)),
            max(simd, rule.legal_simd(min(2 * simd, simd_limit))),
        )
        if simd * 2 > simd_limit:
            simd = max(simd, rule.legal_simd(simd_limit))
    return rule.folding(pe=pe, simd=simd)


def fold_at_random(
    seed: int,
    network: Network,
    *,
    spram: bool = False,
    patchable: bool | None = False,
    family: str | None = None,
    lanes: int | None = None,
    cycles: int = 500,
    label_only: bool = False,
    batches: bool = False,
) -> Design:
    """The network with random foldings and stores.

    Parameters
    ----------
    seed : int
    network : Network
    spram : bool
        Whether some of the layers that can be in SPRAM are.
    patchable : bool or None
        Whether weights and thresholds can be replaced; None: in one of eight.
    family : str, optional
        For which a patchable design is; left out, any.
    lanes : int, optional
        Maximum pixels in a beat of the core's input.
    cycles : int
        Maximum cycles of a layer for one image, where it can have as much in parallel.
    label_only : bool
        Whether a third of the designs that can report only the label do.
    batches : bool
        Whether a third of the designs have batches.
    """
    rng = generator("patchable", seed)
    family = family or str(rng.choice(sorted(FABRICS)))
    if patchable is None:
        patchable = one_in(rng, 8)
    rng, placed = generator("design", seed), rules(network)
    parallel = min(_MAX_PARALLEL, max(32, _MAX_FOR_ALL_PIXELS // network.pixels))
    foldings = []
    for n, rule in enumerate(placed):
        most = [lanes] if n == 0 and lanes is not None else []
        if (bits := network.maxima[n].bit_length()) > 1 and (n > 0 or network.pixels > 64):
            most.append(max(1, _MAX_BITS // bits))
        foldings.append(_fold(rng, rule, min(most, default=None), cycles, parallel))
    # From random numbers of their own, so that all else is the same with and without.
    if spram and not patchable:
        draw = generator("spram", seed)
        foldings = [_in_spram(draw, *pair) for pair in zip(placed, foldings, strict=True)]
    batch = _batch(generator("batch", seed), placed, foldings) if batches else 1
    if not patchable and batch == 1:
        draw, slowest = generator("unrolled", seed), image_cycles(placed, foldings)
        most = [lanes, *[None] * (len(placed) - 1)]
        foldings = [_unrolled(draw, *three, slowest) for three in zip(placed, foldings, most, strict=True)]
    draw = generator("queued", seed)
    foldings = [_queued(draw, *pair) for pair in zip(placed, foldings, strict=True)]
    draw = generator("at once", seed)
    foldings = [_at_once(draw, *pair) for pair in zip(placed, foldings, strict=True)]
    top_k = _top_k(generator("top", seed), network)
    may = label_only and network.decision == "argmax" and top_k == 1 and network.scores.scales is None
    design = Design(
        network=network,
        foldings=tuple(foldings),
        top_k=top_k,
        label_only=may and one_in(generator("label only", seed), 3),
        batch=batch,
    )
    return to_patchable(design, family) if patchable else design


def _fold(rng: np.random.Generator, rule: Rule, lanes: int | None, cycles: int, parallel: int) -> Folding:
    """A random folding in block RAMs and LUTs; arguments as for `_pe_and_simd`."""
    pe, simd = rule.shape(_pe_and_simd(rng, rule, lanes, cycles, parallel))
    limits, rows = rule.rows if isinstance(rule.layer, Conv2d | MaxPool) else None, None
    if limits is not None and rng.integers(2):
        rows = int(rng.integers(limits[0], limits[1] + 1))
    store, preset_store, replay_store = (str(store) for store in rng.choice(sorted(STORES), 3))
    return rule.folding(
        pe=pe,
        simd=simd,
        rows=rows,
        registered=(pe + simd) % 3 == 0,
        weights=Rom(store),
        preset_store=preset_store,
        replay_store=replay_store,
    )


def _in_spram(rng: np.random.Generator, rule: Rule, folding: Folding) -> Folding:
    """In one of three layers with weights, if it can be, the folding with these in SPRAM."""
    pe, simd = rule.shape(folding)
    wanted = rng.integers(3) == 0 and pe * simd <= _SPRAM_WIDTH
    if not (isinstance(rule, WeightedRule) and isinstance(folding, WeightedFolding) and wanted):
        return folding
    if rule.weight_words(pe, simd) > BLOCK_DEPTH:
        return folding
    most = blocks(pe * simd)
    return replace(folding, weights=Spram(int(rng.integers(1, most + 1)) if rng.integers(2) else None))


def _unrolled(
    rng: np.random.Generator, rule: Rule, folding: Folding, lanes: int | None, slowest: int
) -> Folding:
    """In one of six dense layers of at most `lanes` inputs at once, the folding with unrolled weights."""
    if not (rule.unrolled_as and one_in(rng, 6)):
        return folding
    assert isinstance(folding, WeightedFolding)
    layer, (_, simd) = rule.layer, rule.limits
    bits = layer.planes * simd if layer.planes > 1 else 0
    if (
        layer.weight_bits * layer.planes * slowest > _MAX_UNROLLED
        or bits > _MAX_BITS
        or lanes is not None
        and simd > lanes
    ):
        return folding
    levels = int(rng.integers(1, 9))
    return rule.unrolled(
        levels=levels, table_inputs=4 + (levels + layer.outputs) % 3, preset_store=folding.preset_store
    )


def _queued(rng: np.random.Generator, rule: Rule, folding: Folding) -> Folding:
    """In one of two layers with line buffers, the folding with a queue behind them."""
    if not isinstance(folding, WindowFolding) or rule.rows is None or not rng.integers(2):
        return folding
    return replace(folding, queued=True)


def _at_once(rng: np.random.Generator, rule: Rule, folding: Folding) -> Folding:
    """In one of two convolutions, the folding with several positions at once, patches, or both."""
    if not isinstance(folding, ConvFolding) or not rng.integers(2):
        return folding
    wanted, most = int(rng.integers(1, 6)), max(1, _MAX_BITS // (folding.simd * rule.layer.planes))
    changed = replace(
        folding,
        patches=bool(rng.integers(3)),
        at_once=min(wanted, most),
        splitter_store=str(rng.choice(sorted(STORES))),
    )
    return rule.nearest(changed)


def _batch(rng: np.random.Generator, placed: tuple[Rule, ...], foldings: Sequence[Folding]) -> int:
    """In one of three designs, how many images dense layers compute together."""
    if not one_in(rng, 3):
        return 1
    widest = max(
        rule.layer.planes * rule.shape(folding)[1]
        for rule, folding in zip(placed, foldings, strict=True)
        if isinstance(rule.layer, Dense | Scores)
    )
    return max(1, min(int(rng.integers(2, 6)), _MAX_BITS // widest))


def _top_k(rng: np.random.Generator, network: Network) -> int:
    """How many of the best classes the core reports: in three of four networks one."""
    if network.decision != "argmax" or not one_in(rng, 4):
        return 1
    if rng.integers(4):
        return int(rng.integers(2, min(network.classes, 16) + 1))
    return min(network.classes, 64)


def image_cycles(placed: tuple[Rule, ...], foldings: Sequence[Folding]) -> int:
    """Cycles that the slowest layer is busy with an image; `placed` are the rules of the layers."""
    return max(_cycles(*pair) for pair in zip(placed, foldings, strict=True))
