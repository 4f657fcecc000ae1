"""Components that move payloads without looking at them: queues, forks, replay buffers, width converters."""

import math
from collections.abc import Callable
from dataclasses import replace

from amaranth.hdl import Mux, Signal, Value
from amaranth.lib.wiring import Component

from ..hw.splitter import Parameters
from .circuit import Circuit
from .statement import Make, Statement
from .tracked_memory import TrackedMemory
from .vectors import Count, Vectors

__all__ = [
    "CONTRACT",
    "ONE_BIT",
    "TRACKED",
    "deep_queue",
    "fork",
    "queue",
    "replay",
    "splitter",
    "width",
    "wires",
]

#: Maximum output beats per vector for which a replay buffer is proved at its own size: its states are
#: enumerated.
_MOST_REPLAYED = 500

_ORDER = "the n-th payload in is the n-th out, for every n: none is lost, duplicated or changed; "
CONTRACT = (
    "an offered payload stays until it is taken; what was taken in whole comes out without waiting for the"
    " other side, and input is not refused for ever"
)
ONE_BIT = "payloads of one bit stand for each bit of {width}"
TRACKED = "one arbitrary word of its memory is tracked, and all others hold anything"


def _in_order(circuit: Circuit, *, capacity: int, patience: int, follow: Signal | None = None) -> Circuit:
    vectors = Vectors(circuit, i_loops={"beat": 1}, o_loops={"beat": 1}, capacity=capacity, patience=patience)
    known, value = vectors.captured(
        len(Value.cast(vectors.i.payload)), place={}, value=Value.cast(vectors.i.payload)
    )
    circuit.never(
        "a payload is not the one that came in at its place",
        vectors.leaving & (~known | (value != Value.cast(vectors.o.payload))),
    )
    if follow is not None:
        circuit.m.d.comb += follow.eq(vectors.entering & vectors.push)
    return circuit


def queue(make: Make, *, width: int, depth: int) -> Statement:
    """Statement about a `Queue`; `make` builds one for a shape."""

    def circuit() -> Circuit:
        return _in_order(Circuit(make(1)), capacity=depth, patience=2)

    return Statement(
        subject=f"queue of {depth} x {width} bits",
        claim=_ORDER + CONTRACT,
        scope=ONE_BIT.format(width=width),
        circuit=circuit,
    )


def wires(make: Make, *, width: int) -> Statement:
    """Statement about a `WidthConverter` between equal widths."""

    def circuit() -> Circuit:
        bench = Circuit(make(1))
        dut = bench.component
        push, pop = bench.offer(dut.i), bench.take(dut.o)
        bench.never("a payload is not passed on when it is offered", dut.o.valid != dut.i.valid)
        bench.never(
            "another payload is passed on",
            dut.o.valid & (Value.cast(dut.o.payload) != Value.cast(dut.i.payload)),
        )
        bench.never("a payload is not taken when it is taken behind", push != pop)
        return bench

    return Statement(
        subject=f"combinational queue of {width} bits",
        claim="an offer is passed on in the same cycle, unchanged, and taken when it is taken downstream",
        scope=ONE_BIT.format(width=width),
        circuit=circuit,
    )


def deep_queue(make: Make, *, width: int, depth: int) -> Statement:
    """Statement about a `DeepQueue`."""

    def circuit() -> Circuit:
        bench = Circuit(make(1))
        memory = TrackedMemory(bench)
        return _in_order(bench, capacity=depth + 1, patience=4, follow=memory.follow)

    return Statement(
        subject=f"deep queue of {depth} x {width} bits",
        claim=_ORDER + CONTRACT,
        scope=f"{ONE_BIT.format(width=width)}; {TRACKED}",
        circuit=circuit,
    )


