"""The depth of a shortcut's queues, by the exact models of the core: none holds back what others wait for."""

import by_hand
import numpy as np
import pytest

from sbgen.compiler import cycles, pipeline
from sbgen.compiler.design import Design
from sbgen.compiler.ir import Add, Binarize, Conv2d, Fork, Network, Scores, Threshold
from sbgen.compiler.layers import rules
from sbgen.compiler.random_network import random_design
from sbgen.hw import short_queue


def depths(design):
    """For each fork, by its place among the layers, the depth of its shortcut's queue."""
    stages = pipeline.stages(design)
    return {start: stages[start].shortcut[0].depth for start, _ in design.network.shortcuts}


class Stalled(cycles._Core):
    """The streams of a core behind which a sink stalls at random; without a seed it does not.

    The first result of each image waits for at least `pause` cycles.
    """

    def __init__(self, design, *, seed=None, pause=0):
        super().__init__(design)
        if seed is not None:
            self._patience += 1_000_000  # the sink's pauses are no deadlock
            self._last.begin = self._sink(self._last.begin, np.random.default_rng(seed), pause)

    def _sink(self, begin, rng, pause):
        def begin_stalled(beats):
            begin(beats)
            pauses = rng.geometric(rng.choice([0.02, 0.3, 1.0], beats // 40 + 1).repeat(40)[:beats])
            pauses[0] += pause
            since = self._first + self.finishes[-1] if self.finishes else self._patience
            self._last.be_ready(since + np.cumsum(pauses))

        return begin_stalled

    def takes(self, images):
        """When the beats of each stream are taken."""
        self.run(images, more=False)
        return [stream.taken(np.arange(-stream.start, stream.beats)).tolist() for stream, *_ in self._streams]

    def left(self, start):
        """Places of a shortcut's queue that are never used."""
        placed = cycles._in_order(pipeline.submodules(self.design))
        models = iter(self._models)
        of = {each.name: [next(models) for _ in cycles.MODELS[type(each.part)](each.part)] for each in placed}
        (queue,) = of[f"shortcut_{start}"]
        beats = np.arange(-queue.i.start, queue.i.beats)
        entered, left = queue.i.taken(beats), queue.o.offered(beats)
        held = np.arange(1, len(beats) + 1) - np.searchsorted(left, entered, side="right")
        return queue.depth - int(held.max())


def deepen(monkeypatch):
    monkeypatch.setattr(pipeline, "depths", lambda network, made: dict.fromkeys(range(len(made)), 10**6))


@pytest.mark.parametrize("pause", [0, 3000])  # the latter so long that all that a core can take is taken
@pytest.mark.parametrize("seed", range(60))
def test_nothing_waits_for_a_place_in_a_queue(seed, pause, monkeypatch):
    """However its sink stalls, every beat of a core is taken when it would be with endless queues."""
    design = random_design(seed, largest=12, shortcuts=True)
    found = Stalled(design, seed=seed, pause=pause).takes(6)
    deepen(monkeypatch)
    assert set(depths(design).values()) == {10**6}
    assert Stalled(design, seed=seed, pause=pause).takes(6) == found


@pytest.mark.parametrize("seed", range(30))
def test_a_deeper_queue_gains_no_cycle(seed, monkeypatch):
    design = random_design(seed, largest=12, shortcuts=True)
    predicted = cycles.predict(design)
    deepen(monkeypatch)
    assert cycles.predict(design) == predicted


def residual_block(channels, side):
    rng = np.random.default_rng(0)
    layers = (
        Binarize(name="pixels", thresholds=np.full((side * side, channels), 128)),
        Fork(name="fork"),
        Conv2d(
            name="conv",
            weights=rng.integers(0, 2, (channels, 3, 3, channels)),
            thresholds=None,
            padding=((1, 1), (1, 1)),
        ),
        Add(name="add", fork="fork"),
        Threshold(name="bits", thresholds=np.full(channels, 5 * channels), inverted=np.zeros(channels, int)),
        Scores(
            name="scores", weights=rng.integers(0, 2, (2, side * side * channels)), offsets=np.zeros(2, int)
        ),
    )
    return Network(name="block", image_shape=(side, side), layers=layers, labels=("a", "b"))


def test_a_convolution_takes_the_rows_of_its_line_buffers_and_what_is_in_flight():
    channels, side, lanes = 8, 32, 4
    network = residual_block(channels, side)
    foldings = (
        rule.folding(pe=lanes if rule.layer.name != "scores" else 1, simd=lanes) for rule in rules(network)
    )
    beats, row = depths(Design(network=network, foldings=tuple(foldings)))[1], side * channels // lanes
    assert 4 * row < beats < 4.5 * row


def test_a_queue_behind_a_window_holds_pixels():
    """Of a layer that takes a pixel in a beat, as many as its places; the bound has them all."""
    network = residual_block(channels := 4, 8)
    plain, queued = (
        by_hand.fold(
            network,
            (4, 1),
            (4, 4),
            {"pe": channels, "simd": channels, "queued": queue},
            (4, 4),
            (4, 4),
            (1, 4),
        )
        for queue in (False, True)
    )
    (places,) = (
        part.depth
        for stage in pipeline.stages(queued)
        for part in stage.parts
        if isinstance(part, short_queue.Parameters)
    )
    assert depths(queued)[1] == depths(plain)[1] + places


def test_most_of_the_queue_is_used_where_nothing_stalls():
    network = residual_block(4, 12)
    design = Design(
        network=network,
        foldings=tuple(
            rule.folding(
                pe=1 if rule.layer.name == "scores" else 4,
                simd=1 if isinstance(rule.layer, Binarize | Scores) else 4,
            )
            for rule in rules(network)
        ),
    )
    bound = depths(design)[1]
    core = Stalled(design)
    core.run(6, more=False)
    assert core.left(1) <= bound / 3, (core.left(1), bound)


def test_groups_after_a_fork(monkeypatch):
    """Their layer takes a part of a pixel at a time, and its window whole pixels."""
    block, channels = residual_block(4, 8), 4
    groups = Conv2d(
        name="groups",
        weights=np.ones((channels, 1, 1, 1), int),
        thresholds=np.ones(channels, int),
        groups=channels,
    )
    network = Network(
        name="groups",
        image_shape=block.image_shape,
        layers=(*block.layers[:2], groups, *block.layers[2:]),
        labels=block.labels,
    )
    design = Design(network=network, foldings=tuple(rule.folding(pe=1, simd=1) for rule in rules(network)))
    assert depths(design)[1] > 8 * channels
    predicted = cycles.predict(design)
    deepen(monkeypatch)
    assert cycles.predict(design) == predicted
