"""The matrix-vector-threshold unit, in four statements that together specify it.

::

    i -> door -> x, address -> [weights] -> operands -> [popcounts] -> sums -> [queue] -> o
                 ------- operands --------              ---- sums ----
         -------------------------------- traffic ------------------------------------

The parts in brackets are proved separately (popcounts, queue) or compared word by word (weights). In the
other statements they may do anything.
"""

from dataclasses import dataclass

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.hdl._mem import MemoryInstance

from ..hw.mvtu import Parameters
from ..hw.popcount import XnorPopcount
from ..hw.queue import Queue
from ..hw.spram import Spram
from .circuit import Circuit
from .statement import Statement
from .vectors import Count, Vectors

__all__ = ["operands", "popcount", "sums", "traffic"]


#: Cycles from a beat being accepted to its weights being read.
_READS_AFTER = 1


def _parities(word: Value) -> Value:
    """A word as popcounts take it, prefix-parity encoded in each group."""
    coded, at = [], 0
    for size in XnorPopcount.groups(len(word)):
        coded += [word[at : at + n + 1].xor() for n in range(size)]
        at += size
    return Cat(coded)


def popcount(*, width: int) -> Statement:
    """Statement about an `XnorPopcount`."""
    latency = XnorPopcount.latency(width)

    def circuit() -> Circuit:
        bench = Circuit(XnorPopcount(width=width))
        dut, m = bench.component, bench.m
        a, b, total = bench.free(width, name="a"), bench.free(width, name="b"), Const(0)
        m.d.comb += [dut.a.eq(_parities(a)), dut.b.eq(_parities(~b))]
        for n in range(width):
            longer = Signal(range(width + 1), name=f"agree_{n}")
            m.d.comb += longer.eq(total + (a[n] == b[n]))
            total = longer
        bench.never(
            "the count is not the number of agreeing bits",
            bench.delayed(Const(1, 1), latency, name="full")
            & (dut.o + dut.carry != bench.delayed(total, latency, name="agree")),
        )
        return bench

    return Statement(
        subject=f"popcount of {width} bits",
        claim=(
            f"for all {width}-bit words a and b, encoded as prefix parities of a and of the complement of b,"
            f" the output and its carry add up to the number of places where a and b agree, {latency}"
            " cycle(s) later"
        ),
        circuit=circuit,
    )


@dataclass(frozen=True, kw_only=True)
class _Read:
    """The address at which the unit reads its weights, whether it does, and the data of the next cycle."""

    address: Value
    enable: Value
    data: Value


def _unit(parameters: Parameters) -> tuple[Circuit, list[XnorPopcount], _Read]:
    """The unit with free numbers instead of weights and popcounts; and what was replaced, in order."""
    bench = Circuit(parameters.create())
    popcounts: list[XnorPopcount] = []
    words: list[_Read] = []

    def free_count(popcount: XnorPopcount) -> Module:
        m = Module()
        m.d.comb += [
            popcount.o.eq(bench.free(len(popcount.o), name=f"count_{len(popcounts)}")),
            popcount.carry.eq(bench.free(name=f"carry_{len(popcounts)}")),
        ]
        popcounts.append(popcount)
        return m

    def free_word(memory: MemoryInstance) -> Module | None:
        init, depth = tuple(memory._data.init), len(parameters.weight_words)
        if (
            init[:depth] != parameters.weight_words or any(init[depth:]) or words
        ):  # a patchable ROM has more words than are read
            return None
        m, (read,) = Module(), memory._read_ports
        m.d.comb += read._data.eq(bench.free(len(read._data), name="weights"))
        words.append(_Read(address=read._addr, enable=read._en, data=read._data))
        return m

    def free_ram(ram: Spram) -> Module:
        m = Module()
        m.d.comb += ram.data.eq(bench.free(len(ram.data), name="weights"))
        words.append(_Read(address=ram.addr, enable=ram.en, data=ram.data))
        return m

    bench.replace(XnorPopcount, free_count)
    if parameters.weight_blocks:
        bench.replace(Spram, free_ram)
    else:
        bench.replace(MemoryInstance, free_word)
    (read,) = words
    return bench, popcounts, read


