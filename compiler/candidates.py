"""The stages that each layer of a network can become on a device, and their costs as columns of numbers.

The shapes of a layer, its pe and simd, are the same at every pace. Those for a number of cycles are among
those for a larger one, so the cheapest design never gets dearer with more cycles. To make and price a stage
takes about a tenth of a millisecond, so this is done only for those that may matter.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache

import numpy as np

from ..hw import mvtu, window
from ..hw.spram import BLOCK_DEPTH, blocks
from .device import Device
from .estimate import Cost, converter_cost, end_cost, least_unit_luts, part_cost
from .folding import Folding, Spram, WeightedFolding, WindowFolding
from .ir import Network
from .layers import rules
from .layers.rule import Memories
from .layers.weighted import WeightedRule
from .linked import may_enter
from .stage import Stage

__all__ = ["Candidates", "Catalog", "Columns", "free_rows"]


class Catalog:
    """What is common to the stages of all layers: their memories, and how they are made.

    Parameters
    ----------
    network : Network
    device : Device
    patchable : bool
        Whether weights and thresholds can be replaced in the bitstream. SPRAM, which is loaded at start-up,
        is not in the bitstream's ROMs.
    spram : bool
        Whether weights may be in SPRAM.
    label_only : bool
        As in `Design`. No board is around such a core, so that it takes any number of pixels at once.
    batch : int
        As in `Design`.
    """

    def __init__(
        self,
        network: Network,
        device: Device,
        *,
        patchable: bool = False,
        spram: bool = True,
        label_only: bool = False,
        batch: int = 1,
    ) -> None:
        self.network, self.device, self.patchable = network, device, patchable
        self.label_only = label_only
        self.rules, fabric = rules(network, batch), device.fabric
        self.spram = device.spram if spram and not patchable else 0
        self._memories = Memories(
            registered=fabric.registered,
            patchable_store=fabric.patchable_store if patchable else None,
            table_inputs=fabric.lut_inputs,
        )
        self.first_unit = cache(self._first_unit)

    def stages(self, n: int, pe: int, simd: int) -> Iterator[tuple[Cost, Stage]]:
        """The stages of layer `n` with a pe and simd, one for each choice of memories worth a try."""
        rule = self.rules[n]
        for folding in rule.foldings(pe, simd, self._memories):
            first = self.stage(n, folding)
            costs = [part_cost(part, device=self.device, exact=False) for part in first.parts]
            yield self._cost(n, first, costs), first
            for stage in self._in_spram(first):
                changed = [
                    cost if part is before else part_cost(part, device=self.device, exact=False)
                    for part, before, cost in zip(stage.parts, first.parts, costs, strict=True)
                ]
                yield self._cost(n, stage, changed), stage

    def _cost(self, n: int, stage: Stage, parts: Sequence[Cost]) -> Cost:
        """A stage whose parts cost so much, with what is between it and the ends of the core."""
        rule, device = self.rules[n], self.device
        cost = sum(parts, Cost())
        if rule.takes == "pixel" and not self.label_only:
            # The board packs single pixels into beats: a register of eight bits a lane.
            cost += Cost(lut=8 * stage.i_lanes)
        if n == 0:
            cost += converter_cost(
                i_length=self.network.pixels,
                i_lanes=rule.beat_pixels(stage.i_lanes),
                o_length=stage.i_length,
                o_lanes=stage.i_lanes,
                element_bits=stage.i_maximum.bit_length(),
            )
        if n == len(self.rules) - 1:
            cost += end_cost(self.network, stage, device, label_only=self.label_only)
        return cost

    def _in_spram(self, choice: Stage) -> Iterator[Stage]:
        """A stage whose weights are in block RAM, with all or part of each word in SPRAM."""
        unit, folding = choice.unit, choice.folding
        if not self.spram or not isinstance(folding, WeightedFolding) or folding.store != "bram":
            return
        assert isinstance(unit, mvtu.Parameters)
        if unit.weight_depth <= BLOCK_DEPTH:
            for count in range(1, min(self.spram, blocks(unit.pe * unit.simd)) + 1):
                stored = unit.refolded(weight_store="spram", sprams=count)
                yield replace(
                    choice,
                    folding=replace(folding, weights=Spram(count)),
                    parts=tuple(stored if part is unit else part for part in choice.parts),
                )

    def _first_unit(self, n: int, lanes: int | None) -> mvtu.Parameters | None:
        rule = self.rules[n]
        return rule.unit(rule.folding(pe=1, simd=lanes or 1), patchable=self.patchable)

    def stage(self, n: int, folding: Folding) -> Stage:
        """The stage of layer `n`, with as many rows in its line buffers as cost no further block RAM."""
        rule, unit = self.rules[n], None
        if isinstance(rule, WeightedRule) and isinstance(folding, WeightedFolding):
            first = self.first_unit(n, rule.pixel_lanes(folding.simd))
            assert first is not None
            unit = first.refolded(**rule.folded_unit(folding))
        found = rule.stage_of(folding, unit)
        moves = found.part(window.Parameters)
        if moves is None or not isinstance(folding, WindowFolding) or folding.replay_store != "bram":
            return found
        rows = free_rows(moves.geometry, width=moves.width, device=self.device)
        return rule.stage_of(replace(folding, rows=rows), unit)

    def banks(self, stage: Stage) -> int:
        """Block RAMs one after the other in the weight ROM of a stage."""
        unit, store = stage.unit, stage.folding.store
        if not isinstance(unit, mvtu.Parameters) or store not in ("bram", "spram"):
            return 1
        width = unit.rest_width if store == "spram" else unit.pe * unit.simd
        return self.device.banks(width=width, depth=unit.weight_depth) if width else 1


def free_rows(geometry: window.Geometry, *, width: int, device: Device) -> int:
    """The maximum number of rows that line buffers of `width` bits can hold in the block RAMs that they take
    anyway.
    """
    low, high = geometry.rows_range(height=geometry.height, kernel=geometry.kernel, stride=geometry.stride)

    def brams(rows: int) -> int:
        return device.brams(width=width, depth=rows * geometry.width * geometry.slices)

    return max(rows for rows in range(low, high + 1) if brams(rows) == brams(low))


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Stages of a layer, a row for each: numbers of cycles, widths of beats, resources, and block RAMs one
    after the other in the weight ROM.
    """

    stage: np.ndarray
    cycles: np.ndarray
    i_lanes: np.ndarray
    o_lanes: np.ndarray
    lut: np.ndarray
    ff: np.ndarray
    bram: np.ndarray
    spram: np.ndarray
    banks: np.ndarray

    def where(self, rows: np.ndarray) -> "Columns":
        """Some of the rows."""
        return Columns(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


class Candidates:
    """The stages of one layer.

    Parameters
    ----------
    catalog : Catalog
    n : int
        The place of the layer.

    Attributes
    ----------
    simd, least_cycles, least_lut : array
        Of each shape: inputs at once, and what all of its stages take at least.
    made : array of bool
        Which shapes are made and priced.
    """

    def __init__(self, catalog: Catalog, n: int) -> None:
        self._catalog, self._n = catalog, n
        self._rows: list[tuple] = []
        self._columns: Columns | None = None
        rule = catalog.rules[n]
        any_width = n > 0 or catalog.label_only
        self._shapes = [shape for shape in rule.shapes() if any_width or may_enter(rule, shape[1])]
        self.simd = np.array([simd for _, simd in self._shapes])
        self.least_cycles = np.array(
            [max(rule.least_cycles(*shape), self._enter(shape[1])) for shape in self._shapes]
        )
        self._most_cycles = np.array([rule.most_cycles(*shape) for shape in self._shapes])
        self.least_lut = self._least_luts()
        self.made = np.zeros(len(self._shapes), bool)

    def _least_luts(self) -> np.ndarray:
        rule, unit = self._catalog.rules[self._n], self._catalog.first_unit(self._n, 1)
        if unit is None:
            return np.zeros(len(self._shapes))
        pe, simd = np.array(self._shapes).T
        counters = np.array([rule.counters(*shape) for shape in self._shapes])
        luts = least_unit_luts(unit, pe, simd, counters=counters, device=self._catalog.device)
        return np.where(counters > 0, luts, 0)

    def _enter(self, simd: int) -> int:
        """Cycles in which an image enters the core."""
        if self._n:
            return 0
        return -(-self._catalog.network.pixels // self._catalog.rules[0].beat_pixels(simd))

    def in_time(self, cycles: int) -> np.ndarray:
        """Which shapes are worth a try for a number of cycles per image."""
        return (self.least_cycles <= cycles) & (cycles <= self._most_cycles)

    def make(self, wanted: np.ndarray) -> bool:
        """Make and price the shapes of a mask; whether there were any not yet made."""
        new = np.flatnonzero(wanted & ~self.made)
        for at in new:
            least = self._enter(self._shapes[at][1])
            for cost, stage in self._catalog.stages(self._n, *self._shapes[at]):
                self._rows.append(
                    (
                        stage,
                        max(stage.cycles, least),
                        stage.i_lanes,
                        stage.o_lanes,
                        cost.lut,
                        cost.ff,
                        cost.bram,
                        cost.spram,
                        self._catalog.banks(stage),
                    )
                )
        self.made[new] = True
        if len(new):
            self._columns = None
        return len(new) > 0

    def columns(self, cycles: int, max_banks: float) -> Columns:
        """The made stages that take at most `cycles`, with weight ROMs of at most so many banks."""
        if self._columns is None:
            names = [field.name for field in fields(Columns)]
            columns = zip(*self._rows, strict=True) if self._rows else ([] for _ in names)
            self._columns = Columns(
                **{
                    name: np.array(
                        column, dtype=object if name == "stage" else float if name in ("lut", "ff") else int
                    )
                    for name, column in zip(names, columns, strict=True)
                }
            )
        found = self._columns
        return found.where((found.cycles <= cycles) & (found.banks <= max_banks))
