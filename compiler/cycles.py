"""Exact prediction of when results leave the core, from the folding alone.

Each part of `sbgen.hw` that holds state has a model here: the same handshake, the same counters, no data. The
models are stepped cycle by cycle with a source that is always valid and a sink that is always ready. Parts
that are combinational (binarize, argmax, equal widths) have no model, except the fork, which remembers who
has taken what.

In each cycle every model first looks, from the last to the first: it knows whether its output will be taken,
and sets whether it takes that of the model before it. Then all of them step.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..errors import SbgenError
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
from ..hw.core import Submodule
from ..hw.part import Part
from .design import Design
from .pipeline import input_lanes, submodules

__all__ = ["MODELS", "Cycles", "DeadlockError", "predict", "stage_cycles"]


class DeadlockError(SbgenError):
    """A design whose parts wait for each other for ever: a defect of sbgen."""


@dataclass(frozen=True, kw_only=True)
class Cycles:
    """When the core outputs its results, in cycles.

    Parameters
    ----------
    latency : int
        From the edge that takes the first beat of the first image to the edge that takes its last result,
        where others follow without a pause, and the core was at rest before.
    alone : int
        The same of an image that none follows: it waits in case that others do.
    interval : int
        Between the last results of one image and the next, once the pipeline is full (initiation interval);
        with batches the mean over a batch, rounded up.
    finishes : tuple of int
        For each simulated image the edge that takes its last result, counted from the edge that takes the
        first beat.
    layers : tuple of int
        For each layer the cycles that it is busy per image.
    """

    latency: int
    alone: int
    interval: int
    finishes: tuple[int, ...]
    layers: tuple[int, ...]


class _Source:
    """Beats that are always there, or that end after `left` more."""

    o_ready = True

    def __init__(self, left: float = math.inf) -> None:
        self.left = left

    @property
    def valid(self) -> bool:
        return self.left > 0


class _Model:
    """A part of one input and one output: its output is `valid` or not, it is `ready` or not, and then it
    moves.
    """

    source: _Model | _Side | _Source  # the model before it, or one side of a fork
    o_ready = True
    take = False

    @property
    def valid(self) -> bool:
        """Whether it offers a beat in this cycle."""
        raise NotImplementedError

    def ready(self, o_ready: bool) -> bool:
        """Whether it takes a beat in this cycle, if the one after it takes one or not."""
        raise NotImplementedError

    def move(self, take: bool, o_ready: bool) -> None:
        """One clock edge."""
        raise NotImplementedError

    def look(self) -> None:
        ready = self.source.o_ready = self.ready(self.o_ready)
        self.take = ready and self.source.valid

    def step(self) -> None:
        self.move(self.take, self.o_ready)


class _Registered(_Model):
    """A part whose `valid` is a flip-flop."""

    valid = False


class _Cut(_Model):
    """`sbgen.hw.width.WidthConverter` towards a fraction of the width."""

    def __init__(self, *, length: int, i_lanes: int, o_lanes: int) -> None:
        self.beats = -(-length // i_lanes)
        self.parts = i_lanes // o_lanes
        self.last_parts = -(-(length - (self.beats - 1) * i_lanes) // o_lanes)
        self.left = self.beat = 0

    @property
    def valid(self) -> bool:
        return self.left != 0

    def ready(self, o_ready: bool) -> bool:
        return self.left == 0 or (self.left == 1 and o_ready)

    def move(self, take: bool, o_ready: bool) -> None:
        if self.valid and o_ready:
            self.left -= 1
        if take:
            last = self.beat == self.beats - 1
            self.left = self.last_parts if last else self.parts
            self.beat = 0 if last else self.beat + 1


class _Gather(_Registered):
    """`sbgen.hw.width.WidthConverter` towards a multiple of the width."""

    def __init__(self, *, length: int, i_lanes: int, o_lanes: int) -> None:
        self.beats = -(-length // i_lanes)
        self.parts = o_lanes // i_lanes
        self.part = self.beat = 0
        self.valid = False

    def ready(self, o_ready: bool) -> bool:
        return not self.valid or o_ready

    def move(self, take: bool, o_ready: bool) -> None:
        if o_ready:
            self.valid = False
        if take:
            ends = self.beat == self.beats - 1
            self.valid = ends or self.part == self.parts - 1
            self.part = 0 if self.valid else self.part + 1
            self.beat = 0 if ends else self.beat + 1


class _Replay(_Registered):
    """`sbgen.hw.replay.ReplayBuffer` for vectors of several beats."""

    def __init__(self, *, beats: int, repeats: int) -> None:
        self.beats, self.repeats = beats, repeats
        self.w_index = self.r_index = self.r_pass = self.held = 0
        self.valid = False

    def ready(self, o_ready: bool) -> bool:
        return self.held != 2

    def move(self, take: bool, o_ready: bool) -> None:
        held, available = self.held, self.held != 0 or self.r_index != self.w_index
        if not self.valid or o_ready:
            self.valid = available
            if available:
                self.r_index += 1
                if self.r_index == self.beats:
                    self.r_index = 0
                    self.r_pass += 1
                    if self.r_pass == self.repeats:
                        self.r_pass = 0
                        held -= 1
        if take:
            self.w_index += 1
            if self.w_index == self.beats:
                self.w_index = 0
                held += 1
        self.held = held


class _Mvtu(_Model):
    """`sbgen.hw.mvtu.Mvtu`: its input gate and its queue; what is between only delays."""

    def __init__(self, parameters: mvtu.Parameters) -> None:
        self.beats, self.depth = parameters.beats, parameters.queue_depth
        self.beat = self.promised = self.queued = 0
        self.pipeline = deque([False] * (parameters.latency - 1))

    @property
    def valid(self) -> bool:
        return self.queued != 0

    def ready(self, o_ready: bool) -> bool:
        return self.beat != self.beats - 1 or self.promised != self.depth

    def move(self, take: bool, o_ready: bool) -> None:
        ends = take and self.beat == self.beats - 1
        gave = self.valid and o_ready
        self.pipeline.append(ends)
        self.queued += self.pipeline.popleft() - gave
        self.promised += ends - gave
        if take:
            self.beat = 0 if ends else self.beat + 1


class _Collector(_Registered):
    """`sbgen.hw.collector.Collector`; the numbers of vectors of its batches are taken at once."""

    def __init__(self, parameters: collector.Parameters) -> None:
        self.batch, self.beats, self.patience = parameters.batch, parameters.beats, parameters.patience
        self.reads = parameters.beats * parameters.repeats
        self.w_beat = self.w_vector = self.read = self.held = self.idle = 0
        self.valid = False
        self.counts: deque[int] = deque()  # of the batches held
        self.kept: deque[int] = deque()  # of those that are or were output, until they are used

    def ready(self, o_ready: bool) -> bool:
        return self.held != 2

    def move(self, take: bool, o_ready: bool) -> None:
        held = self.held
        if not self.valid or o_ready:
            self.valid = self.held != 0
            if self.valid:
                if self.read == 0:
                    self.kept.append(self.counts.popleft())
                self.read += 1
                if self.read == self.reads:
                    self.read = 0
                    held -= 1
        waits = self.w_vector != 0 and self.w_beat == 0 and self.held == 0 and not self.source.valid
        self.idle = self.idle + 1 if waits else 0
        if take:
            self.w_beat += 1
            if self.w_beat == self.beats:
                self.w_beat = 0
                self.w_vector += 1
        if self.w_vector == self.batch or self.idle == self.patience:
            self.counts.append(self.w_vector)
            self.w_vector = self.idle = 0
            held += 1
        self.held = held


class _Discard(_Model):
    """`sbgen.hw.discard.Discard`."""

    kept: deque[int] | None = None  # of its collector; None where all batches are complete

    def __init__(self, parameters: discard.Parameters) -> None:
        self.beats, self.batch = parameters.beats, parameters.batch
        self.beat = self.vector = 0

    @property
    def _there(self) -> bool:
        return self.kept is None or self.vector < self.kept[0]

    @property
    def valid(self) -> bool:
        return self.source.valid and self._there

    def ready(self, o_ready: bool) -> bool:
        return bool(self.source.valid) and (o_ready or not self._there)

    def move(self, take: bool, o_ready: bool) -> None:
        if take:
            self.beat = (self.beat + 1) % self.beats
            if self.beat == 0:
                self.vector = (self.vector + 1) % self.batch
                if self.vector == 0 and self.kept is not None:
                    self.kept.popleft()


class _Together(_Model):
    """`sbgen.hw.unrolled.Unrolled` and `sbgen.hw.best.Best`: registers that move together."""

    def __init__(self, parameters: unrolled.Parameters | best.Parameters) -> None:
        self.held = deque([False] * parameters.latency)

    @property
    def valid(self) -> bool:
        return self.held[0]

    def ready(self, o_ready: bool) -> bool:
        return not self.valid or o_ready

    def move(self, take: bool, o_ready: bool) -> None:
        if self.ready(o_ready):
            self.held.popleft()
            self.held.append(take)


class _Window(_Registered):
    """`sbgen.hw.window.SlidingWindow`."""

    def __init__(self, geometry: window.Geometry) -> None:
        self.geometry = geometry
        self.row_words = geometry.width * geometry.slices
        self.out_row_words = geometry.words_out // geometry.out_height
        self.needed = [geometry.needed(row) for row in range(geometry.out_height)]
        self.freed = [geometry.freed(row) for row in range(geometry.out_height)]
        self.w_word = self.rows_held = self.r_word = self.out_row = 0
        self.valid = False

    def ready(self, o_ready: bool) -> bool:
        return self.rows_held != self.geometry.rows

    def move(self, take: bool, o_ready: bool) -> None:
        rows_held = self.rows_held
        if not self.valid or o_ready:
            self.valid = rows_held >= self.needed[self.out_row]
            if self.valid:
                self.r_word += 1
                if self.r_word == self.out_row_words:
                    self.r_word = 0
                    self.rows_held -= self.freed[self.out_row]
                    self.out_row = (self.out_row + 1) % self.geometry.out_height
        if take:
            self.w_word += 1
            if self.w_word == self.row_words:
                self.w_word = 0
                self.rows_held += 1


class _OrReduce(_Registered):
    """`sbgen.hw.pool.OrReduce` and `sbgen.hw.maximum.Maximum`."""

    def __init__(self, parameters: pool.Parameters | maximum.Parameters) -> None:
        self.beats = parameters.beats
        self.beat = 0
        self.valid = False

    def ready(self, o_ready: bool) -> bool:
        return not self.valid or o_ready

    def move(self, take: bool, o_ready: bool) -> None:
        if o_ready:
            self.valid = False
        if take:
            self.beat = (self.beat + 1) % self.beats
            self.valid = self.beat == 0


class _Sums(_Registered):
    """`sbgen.hw.sums.WindowSums`."""

    def __init__(self, geometry: window.Geometry) -> None:
        self.words, self.slices = geometry.words_in, geometry.slices
        rows, columns = (
            [at % stride == kernel - 1 and at // stride < windows for at in range(size)]
            for size, windows, kernel, stride in zip(
                (geometry.height, geometry.width),
                (geometry.out_height, geometry.out_width),
                geometry.kernel,
                geometry.stride,
                strict=True,
            )
        )
        self.finishes = [row and column for row in rows for column in columns]  # a window, with each pixel
        self.word = 0
        self.finished = self.valid = False

    def ready(self, o_ready: bool) -> bool:
        return not self.valid or o_ready

    def move(self, take: bool, o_ready: bool) -> None:
        if self.ready(o_ready):
            self.valid = self.finished
            self.finished = take and self.finishes[self.word // self.slices]
        if take:
            self.word = (self.word + 1) % self.words


class _Patches(_Registered):
    """`sbgen.hw.patches.Patches`."""

    def __init__(self, parameters: patches.Parameters) -> None:
        self.rows, self.fed, self.moves = parameters.kernel[0], parameters.fed, parameters.moves
        self.columns, self.steps = parameters.columns, parameters.steps
        self.inside = range(parameters.padding[0], parameters.padding[0] + parameters.width)
        self.at = self.row = 0
        self.valid = False

    def ready(self, o_ready: bool) -> bool:
        return (not self.valid or o_ready) and self.at in self.inside

    def move(self, take: bool, o_ready: bool) -> None:
        if self.valid and not o_ready:
            return
        self.valid = False
        if take:
            self.row = (self.row + 1) % self.rows
        if (take and self.row == 0) or self.at not in self.inside:
            past = self.at - (self.columns - 1)
            self.valid = past >= 0 and past % self.moves == 0 and past // self.moves < self.steps
            self.at = (self.at + 1) % self.fed


class _Splitter(_Model):
    """`sbgen.hw.splitter.Splitter`."""

    def __init__(self, parameters: splitter.Parameters) -> None:
        self.depths, self.beats, self.steps = parameters.depths, parameters.beats, parameters.steps
        self.counts = [0] * parameters.at_once
        self.last = parameters.last
        self.i_beat = self.i_step = self.o_beat = self.o_step = self.position = 0

    @property
    def valid(self) -> bool:
        return self.counts[self.position] != 0

    def ready(self, o_ready: bool) -> bool:
        return all(count != depth for count, depth in zip(self.counts, self.depths, strict=True))

    def _positions(self, step: int) -> int:
        return self.last if step == self.steps - 1 else len(self.depths)

    def move(self, take: bool, o_ready: bool) -> None:
        counts = list(self.counts)
        if self.valid and o_ready:
            counts[self.position] -= 1
            self.o_beat = (self.o_beat + 1) % self.beats
            if self.o_beat == 0:
                self.position += 1
                if self.position == self._positions(self.o_step):
                    self.position, self.o_step = 0, (self.o_step + 1) % self.steps
        if take:
            for n in range(self._positions(self.i_step)):
                counts[n] += 1
            self.i_beat = (self.i_beat + 1) % self.beats
            if self.i_beat == 0:
                self.i_step = (self.i_step + 1) % self.steps
        self.counts = counts


class _Turns(_Model):
    """What follows the banks in `sbgen.hw.splitter.Splitter`: beats past the last position are left out."""

    def __init__(self, parameters: splitter.Parameters) -> None:
        position = parameters.at_once * parameters.beats
        self.row = parameters.steps * position
        self.end = (parameters.steps - 1) * position + parameters.last * parameters.beats
        self.at = 0

    @property
    def valid(self) -> bool:
        return self.at < self.end and self.source.valid

    def ready(self, o_ready: bool) -> bool:
        return o_ready or self.at >= self.end

    def move(self, take: bool, o_ready: bool) -> None:
        if take:
            self.at = (self.at + 1) % self.row


class _Scale(_Model):
    """`sbgen.hw.scale.Scale`."""

    def __init__(self, parameters: scale.Parameters) -> None:
        self.each = parameters.cycles
        self.left, self.full = 0, False

    @property
    def valid(self) -> bool:
        return self.full and self.left == 0

    def ready(self, o_ready: bool) -> bool:
        return not self.full or (self.left == 0 and o_ready)

    def move(self, take: bool, o_ready: bool) -> None:
        if self.valid and o_ready:
            self.full = False
        self.left = max(self.left - 1, 0)
        if take:
            self.full, self.left = True, self.each - 1


class _Queue(_Registered):
    """`sbgen.hw.deep_queue.DeepQueue`."""

    def __init__(self, parameters: deep_queue.Parameters) -> None:
        self.depth = parameters.depth
        self.held = 0
        self.valid = False

    def ready(self, o_ready: bool) -> bool:
        return self.held != self.depth

    def move(self, take: bool, o_ready: bool) -> None:
        held = self.held
        if not self.valid or o_ready:
            self.valid = held != 0
            self.held -= self.valid
        self.held += take


class _ShortQueue(_Model):
    """`sbgen.hw.short_queue.ShortQueue`."""

    def __init__(self, parameters: short_queue.Parameters) -> None:
        self.depth, self.held = parameters.depth, 0

    @property
    def valid(self) -> bool:
        return self.held != 0

    def ready(self, o_ready: bool) -> bool:
        return self.held != self.depth

    def move(self, take: bool, o_ready: bool) -> None:
        self.held += take - (self.valid and o_ready)


class _Threshold(_Registered):
    """`sbgen.hw.threshold.Threshold`."""

    def __init__(self, _: threshold.Parameters) -> None:
        self.held = self.valid = False

    def ready(self, o_ready: bool) -> bool:
        return not self.valid or o_ready

    def move(self, take: bool, o_ready: bool) -> None:
        if not self.valid or o_ready:
            self.valid, self.held = self.held, take


class _Side:
    """One output of a `_Fork`."""

    o_ready = True

    def __init__(self, fork: _Fork, n: int) -> None:
        self.fork, self.n = fork, n

    @property
    def valid(self) -> bool:
        return not self.fork.taken[self.n] and self.fork.source.valid


class _Fork:
    """`sbgen.hw.fork.Fork`."""

    source: _Model | _Side | _Source
    taken = done = (False, False)

    def __init__(self, _: fork.Parameters) -> None:
        self.o, self.kept = _Side(self, 0), _Side(self, 1)

    def look(self) -> None:
        done = self.taken[0] or self.o.o_ready, self.taken[1] or self.kept.o_ready
        self.source.o_ready = all(done)
        self.done = done if self.source.valid and not all(done) else (False, False)

    def step(self) -> None:
        self.taken = self.done


class _Add:
    """`sbgen.hw.add.Add`."""

    source: _Model | _Side | _Source
    kept: _Model | _Side
    o_ready = True
    take = valid = False

    def __init__(self, _: add.Parameters) -> None:
        pass

    def look(self) -> None:
        room = not self.valid or self.o_ready
        self.source.o_ready = room and self.kept.valid
        self.kept.o_ready = room and self.source.valid
        self.take = room and self.source.valid and self.kept.valid

    def step(self) -> None:
        if not self.valid or self.o_ready:
            self.valid = self.take


def _width(p: width.Parameters) -> list[_Model]:
    """The models of a width converter, which cuts beats, gathers them, or both."""
    models: list[_Model] = []
    if p.i_lanes != p.narrow_lanes:
        models.append(_Cut(length=p.length, i_lanes=p.i_lanes, o_lanes=p.narrow_lanes))
    if p.o_lanes != p.narrow_lanes:
        models.append(_Gather(length=p.length, i_lanes=p.narrow_lanes, o_lanes=p.o_lanes))
    return models


def _replay(p: replay.Parameters) -> list[_Model]:
    """The model of a replay buffer: a vector of one beat is in a register, as one that is cut into equal
    parts.
    """
    if p.beats == 1:
        return [_Cut(length=p.repeats, i_lanes=p.repeats, o_lanes=1)]
    return [_Replay(beats=p.beats, repeats=p.repeats)]


def _splitter(p: splitter.Parameters) -> list[_Model]:
    return [*_replay(p.banks), _Turns(p)] if p.store == "bram" else [_Splitter(p)]


def _combinational(_: Part) -> list[_Model]:
    return []


#: For each part the models that it is made of, in order.
MODELS: dict[type[Part], Callable[..., list]] = {
    add.Parameters: lambda p: [_Add(p)],
    argmax.Parameters: _combinational,
    best.Parameters: lambda p: [_Together(p)],
    binarize.Parameters: _combinational,
    collector.Parameters: lambda p: [_Collector(p)],
    deep_queue.Parameters: lambda p: [_Queue(p)],
    discard.Parameters: lambda p: [_Discard(p)],
    fork.Parameters: lambda p: [_Fork(p)],
    lookup.Parameters: _combinational,
    mvtu.Parameters: lambda p: [_Mvtu(p)],
    patches.Parameters: lambda p: [_Patches(p)],
    planes.Parameters: _combinational,
    maximum.Parameters: lambda p: [_OrReduce(p)],
    pool.Parameters: lambda p: [_OrReduce(p)],
    replay.Parameters: _replay,
    scale.Parameters: lambda p: [_Scale(p)],
    short_queue.Parameters: lambda p: [_ShortQueue(p)],
    signs.Parameters: _combinational,
    splitter.Parameters: _splitter,
    sums.Parameters: lambda p: [_Sums(p.geometry)],
    threshold.Parameters: lambda p: [_Threshold(p)],
    unrolled.Parameters: lambda p: [_Together(p)],
    width.Parameters: _width,
    window.Parameters: lambda p: [_Window(p.geometry)],
}


@dataclass(frozen=True, kw_only=True)
class _Chain:
    """The models of a core, and how long its parts are busy.

    Parameters
    ----------
    models : list
        Each after those that it takes from.
    source : _Source
    busy : list of (int, int)
        For each part the place of its layer, and the cycles that it is busy per batch.
    """

    models: list[_Model | _Fork | _Add]
    source: _Source
    busy: list[tuple[int, int]]


def _in_order(placed: list[Submodule]) -> list[Submodule]:
    """The parts of a core, each after those that it takes from: an `Add` after its shortcut."""
    late = {each.name: each for each in placed}
    order: list[Submodule] = []

    def put(each: Submodule) -> None:
        for source in (each.i, each.kept):
            if source and (before := late.get(source.partition(".")[0])):
                put(before)
        if late.pop(each.name, None):
            order.append(each)

    for each in placed:
        put(each)
    return order


def _chain(design: Design, images: float = math.inf) -> _Chain:
    """The models of a design's core, connected to a source of so many images."""
    source = _Source(images * _input_beats(design))
    outputs: dict[str, Any] = {"": source}  # by the names that submodules refer to them by
    beats = {"": design.batch * _input_beats(design)}  # per batch
    chain = _Chain(models=[], source=source, busy=[])
    for each in _in_order(submodules(design)):
        before = outputs[each.i]
        for model in MODELS[type(each.part)](each.part):
            model.source = before
            if each.kept is not None:
                model.kept = outputs[each.kept]
            chain.models.append(model)
            before = getattr(model, "o", model)
            outputs[f"{each.name}.kept"] = getattr(model, "kept", None)
        outputs[each.name] = before
        n = len(design.foldings) - 1 if each.layer is None else each.layer
        chain.busy.append((n, each.part.busy(beats[each.i])))
        beats[each.name] = beats[f"{each.name}.kept"] = each.part.o_beats(beats[each.i])
    return chain


