"""Components that change values: binarisation, lookup, bit planes, thresholds, sums of two streams, scaling,
the best class, signs."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.hdl._mem import MemoryInstance

from .circuit import Circuit
from .moves import CONTRACT
from .statement import Statement
from .vectors import Count, Vectors

__all__ = ["add", "argmax", "binarize", "lookup", "planes", "scale", "signs", "threshold"]

_PASSES = (
    "it passes a beat on in the cycle in which it is offered, takes it when it is taken, and holds none, so"
    " that nothing is lost, doubled or reordered"
)


def _passes(made, *, beats):
    """Surround a combinational component; gives where its input stands in its vector."""
    dut, m = made.component, made.m
    i = dut.i.payload.as_value()
    m.d.comb += [
        dut.i.valid.eq(made.free(name="valid")),
        dut.o.ready.eq(made.free(name="ready")),
        i.eq(made.free(len(i), name="payload")),
    ]
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
                wanted = [
                    thresholds[n][level] if n < len(thresholds) else 256
                    for n in range(lane, beats * lanes, lanes)
                ]
                made.never(
                    f"bit {lane * levels + level} of a beat is wrong",
                    dut.i.valid
                    & (
                        dut.o.payload[lane * levels + level]
                        != (dut.i.payload[lane] >= made.table(beat, wanted, name=f"wanted_{lane}_{level}"))
                    ),
                )
        return made

    return Statement(
        subject=f"binarisation of {len(thresholds)} pixels, {lanes} at once",
        claim=(
            f"bit {levels}*i+l of an image is 1 exactly where pixel i is at least threshold l of pixel i of"
            f" the network, for every pixel and each of its 256 values; unused lanes are 0; {_PASSES}"
        ),
        circuit=circuit,
    )


def lookup(make, *, table, pixels, lanes):
    """A `Lookup`; the table is the network's."""
    beats = -(-pixels // lanes)

    def circuit():
        made = Circuit(make())
        dut, count = made.component, _passes(made, beats={"beat": beats})
        for lane in range(lanes):
            unused = count.last if lane >= lanes - (beats * lanes - pixels) else 0
            number = made.table(dut.i.payload[lane], table, name=f"number_{lane}")
            made.never(
                f"number {lane} of a beat is wrong",
                dut.i.valid & (dut.o.payload[lane] != Mux(unused, 0, number)),
            )
        return made

    return Statement(
        subject=f"lookup of {pixels} pixels, {lanes} at once",
        claim=(
            "each pixel becomes the number that the network's table has for it, for each of its 256 values;"
            f" unused lanes are 0; {_PASSES}"
        ),
        circuit=circuit,
    )


def planes(make, *, lanes, beats, planes):
    """A `BitPlanes`."""

    def circuit():
        made = Circuit(make())
        dut, count = made.component, _passes(made, beats={"beat": beats, "plane": planes})
        plane = made.table(count.at["plane"], list(reversed(range(planes))), name="plane")
        for lane in range(lanes):
            made.never(
                f"bit {lane} of a beat is wrong",
                dut.i.valid & (dut.o.payload[lane] != dut.i.payload[lane].bit_select(plane, 1)),
            )
        return made

    return Statement(
        subject=f"bit planes of {lanes} numbers of {planes} bits, {beats} beats",
        claim=(
            f"the n-th time that a vector comes, each number gives bit {planes - 1}-n of itself, for n = 0"
            f" ... {planes - 1}; {_PASSES}"
        ),
        circuit=circuit,
    )


def threshold(make, *, thresholds, inverted, width, lanes, name):
    """A `Threshold`; thresholds and inversions are those of the network, of each channel."""
    beats = -(-len(thresholds) // lanes)
    unused = beats * lanes - len(thresholds)

    def circuit():
        made = Circuit(make())
        dut, m = made.component, made.m
        vectors = Vectors(
            made,
            i_loops={"beat": beats},
            o_loops={"beat": beats},
            capacity=2,
            patience=4,
            i_payload=lambda taken, payload: (
                Mux(taken.last, payload[: (lanes - unused) * width], payload) if unused else payload
            ),
        )
        for lane in range(lanes):
            # An unused lane is compared with 1, which its 0 does not reach.
            here = [(n if n < len(thresholds) else None) for n in range(lane, beats * lanes, lanes)]
            level, invert = (
                made.table(
                    vectors.taken.at["beat"],
                    [rest if n is None else int(values[n]) for n in here],
                    name=f"{name}_{lane}",
                )
                for name, values, rest in (("level", thresholds, 1), ("invert", inverted, 0))
            )
            stages = [(dut.i.payload[lane] >= level) ^ invert]
            for when in "comes", "leaves":
                stages.append(Signal(name=f"bit_{lane}_{when}"))
                with m.If(~dut.o.valid | dut.o.ready):
                    m.d.sync += stages[-1].eq(stages[-2])
            made.never(f"bit {lane} of a beat is wrong", dut.o.valid & (dut.o.payload[lane] != stages[-1]))
        return made

    return Statement(
        subject=f"thresholds {name}: {len(thresholds)} channels, {lanes} numbers of {width} bits at once",
        claim=(
            "bit c of each vector is 1 exactly where number c is at least the network's threshold of channel"
            f" c, or where it is less if the network inverts that channel, for all numbers of {width} bits;"
            f" unused lanes are 0; {CONTRACT}"
        ),
        circuit=circuit,
    )


def add(make, *, widths, scale, lanes):
    """An `Add`."""

    def circuit():
        made = Circuit(make())
        dut, m = made.component, made.m
        push, push_kept, pop = made.offer(dut.i), made.offer(dut.kept, name="kept_"), made.take(dut.o)
        full = Signal(name="full")
        m.d.sync += full.eq(push | full & ~pop)
        made.never("a number is taken without its other", push != push_kept)
        made.never(
            "a pair is not taken exactly when there is room",
            push != (dut.i.valid & dut.kept.valid & (~full | dut.o.ready)),
        )
        made.never("a sum does not come in the next cycle, or comes twice", dut.o.valid != full)
        for lane in range(lanes):
            wanted = Signal(len(dut.o.payload[lane]), name=f"sum_{lane}")
            with m.If(push):
                m.d.sync += wanted.eq(dut.i.payload[lane] + scale * dut.kept.payload[lane])
            made.never(f"sum {lane} of a beat is wrong", dut.o.valid & (dut.o.payload[lane] != wanted))
        return made

    return Statement(
        subject=(
            f"sum of two streams, {lanes} numbers of {widths[0]} and {widths[1]} bits at once, the second"
            f" {scale} times"
        ),
        claim=(
            f"the n-th beat out is the n-th of the one stream plus {scale} times the n-th of the other,"
            " number by number, for every n and all numbers; both are taken in the same cycle, as soon as"
            " both are there and the sum before is taken; a sum stays until it is taken"
        ),
        circuit=circuit,
    )


def scale(make, *, classes, count_width, scale_width, score_width, negative):
    """A `Scale`."""

    def circuit():
        made = Circuit(make())
        dut, m, reads = made.component, made.m, []

        def free_word(memory):
            m, (read,) = Module(), memory._read_ports
            word = Signal(len(read._data), name="word", reset_less=True)
            with m.If(read._en):
                m.d.sync += word.eq(made.free(len(word), name="word"))
            m.d.comb += read._data.eq(word)
            reads.append((read, word))
            return m

        made.replace(MemoryInstance, free_word)
        ((read, word),) = reads
        vectors = Vectors(
            made, i_loops={"class": classes}, o_loops={"class": classes}, capacity=1, patience=scale_width + 4
        )
        made.never(
            "the word of another class is read",
            (read._en != vectors.push) | vectors.push & (read._addr != vectors.taken.at["class"]),
        )
        # The sum, bit by bit of the scale; it begins when a count is taken.
        bits, offset = word[:scale_width], word[scale_width:].as_signed()
        worth, total = (
            Signal(signed(score_width), name=name, reset_less=True) for name in ("worth", "total")
        )
        step, running = Signal(range(scale_width + 1), name="scale_step"), Signal(name="scale_running")
        last = step == scale_width
        with m.If(running):
            m.d.sync += [step.eq(Mux(last, 0, step + 1)), running.eq(~last)]
            with m.If(step == 0):
                m.d.sync += total.eq(total + offset)
            with m.Else():
                m.d.sync += worth.eq(worth << 1)
                with m.If(Cat(0, bits).bit_select(step, 1)):
                    m.d.sync += total.eq(Mux(last & negative, total - worth, total + worth))
        with m.If(vectors.push):
            m.d.sync += [running.eq(1), total.eq(0), worth.eq(dut.i.payload[0])]
        made.never("a score is not made from its count", dut.o.valid & (dut.o.payload[0] != total))
        made.never("a score comes before it is made", running & dut.o.valid)
        return made

    return Statement(
        subject=(
            f"scaling of {classes} classes: counts of {count_width} bits,"
            f" {'signed ' if negative else ''}scales of {scale_width}, scores of {score_width}"
        ),
        claim=(
            "when the count of class c is taken, word c of its memory is read; the score is the offset in it"
            " and, for each bit b that is on in the scale in it, 2^b times the"
            f" count{', taken away for the highest bit, which is the sign' if negative else ''}: modulo"
            f" 2^{score_width}, for all counts, scales and offsets, by induction over the {scale_width} bits;"
            f" {CONTRACT}"
        ),
        scope="the words of scales and offsets are any numbers",
        circuit=circuit,
    )


def argmax(make, *, width, classes, top):
    """An `Argmax`."""

    def circuit():
        made = Circuit(make())
        dut, m = made.component, made.m
        index = _passes(made, beats={"class": classes}).at["class"]
        score, take = Signal(signed(width), name="score"), Signal(name="take")
        m.d.comb += [score.eq(dut.i.payload[0]), take.eq(dut.i.valid & dut.o.ready)]
        made.never("a score is not passed on", dut.i.valid & (dut.o.payload.score != score))
        made.never(
            "the last class is not marked, or another is",
            dut.i.valid & (dut.o.payload.last != (index == classes - 1)),
        )

        # What was told with the last score that was taken, and that class.
        told = [dut.o.payload.label, *(dut.o.payload.runners_up if top > 1 else ())]
        labels = [Signal(len(label), name=f"label_{rank}") for rank, label in enumerate(told)]
        at, any_yet = Signal.like(index, name="at"), Signal(name="any_yet")
        with m.If(take):
            m.d.sync += [
                *(kept.eq(label) for kept, label in zip(labels, told, strict=True)),
                at.eq(index),
                any_yet.eq(1),
            ]

        made.never(
            "the class before is another",
            (at >= classes) | (index != Mux(any_yet & (at != classes - 1), at + 1, 0)),
        )

        # The best scores so far, which stand beside their labels: what follows of them is proved with the
        # rest, by one induction.
        ranks, beaten = [Signal(signed(width), name=f"rank_{rank}") for rank in range(top)], None
        for rank, kept in enumerate(ranks):
            better = (index <= rank) | (score > kept)
            new = Mux(beaten, ranks[rank - 1], score) if rank else score
            with m.If(take & better):
                m.d.sync += kept.eq(new)
            beaten = better

        # Any class, and what it scored.
        chosen, scored = made.constant(classes, name="class"), Signal(signed(width), name="scored")
        with m.If(take & (index == chosen)):
            m.d.sync += scored.eq(score)
        seen = any_yet & (chosen <= at)
        for rank, (label, kept) in enumerate(zip(labels, ranks, strict=True)):
            reached = any_yet & (at >= rank)
            made.never(f"rank {rank} is no class that has come", reached & (label > at))
            made.never(
                f"rank {rank} has not the score of its class",
                reached & seen & (label == chosen) & (kept != scored),
            )
            for other in range(rank + 1, top):
                made.never(
                    f"ranks {rank} and {other} are one class",
                    any_yet & (at >= other) & (label == labels[other]),
                )
            if rank + 1 < top:
                after, below = labels[rank + 1], ranks[rank + 1]
                made.never(
                    f"rank {rank} stands before one that beats it",
                    any_yet & (at >= rank + 1) & ((kept < below) | (kept == below) & (label > after)),
                )
        among = Cat((label == chosen) & (at >= rank) for rank, label in enumerate(labels)).any()
        made.never("a class is not told although there is a rank for it", seen & (at < top) & ~among)
        made.never(
            "a class that is not told beats one that is",
            seen
            & (at >= top)
            & ~among
            & ((scored > ranks[-1]) | (scored == ranks[-1]) & (chosen < labels[-1])),
        )
        return made

    best = "the best class" if top == 1 else f"the best {top} classes in order"
    return Statement(
        subject=f"best of {classes} classes, {width} bits" + (f", {top} told" if top > 1 else ""),
        claim=(
            f"with every score that is taken comes {best} so far, an equal score behind that of a lower"
            " class: each rank tells a class of its own, none stands before one that beats it, and no class"
            f" that is not told beats one that is, for every class and all scores of {width} bits; `last` is"
            f" set at the last class only; {_PASSES}"
        ),
        circuit=circuit,
    )


def signs(make, *, width, outputs):
    """A `Signs`."""

    def circuit():
        made = Circuit(make())
        dut, m = made.component, made.m
        index = _passes(made, beats={"output": outputs}).at["output"]
        score = Signal(signed(width), name="score")
        m.d.comb += score.eq(dut.i.payload[0])
        made.never("a score is not passed on", dut.i.valid & (dut.o.payload.score != score))
        made.never(
            "the last output is not marked, or another is",
            dut.i.valid & (dut.o.payload.last != (index == outputs - 1)),
        )

        # Any output, and whether its score was negative.
        chosen, negative = made.constant(outputs, name="output"), Signal(name="negative")
        with m.If(dut.i.valid & dut.o.ready & (index == chosen)):
            m.d.sync += negative.eq(score < 0)
        # The bits so far are at the top, so that at the last output each is at its own place.
        place = Signal(range(outputs), name="place")
        m.d.comb += place.eq(chosen + (outputs - 1 - index))
        made.never(
            "the bit of an output is wrong",
            dut.i.valid
            & (chosen <= index)
            & (dut.o.payload.label.bit_select(place, 1) == Mux(chosen == index, score < 0, negative)),
        )
        return made

    return Statement(
        subject=f"signs of {outputs} outputs, {width} bits",
        claim=(
            "with the last score of an image comes a bit for each output, 1 exactly where its score was not"
            f" negative, for every output and all scores of {width} bits; `last` is set at the last output"
            f" only; {_PASSES}"
        ),
        circuit=circuit,
    )
