"""The models that cycles are predicted with, each next to its component: beats must be offered and taken in
the same cycles, whoever stalls.
"""

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module, unsigned
from amaranth.lib.data import ArrayLayout
from amaranth.sim import Simulator

from sbgen.compiler import cycles, handshakes
from sbgen.compiler.cycles import DeadlockError
from sbgen.compiler.random_network import random_design
from sbgen.compiler.stream_times import Stream, settle
from sbgen.compiler.unrolled import unroll
from sbgen.hw import add as add_part
from sbgen.hw import collector as collector_part
from sbgen.hw import deep_queue, mvtu, pool, short_queue, splitter, width
from sbgen.hw import fork as fork_part
from sbgen.hw import patches as patches_part
from sbgen.hw import replay as replay_part
from sbgen.hw import sums as sums_part
from sbgen.hw import threshold as threshold_part
from sbgen.hw import window as window_part
from sbgen.hw.collector import Collector
from sbgen.hw.scale import Parameters as Scaling
from sbgen.hw.window import Geometry


def unit(rng, *, most_pe=1, most_simd=1):
    inputs, outputs = rng.randint(1, 9), rng.randint(1, 6)
    pe, simd = rng.randint(1, min(most_pe, outputs)), rng.randint(1, min(most_simd, inputs))
    return mvtu.Parameters(
        inputs=inputs,
        weights=tuple(rng.getrandbits(inputs) for _ in range(outputs)),
        presets=tuple(-rng.randint(0, inputs) for _ in range(outputs)),
        pe=pe,
        simd=simd,
    )