def _before_counts(parameters: Parameters) -> tuple[int, int]:
    """Cycles from a beat being accepted to the popcounts seeing it, and to its counts being added."""
    added = parameters.latency - 2
    return added - XnorPopcount.latency(parameters.simd), added


def _loops(parameters: Parameters) -> dict[str, int]:
    return {
        "slice": parameters.slices,
        "pass": parameters.halves,
        "plane": parameters.planes,
        "group": parameters.groups,
    }


def _drive(bench: Circuit) -> Signal:
    """Let the environment do anything with the unit; return whether it takes a beat."""
    dut, m = bench.component, bench.m
    m.d.comb += [
        dut.i.valid.eq(bench.free(name="valid")),
        dut.o.ready.eq(bench.free(name="ready")),
        dut.i.payload.eq(bench.free(len(dut.i.payload.as_value()), name="payload")),
    ]
    push = Signal(name="push")
    m.d.comb += push.eq(dut.i.valid & dut.i.ready)
    return push


def _subject(p: Parameters) -> str:
    beside = f", {p.vectors} vectors side by side" if p.vectors > 1 else ""
    beside += ", interleaved" if p.interleaved else ""
    return f"unit of {p.inputs} inputs and {p.outputs} outputs, {p.pe} x {p.simd} at once{beside}"


def operands(parameters: Parameters) -> Statement:
    """Statement that the popcounts see the right slice and the right weights."""
    p = parameters

    def circuit() -> Circuit:
        bench, popcounts, read = _unit(p)
        push = _drive(bench)
        m = bench.m
        at = Count(m, loops=_loops(p), step=push, name="taken").at
        word = Signal.like(read.address, name="word")
        m.d.comb += word.eq((at["group"] * p.halves + at["pass"]) * p.slices + at["slice"])
        reads = bench.delayed(push, _READS_AFTER, name="reads")
        bench.never(
            "the weights are not read, or from a wrong address",
            reads & (~read.enable | (read.address != bench.delayed(word, _READS_AFTER, name="word"))),
        )
        if p.weight_store != "lut":  # words in LUTs are there all the time
            bench.never("weights are read for no slice", read.enable & ~reads)
        seen, _ = _before_counts(p)
        payload = bench.component.i.payload.as_value()
        x = [
            bench.delayed(_parities(Cat(list(payload)[n :: p.vectors])), seen, name=f"x_{n}")
            for n in range(p.vectors)
        ]
        weights = bench.delayed(read.data, seen - _READS_AFTER - 1, name="weights")
        pushed = bench.delayed(push, seen, name="pushed")
        for at, each in enumerate(popcounts):
            vector, lane = divmod(at, p.pe)
            bench.never(f"processing element {at} sees another slice", pushed & (each.a != x[vector]))
            bench.never(
                f"processing element {at} sees other weights",
                pushed & (each.b != weights.word_select(lane, p.simd)),
            )
        return bench

    return Statement(
        subject=_subject(p) + ": inputs of popcounts",
        claim=(
            f"when slice s of group g is accepted, word g*{p.halves * p.slices}+s of the weights is read,"
            f"{'' if p.weight_store == 'lut' else ' no word in any other cycle,'} and"
            f" {_before_counts(p)[0]} cycle(s) later every one of the {p.pe * p.vectors} popcounts sees that"
            f" slice of its vector, encoded, and its own {p.simd} bits of that word, for every slice and"
            " group, whatever was accepted before and however long it waited"
        ),
        scope="the words of the weights and the results of the popcounts are any numbers in any cycle",
        circuit=circuit,
    )


