"""Every part of a core in every table: hardware, cycles, cost, the slack of shortcuts, proofs."""

import math
from dataclasses import replace

import numpy as np
import pytest
from amaranth.back import rtlil
from amaranth.hdl import Shape, unsigned
from amaranth.lib.data import ArrayLayout

from sbgen.compiler import cycles, estimate, shortcut_queue
from sbgen.compiler.device import DEVICES
from sbgen.compiler.folding import WeightedFolding
from sbgen.compiler.ir import Add, Binarize, Conv2d, Dense, Lookup, Scores, Threshold
from sbgen.compiler.random_network import random_design
from sbgen.compiler.stage import Stage
from sbgen.compiler.stream_times import Stream, settle
from sbgen.compiler.unrolled import unroll
from sbgen.hw import (
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
from sbgen.hw.part import Part
from sbgen.hw.window import Geometry
from sbgen.proofs import plan

UNIT = mvtu.Parameters(inputs=6, weights=(5, 9), presets=(-3, -2), pe=1, simd=3)
GEOMETRY = Geometry(height=4, width=4, slices=1, kernel=(2, 2), stride=(2, 2))
TABLE = tuple(range(256))

#: An example of each part.
EXAMPLES = (
    add.Parameters(maximum=3, kept_maximum=1, scale=2, lanes=2),
    argmax.Parameters(score_width=5, classes=4),
    best.Parameters(score_width=5, classes=5),
    binarize.Parameters(thresholds=((100,), (7,)), lanes=1),
    collector.Parameters(shape=ArrayLayout(unsigned(1), 2), beats=3, batch=2, repeats=2, store="lut"),
    deep_queue.Parameters(shape=3, depth=5, store="lut"),
    discard.Parameters(shape=3, beats=2, batch=3, depth=2),
    fork.Parameters(shape=3),
    lookup.Parameters(table=TABLE, pixels=4, lanes=2),
    UNIT,
    patches.Parameters(pixel=ArrayLayout(unsigned(1), 2), width=5, kernel=(2, 3), padding=(1, 1), at_once=2),
    planes.Parameters(lanes=2, beats=3, planes=2),
    maximum.Parameters(lanes=2, width=3, beats=4),
    pool.Parameters(lanes=2, beats=4),
    replay.Parameters(shape=4, beats=3, repeats=2, store="lut"),
    scale.Parameters(maximum=6, scales=(1, 3), offsets=(0, -1)),
    short_queue.Parameters(shape=3),
    signs.Parameters(score_width=5, outputs=3),
    splitter.Parameters(element=1, lanes=2, at_once=2, beats=3, row=5, pace=2),
    sums.Parameters(lanes=2, geometry=GEOMETRY, store="lut"),
    threshold.Parameters(thresholds=((1,), (2,), (3,)), inverted=(0, 1, 0), width=2, lanes=1, store="lut"),
    unroll(UNIT, levels=2),
    width.Parameters(shape=1, length=12, i_lanes=4, o_lanes=6),
    window.Parameters(shape=2, geometry=GEOMETRY, padding_words=(0,), store="lut"),
)

#: A layer of each kind that statements compare a part with.
LAYERS = {
    add.Parameters: Add(name="add", fork="fork", scale=2),
    binarize.Parameters: Binarize(name="pixels", thresholds=np.array([[100], [7]])),
    lookup.Parameters: Lookup(name="table", table=np.array(TABLE)),
    threshold.Parameters: Threshold(
        name="bits", thresholds=np.array([1, 2, 3]), inverted=np.array([0, 1, 0])
    ),
    unrolled.Parameters: Dense(
        name="hidden", weights=np.array([[1, 0, 1, 0, 0, 0], [1, 0, 0, 1, 0, 0]]), thresholds=np.array([3, 2])
    ),
    window.Parameters: Conv2d(
        name="conv", weights=np.ones((1, 2, 2, 1), int), thresholds=None, stride=(2, 2)
    ),
}

TABLES = {
    "cycles": cycles.MODELS,
    "cost": estimate.COSTS,
    "slack of shortcuts": shortcut_queue.BEGUN,
    "proofs": plan.PARTS,
}


def each_part(function):
    return pytest.mark.parametrize("part", EXAMPLES, ids=lambda part: part.rtl_name)(function)


def test_an_example_of_every_part():
    assert {type(part) for part in EXAMPLES} == set(Part.__subclasses__())
    assert len({part.rtl_name for part in EXAMPLES}) == len(EXAMPLES)


@pytest.mark.parametrize("name", TABLES)
def test_every_part_is_in_every_table(name):
    assert set(TABLES[name]) == set(Part.__subclasses__())


@each_part
def test_hardware_has_the_ports_of_its_part(part):
    component = part.create()
    assert component.parameters is part
    for stream, shape in (component.i, part.i_shape), (component.o, part.o_shape):
        assert Shape.cast(stream.payload.shape()) == Shape.cast(shape)
    assert "\\o__payload" in rtlil.convert(component)


@pytest.mark.parametrize(
    "part", [part for part in EXAMPLES if cycles.MODELS[type(part)](part)], ids=lambda part: part.rtl_name
)
def test_models_take_and_output_the_beats_of_their_part(part):
    """With a source that is always valid and a sink that is always ready."""
    models, rounds = cycles.MODELS[type(part)](part), 3
    # Whole vectors of each; a round of a collector is a batch.
    beats = part.batch * part.beats if isinstance(part, collector.Parameters) else 720
    stream = Stream()
    for model in models:
        stream = model.connect(stream)
        if isinstance(part, add.Parameters):
            model.kept = Stream()
    ends = []
    for _ in range(rounds):
        i_beats = beats
        for model in models:
            model.stale = True
            model.i.begin(i_beats)
            i_beats = part.o_beats(beats) if model is models[-1] else model.o_beats(i_beats)
            for kept in [model.kept] if hasattr(model, "kept") else []:
                kept.begin(i_beats)
        stream.begin(i_beats)
        assert settle(models, latest=math.inf)
        ends.append(models[0].i.takes[-1])
    assert ends[-1] - ends[-2] == pytest.approx(part.busy(beats), rel=0.01)


@each_part
def test_every_part_has_a_cost(part):
    cost = estimate.part_cost(part, device=DEVICES["up5k"])
    assert cost.lut > 0 and cost.ff >= 0


@each_part
def test_more_is_begun_than_is_output(part):
    stage = Stage(
        layer=Scores(name="scores", weights=np.ones((1, 2), int), offsets=np.zeros(1, int)),
        folding=WeightedFolding(pe=1, simd=1),
        parts=(part,),
        i_length=16,
        i_lanes=1,
        o_length=1,
        o_lanes=1,
        i_maximum=1,
        vectors=16,
    )
    begun = np.arange(1, 9)
    before = shortcut_queue.BEGUN[type(part)](part, begun, stage)
    assert (before >= begun).all() and (np.diff(before) >= 0).all()


@each_part
def test_every_part_has_a_statement(part):
    layer = LAYERS.get(type(part))
    parts = [part]
    if isinstance(part, width.Parameters) and part.narrow_lanes not in (part.i_lanes, part.o_lanes):
        assert plan.PARTS[type(part)](part, layer, "width_1") == ()  # of the two that it consists of
        parts = [replace(part, o_lanes=part.narrow_lanes), replace(part, i_lanes=part.narrow_lanes)]
    statements = [each for one in parts for each in plan.PARTS[type(one)](one, layer, f"{one.rtl_name}_1")]
    assert len(statements) >= len(parts) and all(
        statement.circuit or statement.check for statement in statements
    )


def test_widths_of_streams_fit():
    """What a part outputs has as many bits as the next part takes, through the whole core."""
    from sbgen.compiler.pipeline import submodules

    for seed in range(10):
        placed = submodules(random_design(seed, largest=12))
        shapes = {each.name: each.part.o_shape for each in placed}
        for each in placed:
            if each.i and "." not in each.i:
                assert Shape.cast(shapes[each.i]).width == Shape.cast(each.part.i_shape).width, each.name