def cut(rng):
    parts, o_lanes = rng.randint(2, 4), rng.randint(1, 3)
    length, i_lanes = rng.randint(1, 20), parts * o_lanes
    return width.Parameters(shape=1, length=length, i_lanes=i_lanes, o_lanes=o_lanes), -(-length // i_lanes)


def gather(rng):
    parts, i_lanes = rng.randint(2, 4), rng.randint(1, 3)
    length, o_lanes = rng.randint(1, 20), parts * i_lanes
    return width.Parameters(shape=1, length=length, i_lanes=i_lanes, o_lanes=o_lanes), -(-length // i_lanes)


def convert(rng):
    i_lanes, o_lanes = rng.choice([(2, 3), (6, 4), (3, 5), (9, 6)])
    length = rng.randint(1, 30)
    return width.Parameters(shape=1, length=length, i_lanes=i_lanes, o_lanes=o_lanes), -(-length // i_lanes)


def replay(rng):
    beats, repeats = rng.randint(1, 4), rng.randint(2, 4)
    return replay_part.Parameters(shape=1, store="lut", beats=beats, repeats=repeats), beats


def matrix(rng):
    parameters = unit(rng, most_pe=3, most_simd=4)
    return parameters, parameters.cycles


def unrolled(rng):
    return unroll(unit(rng), levels=rng.randint(1, 3)), 1


def window(rng):
    groups, kernel = rng.randint(1, 2), (rng.randint(1, 2), rng.randint(1, 2))
    geometry = Geometry(
        height=rng.randint(2, 6),
        width=rng.randint(2, 5),
        slices=groups * rng.randint(1, 2),
        groups=groups,
        kernel=kernel,
        stride=(rng.randint(1, 3), rng.randint(1, 3)),
        padding=tuple((rng.randrange(size), rng.randrange(size)) for size in kernel),
        repeats=rng.randint(1, 2),
    )
    words = (0,) * geometry.slices
    return window_part.Parameters(
        shape=1, geometry=geometry, padding_words=words, store="lut"
    ), geometry.words_in


def or_reduce(rng):
    beats = rng.randint(1, 5)
    return pool.Parameters(lanes=1, beats=beats), beats


def sums(rng):
    kernel = rng.randint(1, 3), rng.randint(1, 3)
    geometry = Geometry(
        height=kernel[0] + rng.randint(0, 4),
        width=kernel[1] + rng.randint(0, 4),
        slices=rng.randint(1, 2),
        kernel=kernel,
        stride=tuple(size + rng.randint(0, 1) for size in kernel),
    )
    return sums_part.Parameters(lanes=1, geometry=geometry, store="lut"), geometry.words_in


def collector(rng):
    beats, batch = rng.randint(1, 4), rng.randint(2, 4)
    part = collector_part.Parameters(
        shape=ArrayLayout(unsigned(1), 1), beats=beats, batch=batch, repeats=rng.randint(1, 4), store="lut"
    )
    return part, beats * batch


def scale(rng):
    classes = rng.randint(1, 4)
    return Scaling(
        maximum=rng.randint(1, 30),
        scales=tuple(rng.randint(-40, 40) for _ in range(classes)),
        offsets=tuple(rng.randint(-40, 40) for _ in range(classes)),
    ), classes


def queue(rng):
    return deep_queue.Parameters(shape=1, depth=rng.randint(2, 6), store="lut"), 1


def few(rng):
    return short_queue.Parameters(shape=1, depth=rng.randint(2, 4)), 1


def patches(rng):
    kernel, width = (rng.randint(1, 3), rng.randint(1, 3)), rng.randint(3, 6)
    part = patches_part.Parameters(
        pixel=ArrayLayout(unsigned(1), 1),
        width=width,
        kernel=kernel,
        stride=rng.randint(1, 3),
        padding=tuple(rng.randrange(kernel[1]) for _ in range(2)),
    )
    return replace(part, at_once=rng.randint(1, part.out_width)), width * kernel[0]


def split(rng):
    at_once, beats = rng.randint(2, 4), rng.randint(1, 3)
    part = splitter.Parameters(
        element=1,
        lanes=1,
        at_once=at_once,
        beats=beats,
        row=rng.randint(1, 9),
        pace=rng.randint(1, 5),
        store=rng.choice(("lut", "bram")),
    )
    return part, part.steps * beats


def threshold(rng):
    channels, levels = rng.randint(1, 4), rng.randint(1, 3)
    return threshold_part.Parameters(
        thresholds=tuple(tuple(rng.randint(0, 8) for _ in range(levels)) for _ in range(channels)),
        inverted=(0,) * channels,
        width=3,
        lanes=1,
        store="lut",
    ), channels


CHAINS = [
    cut,
    gather,
    convert,
    replay,
    collector,
    matrix,
    unrolled,
    window,
    or_reduce,
    sums,
    scale,
    queue,
    few,
    patches,
    split,
    threshold,
]


#: Later than all that is simulated: what has not happened.
LATER = 1 << 20


def solve(models, *, beats, o_beats, offered, taken):
    """The models in a row, in rounds of so many beats, with beats that are offered in these cycles and
    outputs that are taken in these: when they take the first, and when they offer the others.
    """
    streams = [Stream()]
    for model in models:
        streams.append(model.connect(streams[-1]))
    takes, offers = [], []

    def begin(i_beats):
        for model in models:
            model.stale = True
            model.i.begin(i_beats)
            i_beats = o_beats if model is models[-1] else model.o_beats(i_beats)
        streams[-1].begin(i_beats)
        streams[0].offer(padded(offered[len(takes) :], streams[0].beats))
        streams[-1].be_ready(padded(taken[len(offers) :], o_beats))
        assert settle(models, latest=math.inf)

    while len(takes) < len(offered):
        begin(beats)
        if isinstance(models[0], handshakes.Collector) and (early := models[0].early):
            for stream in streams:
                stream.drop()
            begin(early * models[0].beats)
        takes += streams[0].takes.tolist()
        offers += streams[-1].offers.tolist()
    return takes, offers


def padded(times, beats):
    times = times[:beats]
    return np.array(times + [LATER] * (beats - len(times)))


def same(found, predicted, *, end):
    """Whether what happened up to a cycle, and no more, was predicted."""
    return predicted[: len(found)] == found and all(cycle >= end for cycle in predicted[len(found) :])


def _take_counts(ctx, component):
    """What a collector counts is taken at once."""
    if isinstance(component, Collector):
        ctx.set(component.kept.ready, 1)


def simulate(component, bench):
    m = Module()
    m.domains.sync = ClockDomain()
    m.submodules.dut = component
    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("make", CHAINS)
def test_takes_and_gives_in_the_same_cycles(make, seed):
    """With valid and ready rare or frequent for a while, as a component's neighbours are."""
    print(f"seed {seed}")
    rng = random.Random(seed)
    part, beats = make(rng)
    component = part.create()
    offered, takes, offers, taken = [], [], [], []

    async def bench(ctx):
        for cycle in range(400):
            if cycle % 40 == 0:
                often = [rng.choice((0.2, 0.8, 1)) for _ in range(2)]
            if len(offered) == len(takes) and rng.random() < often[0]:
                offered.append(cycle)
            i_valid, o_ready = len(offered) > len(takes), rng.random() < often[1]
            ctx.set(component.i.valid, i_valid)
            ctx.set(component.o.ready, o_ready)
            _take_counts(ctx, component)
            if i_valid and ctx.get(component.i.ready):
                takes.append(cycle)
            if ctx.get(component.o.valid):
                if len(offers) == len(taken):
                    offers.append(cycle)
                if o_ready:
                    taken.append(cycle)
            await ctx.tick()

    simulate(component, bench)
    models = cycles.MODELS[type(part)](part)
    predicted = solve(models, beats=beats, o_beats=part.o_beats(beats), offered=offered, taken=taken)
    assert takes and taken
    assert same(takes, predicted[0], end=400) and same(offers, predicted[1], end=400)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("make", CHAINS)
def test_is_busy_with_a_vector_for_its_cycles(make, seed):
    """Where nobody stalls, vectors follow each other after the cycles of the slower of its two ends, or of
    its own work.
    """
    print(f"seed {seed}")
    part, beats = make(random.Random(seed))
    component, starts = part.create(), []

    async def bench(ctx):
        ctx.set(component.i.valid, 1)
        ctx.set(component.o.ready, 1)
        _take_counts(ctx, component)
        taken = 0
        for cycle in range(1500):
            if ctx.get(component.i.ready):
                if taken % beats == 0:
                    starts.append(cycle)
                taken += 1
            await ctx.tick()

    simulate(component, bench)
    middle = starts[len(starts) // 4]
    count = len(starts) - 1 - len(starts) // 4
    # Behind a queue or a bank the pace is held on average. A window also waits for the rows that it needs
    # next.
    pace, least = (starts[-1] - middle) / count, part.busy(beats)
    assert pace > least - 0.5 and (pace < least + 0.5 or make is window)


def drive(rng, component, *, inputs, outputs):
    """Let beats cross the streams of a component for 300 cycles, with stalls on all of them; when beats are
    offered and taken, by the name of the stream.
    """
    offers, takes = ({name: [] for name in (*inputs, *outputs)} for _ in range(2))

    async def bench(ctx):
        for cycle in range(300):
            for name in inputs:
                if len(offers[name]) == len(takes[name]) and rng.random() < 0.65:
                    offers[name].append(cycle)
                ctx.set(getattr(component, name).valid, len(offers[name]) > len(takes[name]))
            ready = {name: rng.random() < 0.6 for name in outputs}
            for name in outputs:
                ctx.set(getattr(component, name).ready, ready[name])
            for name in outputs:
                if ctx.get(getattr(component, name).valid) and len(offers[name]) == len(takes[name]):
                    offers[name].append(cycle)
            for name in inputs:
                ready[name] = ctx.get(getattr(component, name).ready)
            for name in (*inputs, *outputs):
                if len(offers[name]) > len(takes[name]) and ready[name]:
                    takes[name].append(cycle)
            await ctx.tick()

    simulate(component, bench)
    return offers, takes


@pytest.mark.parametrize("seed", range(4))
def test_a_fork_and_a_sum_of_two_streams(seed):
    """A fork's sides and a sum's are taken by themselves."""
    print(f"seed {seed}")
    rng = random.Random(seed)
    sum_of = add_part.Parameters(maximum=3, kept_maximum=3, scale=1, lanes=1)
    for part, inputs, outputs in (
        (fork_part.Parameters(shape=1), ("i",), ("o", "kept")),
        (sum_of, ("i", "kept"), ("o",)),
    ):
        offers, takes = drive(rng, part.create(), inputs=inputs, outputs=outputs)
        (model,) = cycles.MODELS[type(part)](part)
        if len(inputs) == 2:
            model.kept = Stream()
            model.kept.taker = model
        model.connect(Stream())
        for name in (*inputs, *outputs):
            stream = getattr(model, name)
            stream.begin(300)
            if name in inputs:
                stream.offer(padded(offers[name], 300))
            else:
                stream.be_ready(padded(takes[name], 300))
        assert settle([model], latest=math.inf)
        for name in inputs:
            assert same(takes[name], getattr(model, name).takes.tolist(), end=300), name
        for name in outputs:
            assert same(offers[name], getattr(model, name).offers.tolist(), end=300), name


@pytest.mark.parametrize("seed", range(20))
def test_no_design_is_quicker_than_its_slowest_part(seed):
    print(f"seed {seed}")
    found = cycles.predict(random_design(seed, largest=12), images=4)
    assert found.interval >= max(found.layers) and found.latency >= max(found.layers)
    assert found.finishes[-1] - found.finishes[-2] == found.interval and found.finishes[0] == found.latency


def test_parts_that_wait_for_each_other_for_ever(monkeypatch):
    monkeypatch.setattr(
        handshakes.Mvtu, "times", lambda self: (self.i.takes + 1, np.zeros(self.o.beats, np.int64))
    )
    with pytest.raises(
        DeadlockError,
        match="each image must be through [0-9,]+ cycles after the one before, but image 0 is not",
    ):
        cycles.predict(random_design(3, largest=12))
    with pytest.raises(ValueError, match="images must be at least 2, not 1"):
        cycles.predict(random_design(3, largest=12), images=1)
