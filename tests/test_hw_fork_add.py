"""`Fork` and `Add` around two queues: what leaves one stream by two ways and joins again is whole and in
order.
"""

import random

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from streams import beats, elements, transfer

from sbgen.hw import add, fork
from sbgen.hw.queue import Queue


class Loop(wiring.Component):
    """``i + scale * i``, the two by queues of different depth, each of which stalls the fork on its own."""

    def __init__(self, *, maximum, scale, lanes, depths):
        self.add = add.Parameters(maximum=maximum, kept_maximum=maximum, scale=scale, lanes=lanes).create()
        self.fork = fork.Parameters(shape=self.add.i.payload.shape()).create()
        self.queues = [Queue(shape=self.add.i.payload.shape(), depth=depth) for depth in depths]
        super().__init__({"i": In(self.fork.i.signature.flip()), "o": Out(self.add.o.signature)})

    def elaborate(self, platform):
        m = Module()
        m.submodules += [self.fork, self.add, *self.queues]
        connect(m, flipped(self.i), self.fork.i)
        for source, queue, sink in zip(
            (self.fork.o, self.fork.kept), self.queues, (self.add.i, self.add.kept), strict=True
        ):
            connect(m, source, queue.i)
            connect(m, queue.o, sink)
        connect(m, self.add.o, flipped(self.o))
        return m


@pytest.mark.parametrize("maximum, scale, lanes", [(1, 1, 1), (1, 3, 4), (12, 1, 3), (7, 5, 2)])
@pytest.mark.parametrize("depths", [(1, 2), (3, 1), (2, 2)])
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_sums(maximum, scale, lanes, depths, seed):
    rng = random.Random(f"{maximum} {scale} {lanes}")
    given = [[rng.randint(0, maximum) for _ in range(lanes)] for _ in range(60)] + [[maximum] * lanes]
    dut = Loop(maximum=maximum, scale=scale, lanes=lanes, depths=depths)
    width = len(dut.add.o.payload[0])
    assert 1 << (width - 1) <= maximum * (1 + scale) < 1 << width, "no bit too few or too many"
    taken = transfer(dut, beats(given, lanes, maximum.bit_length()), len(given), seed=seed)
    found, _ = elements([word for _, word in taken], lanes, width, lanes)
    assert found == [[(1 + scale) * x for x in vector] for vector in given]


def test_a_beat_each_cycle():
    taken = transfer(Loop(maximum=1, scale=1, lanes=1, depths=(2, 2)), [1] * 20, 20)
    assert [cycle for cycle, _ in taken] == [2 + n for n in range(20)]


@pytest.mark.parametrize("name", ["maximum", "kept_maximum", "scale", "lanes"])
def test_sizes_must_be_positive(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, not 0"):
        add.Parameters(**{"maximum": 1, "kept_maximum": 1, "scale": 1, "lanes": 1, name: 0}).create()
