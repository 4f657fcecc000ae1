"""Exact prediction of when results leave the core, from the folding alone.

Each component of `sbgen.hw` that holds state has a model here: the same handshake, the same counters, no data. The models are
stepped cycle by cycle with a source that is always valid and a sink that is always ready. Components that are
combinational (binarize, argmax, equal widths) take no part.
"""

import math
from collections import deque
from dataclasses import dataclass

from .design import Design
from .ir import Binarize
from .lower import mvtu_parameters

__all__ = ["Cycles", "predict", "stage_cycles"]


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
        self.slices, self.cycles, self.depth = parameters.slices, parameters.cycles, parameters.queue_depth
        self.slice = self.promised = self.queued = 0
        self.pipeline = deque([False] * (parameters.latency - 1))

    @property
    def valid(self):
        return self.queued != 0

    def ready(self, o_ready):
        return self.slice != self.slices - 1 or self.promised != self.depth

    def step(self, take, o_ready):
        ends = take and self.slice == self.slices - 1
        gave = self.valid and o_ready
        self.pipeline.append(ends)
        self.queued += self.pipeline.popleft() - gave
        self.promised += ends - gave
        if take:
            self.slice = 0 if ends else self.slice + 1


def _converters(length, i_lanes, o_lanes):
    if i_lanes == o_lanes:
        return []
    if i_lanes % o_lanes == 0:
        return [_Cut(length=length, i_lanes=i_lanes, o_lanes=o_lanes)]
    if o_lanes % i_lanes == 0:
        return [_Gather(length=length, i_lanes=i_lanes, o_lanes=o_lanes)]
    between = math.gcd(i_lanes, o_lanes)
    return (_converters(length, i_lanes, between) + _converters(length, between, o_lanes))


def _stages(design):
    """(layer index, model) of everything in the core that holds state, in the order of the data."""
    stages, lanes = [], None
    for n, (layer, folding) in enumerate(design.stages):
        if isinstance(layer, Binarize):
            lanes = folding.pe
            continue
        parameters = mvtu_parameters(layer, folding)
        stages += [(n, model) for model in _converters(layer.inputs, lanes, folding.simd)]
        if parameters.groups > 1:
            stages.append((n, _Replay(beats=parameters.slices, repeats=parameters.groups)))
        stages.append((n, _Mvtu(parameters)))
        lanes = folding.pe
    return stages + [(n, model) for model in _converters(design.network.classes, lanes, 1)]


def _input_beats(design):
    return -(-design.network.pixels // design.foldings[0].simd)


def stage_cycles(design):
    """For each layer the cycles that its slowest part is busy with one image; the greatest bounds the interval."""
    cycles = [_input_beats(design)] + [0] * (len(design.foldings) - 1)
    for n, model in _stages(design):
        cycles[n] = max(cycles[n], model.cycles)
    return tuple(cycles)


def predict(design: Design, *, images=8) -> Cycles:
    """Latency and interval of the core; exact, as the benches show.

    Parameters
    ----------
    images : int
        Images sent without a pause, at least 2; the interval is the distance of the last two.
    """
    if images < 2:
        raise ValueError(f"images must be at least 2, not {images!r}")
    models = [model for _, model in _stages(design)]
    results = design.network.classes
    beats = images * _input_beats(design)
    finishes, given, cycle = [], 0, 0
    while len(finishes) < images:
        ready = True
        takes, o_readies = [], []
        for model, source in zip(reversed(models), [*reversed(models[:-1]), None], strict=True):
            o_readies.append(ready)
            ready = model.ready(ready)
            takes.append(ready and (source.valid if source else beats > 0))
        if models[-1].valid:
            given += 1
            if given == results:
                finishes.append(cycle)
                given = 0
        beats -= takes[-1]
        for model, take, o_ready in zip(reversed(models), takes, o_readies, strict=True):
            model.step(take, o_ready)
        cycle += 1
    return Cycles(latency=finishes[0], interval=finishes[-1] - finishes[-2], finishes=tuple(finishes),
                  layers=stage_cycles(design))
