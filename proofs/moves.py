"""Components that move payloads and do not look at them: queues, the replay buffer, the width converter."""

from amaranth.hdl import Mux, Signal, Value

from .circuit import Circuit
from .statement import Statement
from .tracked_memory import TrackedMemory
from .vectors import Vectors

__all__ = ["CONTRACT", "ONE_BIT", "TRACKED", "deep_queue", "fork", "queue", "replay", "width", "wires"]

#: Beats that a replay buffer gives of a vector, up to which it is proved in its own size: its states are
#: counted one by one.
_MOST_REPLAYED = 500

_ORDER = "the n-th payload in is the n-th out, for every n: none is lost, none doubled, none changed; "
CONTRACT = (
    "a payload offered stays until it is taken; what was taken in whole comes out without waiting for the"
    " other side, and input is not refused for ever"
)
ONE_BIT = "payloads of one bit stand for each bit of {width}"
TRACKED = "of its memory one word, any of them, is followed, and all others hold anything"


def _in_order(circuit, *, capacity, patience, follow=None):
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


def queue(make, *, width, depth):
    """A `Queue`; `make` gives one for a shape."""

    def circuit():
        return _in_order(Circuit(make(1)), capacity=depth, patience=2)

    return Statement(
        subject=f"queue of {depth} x {width} bits",
        claim=_ORDER + CONTRACT,
        scope=ONE_BIT.format(width=width),
        circuit=circuit,
    )


def wires(make, *, width):
    """A `WidthConverter` between equal widths."""

    def circuit():
        made = Circuit(make(1))
        dut = made.component
        push, pop = made.offer(dut.i), made.take(dut.o)
        made.never("a payload is not passed on when it is offered", dut.o.valid != dut.i.valid)
        made.never(
            "another payload is passed on",
            dut.o.valid & (Value.cast(dut.o.payload) != Value.cast(dut.i.payload)),
        )
        made.never("a payload is not taken when it is taken behind", push != pop)
        return made

    return Statement(
        subject=f"wires of {width} bits",
        claim="what is offered is passed on in the same cycle, unchanged, and taken when it is taken behind",
        scope=ONE_BIT.format(width=width),
        circuit=circuit,
    )


def deep_queue(make, *, width, depth):
    """A `DeepQueue`."""

    def circuit():
        made = Circuit(make(1))
        memory = TrackedMemory(made)
        return _in_order(made, capacity=depth + 1, patience=4, follow=memory.follow)

    return Statement(
        subject=f"deep queue of {depth} x {width} bits",
        claim=_ORDER + CONTRACT,
        scope=f"{ONE_BIT.format(width=width)}; {TRACKED}",
        circuit=circuit,
    )


def fork(make, *, width):
    """A `Fork`; `make` gives one for a shape."""

    def circuit():
        made = Circuit(make(1))
        dut, m, both = made.component, made.m, 1
        push = made.offer(dut.i)
        for name, side in ("o", dut.o), ("kept", dut.kept):
            got = Signal(name=f"{name}_got")  # in an earlier cycle, while the other side was waited for
            now = got | made.take(side, name=f"{name}_")
            m.d.sync += got.eq(now & ~push)
            made.never(
                f"{name} is offered a payload twice, or not when it comes", side.valid != (dut.i.valid & ~got)
            )
            made.never(
                f"{name} is offered another payload",
                side.valid & (Value.cast(side.payload) != Value.cast(dut.i.payload)),
            )
            both = both & now
        made.never(
            "a payload is taken before both have it, or not when they have", push != (dut.i.valid & both)
        )
        return made

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


def _smaller_replay(beats, repeats):
    """The beats and repeats in which a replay buffer is proved; a vector that fills its bank, a power of two,
    still does.
    """
    if beats == 1 or beats * repeats <= _MOST_REPLAYED:
        return beats, repeats
    return min(beats, 32 if beats.bit_count() == 1 else 50), min(repeats, 3)


def replay(make, *, width, beats, repeats):
    """A `ReplayBuffer`; `make` gives one for a shape, beats and repeats."""
    few, times = _smaller_replay(beats, repeats)

    def circuit():
        made = Circuit(make(1, few, times))
        memory = TrackedMemory(made) if few > 1 else None
        vectors = Vectors(
            made, i_loops={"beat": few}, o_loops={"beat": few, "pass": times}, capacity=3, patience=4
        )
        beat = made.constant(few, name="beat")
        known, value = vectors.captured(1, place={"beat": beat}, value=vectors.i.payload)
        made.never(
            "a beat given is not the one taken in at its place",
            vectors.leaving & (vectors.given.at["beat"] == beat) & (~known | (value != vectors.o.payload)),
        )
        if memory:
            made.m.d.comb += memory.follow.eq(
                vectors.entering & vectors.push & (vectors.taken.at["beat"] == beat)
            )
        return made

    scope = (
        [f"{few} beats, {times} times, stand for {beats}, {repeats} times"]
        if (few, times) != (beats, repeats)
        else []
    )
    return Statement(
        subject=f"replay buffer of {beats} x {width} bits, {repeats} times",
        claim=(
            f"each vector of {beats} beats is given {repeats} times, whole and in order, before the next:"
            f" beat b of each pass is beat b as taken in, for every b; {CONTRACT}"
        ),
        scope="; ".join([*scope, ONE_BIT.format(width=width), *([TRACKED] if beats > 1 else [])]),
        circuit=circuit,
    )


def width(make, *, bits, length, i_lanes, o_lanes):
    """A `WidthConverter`."""
    i_beats, o_beats = -(-length // i_lanes), -(-length // o_lanes)

    def offered(taken, payload):
        unused = i_beats * i_lanes - length
        return Mux(taken.last, payload[: i_lanes - unused], payload) if unused else payload

    def circuit():
        made = Circuit(make(1))
        vectors = Vectors(
            made,
            i_loops={"beat": i_beats},
            o_loops={"beat": o_beats},
            capacity=2 + (i_lanes + o_lanes) // length,
            patience=i_lanes + o_lanes + 4,
            i_payload=offered,
        )
        places = range(o_beats * o_lanes)
        element = made.constant(len(places), name="element")
        i_beat, i_lane, o_beat, o_lane = (
            made.table(element, values, name=name)
            for name, values in (
                ("i_beat", [n // i_lanes if n < length else 0 for n in places]),
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
        made.never(
            "an element given is not the one taken in at its place",
            here & (element < length) & (~known | (value != given)),
        )
        made.never("an unused lane is not 0", here & (element >= length) & given)
        return made

    return Statement(
        subject=f"width converter of {length} x {bits} bits from {i_lanes} to {o_lanes} a beat",
        claim=(
            f"element e of each vector comes out as element e, for every e of {length}; unused lanes of its"
            f" last beat are 0 where those of the input are; {CONTRACT}"
        ),
        scope=ONE_BIT.format(width=bits),
        circuit=circuit,
    )
