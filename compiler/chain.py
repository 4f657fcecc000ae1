"""The fewest LUTs of all chains of some stages, by the block RAMs and SPRAMs that they take.

Dynamic programming along the layers. After each layer there is a table of what the smallest chain takes, for
each width of the beats that leave the layer and each number of SPRAMs and block RAMs so far. The cost of the
width converter to the next layer depends on nothing else. The stages of a chain are found by going back.

A shortcut ends where the width of its `Fork` must be known again, so between the two there is such a table
for each width of the `Fork`. At a `Switch` one ends, whose beats go on, and another begins.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar, cast

import numpy as np

from .candidates import Columns
from .device import Device
from .estimate import Cost, part_cost
from .folding import QueueFolding
from .joints import Joints, joints
from .layers import Rule
from .layers.weighted import MAX_LUT_BUFFER
from .stage import Stage, shortcut

__all__ = ["Chain", "Prices"]

#: What all block RAMs of a device cost, and all SPRAMs, in shares of all its LUTs.
_RAM_PRICE = 0.03

N = TypeVar("N", float, np.ndarray)

#: The shortcuts that have begun: pairs of the place of a `Fork` or `Switch` and the width of its beats.
_Open = tuple[tuple[int, int], ...]


@dataclass(frozen=True, kw_only=True)
class Prices:
    """What resources cost, in LUTs.

    Parameters
    ----------
    device : Device
    ff : float
        Price of a flip-flop.
    """

    device: Device
    ff: float = 0.0

    def rams(self, bram: N, spram: N) -> N:
        """The price of block RAMs and SPRAMs: small, so that they are not used for nothing."""
        device = self.device
        return _RAM_PRICE * device.lut * (bram / max(1, device.bram) + spram / max(1, device.spram))


class _Table(NamedTuple):
    """The fewest LUTs, as an array by (width of the beats, SPRAMs, block RAMs), of these widths."""

    lanes: np.ndarray
    luts: np.ndarray


class _Moves(NamedTuple):
    """Stages of a layer that may follow, and their resources with those of a shortcut that ends there.

    `opened` are the shortcuts that have begun after them; `fork` is the stage of the `Fork` of the one that
    ends.
    """

    opened: _Open
    columns: Columns
    lut: np.ndarray
    spram: np.ndarray
    bram: np.ndarray
    fork: Stage | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Chain:
    """All chains of stages, one of each layer.

    Parameters
    ----------
    rules : sequence of Rule
    columns : sequence of Columns
        The stages of each layer.
    cycles : int
        Maximum per image.
    most : (int, int) or None
        SPRAMs and block RAMs that may be used; None is any number, which are then not told apart.
    prices : Prices
    shortcuts : dict of int
        The place of the `Fork` or `Switch` of each `Add` and each `Switch`, by its place.
    switches : set of int
        The places of each `Switch`.
    waits : dict of int
        The depth of the queue of each `Fork` and `Switch`, by its place, in vectors.

    Attributes
    ----------
    tables : list of dict
        After each layer, by the shortcuts that have begun.
    """

    rules: Sequence[Rule]
    columns: Sequence[Columns]
    cycles: int
    most: tuple[int, int] | None
    prices: Prices
    shortcuts: Mapping[int, int]
    switches: frozenset[int]
    waits: Mapping[int, int]
    tables: list[dict[_Open, _Table]] = field(default_factory=list)

    def __post_init__(self) -> None:
        nothing = self._empty(1)
        nothing[0, 0, 0] = 0
        self.tables.append({(): _Table(np.array([1]), nothing)})
        for n in range(len(self.columns)):
            self.tables.append(self._follow(n))

    @property
    def luts(self) -> np.ndarray:
        """The fewest LUTs by (SPRAMs, block RAMs); infinite where there is no such chain."""
        last = self.tables[-1].get(())
        return self._empty(1)[0] if last is None else last.luts.min(axis=0)

    def _empty(self, lanes: int) -> np.ndarray:
        spram, bram = self.most or (0, 0)
        return np.full((lanes, spram + 1, bram + 1), math.inf)

    def _joined(self, n: int, lanes: np.ndarray, i_lanes: np.ndarray) -> np.ndarray:
        """LUTs of the width converters before layer `n`, by the widths on both sides; infinite where they
        take too long.
        """
        if n == 0:  # its candidates have theirs
            return np.zeros((1, len(i_lanes)))
        found = joints(
            i_length=self.rules[n - 1].o_length,
            i_lanes=lanes,
            o_length=self.rules[n].i_length,
            o_lanes=i_lanes,
            element_bits=self.rules[n].before.maximum.bit_length(),
            elements=math.prod(self.rules[n].input_shape),
            images=self.rules[n].i_together,
        )
        return self._luts(found)

    def _luts(self, found: Joints) -> np.ndarray:
        return np.where(found.cycles <= self.cycles, found.lut + self.prices.ff * found.ff, math.inf)

    def _follow(self, n: int) -> dict[_Open, _Table]:
        """The table after layer `n`, from that before."""
        found: dict[_Open, list[_Table]] = {}
        for opened, before in self.tables[n].items():
            for moves in self._moves(n, opened):
                if len(moves.lut):
                    found.setdefault(moves.opened, []).append(self._moved(n, before, moves))
        return {opened: self._smallest(tables) for opened, tables in found.items()}

    def _smallest(self, tables: Sequence[_Table]) -> _Table:
        if len(tables) == 1:
            return tables[0]
        lanes = np.unique(np.concatenate([table.lanes for table in tables]))
        luts = self._empty(len(lanes))
        for table in tables:
            at = np.searchsorted(lanes, table.lanes)
            luts[at] = np.minimum(luts[at], table.luts)
        return _Table(lanes, luts)

    def _moved(self, n: int, before: _Table, moves: _Moves) -> _Table:
        """The table after some stages of layer `n`."""
        columns = moves.columns
        i_lanes, source = np.unique(columns.i_lanes, return_inverse=True)
        joined = self._joined(n, before.lanes, i_lanes)
        entered = np.stack([(before.luts + each[:, None, None]).min(axis=0) for each in joined.T])
        lanes, target = np.unique(columns.o_lanes, return_inverse=True)
        luts, (most_spram, most_bram) = self._empty(len(lanes)), self.most or (0, 0)
        resources, kind = np.unique(np.stack([moves.spram, moves.bram]), axis=1, return_inverse=True)
        for at, (spram, bram) in enumerate(resources.T.tolist()):
            if spram > most_spram or bram > most_bram:
                continue
            rows = np.flatnonzero(kind.ravel() == at)
            rows = rows[np.argsort(target[rows], kind="stable")]
            reached, first = np.unique(target[rows], return_index=True)
            chains = entered[source[rows], : most_spram + 1 - spram, : most_bram + 1 - bram]
            chains = chains + moves.lut[rows, None, None]
            part = luts[reached, spram:, bram:]
            luts[reached, spram:, bram:] = np.minimum(part, np.minimum.reduceat(chains, first, axis=0))
        return _Table(lanes, luts)

    def _moves(self, n: int, opened: _Open) -> Iterator[_Moves]:
        """The stages of layer `n` that may follow where these shortcuts have begun."""
        columns = self.columns[n]
        if n in self.switches:
            yield from self._switching(n, opened, columns)
        elif n in self.shortcuts:
            yield from self._closing(n, opened, columns)
        elif n in self.shortcuts.values():
            for lanes in np.unique(columns.o_lanes):
                yield self._move((*opened, (n, int(lanes))), columns.where(columns.o_lanes == lanes))
        else:
            yield self._move(opened, columns)

    def _switching(self, n: int, opened: _Open, columns: Columns) -> Iterator[_Moves]:
        """The stages of a `Switch`, with each memory for the queue of its `Fork`, whose beats go on."""
        begin = self.shortcuts[n]
        before, rest = dict(opened)[begin], tuple(each for each in opened if each[0] != begin)
        for stage, queue in self._queues(begin, before):
            for lanes in np.unique(columns.i_lanes):
                some = columns.where(columns.i_lanes == lanes)
                yield self._move(
                    (*rest, (n, int(lanes))),
                    replace(some, o_lanes=np.full_like(some.o_lanes, before)),
                    queue.lut + self.prices.ff * queue.ff,
                    queue.bram,
                    stage,
                )

    def _queues(self, begin: int, lanes: int) -> Iterator[tuple[Stage, Cost]]:
        """The stage of a `Fork` or `Switch` of that width with each memory for its queue, and what the queue
        takes.
        """
        forks = self.columns[begin]
        fork = forks.stage[np.flatnonzero(forks.o_lanes == lanes)[0]]
        bits, beats = fork.i_maximum.bit_length(), max(2, self.waits[begin] * -(-fork.i_length // lanes))
        for store in ("bram", "lut") if beats * lanes * bits <= MAX_LUT_BUFFER else ("bram",):
            assert isinstance(fork.folding, QueueFolding)
            stage = replace(fork, folding=replace(fork.folding, replay_store=store))
            yield stage, part_cost(shortcut(stage, beats), device=self.prices.device)

    def _move(
        self,
        opened: _Open,
        columns: Columns,
        more: float | np.ndarray = 0,
        bram: int = 0,
        fork: Stage | None = None,
    ) -> _Moves:
        """Stages with `more` LUTs and `bram` block RAMs."""
        lut, all_bram, spram = (
            columns.lut + self.prices.ff * columns.ff + more,
            columns.bram + bram,
            columns.spram,
        )
        if self.most is None:
            lut = lut + self.prices.rams(all_bram, spram)
            all_bram, spram = np.zeros_like(all_bram), np.zeros_like(spram)
        return _Moves(opened, columns, lut, spram, all_bram, fork)

    def _closing(self, n: int, opened: _Open, columns: Columns) -> Iterator[_Moves]:
        """The stages of an `Add`, with each memory for the queue of its shortcut."""
        begin, rule = self.shortcuts[n], self.rules[n]
        lanes = dict(opened)[begin]
        way = joints(
            i_length=rule.i_length,
            i_lanes=np.array([lanes]),
            o_length=rule.i_length,
            o_lanes=columns.i_lanes,
            element_bits=self.rules[begin].before.maximum.bit_length(),
            elements=math.prod(rule.input_shape),
        )
        for stage, queue in self._queues(begin, lanes):
            yield self._move(
                tuple(each for each in opened if each[0] != begin),
                columns,
                self._luts(way)[0] + queue.lut + self.prices.ff * queue.ff,
                queue.bram,
                stage,
            )

    def stages(self, spram: int, bram: int) -> list[Stage]:
        """The smallest chain that takes these SPRAMs and block RAMs."""
        opened: _Open = ()
        last = self.tables[-1][opened]
        lanes = last.lanes[last.luts[:, spram, bram].argmin()]
        found: list[Stage] = []
        forks: dict[int, Stage] = {}
        for n in reversed(range(len(self.columns))):
            _, opened, lanes, spram, bram, stage, fork = min(
                self._ways_back(n, opened, lanes, spram, bram), key=lambda way: way[0]
            )
            if fork is not None:
                forks[self.shortcuts[n]] = fork
            found.append(forks.get(n, stage))
        return found[::-1]

    def _ways_back(
        self, n: int, opened: _Open, lanes: int, spram: int, bram: int
    ) -> Iterator[tuple[float, _Open, int, int, int, Stage, Stage | None]]:
        """For each group of stages of layer `n` from which a place in the table after it can be reached, the
        LUTs of the smallest chain, the place before and the stage.
        """
        for before, table in self.tables[n].items():
            for moves in self._moves(n, before):
                columns = moves.columns
                rows = np.flatnonzero(
                    (columns.o_lanes == lanes) & (moves.spram <= spram) & (moves.bram <= bram)
                )
                if moves.opened != opened or not len(rows):
                    continue
                left = spram - moves.spram[rows], bram - moves.bram[rows]
                luts = table.luts[:, left[0], left[1]] + moves.lut[rows]
                luts = luts + self._joined(n, table.lanes, columns.i_lanes[rows])
                at, row = np.unravel_index(luts.argmin(), luts.shape)
                yield (
                    float(luts[at, row]),
                    before,
                    int(table.lanes[at]),
                    int(left[0][row]),
                    int(left[1][row]),
                    cast(Stage, columns.stage[rows[row]]),
                    moves.fork,
                )
