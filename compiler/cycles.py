"""Exact prediction of when results leave the core, from the folding alone.

Each component of `sbgen.hw` that holds state has a model here: the same handshake, the same counters, no
data. The models are stepped cycle by cycle with a source that is always valid and a sink that is always
ready. Components that are combinational (binarize, argmax, equal widths) take no part, but for the fork,
which remembers who has taken what.

In each cycle every model first looks, from the last to the first: it is told whether what it gives will be
taken, and tells the one before it. Then all of them step.
"""

import math
from collections import deque
from dataclasses import dataclass

from ..errors import SbgenError
from ..hw.width import conversions
from .design import Design
from .ir import Add, Fork, MaxPool, Threshold
from .shortcut_queue import depths
from .stage import forks, input_lanes, stages

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
        For each simulated image the edge that takes its last result, counted from the edge that takes the
        first beat.
    layers : tuple of int
        For each layer the cycles that it is busy with one image.
    """

    latency: int
    interval: int
    finishes: tuple
    layers: tuple


class _Source:
    """Beats that are always there."""

    valid = o_ready = True


class _Model:
    """A component of one input and one output: what it gives is `valid`, it is `ready` or not, and then it
    moves.
    """

    source = None  # what is before it, or that one's side
    o_ready = True
    take = False

    def look(self):
        ready = self.source.o_ready = self.ready(self.o_ready)
        self.take = ready and self.source.valid

    def step(self):
        self.move(self.take, self.o_ready)


class _Cut(_Model):
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

    def move(self, take, o_ready):
        if self.valid and o_ready:
            self.left -= 1
        if take:
            last = self.beat == self.beats - 1
            self.left = self.last_parts if last else self.parts
            self.beat = 0 if last else self.beat + 1


class _Gather(_Model):
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

    def move(self, take, o_ready):
        if o_ready:
            self.valid = False
        if take:
            ends = self.beat == self.beats - 1
            self.valid = ends or self.part == self.parts - 1
            self.part = 0 if self.valid else self.part + 1
            self.beat = 0 if ends else self.beat + 1


class _Replay(_Model):
    """`sbgen.hw.replay.ReplayBuffer` for vectors of several beats."""

    def __init__(self, *, beats, repeats):
        self.beats, self.repeats = beats, repeats
        self.w_index = self.r_index = self.r_pass = self.held = 0
        self.valid = False

    @property
    def cycles(self):
        return self.beats * self.repeats

    def ready(self, o_ready):
        return self.held != 2

    def move(self, take, o_ready):
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


def _replay(*, beats, repeats):
    """The model of a replay buffer: a vector of one beat stands in a register, as one that is cut into equal
    parts does.
    """
    if beats == 1:
        return _Cut(length=repeats, i_lanes=repeats, o_lanes=1)
    return _Replay(beats=beats, repeats=repeats)


class _Mvtu(_Model):
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

    def move(self, take, o_ready):
        ends = take and self.beat == self.beats - 1
        gave = self.valid and o_ready
        self.pipeline.append(ends)
        self.queued += self.pipeline.popleft() - gave
        self.promised += ends - gave
        if take:
            self.beat = 0 if ends else self.beat + 1


class _Unrolled(_Model):
    """`sbgen.hw.unrolled.Unrolled`: registers that move together."""

    def __init__(self, parameters):
        self.held = deque([False] * parameters.latency)

    @property
    def valid(self):
        return self.held[0]

    def ready(self, o_ready):
        return not self.valid or o_ready

    def move(self, take, o_ready):
        if self.ready(o_ready):
            self.held.popleft()
            self.held.append(take)


class _Window(_Model):
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

    def move(self, take, o_ready):
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


class _OrReduce(_Model):
    """`sbgen.hw.pool.OrReduce`."""

    def __init__(self, *, beats, words):
        self.beats, self.cycles = beats, words
        self.beat = 0
        self.valid = False

    def ready(self, o_ready):
        return not self.valid or o_ready

    def move(self, take, o_ready):
        if o_ready:
            self.valid = False
        if take:
            self.beat = (self.beat + 1) % self.beats
            self.valid = self.beat == 0


class _Sums(_Model):
    """`sbgen.hw.sums.WindowSums`."""

    def __init__(self, geometry, *, cycles):
        self.words, self.slices, self.cycles = geometry.words_in, geometry.slices, cycles
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

    def ready(self, o_ready):
        return not self.valid or o_ready

    def move(self, take, o_ready):
        if self.ready(o_ready):
            self.valid = self.finished
            self.finished = take and self.finishes[self.word // self.slices]
        if take:
            self.word = (self.word + 1) % self.words


class _Scale(_Model):
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

    def move(self, take, o_ready):
        if self.valid and o_ready:
            self.full = False
        self.left = max(self.left - 1, 0)
        if take:
            self.full, self.left = True, self.each - 1


class _Queue(_Model):
    """`sbgen.hw.deep_queue.DeepQueue`."""

    def __init__(self, *, depth, cycles):
        self.depth, self.cycles = depth, cycles
        self.held = 0
        self.valid = False

    def ready(self, o_ready):
        return self.held != self.depth

    def move(self, take, o_ready):
        held = self.held
        if not self.valid or o_ready:
            self.valid = held != 0
            self.held -= self.valid
        self.held += take


class _Threshold(_Model):
    """`sbgen.hw.threshold.Threshold`."""

    def __init__(self, cycles):
        self.cycles = cycles
        self.held = self.valid = False

    def ready(self, o_ready):
        return not self.valid or o_ready

    def move(self, take, o_ready):
        if not self.valid or o_ready:
            self.valid, self.held = self.held, take


class _Side:
    """One output of a `_Fork`."""

    o_ready = True

    def __init__(self, fork, n):
        self.fork, self.n = fork, n

    @property
    def valid(self):
        return not self.fork.taken[self.n] and self.fork.source.valid


class _Fork:
    """`sbgen.hw.fork.Fork`."""

    source = None
    taken = done = (False, False)

    def __init__(self, cycles):
        self.cycles = cycles
        self.o, self.kept = _Side(self, 0), _Side(self, 1)

    def look(self):
        done = self.taken[0] or self.o.o_ready, self.taken[1] or self.kept.o_ready
        self.source.o_ready = all(done)
        self.done = done if self.source.valid and not all(done) else (False, False)

    def step(self):
        self.taken = self.done


class _Add:
    """`sbgen.hw.add.Add`."""

    source = kept = None
    o_ready = True
    take = valid = False

    def __init__(self, cycles):
        self.cycles = cycles

    def look(self):
        room = not self.valid or self.o_ready
        self.source.o_ready = room and self.kept.valid
        self.kept.o_ready = room and self.source.valid
        self.take = room and self.source.valid and self.kept.valid

    def step(self):
        if not self.valid or self.o_ready:
            self.valid = self.take


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
    """(layer index, model, cycles an image) of everything in the core that holds state, each behind what it
    takes from.
    """
    found, network, source = [], design.network, _Source()
    length, lanes, elements = network.pixels, input_lanes(design), network.pixels
    fork_of, depth_of, kept = forks(network), depths(design), {}

    def join(n, model, cycles):
        nonlocal source
        model.source = source
        found.append((n, model, cycles))
        source = model

    def convert(n, o_length, o_lanes):
        for step in conversions(i_length=length, i_lanes=lanes, o_length=o_length, o_lanes=o_lanes):
            for model, cycles in _converter(*step, vectors=elements // step[0]):
                join(n, model, cycles)

    for n, (stage, shape) in enumerate(zip(stages(design), network.shapes[1:], strict=True)):
        convert(n, stage.i_length, stage.i_lanes)
        match stage.layer:
            case Fork():
                fork = _Fork(stage.cycles)
                join(n, fork, stage.cycles)
                source = fork.kept
                join(n, _Queue(depth=depth_of[n], cycles=stage.cycles), stage.cycles)
                kept[n] = source, stage.i_lanes
                source = fork.o
            case Add():
                before = source
                source, lanes = kept[fork_of[n]]
                length = stage.i_length
                convert(n, stage.i_length, stage.i_lanes)
                add = _Add(stage.cycles)
                add.kept, source = source, before
                join(n, add, stage.cycles)
            case Threshold():
                join(n, _Threshold(stage.cycles), stage.cycles)
        if stage.window:
            window = _Window(stage.window)
            join(n, window, window.cycles)
        if stage.gathers:
            for model, cycles in _converter(
                stage.unit.inputs,
                stage.i_lanes,
                stage.unit.simd,
                vectors=stage.positions * stage.window.groups,
            ):
                join(n, model, cycles)
        if stage.repeats > 1:
            replay = _replay(beats=stage.unit.slices, repeats=stage.repeats)
            join(n, replay, replay.cycles * stage.positions * (stage.window.groups if stage.window else 1))
        if stage.sums:
            join(n, _Sums(stage.sums, cycles=stage.cycles), stage.cycles)
        elif isinstance(stage.layer, MaxPool):
            kernel = stage.layer.kernel[0] * stage.layer.kernel[1]
            join(n, _OrReduce(beats=kernel, words=stage.window.words_out), stage.window.words_out)
        if stage.unit:
            model = _Unrolled if stage.folding.unrolled else _Mvtu
            join(n, model(stage.unit), stage.unit.cycles * stage.positions)
        length, lanes, elements = stage.o_length, stage.o_lanes, math.prod(shape)
    convert(n, network.outputs, 1)
    if stage.scaling:
        scale = _Scale(stage.scaling)
        join(n, scale, scale.cycles)
    return found


def _input_beats(design):
    return -(-design.network.pixels // input_lanes(design))


def stage_cycles(design):
    """For each layer the cycles that its slowest part is busy with one image; the greatest bounds the
    interval.
    """
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
    last, backwards, results = models[-1], models[::-1], design.network.outputs
    patience = 1000 + 2 * (_input_beats(design) + results + sum(busy for _, _, busy in _models(design)))
    # A beat may be offered before it is taken: a fork lets go when both sides have it, of which one may wait
    # for the other.
    finishes, given, cycle, before, untaken, source = [], 0, 0, None, True, models[0].source
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
        if last.valid:
            given += 1
            if given == results:
                finishes.append(cycle)
                given = 0
                now = [_state(model) for model in models]
                if now == before:  # from here on every image is as the last
                    interval = cycle - finishes[-2]
                    finishes += [cycle + n * interval for n in range(1, images - len(finishes) + 1)]
                before = now
        for model in backwards:
            model.step()
        cycle += 1
    return Cycles(
        latency=finishes[0],
        interval=finishes[-1] - finishes[-2],
        finishes=tuple(finishes),
        layers=stage_cycles(design),
    )
