"""Exact prediction of when results leave the core, from the folding alone.

Each component of `sbgen.hw` that holds state has a model here: the same handshake, the same counters, no data. The models are
stepped cycle by cycle with a source that is always valid and a sink that is always ready. Components that are
combinational (binarize, argmax, equal widths) take no part.
"""

import math
from collections import deque
from dataclasses import dataclass

from ..errors import SbgenError
from ..hw.width import conversions
from .design import Design
from .ir import MaxPool
from .pipeline import input_lanes, stages

__all__ = ["Cycles", "DeadlockError", "predict", "stage_cycles"]


class DeadlockError(SbgenError):
    """A design whose components wait for each other for ever: a defect of sbgen."""


@dataclass(frozen=True, kw_only=True)
class Cycles:
    """When the core gives its results, in cycles.

    Parameters
    ----------
    latency : int
        From the edge that takes the first beat of the first image to the edge that takes its last result.
    interval : int
        Between the last results of one image and the next, once the pipeline is full (initiation interval).
    finishes : tuple of int
        For each simulated image the edge that takes its last result, counted from the edge that takes the first beat.
    layers : tuple of int
        For each layer the cycles that it is busy with one image.
    """

    latency: int
    interval: int
    finishes: tuple
    layers: tuple


class _Cut:
    """`sbgen.hw.width.WidthConverter` towards a fraction of the width."""

    def __init__(self, *, length, i_lanes, o_lanes):
        self.beats = -(-length // i_lanes)
        self.parts = i_lanes // o_lanes
        self.last_parts = -(-(length - (self.beats - 1) * i_lanes) // o_lanes)
        self.left = self.beat = 0

    @property
    def cycles(self):
        return (self.beats - 1) * self.parts + self.last_parts

    @property
    def valid(self):
        return self.left != 0

    def ready(self, o_ready):
        return self.left == 0 or (self.left == 1 and o_ready)

    def step(self, take, o_ready):
        if self.valid and o_ready:
            self.left -= 1
        if take:
            last = self.beat == self.beats - 1
            self.left = self.last_parts if last else self.parts
            self.beat = 0 if last else self.beat + 1


class _Gather:
    """`sbgen.hw.width.WidthConverter` towards a multiple of the width."""

    def __init__(self, *, length, i_lanes, o_lanes):
        self.beats = -(-length // i_lanes)
        self.parts = o_lanes // i_lanes
        self.part = self.beat = 0
        self.valid = False

    @property
    def cycles(self):
        return self.beats

    def ready(self, o_ready):
        return not self.valid or o_ready

    def step(self, take, o_ready):
        if o_ready:
            self.valid = False
        if take:
            ends = self.beat == self.beats - 1
            self.valid = ends or self.part == self.parts - 1
            self.part = 0 if self.valid else self.part + 1
            self.beat = 0 if ends else self.beat + 1


class _Replay:
    """`sbgen.hw.replay.ReplayBuffer`."""

    def __init__(self, *, beats, repeats):
        self.beats, self.repeats = beats, repeats
        self.w_index = self.r_index = self.r_pass = self.held = 0
        self.valid = False

    @property
    def cycles(self):
        return self.beats * self.repeats

    def ready(self, o_ready):
        return self.held != 2

    def step(self, take, o_ready):
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


class _Mvtu:
    """`sbgen.hw.mvtu.Mvtu`: the door and the queue; what is between only delays."""

    def __init__(self, parameters):
        self.beats, self.cycles, self.depth = parameters.beats, parameters.cycles, parameters.queue_depth
        self.beat = self.promised = self.queued = 0
        self.pipeline = deque([False] * (parameters.latency - 1))

    @property
    def valid(self):
        return self.queued != 0

    def ready(self, o_ready):
        return self.beat != self.beats - 1 or self.promised != self.depth

    def step(self, take, o_ready):
        ends = take and self.beat == self.beats - 1
        gave = self.valid and o_ready
        self.pipeline.append(ends)
        self.queued += self.pipeline.popleft() - gave
        self.promised += ends - gave
        if take:
            self.beat = 0 if ends else self.beat + 1


class _Window:
    """`sbgen.hw.window.SlidingWindow`."""

    def __init__(self, geometry):
        self.geometry = geometry
        self.row_words = geometry.width * geometry.slices
        self.out_row_words = geometry.words_out // geometry.out_height
        self.needed = [geometry.needed(row) for row in range(geometry.out_height)]
        self.freed = [geometry.freed(row) for row in range(geometry.out_height)]
        self.w_word = self.rows_held = self.r_word = self.out_row = 0
        self.valid = False

    @property
    def cycles(self):
        return self.geometry.cycles

    def ready(self, o_ready):
        return self.rows_held != self.geometry.rows

    def step(self, take, o_ready):
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


class _OrReduce:
    """`sbgen.hw.pool.OrReduce`."""

    def __init__(self, *, beats, words):
        self.beats, self.cycles = beats, words
        self.beat = 0
        self.valid = False

    def ready(self, o_ready):
        return not self.valid or o_ready

    def step(self, take, o_ready):
        if o_ready:
            self.valid = False
        if take:
            self.beat = (self.beat + 1) % self.beats
            self.valid = self.beat == 0


class _Sums:
    """`sbgen.hw.sums.WindowSums`."""

    def __init__(self, geometry, *, cycles):
        self.words, self.slices, self.cycles = geometry.words_in, geometry.slices, cycles
        rows, columns = ([at % stride == kernel - 1 and at // stride < windows for at in range(size)]
                         for size, windows, kernel, stride in zip(
                             (geometry.height, geometry.width), (geometry.out_height, geometry.out_width),
                             geometry.kernel, geometry.stride, strict=True))
        self.finishes = [row and column for row in rows for column in columns]  # a window, with each pixel
        self.word = 0
        self.finished = self.valid = False

    def ready(self, o_ready):
        return not self.valid or o_ready

    def step(self, take, o_ready):
        if self.ready(o_ready):
            self.valid = self.finished
            self.finished = take and self.finishes[self.word // self.slices]
        if take:
            self.word = (self.word + 1) % self.words


class _Scale:
    """`sbgen.hw.scale.Scale`."""

    def __init__(self, parameters):
        self.each = parameters.cycles
        self.cycles = parameters.classes * self.each
        self.left, self.full = 0, False

    @property
    def valid(self):
        return self.full and self.left == 0

    def ready(self, o_ready):
        return not self.full or (self.left == 0 and o_ready)

    def step(self, take, o_ready):
        if self.valid and o_ready:
            self.full = False
        self.left = max(self.left - 1, 0)
        if take:
            self.full, self.left = True, self.each - 1


def _converter(length, i_lanes, o_lanes, vectors):
    """The models of one width converter, and the cycles each is busy with an image of so many vectors."""
    between = math.gcd(i_lanes, o_lanes)
    models = []
    if i_lanes != between:
        models.append(_Cut(length=length, i_lanes=i_lanes, o_lanes=between))
    if o_lanes != between:
        models.append(_Gather(length=length, i_lanes=between, o_lanes=o_lanes))
    return [(model, model.cycles * vectors) for model in models]


def _models(design):
    """(layer index, model, cycles an image) of everything in the core that holds state, in the order of the data."""
    found, network = [], design.network
    length, lanes, elements = network.pixels, input_lanes(design), network.pixels

    def convert(n, o_length, o_lanes):
        for step in conversions(i_length=length, i_lanes=lanes, o_length=o_length, o_lanes=o_lanes):
            found.extend((n, *each) for each in _converter(*step, vectors=elements // step[0]))

    for n, (stage, shape) in enumerate(zip(stages(design), network.shapes[1:], strict=True)):
        convert(n, stage.i_length, stage.i_lanes)
        if stage.window:
            window = _Window(stage.window)
            found.append((n, window, window.cycles))
        elif stage.repeats > 1:
            replay = _Replay(beats=stage.unit.slices, repeats=stage.repeats)
            found.append((n, replay, replay.cycles))
        if stage.sums:
            found.append((n, _Sums(stage.sums, cycles=stage.cycles), stage.cycles))
        elif isinstance(stage.layer, MaxPool):
            kernel = stage.layer.kernel[0] * stage.layer.kernel[1]
            found.append((n, _OrReduce(beats=kernel, words=stage.window.words_out), stage.window.words_out))
        if stage.unit:
            positions = stage.window.out_height * stage.window.out_width if stage.window else 1
            found.append((n, _Mvtu(stage.unit), stage.unit.cycles * positions))
        length, lanes, elements = stage.o_length, stage.o_lanes, math.prod(shape)
    convert(n, network.classes, 1)
    if stage.scaling:
        scale = _Scale(stage.scaling)
        found.append((n, scale, scale.cycles))
    return found


def _input_beats(design):
    return -(-design.network.pixels // input_lanes(design))


def stage_cycles(design):
    """For each layer the cycles that its slowest part is busy with one image; the greatest bounds the interval."""
    cycles = [_input_beats(design)] + [0] * (len(design.foldings) - 1)
    for n, _, busy in _models(design):
        cycles[n] = max(cycles[n], busy)
    return tuple(cycles)


def _state(model):
    return {name: tuple(value) if isinstance(value, deque) else value for name, value in vars(model).items()}


def predict(design: Design, *, images=8) -> Cycles:
    """Latency and interval of the core; exact, as the benches show.

    Parameters
    ----------
    images : int
        Images sent without a pause, at least 2; the interval is the distance of the last two.

    Raises
    ------
    DeadlockError
        When an image is not through after longer than all components would take for it one after the other.
    """
    if images < 2:
        raise ValueError(f"images must be at least 2, not {images!r}")
    models = [model for _, model, _ in _models(design)]
    results = design.network.classes
    patience = 1000 + 2 * (_input_beats(design) + results + sum(busy for _, _, busy in _models(design)))
    finishes, given, cycle, before = [], 0, 0, None
    while len(finishes) < images:
        if cycle - (finishes[-1] if finishes else 0) > patience:
            raise DeadlockError(f"each of {images} images must be through {patience:,} cycles after the one before, but image "
                                f"{len(finishes)} is not; this is a defect of sbgen, please report it with the network and its "
                                "foldings")
        ready = True
        takes, o_readies = [], []
        for model, source in zip(reversed(models), [*reversed(models[:-1]), None], strict=True):
            o_readies.append(ready)
            ready = model.ready(ready)
            takes.append(ready and (source is None or source.valid))
        if models[-1].valid:
            given += 1
            if given == results:
                finishes.append(cycle)
                given = 0
                now = [_state(model) for model in models]
                if now == before:  # from here on every image is as the last
                    interval = cycle - finishes[-2]
                    finishes += [cycle + n * interval for n in range(1, images - len(finishes) + 1)]
                before = now
        for model, take, o_ready in zip(reversed(models), takes, o_readies, strict=True):
            model.step(take, o_ready)
        cycle += 1
    return Cycles(latency=finishes[0], interval=finishes[-1] - finishes[-2], finishes=tuple(finishes),
                  layers=stage_cycles(design))
