"""Components that compute values: binarisation, lookup, bit planes, thresholds, sums, scaling."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.hdl._mem import MemoryInstance
from amaranth.utils import bits_for

from .circuit import Circuit
from .combinational import PASSES, passes
from .moves import CONTRACT
from .statement import Make, Statement
from .vectors import Vectors

__all__ = ["add", "binarize", "lookup", "planes", "scale", "threshold"]


def binarize(make: Make, *, thresholds: Sequence[Sequence[int]], lanes: int) -> Statement:
    """Statement about a `Binarize`; thresholds are those of the network, for each pixel its levels."""
    levels, beats = len(thresholds[0]), -(-len(thresholds) // lanes)

    def circuit() -> Circuit:
        bench = Circuit(make())
        dut, beat = bench.component, passes(bench, beats={"beat": beats}).at["beat"]
        for lane in range(lanes):
            for level in range(levels):
                wanted = [
                    thresholds[n][level] if n < len(thresholds) else 256
                    for n in range(lane, beats * lanes, lanes)
                ]
                bench.never(
                    f"bit {lane * levels + level} of a beat is wrong",
                    dut.i.valid
                    & (
                        dut.o.payload[lane * levels + level]
                        != (dut.i.payload[lane] >= bench.table(beat, wanted, name=f"wanted_{lane}_{level}"))
                    ),
                )
        return bench

    return Statement(
        subject=f"binarisation of {len(thresholds)} pixels, {lanes} at once",
        claim=(
            f"bit {levels}*i+l of an image is 1 exactly where pixel i is at least threshold l of pixel i of"
            f" the network, for every pixel and each of its 256 values; unused lanes are 0; {PASSES}"
        ),
        circuit=circuit,
    )


def lookup(make: Make, *, table: Sequence[int], pixels: int, lanes: int) -> Statement:
    """Statement about a `Lookup`; the table is the network's."""
    beats = -(-pixels // lanes)

    def circuit() -> Circuit:
        bench = Circuit(make())
        dut, count = bench.component, passes(bench, beats={"beat": beats})
        for lane in range(lanes):
            unused = count.last if lane >= lanes - (beats * lanes - pixels) else 0
            number = bench.table(dut.i.payload[lane], table, name=f"number_{lane}")
            bench.never(
                f"number {lane} of a beat is wrong",
                dut.i.valid & (dut.o.payload[lane] != Mux(unused, 0, number)),
            )
        return bench

    return Statement(
        subject=f"lookup of {pixels} pixels, {lanes} at once",
        claim=(
            "each pixel becomes the number that the network's table has for it, for each of its 256 values;"
            f" unused lanes are 0; {PASSES}"
        ),
        circuit=circuit,
    )


def planes(make: Make, *, lanes: int, beats: int, planes: int) -> Statement:
    """Statement about a `BitPlanes`."""

    def circuit() -> Circuit:
        bench = Circuit(make())
        dut, count = bench.component, passes(bench, beats={"beat": beats, "plane": planes})
        plane = bench.table(count.at["plane"], list(reversed(range(planes))), name="plane")
        for lane in range(lanes):
            bench.never(
                f"bit {lane} of a beat is wrong",
                dut.i.valid & (dut.o.payload[lane] != dut.i.payload[lane].bit_select(plane, 1)),
            )
        return bench

    return Statement(
        subject=f"bit planes of {lanes} numbers of {planes} bits, {beats} beats",
        claim=(
            f"when a vector comes for the n-th time, each number outputs its bit {planes - 1}-n, for n = 0"
            f" ... {planes - 1}; {PASSES}"
        ),
        circuit=circuit,
    )


def threshold(
    make: Make,
    *,
    thresholds: Sequence[Sequence[int]],
    inverted: Sequence[int],
    width: int,
    lanes: int,
    name: str,
) -> Statement:
    """Statement about a `Threshold`; thresholds and inversions are those of the network, of each channel."""
    beats, levels = -(-len(thresholds) // lanes), len(thresholds[0])
    unused = beats * lanes - len(thresholds)

    def circuit() -> Circuit:
        bench = Circuit(make())
        dut, m = bench.component, bench.m
        vectors = Vectors(
            bench,
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
            beat = vectors.taken.at["beat"]
            reached = [
                dut.i.payload[lane]
                >= bench.table(
                    beat,
                    [1 if n is None else int(thresholds[n][level]) for n in here],
                    name=f"level_{lane}" + (f"_{level}" if level else ""),
                )
                for level in range(levels)
            ]
            invert = bench.table(
                beat, [0 if n is None else int(inverted[n]) for n in here], name=f"invert_{lane}"
            )
            count = sum(reached, start=Const(0, 1))
            stages: list[Value] = [
                reached[0] ^ invert if levels == 1 else Mux(invert, levels - count, count)[: bits_for(levels)]
            ]
            for when in "comes", "leaves":
                stages.append(Signal(bits_for(levels), name=f"bit_{lane}_{when}"))
                with m.If(~dut.o.valid | dut.o.ready):
                    m.d.sync += stages[-1].eq(stages[-2])
            bench.never(f"bit {lane} of a beat is wrong", dut.o.valid & (dut.o.payload[lane] != stages[-1]))
        return bench

    return Statement(
        subject=(
            f"thresholds {name}: {len(thresholds)} channels"
            + (f" of {levels} levels" if levels > 1 else "")
            + f", {lanes} numbers of {width} bits at once"
        ),
        claim=(
            "bit c of each vector is 1 exactly where number c is at least the network's threshold of channel"
            f" c, or where it is less if the network inverts that channel, for all numbers of {width} bits;"
            f" unused lanes are 0; {CONTRACT}"
            if levels == 1
            else f"element c of each vector is how many of the network's {levels} thresholds of channel c"
            " number c reaches, or does not if the network inverts that channel, for all numbers of"
            f" {width} bits; unused lanes are 0; {CONTRACT}"
        ),
        circuit=circuit,
    )


def add(make: Make, *, widths: Sequence[int], scale: int, lanes: int) -> Statement:
    """Statement about an `Add`."""

    def circuit() -> Circuit:
        bench = Circuit(make())
        dut, m = bench.component, bench.m
        push, push_kept, pop = bench.offer(dut.i), bench.offer(dut.kept, name="kept_"), bench.take(dut.o)
        full = Signal(name="full")
        m.d.sync += full.eq(push | full & ~pop)
        bench.never("a number is taken without its other", push != push_kept)
        bench.never(
            "a pair is not taken exactly when there is room",
            push != (dut.i.valid & dut.kept.valid & (~full | dut.o.ready)),
        )
        bench.never("a sum does not come in the next cycle, or comes twice", dut.o.valid != full)
        for lane in range(lanes):
            wanted = Signal(len(dut.o.payload[lane]), name=f"sum_{lane}")
            with m.If(push):
                m.d.sync += wanted.eq(dut.i.payload[lane] + scale * dut.kept.payload[lane])
            bench.never(f"sum {lane} of a beat is wrong", dut.o.valid & (dut.o.payload[lane] != wanted))
        return bench

    return Statement(
        subject=(
            f"addition of {lanes} numbers of {widths[0]} bits and {scale} times {widths[1]} bits at once"
        ),
        claim=(
            f"the n-th beat out is the n-th of the one stream plus {scale} times the n-th of the other,"
            " number by number, for every n and all numbers; both are taken in the same cycle, as soon as"
            " both are there and the sum before is taken; a sum stays until it is taken"
        ),
        circuit=circuit,
    )


def scale(
    make: Make, *, classes: int, count_width: int, scale_width: int, score_width: int, negative: bool
) -> Statement:
    """Statement about a `Scale`."""

    def circuit() -> Circuit:
        bench = Circuit(make())
        dut, m, reads = bench.component, bench.m, []

        def free_word(memory: MemoryInstance) -> Module:
            m, (read,) = Module(), memory._read_ports
            word = Signal(len(read._data), name="word", reset_less=True)
            with m.If(read._en):
                m.d.sync += word.eq(bench.free(len(word), name="word"))
            m.d.comb += read._data.eq(word)
            reads.append((read, word))
            return m

        bench.replace(MemoryInstance, free_word)
        ((read, word),) = reads
        vectors = Vectors(
            bench,
            i_loops={"class": classes},
            o_loops={"class": classes},
            capacity=1,
            patience=scale_width + 4,
        )
        bench.never(
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
        bench.never("a score is not made from its count", dut.o.valid & (dut.o.payload[0] != total))
        bench.never("a score comes before it is made", running & dut.o.valid)
        return bench

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
