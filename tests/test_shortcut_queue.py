"""The depth of a shortcut's queues, by the exact models of the core: none holds back what others wait for."""

import random

import numpy as np
import pytest

from sbgen.compiler import cycles, pipeline
from sbgen.compiler.design import Design
from sbgen.compiler.ir import Add, Binarize, Conv2d, Fork, Network, Scores, Threshold
from sbgen.compiler.layers import rules
from sbgen.compiler.random_network import random_design


def depths(design):
    """For each fork, by its place among the layers, the depth of its shortcut's queue."""
    stages = pipeline.stages(design)
    return {start: stages[start].shortcut[0].depth for start, _ in design.network.shortcuts}


class Waits:
    """The queues of a core's shortcuts, by its models: which of them hold back what others may wait for."""

    def __init__(self, design):
        placed = cycles._in_order(pipeline.submodules(design))
        chain = cycles._chain(design)
        self.models, made = chain.models, iter(chain.models)
        self._of = {
            each.name: [next(made) for _ in cycles.MODELS[type(each.part)](each.part)] for each in placed
        }
        switches, layers = design.network.switches, design.network.layers
        self._forks = {
            f"shortcut_{start}": self._of[f"fork_{start}"][0]
            for start, end in design.network.shortcuts
            if start not in switches and end not in switches
        }
        self._switched = [
            (
                self._of[f"fork_{switches[start]}"][0],
                self.queue(switches[start]),
                self.queue(start),
                self._of[f"add_{end}"][0],
            )
            for start, end in design.network.shortcuts
            if start in switches
        ]
        self.queues = [self.queue(start) for start, _ in design.network.shortcuts]
        assert len(self._forks) + 2 * len(self._switched) == len(self.queues)
        assert len(layers) > len(self.queues)

    def queue(self, start):
        (found,) = self._of[f"shortcut_{start}"]
        return found

    def check(self):
        for fork in self._forks.values():
            offered = fork.source.valid and not fork.taken[1]
            assert not (offered and fork.o.o_ready and not fork.kept.o_ready), (
                "the shortcut holds its fork back"
            )
        for fork, before, behind, add in self._switched:
            offered = fork.source.valid and not fork.taken[1]
            waits = add.source.valid and not add.kept.valid and not behind.valid and behind.held == 0
            if waits:  # for the shortcut's layers
                assert not (offered and fork.o.o_ready and before.held == before.depth), (
                    "what is passed by holds the shortcut's layers back"
                )
            assert not (behind.source.valid and behind.held == behind.depth and before.held < before.depth), (
                "the shortcut's layers hold back what they pass by"
            )


def step(design, *, cycles_at_most, sink):
    """Step the core with a sink that takes where ``sink()`` says so; gives what is left of a queue."""
    waits = Waits(design)
    models = waits.models
    least = min(queue.depth for queue in waits.queues)
    for _ in range(cycles_at_most):
        models[-1].o_ready = sink()
        for model in reversed(models):
            model.look()
        waits.check()
        least = min(least, *(queue.depth - queue.held for queue in waits.queues))
        for model in reversed(models):
            model.step()
    return least


@pytest.mark.parametrize("seed", range(60))
def test_no_fork_waits_for_its_shortcut(seed):
    design = random_design(seed, largest=12, shortcuts=True)
    rng = random.Random(seed)
    rates = iter(lambda: rng.choice([0.02, 0.3, 1.0]), None)
    rate = [1.0, 0]

    def sink():
        rate[1] -= 1
        if rate[1] < 0:
            rate[:] = next(rates), rng.randint(1, 400)
        return rng.random() < rate[0]

    step(design, cycles_at_most=6000, sink=sink)


@pytest.mark.parametrize("seed", range(30))
def test_a_deeper_queue_gains_no_cycle(seed, monkeypatch):
    design = random_design(seed, largest=12, shortcuts=True)
    predicted = cycles.predict(design)
    monkeypatch.setattr(pipeline, "depths", lambda network, made: dict.fromkeys(range(len(made)), 10**6))
    assert set(depths(design).values()) == {10**6}
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
    left = step(design, cycles_at_most=20000, sink=lambda: True)
    assert left <= bound / 3, (left, bound)


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
    step(design, cycles_at_most=5000, sink=lambda: True)
    monkeypatch.setattr(pipeline, "depths", lambda network, made: dict.fromkeys(range(len(made)), 10**6))
    assert cycles.predict(design) == predicted