def _input_beats(design: Design) -> int:
    return -(-design.network.pixels // input_lanes(design))


def stage_cycles(design: Design) -> tuple[int, ...]:
    """For each layer the cycles per image of its slowest part; their maximum bounds the interval."""
    return _layers(design, _chain(design))


def _layers(design: Design, chain: _Chain) -> tuple[int, ...]:
    cycles = [_input_beats(design)] + [0] * (len(design.foldings) - 1)
    for n, busy in chain.busy:
        cycles[n] = max(cycles[n], -(-busy // design.batch))
    return tuple(cycles)


def _state(model: _Model | _Fork | _Add) -> dict[str, object]:
    return {
        name: tuple(value) if isinstance(value, deque | list) else value
        for name, value in vars(model).items()
    }


def _come_to_rest(chain: _Chain) -> None:
    """Steps without an image until nothing changes: units take the padding ahead of their first pixel."""
    left, chain.source.left, before = chain.source.left, 0, None
    while before != (before := [_state(model) for model in chain.models]):
        for model in reversed(chain.models):
            model.look()
        for model in reversed(chain.models):
            model.step()
    chain.source.left = left


def predict(design: Design, *, images: int = 8) -> Cycles:
    """Latency and interval of the core; exact, as the benches show.

    Parameters
    ----------
    images : int
        Images sent without a pause, at least 2; the interval is the distance of the last two. With batches it
        is that of complete batches, and what `images` leave of the last batch comes after a pause.

    Raises
    ------
    DeadlockError
        When an image takes longer than all parts would take for it one after the other.
    """
    if images < 2:
        raise ValueError(f"images must be at least 2, not {images!r}")
    batch, chain = design.batch, _chain(design)
    full = finishes = _finishes(design, chain, images=images if batch == 1 else 8 * batch)
    alone = full[0]
    if batch > 1:
        finishes = _finishes(design, _chain(design, images), images=images)
        (alone,) = _finishes(design, _chain(design, 1), images=1)
    return Cycles(
        latency=full[0],
        alone=alone,
        interval=-(-(full[-1] - full[-1 - batch]) // batch),
        finishes=tuple(finishes),
        layers=_layers(design, chain),
    )


def _finishes(design: Design, chain: _Chain, *, images: int) -> list[int]:
    """For each of the images the edge that takes its last result."""
    models, source, results, batch = chain.models, chain.source, design.results, design.batch
    _come_to_rest(chain)
    last, backwards, beats = models[-1], models[::-1], _input_beats(design)
    assert isinstance(last, _Model)
    # An image may wait for the patience of collectors, some times that of a layer.
    patience = 1000 + 10 * (batch * (beats + results) + sum(busy for _, busy in chain.busy))
    # A beat may be offered before it is taken: a fork lets go when both sides have it, of which one may wait
    # for the other.
    finishes: list[int] = []
    given, cycle, before, untaken = 0, 0, None, True
    while len(finishes) < images:
        if cycle - (finishes[-1] if finishes else 0) > patience:
            raise DeadlockError(
                f"each of {images} images must be through {patience:,} cycles after the one before, but image"
                f" {len(finishes)} is not; this is a defect of sbgen, please report it with the network and"
                " its foldings"
            )
        for model in backwards:
            model.look()
        if untaken:
            untaken, cycle = not source.o_ready, 0
        taken = source.valid and source.o_ready
        if last.valid:
            given += 1
            if given == results:
                finishes.append(cycle)
                given = 0
                if len(finishes) % batch == 0:
                    now = [_state(model) for model in models]
                    if now == before:  # from here on every batch is like the last
                        period, again = cycle - finishes[-1 - batch], -(-(images - len(finishes)) // batch)
                        if source.left < math.inf:
                            again = min(again, int(source.left) // (batch * beats))
                            source.left -= again * batch * beats
                        cycle += again * period
                        for _ in range(again * batch):
                            finishes.append(finishes[-batch] + period)
                    before = now
        for model in backwards:
            model.step()
        source.left -= bool(taken)
        cycle += 1
    return finishes[:images]
