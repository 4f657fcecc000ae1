"""What gathers vectors in batches, and what drops those by which a batch was incomplete."""

import random
from itertools import pairwise

import pytest
from amaranth.hdl import Module, unsigned
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out, connect, flipped
from streams import beats, pack, transfer, unpack

from sbgen.hw import collector, discard, splitter

LANES, BITS = 2, 3


class Loop(wiring.Component):
    """A collector, what splits its batches, and what drops vectors that are not there."""

    def __init__(self, *, length, batch, store):
        word = ArrayLayout(unsigned(BITS), LANES)
        self.collector = collector.Parameters(
            shape=word, beats=length, batch=batch, repeats=1, store=store
        ).create()
        self.splitter = splitter.Parameters(
            element=BITS, lanes=LANES, at_once=batch, beats=length, row=batch, store="lut"
        ).create()
        self.discard = discard.Parameters(shape=word, beats=length, batch=batch, depth=3).create()
        super().__init__({"i": In(self.collector.i.signature.flip()), "o": Out(self.discard.o.signature)})

    def elaborate(self, platform):
        m = Module()
        m.submodules += [self.collector, self.splitter, self.discard]
        connect(m, flipped(self.i), self.collector.i)
        connect(m, self.collector.kept, self.discard.kept)
        batch = self.collector.parameters.batch
        # Places of the collector's beats have all vectors, positions of the splitter's all places.
        m.d.comb += [
            self.splitter.i.valid.eq(self.collector.o.valid),
            self.collector.o.ready.eq(self.splitter.i.ready),
            *(
                self.splitter.i.payload[n * LANES + place].eq(self.collector.o.payload[place * batch + n])
                for n in range(batch)
                for place in range(LANES)
            ),
        ]
        connect(m, self.splitter.o, self.discard.i)
        connect(m, self.discard.o, flipped(self.o))
        return m


@pytest.mark.parametrize("length, batch, vectors", [(1, 2, 6), (3, 2, 7), (2, 3, 1), (4, 3, 11), (2, 5, 9)])
@pytest.mark.parametrize("store", ["lut", "bram"])
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_every_vector_comes_out_once(length, batch, vectors, store, seed):
    """Also where their number is no multiple of a batch, and the input pauses."""
    rng = random.Random(f"{length} {batch}")
    given = [[rng.getrandbits(BITS) for _ in range(length * LANES)] for _ in range(vectors)]
    words = beats(given, LANES, BITS)
    taken = transfer(Loop(length=length, batch=batch, store=store), words, len(words), seed=seed)
    assert [word for _, word in taken] == words


@pytest.mark.parametrize("length, batch, vectors", [(2, 3, 1), (1, 4, 6), (3, 2, 3)])
def test_nothing_else_comes_out(length, batch, vectors):
    """What fills an incomplete batch is dropped."""
    words = beats([[7] * (length * LANES)] * vectors, LANES, BITS)
    with pytest.raises(TimeoutError, match=f"^{len(words)} of "):
        transfer(Loop(length=length, batch=batch, store="lut"), words, len(words) + 1, deadline=300)


class Counted(wiring.Component):
    """A collector whose counts are taken at once."""

    def __init__(self, part):
        self.part = part
        super().__init__({"i": In(part.i.signature.flip()), "o": Out(part.o.signature)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.part = part = self.part
        connect(m, flipped(self.i), part.i)
        connect(m, part.o, flipped(self.o))
        m.d.comb += part.kept.ready.eq(1)
        return m


def collect(vectors, *, length, batch, repeats, count, seed=None):
    part = collector.Parameters(
        shape=ArrayLayout(unsigned(BITS), LANES), beats=length, batch=batch, repeats=repeats, store="lut"
    )
    return transfer(Counted(part.create()), beats(vectors, LANES, BITS), count, seed=seed)


@pytest.mark.parametrize("length, batch, repeats", [(1, 2, 1), (1, 3, 2), (2, 3, 1), (3, 2, 4)])
@pytest.mark.parametrize("seed", [None, 1])
def test_batches_are_side_by_side_and_repeated(length, batch, repeats, seed):
    rng = random.Random(3)
    given = [[rng.getrandbits(BITS) for _ in range(length * LANES)] for _ in range(4 * batch)]
    taken = collect(given, length=length, batch=batch, repeats=repeats, count=4 * length * repeats, seed=seed)
    expected = []
    for at in range(0, len(given), batch):
        together = given[at : at + batch]
        places = [[vector[place] for vector in together] for place in range(length * LANES)]
        words = [
            pack([value for place in places[n : n + LANES] for value in place], BITS)
            for n in range(0, len(places), LANES)
        ]
        expected += words * repeats
    assert [word for _, word in taken] == expected


def test_a_batch_follows_the_one_before_without_a_pause():
    given = [[n % 8] * 6 for n in range(10)]
    cycles = [cycle for cycle, _ in collect(given, length=3, batch=2, repeats=4, count=60)]
    assert all(later - earlier == 1 for earlier, later in pairwise(cycles))


def test_an_incomplete_batch_waits_for_a_while():
    """From its last beat to its first output: what it waits, then as a complete one."""
    complete = collect([[1, 2], [3, 4]], length=1, batch=2, repeats=1, count=1)
    alone = collect([[1, 2]], length=1, batch=2, repeats=1, count=1)
    assert alone[0][0] - (complete[0][0] - 1) == 16
    assert unpack(alone[0][1], BITS, 4)[::2] == [1, 2]


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: collector.Parameters(shape=ArrayLayout(1, 1), beats=1, batch=1, repeats=1, store="lut"),
            "2",
        ),
        (
            lambda: collector.Parameters(shape=ArrayLayout(1, 1), beats=0, batch=2, repeats=1, store="lut"),
            "1",
        ),
        (lambda: discard.Parameters(shape=1, beats=1, batch=1, depth=1), "2"),
        (lambda: discard.Parameters(shape=1, beats=1, batch=2, depth=0), "1"),
    ],
)
def test_sizes_are_checked(make, message):
    with pytest.raises(ValueError, match=f"must be at least {message}, not"):
        make()


def test_unknown_store():
    with pytest.raises(ValueError, match="store must be one of bram, lut, not 'sram'"):
        collector.Parameters(shape=ArrayLayout(1, 1), beats=1, batch=2, repeats=1, store="sram")