def sums(parameters: Parameters, *, name: str) -> Statement:
    """Statement that each output follows from the preset and the counts of its beats."""
    p = parameters
    width, point = p.accumulator_width, p.planes - 1

    def circuit() -> Circuit:
        bench, popcounts, _ = _unit(p)
        push = _drive(bench)
        m = bench.m
        queues = []
        bench.replace(Queue, lambda each: queues.append(each))
        (queue,) = queues
        _, added = _before_counts(p)
        # The beats of a group are counted at the input; what follows from that travels along with them.
        beats = Count(m, loops=_loops(p) | {"group": 1}, step=push, name="taken")
        step = bench.delayed(push, added, name="adds")
        last = bench.delayed(push & beats.last, added, name="adds_last")
        doubles = bench.delayed(
            push & (beats.at["slice"] == 0) & (beats.at["pass"] == 0), added, name="doubles"
        )
        group = Count(m, loops={"group": p.groups}, step=last, name="added").at["group"]
        first, ended, ended_group = (
            Signal(init=1, name="adds_first"),
            Signal(name="ended"),
            Signal.like(group, name="ended_group"),
        )
        m.d.sync += ended.eq(last)
        with m.If(step):
            m.d.sync += [first.eq(last), ended_group.eq(group)]
        bench.never(
            "results are not put into the queue one cycle after the last addition", queue.i.valid != ended
        )
        for at, each in enumerate(popcounts):
            lane = at % p.pe
            rows = range(lane, p.groups * p.pe, p.pe)
            presets = Array(Const(p.starts[row] if row < p.outputs else 0, width) for row in rows)
            preset = Signal(width, name=f"preset_{at}")
            total, before = (
                Signal(width, name=f"sum_{at}"),
                Signal(width, name=f"sum_before_{at}", reset_less=True),
            )
            so_far = Mux(doubles, before << 1, before) if p.planes > 1 else before
            m.d.comb += [
                preset.eq(presets[group]),
                total.eq(Mux(first, preset, so_far) + (each.o + each.carry << point)),
            ]
            with m.If(step):
                m.d.sync += before.eq(total)
            value = before.as_signed()
            expected = value >= 0 if p.signs else value >> point + p.halves - 1
            unused = ended_group * p.pe + lane >= p.outputs
            place = lane * p.vectors + at // p.pe if p.interleaved else at
            given = Value.cast(queue.i.payload[place]).as_unsigned()
            wanted = Signal(len(given), name=f"expected_{at}")
            m.d.comb += wanted.eq(Mux(unused, 0, expected))
            bench.never(f"output {at} of a group is not made from its sum", ended & (given != wanted))
        return bench

    made_of = "is 1 exactly where" if p.signs else "is"
    return Statement(
        subject=f"{_subject(p)}: sums of {name}",
        claim=(
            f"when the last beat of a group has been added, and in no other cycle, its"
            f" {p.pe * p.vectors} outputs are put into the queue; each {made_of} its preset plus the counts"
            f" of its {p.beats} beats{' is not negative' if p.signs else ''}, modulo 2^{width}, which holds"
            " every sum that can be reached (checked for each output); by induction over the beats, for any"
            " stalls; outputs past the last are 0"
        ),
        scope="the results of the popcounts are any numbers in any cycle",
        circuit=circuit,
    )


def traffic(parameters: Parameters) -> Statement:
    """Statement that no group is lost or duplicated, whichever side stalls."""
    p = parameters

    def circuit() -> Circuit:
        bench, _, _ = _unit(p)
        queues = []
        bench.replace(Queue, lambda each: queues.append(each))
        (queue,) = queues
        Vectors(
            bench,
            i_loops={"beat": p.beats},
            o_loops={"beat": 1},
            capacity=p.queue_depth,
            patience=p.latency + 2,
        )
        bench.never("a result meets a full queue", queue.i.valid & ~queue.i.ready)
        return bench

    return Statement(
        subject=_subject(p) + ": handshakes",
        claim=(
            f"one beat of outputs leaves for every {p.beats} beats taken in, in order; no result ever meets a"
            f" full queue; a payload offered stays until it is taken; results come within {p.latency + 2}"
            " cycles, and input is not refused for ever, for any stalls"
        ),
        scope="the words of the weights and the results of the popcounts are any numbers in any cycle",
        circuit=circuit,
    )