def fork(make: Make, *, width: int) -> Statement:
    """Statement about a `Fork`; `make` builds one for a shape."""

    def circuit() -> Circuit:
        bench = Circuit(make(1))
        dut, m, both = bench.component, bench.m, 1
        push = bench.offer(dut.i)
        for name, side in ("o", dut.o), ("kept", dut.kept):
            got = Signal(name=f"{name}_got")  # in an earlier cycle, while the other side was waited for
            now = got | bench.take(side, name=f"{name}_")
            m.d.sync += got.eq(now & ~push)
            bench.never(
                f"{name} is offered a payload twice, or not when it comes", side.valid != (dut.i.valid & ~got)
            )
            bench.never(
                f"{name} is offered another payload",
                side.valid & (Value.cast(side.payload) != Value.cast(dut.i.payload)),
            )
            both = both & now
        bench.never(
            "a payload is taken before both have it, or not when they have", push != (dut.i.valid & both)
        )
        return bench

    return Statement(
        subject=f"fork of {width} bits",
        claim=(
            "each payload is offered to both sides in the cycle in which it comes, and to each until it takes"
            " it, once; it is taken in the cycle in which the second has it, whichever that is; an offer"
            " stays until it is taken"
        ),
        scope=ONE_BIT.format(width=width),
        circuit=circuit,
    )


def _smaller_replay(beats: int, repeats: int) -> tuple[int, int]:
    """Beats and repeats for the proof of a replay buffer. A vector that fills its bank, a power of two, still
    does.
    """
    if beats == 1 or beats * repeats <= _MOST_REPLAYED:
        return beats, repeats
    return min(beats, 32 if beats.bit_count() == 1 else 50), min(repeats, 3)


def replay(make: Make, *, width: int, beats: int, repeats: int) -> Statement:
    """Statement about a `ReplayBuffer`; `make` builds one for a shape, beats and repeats."""
    few, times = _smaller_replay(beats, repeats)

    def circuit() -> Circuit:
        bench = Circuit(make(1, few, times))
        memory = TrackedMemory(bench) if few > 1 else None
        vectors = Vectors(
            bench, i_loops={"beat": few}, o_loops={"beat": few, "pass": times}, capacity=3, patience=4
        )
        beat = bench.constant(few, name="beat")
        known, value = vectors.captured(1, place={"beat": beat}, value=vectors.i.payload)
        bench.never(
            "a beat given is not the one taken in at its place",
            vectors.leaving & (vectors.given.at["beat"] == beat) & (~known | (value != vectors.o.payload)),
        )
        if memory:
            bench.m.d.comb += memory.follow.eq(
                vectors.entering & vectors.push & (vectors.taken.at["beat"] == beat)
            )
        return bench

    scope = (
        [f"{few} beats, {times} times, stand for {beats}, {repeats} times"]
        if (few, times) != (beats, repeats)
        else []
    )
    return Statement(
        subject=f"replay buffer of {beats} x {width} bits, {repeats} times",
        claim=(
            f"each vector of {beats} beats is output {repeats} times, complete and in order, before the next:"
            f" beat b of each repetition is beat b of the input, for every b; {CONTRACT}"
        ),
        scope="; ".join([*scope, ONE_BIT.format(width=width), *([TRACKED] if beats > 1 else [])]),
        circuit=circuit,
    )


