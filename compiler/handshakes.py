"""The handshakes of each part of `sbgen.hw` that holds state: when it offers beats and is ready for them,
from when beats are taken on both of its sides (`sbgen.compiler.stream_times`).

`times` of each model is the specification that `tests/test_cycles.py` compares with its component.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import cache

import numpy as np

from ..hw import collector, deep_queue, mvtu, patches, splitter, window
from .stream_times import NEVER, Handshake, Stream, in_turn

__all__ = [
    "Add",
    "Collector",
    "Cut",
    "Delay",
    "Discard",
    "Fork",
    "Gather",
    "Mvtu",
    "Patches",
    "Queue",
    "Replay",
    "Splitter",
    "Together",
    "Turns",
    "Window",
]


class Cut(Handshake):
    """`sbgen.hw.width.WidthConverter` towards a fraction of the width: a beat becomes several."""

    def __init__(self, *, length: int, i_lanes: int, o_lanes: int) -> None:
        self.beats = -(-length // i_lanes)
        self.parts = i_lanes // o_lanes
        self.last_parts = -(-(length - (self.beats - 1) * i_lanes) // o_lanes)
        self.plan = cache(self._plan)

    def _plan(self, beats: int) -> tuple[np.ndarray, np.ndarray]:
        """For each beat the output before its first one; for each output its beat."""
        parts = np.full(beats, self.parts)
        parts[self.beats - 1 :: self.beats] = self.last_parts
        return np.cumsum(parts) - parts - 1, np.repeat(np.arange(beats), parts)

    def o_beats(self, i_beats: int) -> int:
        return len(self.plan(i_beats)[1])

    def times(self) -> tuple[np.ndarray, np.ndarray]:
        before, source = self.plan(self.i.beats)
        return self.o.taken(before), self.i.taken(source) + 1


class Gather(Handshake):
    """Parts that output a beat after those of their beats that end one: `sbgen.hw.width.WidthConverter`
    towards a multiple of the width, `sbgen.hw.pool.OrReduce`, `sbgen.hw.maximum.Maximum`.
    """

    def __init__(self, ends: Sequence[bool]) -> None:
        self.ends = ends
        self.plan = cache(self._plan)

    def _plan(self, beats: int) -> tuple[np.ndarray, np.ndarray]:
        """For each beat the output before it; for each output its last beat."""
        ends = np.tile(self.ends, beats // len(self.ends))
        return np.cumsum(ends) - ends - 1, np.flatnonzero(ends)

    def times(self) -> tuple[np.ndarray, np.ndarray]:
        before, last = self.plan(self.i.beats)
        return self.o.taken(before), self.i.taken(last) + 1


class Replay(Handshake):
    """`sbgen.hw.replay.ReplayBuffer` for vectors of several beats. A beat can be in the output register two
    cycles after it was taken; a bank is free when the last beat of its vector is there.
    """

    def __init__(self, *, beats: int, repeats: int) -> None:
        self.beats, self.repeats = beats, repeats
        self.plan = cache(self._plan)

    def _plan(self, beats: int) -> tuple[np.ndarray, np.ndarray]:
        """For each vector the output that frees its bank; for each output its beat."""
        vectors = np.arange(beats // self.beats)
        source = np.arange(beats).reshape(-1, 1, self.beats).repeat(self.repeats, axis=1)
        return (vectors - 1) * self.beats * self.repeats - 1, source.ravel()

    def o_beats(self, i_beats: int) -> int:
        return i_beats * self.repeats

    def times(self) -> tuple[np.ndarray, np.ndarray]:
        frees, source = self.plan(self.i.beats)
        ready = np.full(self.i.beats, NEVER)
        ready[:: self.beats] = self.o.offered(frees)
        return ready, self.i.taken(source) + 2


class Mvtu(Handshake):
    """`sbgen.hw.mvtu.Mvtu`: the last beat of a group waits for a place in the queue; what is between only
    delays.
    """

    def __init__(self, parameters: mvtu.Parameters) -> None:
        self.beats, self.depth, self.latency = parameters.beats, parameters.queue_depth, parameters.latency

    def times(self) -> tuple[np.ndarray, np.ndarray]:
        last = np.arange(self.beats - 1, self.i.beats, self.beats)
        ready = np.full(self.i.beats, NEVER)
        ready[last] = self.o.taken(np.arange(len(last)) - self.depth) + 1
        return ready, self.i.taken(last) + self.latency


class Together(Handshake):
    """Registers that move together, but while the last one waits to be taken. What some beats output is as
    many moves later: `sbgen.hw.unrolled.Unrolled`, `sbgen.hw.best.Best`, `sbgen.hw.threshold.Threshold`,
    `sbgen.hw.sums.WindowSums`.
    """

    def __init__(self, registers: int, ends: Sequence[bool] = (True,)) -> None:
        self.registers, self.ends = registers, ends
        self.plan = cache(self._plan)

    def _plan(self, beats: int) -> list[bool]:
        return list(self.ends) * (beats // len(self.ends))

    def times(self) -> tuple[np.ndarray, np.ndarray]:
        before = np.arange(-self.registers, 0)
        # Of the outputs that may be in the registers: offered and taken.
        held = deque(
            zip(self.o.offered(before).tolist(), self.o.taken(before).tolist(), strict=True),
            maxlen=self.registers,
        )
        wanted, takes, offers = iter(self.o.ready.tolist()), list[int](), list[int]()
        for offered, ends in zip(self.i.offers.tolist(), self.plan(self.i.beats), strict=True):
            cycle = max(offered, takes[-1] + 1) if takes else offered
            waits = 0
            for offer, take in held:
                if offer > cycle:
                    waits += take - offer
                elif cycle < take:
                    cycle = take
            takes.append(cycle)
            if ends:
                offers.append(cycle + self.registers + waits)
                held.append((offers[-1], max(offers[-1], next(wanted))))
        return np.array(takes, np.int64), np.array(offers, np.int64)


class Window(Handshake):
    """`sbgen.hw.window.SlidingWindow`: a row is output when those under it have come, and then frees some."""

    def __init__(self, geometry: window.Geometry) -> None:
        self.geometry = geometry
        self.row_words = geometry.width * geometry.slices
        self.out_row_words = geometry.words_out // geometry.out_height
        rows = range(geometry.out_height)
        freed = np.array([geometry.freed(row) for row in rows])
        #: Rows of the image that are freed after each row of output, and that it needs.
        self.freed = np.cumsum(freed)
        self.needed = self.freed - freed + [geometry.needed(row) for row in rows]
        self.plan = cache(self._plan)

    def _plan(self, beats: int) -> tuple[np.ndarray, np.ndarray]:
        """For each row the output that frees its place; for each output the last beat that it needs."""
        height, images = self.geometry.height, np.arange(beats // self.geometry.words_in)[:, None]
        needed = ((images * height + self.needed) * self.row_words - 1).ravel()
        assert self.geometry.rows is not None
        others = np.arange(len(images) * height) - self.geometry.rows  # the row whose place each one takes
        frees = others // height * self.geometry.out_height + np.searchsorted(self.freed, others % height + 1)
        return (frees + 1) * self.out_row_words - 1, np.repeat(needed, self.out_row_words)

    def times(self) -> tuple[np.ndarray, np.ndarray]:
        frees, needed = self.plan(self.i.beats)
        ready = np.full(self.i.beats, NEVER)
        ready[:: self.row_words] = self.o.offered(frees)
        return ready, np.maximum(self.i.taken(needed) + 2, 1)


class Patches(Handshake):
    """`sbgen.hw.patches.Patches`: a column takes a step for each of its pixels, one of padding a step."""

    def __init__(self, parameters: patches.Parameters) -> None:
        p, takes, gives = parameters, list[bool](), list[bool]()
        for at in range(p.fed):
            inside, past = p.padding[0] <= at < p.padding[0] + p.width, at - (p.columns - 1)
            pixels = p.kernel[0] if inside else 1
            takes += [inside] * pixels
            gives += [False] * (pixels - 1)
            gives += [past >= 0 and past % p.moves == 0 and past // p.moves < p.steps]
        #: Of the steps of a row: which take a beat, and which output one.
        self.takes, self.gives = np.array(takes), np.array(gives)
        self.plan = cache(self._plan)

    def _plan(self, beats: int) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
        """How many steps there are from the last beat of the round before on; of them and those of the round,
        which take a beat of the round, which output one, and the output before each.
        """
        earlier, rows = int(self.takes[::-1].argmax()) + 1, beats // np.count_nonzero(self.takes)
        gives = np.concatenate([self.gives[-earlier:], np.tile(self.gives, rows)])
        before = np.cumsum(gives) - gives - np.count_nonzero(gives[:earlier]) - 1
        takes = earlier + np.flatnonzero(np.tile(self.takes, rows))
        return earlier, takes, earlier + np.flatnonzero(gives[earlier:]), before

    def times(self) -> tuple[np.ndarray, np.ndarray]:
        earlier, takes, gives, before = self.plan(self.i.beats)
        offers = np.zeros(len(before), np.int64)
        offers[:earlier] = NEVER
        offers[0] = self.i.taken(np.array([-1]))[0]
        offers[takes] = self.i.offers
        steps = in_turn(np.maximum(offers, self.o.taken(before)))
        return steps[takes], steps[gives] + 1


class Splitter(Handshake):
    """`sbgen.hw.splitter.Splitter` in LUTs: a queue for each position, and all of them must have room."""

    def __init__(self, parameters: splitter.Parameters) -> None:
        p = parameters
        self.depths, self.row = p.depths, p.steps * p.beats
        order = [
            (step * p.beats + beat, position)
            for step, positions in enumerate([p.at_once] * (p.steps - 1) + [p.last])
            for position in range(positions)
            for beat in range(p.beats)
        ]
        #: Of the outputs of a row: their beats, and those of each position.
        self.source, positions = np.array(order).T
        self.leaves = [np.flatnonzero(positions == n) for n in range(p.at_once)]
        self.plan = cache(self._plan)

    def _plan(self, beats: int) -> tuple[list[np.ndarray], np.ndarray]:
        """For each queue and beat the output that must have left it; for each output its beat."""
        rows = np.arange(beats // self.row)[:, None]
        room = []
        for depth, leaves in zip(self.depths, self.leaves, strict=True):
            entered = np.searchsorted(self.source[leaves], np.arange(self.row))  # before each beat of a row
            leaver = (rows * len(leaves) + entered).ravel() - depth
            room.append(leaves[leaver % len(leaves)] + leaver // len(leaves) * len(self.source))
        return room, (rows * self.row + self.source).ravel()

    def times(self) -> tuple[np.ndarray, np.ndarray]:
        room, source = self.plan(self.i.beats)
        return np.max([self.o.taken(left) for left in room], axis=0) + 1, self.i.taken(source) + 1


class Turns(Handshake):
    """What follows the banks in `sbgen.hw.splitter.Splitter`: beats past the last position are left out."""

    def __init__(self, parameters: splitter.Parameters) -> None:
        position = parameters.at_once * parameters.beats
        self.row = parameters.steps * position
        self.end = (parameters.steps - 1) * position + parameters.last * parameters.beats

    def times(self) -> tuple[np.ndarray, np.ndarray]:
        passed = np.arange(self.i.beats) % self.row < self.end
        ready = np.full(self.i.beats, NEVER)
        ready[passed] = self.o.ready
        return ready, self.i.offers[passed]


class Delay(Handshake):
    """Beats that are offered some cycles later, when at most `depth` are held: `sbgen.hw.scale.Scale`,
    `sbgen.hw.short_queue.ShortQueue`.

    Parameters
    ----------
    free : int
        Cycles from when a beat is taken until its place is free.
    """

    def __init__(self, *, latency: int, depth: int, free: int) -> None:
        self.latency, self.depth, self.free = latency, depth, free

    def times(self) -> tuple[np.ndarray, np.ndarray]:
        beats = np.arange(self.i.beats)
        return self.o.taken(beats - self.depth) + self.free, self.i.taken(beats) + self.latency


class Queue(Handshake):
    """`sbgen.hw.deep_queue.DeepQueue`: a place is free when its beat is in the output register."""

    def __init__(self, parameters: deep_queue.Parameters) -> None:
        self.depth = parameters.depth

    def times(self) -> tuple[np.ndarray, np.ndarray]:
        beats = np.arange(self.i.beats)
        return self.o.offered(beats - self.depth), self.i.taken(beats) + 2


class Fork(Handshake):
    """`sbgen.hw.fork.Fork`: each side takes a beat when it is ready; the beat leaves with the later one."""

    def __init__(self) -> None:
        self.kept = Stream()
        self.kept.giver = self

    def times(self) -> tuple[np.ndarray, np.ndarray]:
        return np.maximum(self.o.takes, self.kept.takes), self.i.offers

    def update(self) -> None:
        super().update()
        self.kept.offer(self.i.offers)


class Add(Handshake):
    """`sbgen.hw.add.Add`: two beats are taken together."""

    kept: Stream

    def times(self) -> tuple[np.ndarray, np.ndarray]:
        room = self.o.taken(np.arange(self.i.beats) - 1)
        return np.maximum(room, self.kept.offers), self.i.takes + 1

    def update(self) -> None:
        super().update()
        self.kept.be_ready(np.maximum(self.o.taken(np.arange(self.i.beats) - 1), self.i.offers))


class Collector(Handshake):
    """`sbgen.hw.collector.Collector`: a round is a batch, of as many vectors as come."""

    def __init__(self, parameters: collector.Parameters) -> None:
        self.batch, self.beats, self.patience = parameters.batch, parameters.beats, parameters.patience
        self.reads = parameters.beats * parameters.repeats

    @property
    def _alone(self) -> int:
        """When no batch before is to be output."""
        return int(self.o.offered(np.array([-1]))[0])

    def times(self) -> tuple[np.ndarray, np.ndarray]:
        ends = int(self.i.takes[-1])
        if self.i.beats < self.batch * self.beats:
            ends = max(ends + 1, self._alone) + self.patience - 1
        ready = np.full(self.i.beats, NEVER)
        ready[0] = self.o.offered(np.array([-self.reads - 1]))[0]
        return ready, np.full(self.reads, ends + 2)

    @property
    def early(self) -> int | None:
        """The vectors after which a batch ends, as the next one comes too late for its patience."""
        offers, takes = self.i.offers, self.i.takes
        for n in range(self.beats, self.i.beats, self.beats):
            if offers[n] >= max(takes[n - 1] + 1, self._alone) + self.patience:
                return n // self.beats
        return None


class Discard(Handshake):
    """`sbgen.hw.discard.Discard`: of a batch, the vectors that exist pass in the same cycle."""

    def times(self) -> tuple[np.ndarray, np.ndarray]:
        passed = self.o.beats
        ready = np.full(self.i.beats, NEVER)
        ready[:passed] = self.o.ready
        return ready, self.i.offers[:passed]
