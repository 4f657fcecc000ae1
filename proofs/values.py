"""Components that change values and pass them on at once: binarisation, lookup, bit planes, the best class."""

from amaranth.hdl import Cat, Mux, Signal, signed

from .circuit import Circuit
from .statement import Statement
from .vectors import Count

__all__ = ["argmax", "binarize", "lookup", "planes"]

_PASSES = ("it passes a beat on in the cycle in which it is offered, takes it when it is taken, and holds none, so that nothing is lost, "
           "doubled or reordered")


def _passes(made, *, beats):
    """Surround a combinational component; gives where its input stands in its vector."""
    dut, m = made.component, made.m
    i = dut.i.payload.as_value()
    m.d.comb += [dut.i.valid.eq(made.free(name="valid")), dut.o.ready.eq(made.free(name="ready")),
                 i.eq(made.free(len(i), name="payload"))]
    made.never("a beat is not passed on when it is offered", dut.o.valid != dut.i.valid)
    made.never("a beat is not taken when it is taken behind", dut.i.valid & (dut.i.ready != dut.o.ready))
    return Count(m, loops=beats, step=dut.i.valid & dut.o.ready, name="taken")


def binarize(make, *, thresholds, lanes):
    """A `Binarize`; thresholds are those of the network, for each pixel its levels."""
    levels, beats = len(thresholds[0]), -(-len(thresholds) // lanes)

    def circuit():
        made = Circuit(make())
        dut, beat = made.component, _passes(made, beats={"beat": beats}).at["beat"]
        for lane in range(lanes):
            for level in range(levels):
                wanted = [thresholds[n][level] if n < len(thresholds) else 256 for n in range(lane, beats * lanes, lanes)]
                made.never(f"bit {lane * levels + level} of a beat is wrong", dut.i.valid & (
                    dut.o.payload[lane * levels + level]
                    != (dut.i.payload[lane] >= made.table(beat, wanted, name=f"wanted_{lane}_{level}"))))
        return made

    return Statement(
        subject=f"binarisation of {len(thresholds)} pixels, {lanes} at once",
        claim=f"bit {levels}*i+l of an image is 1 exactly where pixel i is at least threshold l of pixel i of the network, for every pixel and "
              f"each of its 256 values; unused lanes are 0; {_PASSES}", circuit=circuit)


def lookup(make, *, table, pixels, lanes):
    """A `Lookup`; the table is the network's."""
    beats = -(-pixels // lanes)

    def circuit():
        made = Circuit(make())
        dut, count = made.component, _passes(made, beats={"beat": beats})
        for lane in range(lanes):
            unused = count.last if lane >= lanes - (beats * lanes - pixels) else 0
            number = made.table(dut.i.payload[lane], table, name=f"number_{lane}")
            made.never(f"number {lane} of a beat is wrong", dut.i.valid & (dut.o.payload[lane] != Mux(unused, 0, number)))
        return made

    return Statement(subject=f"lookup of {pixels} pixels, {lanes} at once",
                     claim=f"each pixel becomes the number that the network's table has for it, for each of its 256 values; unused lanes are 0; "
                           f"{_PASSES}", circuit=circuit)


def planes(make, *, lanes, beats, planes):
    """A `BitPlanes`."""
    def circuit():
        made = Circuit(make())
        dut, count = made.component, _passes(made, beats={"beat": beats, "plane": planes})
        plane = made.table(count.at["plane"], list(reversed(range(planes))), name="plane")
        for lane in range(lanes):
            made.never(f"bit {lane} of a beat is wrong", dut.i.valid & (
                dut.o.payload[lane] != dut.i.payload[lane].bit_select(plane, 1)))
        return made

    return Statement(subject=f"bit planes of {lanes} numbers of {planes} bits, {beats} beats",
                     claim=f"the n-th time that a vector comes, each number gives bit {planes - 1}-n of itself, for n = 0 ... {planes - 1}; "
                           f"{_PASSES}", circuit=circuit)


def argmax(make, *, width, classes, top):
    """An `Argmax`."""
    def circuit():
        made = Circuit(make())
        dut, m = made.component, made.m
        index = _passes(made, beats={"class": classes}).at["class"]
        score, take = Signal(signed(width), name="score"), dut.i.valid & dut.o.ready
        m.d.comb += score.eq(dut.i.payload[0])
        made.never("a score is not passed on", dut.i.valid & (dut.o.payload.score != score))
        made.never("the last class is not marked, or another is", dut.i.valid & (dut.o.payload.last != (index == classes - 1)))

        # Any two classes, the first the lower, and what they scored.
        scores, which = [], []
        for name in "lower", "higher":
            chosen = made.constant(classes, name=name)
            kept, now = Signal(signed(width), name=f"{name}_kept"), Signal(signed(width), name=f"{name}_score")
            m.d.comb += now.eq(Mux(index == chosen, score, kept))
            with m.If(take):
                m.d.sync += kept.eq(now)
            scores.append(now)
            which.append(chosen)
        lower, higher = which
        both = dut.i.valid & (lower < higher) & (higher <= index)
        # The lower of two stands before the higher exactly where it scores at least as much.
        before = scores[0] >= scores[1]
        told = [dut.o.payload.label, *(dut.o.payload.runners_up if top > 1 else ())]
        for rank, label in enumerate(told):
            made.never(f"rank {rank} is no class", dut.i.valid & (index >= rank) & (label > index))
            for other, after in enumerate(told[rank + 1:], start=rank + 1):
                made.never(f"rank {rank} stands before rank {other}, which beats it", both & (index >= other) & (
                    (label == lower) & (after == higher) & ~before | (label == higher) & (after == lower) & before))
                made.never(f"ranks {rank} and {other} are one class", dut.i.valid & (index >= other) & (label == after))
        for winner, loser, wins in (lower, higher, before), (higher, lower, ~before):
            first, second = (Cat(label == each for label in told).any() for each in (winner, loser))
            made.never(f"the {'lower' if winner is lower else 'higher'} of two classes beats the other, which is told alone",
                       both & (index >= top - 1) & wins & second & ~first)
        return made

    best = "the best class" if top == 1 else f"the best {top} classes in order"
    return Statement(
        subject=f"best of {classes} classes, {width} bits" + (f", {top} told" if top > 1 else ""),
        claim=f"with every score come {best} so far, an equal score behind that of a lower class: no class that is not told beats one that is, for "
              f"every pair of classes and all scores of {width} bits; `last` is set at the last class only; {_PASSES}", circuit=circuit)