def splitter(make: Callable[[Parameters], Component], *, parameters: Parameters) -> Statement:
    """Statement about a `Splitter`; `make` builds one from its parameters."""
    p = parameters
    row = p.row if p.steps == 1 else p.at_once + p.last
    few = replace(p, element=1, lanes=1, beats=min(p.beats, 2), row=row)

    def circuit() -> Circuit:
        bench = Circuit(make(few))
        memory = TrackedMemory(bench) if few.store == "bram" and few.beats > 1 else None
        vectors = Vectors(
            bench,
            i_loops={"beat": few.beats, "step": few.steps},
            o_loops={"beat": few.beats, "position": few.row},
            capacity=4,
            patience=4 + few.at_once * few.beats,
        )
        place = {
            "beat": bench.constant(few.beats, name="beat"),
            "step": bench.constant(few.steps, name="step"),
        }
        beside = bench.constant(few.at_once, name="beside")
        payload = Value.cast(vectors.i.payload)
        known, value = vectors.captured(1, place=place, value=payload.bit_select(beside, 1))
        if memory is not None:
            bench.m.d.comb += memory.follow.eq(vectors.entering & vectors.push & vectors.taken.is_at(place))
        at = vectors.given.at
        here = (at["beat"] == place["beat"]) & (at["position"] == place["step"] * few.at_once + beside)
        bench.never(
            "a beat given is not the one of its position",
            vectors.leaving & here & (~known | (value != Value.cast(vectors.o.payload))),
        )
        return bench

    sizes = (few.beats, few.row) != (p.beats, p.row)
    scope = [f"{few.row} positions of {few.beats} beat(s) stand for a row"] if sizes else []
    return Statement(
        subject=f"splitter of {p.at_once} positions of {p.beats} beat(s), {p.row} in a row, in {p.store}",
        claim=(
            f"beat b of the n-th of {p.at_once} positions side by side comes out as beat b of that position,"
            f" position after position; what is past the {p.row} positions of a row does not; {CONTRACT}"
        ),
        scope="; ".join(
            [
                *scope,
                ONE_BIT.format(width=len(Value.cast(Signal(p.word)))),
                *([TRACKED] if p.store == "bram" else []),
            ]
        ),
        circuit=circuit,
    )


def width(make: Make, *, bits: int, length: int, i_lanes: int, o_lanes: int) -> Statement:
    """Statement about a `WidthConverter`.

    Where the beats of both sides begin together within a vector, and it ends where they do, what is proved is
    that the elements between two such places come out in order: a vector is several of them. That needs no
    position in the vector, which makes the difference between seconds and no answer where it is a long one.
    """
    together = math.lcm(i_lanes, o_lanes)
    run = together if length % together == 0 else length
    i_beats, o_beats = -(-run // i_lanes), -(-run // o_lanes)

    def offered(taken: Count, payload: Value) -> Value:
        unused = i_beats * i_lanes - run
        return Mux(taken.last, payload[: i_lanes - unused], payload) if unused else payload

    def circuit() -> Circuit:
        bench = Circuit(make(1))
        vectors = Vectors(
            bench,
            i_loops={"beat": i_beats},
            o_loops={"beat": o_beats},
            capacity=2 + (i_lanes + o_lanes) // run,
            patience=i_lanes + o_lanes + 4,
            i_payload=offered,
        )
        places = range(o_beats * o_lanes)
        element = bench.constant(len(places), name="element")
        i_beat, i_lane, o_beat, o_lane = (
            bench.table(element, values, name=name)
            for name, values in (
                ("i_beat", [n // i_lanes if n < run else 0 for n in places]),
                ("i_lane", [n % i_lanes for n in places]),
                ("o_beat", [n // o_lanes for n in places]),
                ("o_lane", [n % o_lanes for n in places]),
            )
        )
        known, value = vectors.captured(
            1, place={"beat": i_beat}, value=Value.cast(vectors.i.payload).bit_select(i_lane, 1)
        )
        given = Value.cast(vectors.o.payload).bit_select(o_lane, 1)
        here = vectors.leaving & (vectors.given.at["beat"] == o_beat)
        bench.never(
            "an element given is not the one taken in at its place",
            here & (element < run) & (~known | (value != given)),
        )
        if o_beats * o_lanes > run:
            bench.never("an unused lane is not 0", here & (element >= run) & given)
        return bench

    if run == length:
        order = (
            f"element e of each vector comes out as element e, for every e of {length}; unused lanes of its"
            " last beat are 0 where those of the input are"
        )
    else:
        order = (
            f"element e of every {run} comes out as element e of {run}, for every e; a vector is"
            f" {length // run} times so many"
        )
    return Statement(
        subject=f"width converter of {length} x {bits} bits from {i_lanes} to {o_lanes} per beat",
        claim=f"{order}; {CONTRACT}",
        scope=ONE_BIT.format(width=bits),
        circuit=circuit,
    )
