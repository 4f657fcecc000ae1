"""Exact prediction of when results leave the core, from the folding alone.

The handshakes of every part are equations of when beats are taken (`sbgen.compiler.handshakes`). They are
solved image by image, with a source that always offers beats and a sink that is always ready. Parts that are
combinational (binarize, argmax, equal widths) have no model: beats pass them in the same cycle.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

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
from .handshakes import (
    Add,
    Collector,
    Cut,
    Delay,
    Discard,
    Fork,
    Gather,
    Mvtu,
    Patches,
    Queue,
    Replay,
    Splitter,
    Together,
    Turns,
    Window,
)
from .pipeline import input_lanes, submodules
from .stream_times import Handshake, Stream, settle

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


def _ends(beats: int, parts: int) -> list[bool]:
    """Which beats of a vector end one of so many of them."""
    return [n == beats - 1 or n % parts == parts - 1 for n in range(beats)]


def _width(p: width.Parameters) -> list[Handshake]:
    """A width converter cuts beats, gathers them, or both."""
    models: list[Handshake] = []
    if p.i_lanes != p.narrow_lanes:
        models.append(Cut(length=p.length, i_lanes=p.i_lanes, o_lanes=p.narrow_lanes))
    if p.o_lanes != p.narrow_lanes:
        models.append(Gather(_ends(-(-p.length // p.narrow_lanes), p.o_lanes // p.narrow_lanes)))
    return models


def _replay(p: replay.Parameters) -> list[Handshake]:
    """A vector of one beat is in a register, as one that is cut into equal parts."""
    if p.beats == 1:
        return [Cut(length=p.repeats, i_lanes=p.repeats, o_lanes=1)]
    return [Replay(beats=p.beats, repeats=p.repeats)]


def _splitter(p: splitter.Parameters) -> list[Handshake]:
    return [*_replay(p.banks), Turns(p)] if p.store == "bram" else [Splitter(p)]


def _sums(p: sums.Parameters) -> list[Handshake]:
    """A window of sums ends with the last pixel under it."""
    g = p.geometry
    rows, columns = (
        [at % stride == kernel - 1 and at // stride < windows for at in range(size)]
        for size, windows, kernel, stride in zip(
            (g.height, g.width), (g.out_height, g.out_width), g.kernel, g.stride, strict=True
        )
    )
    return [Together(2, [row and column for row in rows for column in columns for _ in range(g.slices)])]


def _combinational(_: Part) -> list[Handshake]:
    return []


#: For each part what it consists of, in order; nothing where beats pass in the same cycle.
MODELS: dict[type[Part], Callable[..., Sequence[Handshake]]] = {
    add.Parameters: lambda p: [Add()],
    argmax.Parameters: _combinational,
    best.Parameters: lambda p: [Together(p.latency)],
    binarize.Parameters: _combinational,
    collector.Parameters: lambda p: [Collector(p)],
    deep_queue.Parameters: lambda p: [Queue(p)],
    discard.Parameters: lambda p: [Discard()],
    fork.Parameters: lambda p: [Fork()],
    lookup.Parameters: _combinational,
    mvtu.Parameters: lambda p: [Mvtu(p)],
    patches.Parameters: lambda p: [Patches(p)],
    planes.Parameters: _combinational,
    maximum.Parameters: lambda p: [Gather(_ends(p.beats, p.beats))],
    pool.Parameters: lambda p: [Gather(_ends(p.beats, p.beats))],
    replay.Parameters: _replay,
    scale.Parameters: lambda p: [Delay(latency=p.cycles, depth=1, free=0)],
    short_queue.Parameters: lambda p: [Delay(latency=1, depth=p.depth, free=1)],
    signs.Parameters: _combinational,
    splitter.Parameters: _splitter,
    sums.Parameters: _sums,
    threshold.Parameters: lambda p: [Together(2)],
    unrolled.Parameters: lambda p: [Together(p.latency)],
    width.Parameters: _width,
    window.Parameters: lambda p: [Window(p.geometry)],
}


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


def _input_beats(design: Design) -> int:
    return -(-design.network.pixels // input_lanes(design))


def _busy(design: Design) -> list[tuple[int, int]]:
    """For each part of the core the place of its layer, and the cycles that it is busy per batch."""
    beats, busy = {"": design.batch * _input_beats(design)}, []
    for each in _in_order(submodules(design)):
        n = len(design.foldings) - 1 if each.layer is None else each.layer
        busy.append((n, each.part.busy(beats[each.i])))
        beats[each.name] = beats[f"{each.name}.kept"] = each.part.o_beats(beats[each.i])
    return busy


def stage_cycles(design: Design) -> tuple[int, ...]:
    """For each layer the cycles per image of its slowest part; their maximum bounds the interval."""
    cycles = [_input_beats(design)] + [0] * (len(design.foldings) - 1)
    for n, busy in _busy(design):
        cycles[n] = max(cycles[n], -(-busy // design.batch))
    return tuple(cycles)


class _Core:
    """The models of a design's core, connected, and when each image has left it.

    A round is an image; where dense layers take batches, it is a batch.

    Attributes
    ----------
    finishes : list of int
        Of each image, the edge that takes its last result, counted from the edge that takes the first beat.
    """

    def __init__(self, design: Design) -> None:
        self.design, self.finishes = design, list[int]()
        self._source = self._last = Stream()
        self._models: list[Handshake] = []
        #: Each stream with its beats per image and per batch, one of which is 0.
        self._streams: list[tuple[Stream, int, int]] = []
        self._connect()
        # An image may wait for the patience of collectors, some times that of a layer.
        self._patience = 1000 + 10 * (
            design.batch * (_input_beats(design) + design.results) + sum(busy for _, busy in _busy(design))
        )
        self._first = self._repeated = self._period = 0

    def _connect(self) -> None:
        batch, i_beats = self.design.batch, _input_beats(self.design)
        # By the names that submodules refer to them by: a stream, its beats per batch, whether batches
        # pass in it.
        placed = {"": (self._source, batch * i_beats, False)}
        self._streams.append((self._source, i_beats, 0))
        for each in _in_order(submodules(self.design)):
            stream, beats, batched = placed[each.i]
            batched |= isinstance(each.part, collector.Parameters)
            batched &= not isinstance(each.part, discard.Parameters)
            o_beats, models = each.part.o_beats(beats), MODELS[type(each.part)](each.part)
            for model in models:
                stream = model.connect(stream)
                if isinstance(model, Add):
                    assert each.kept is not None
                    model.kept, *_ = placed[each.kept]
                    model.kept.taker = model
                beats = o_beats if model is models[-1] else model.o_beats(beats)
                sizes = (0, beats) if batched else (beats // batch, 0)
                self._streams.append((stream, *sizes))
                if isinstance(model, Fork):
                    self._streams.append((model.kept, *sizes))
                    placed[f"{each.name}.kept"] = model.kept, beats, batched
                self._models.append(model)
            placed[each.name] = stream, o_beats, batched
        self._last = stream

    def run(self, images: int, *, more: bool) -> list[int]:
        """The `finishes` of so many images, after which there are `more` or not."""
        batch = self.design.batch
        while (left := images - len(self.finishes)) > 0:
            if self._periodic and (more or left % batch == 0):
                self.finishes += [finish + self._period for finish in self.finishes[-batch:]]
            else:
                self._round(batch if more else min(batch, left))
        return self.finishes[:images]

    @property
    def _periodic(self) -> bool:
        """Whether all further rounds are like the last, as those are on which they depend."""
        return self._repeated > 0 and self._repeated >= max(
            -(-stream.back // stream.beats) for stream, *_ in self._streams
        )

    def _round(self, images: int) -> None:
        """Take the next images: as many as a batch has, unless others would come too late for it."""
        self._begin(images)
        collectors = [model for model in self._models if isinstance(model, Collector)]
        if early := [model.early for model in collectors if model.early]:
            for stream, *_ in self._streams:
                stream.drop()
            images = min(early)
            self._begin(images)
        before, results = self.finishes[-images:], self.design.results
        if not before:
            self._first = int(self._source.takes[0])
        self.finishes += (self._last.takes[results - 1 :: results] - self._first).tolist()
        self._period = self.finishes[-1] - before[-1] if before else 0
        same = all(stream.repeats(self._period) for stream, *_ in self._streams)
        self._repeated = self._repeated + 1 if same else 0

    def _begin(self, images: int) -> None:
        """Solve the equations for a round of so many images."""
        for stream, per_image, per_batch in self._streams:
            stream.begin(per_image * images + per_batch)
        for model in self._models:
            model.stale = True
        # By then a core is at rest: units take the padding ahead of their first pixel.
        self._source.offer(np.full(self._source.beats, self._patience))
        finished = self._first + self.finishes[-1] if self.finishes else self._patience
        if not settle(self._models, latest=finished + images * self._patience):
            raise DeadlockError(
                f"each image must be through {self._patience:,} cycles after the one before, but image"
                f" {len(self.finishes)} is not; this is a defect of sbgen, please report it with the network"
                " and its foldings"
            )


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
    batch = design.batch
    full = finishes = _Core(design).run(images if batch == 1 else 8 * batch, more=True)
    alone = full[0]
    if batch > 1:
        finishes = _Core(design).run(images, more=False)
        (alone,) = _Core(design).run(1, more=False)
    return Cycles(
        latency=full[0],
        alone=alone,
        interval=-(-(full[-1] - full[-1 - batch]) // batch),
        finishes=tuple(finishes),
        layers=stage_cycles(design),
    )
