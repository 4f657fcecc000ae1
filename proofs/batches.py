"""What gathers images in batches, and what drops those by which a batch was incomplete."""

from collections.abc import Callable
from dataclasses import replace

from amaranth.hdl import Mux, Signal, Value, unsigned
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import Component

from ..hw import collector, discard
from .circuit import Circuit
from .moves import CONTRACT, ONE_BIT, TRACKED
from .statement import Statement
from .tracked_memory import TrackedMemory
from .vectors import Count

__all__ = ["collects", "discards"]

#: Cycles until something due happens, besides the patience of the collector.
_SOON = 4


class _Due:
    """Conditions that must not hold for long."""

    def __init__(self, bench: Circuit) -> None:
        self._bench = bench

    def within(self, name: str, cycles: int, condition: Value) -> None:
        """State that `condition` holds for fewer than so many cycles in a row."""
        m = self._bench.m
        waited = Signal(range(cycles + 1), name=f"waited_{len(self._bench.violations)}")
        m.d.sync += waited.eq(Mux(condition, waited + (waited != cycles), 0))
        self._bench.never(name, waited == cycles)


def collects(
    make: Callable[[collector.Parameters], Component], *, parameters: collector.Parameters
) -> Statement:
    """Statement about a `Collector`; `make` builds one from its parameters."""
    p = parameters
    few = replace(
        p,
        shape=ArrayLayout(unsigned(1), 1),
        beats=min(p.beats, 2),
        repeats=min(p.repeats, 2),
        store="lut",
        patience=min(p.patience, 3),
    )

    def circuit() -> Circuit:
        bench = Circuit(make(few))
        memory = TrackedMemory(bench, few.batch)
        dut, m = bench.component, bench.m
        push, pop, told = bench.offer(dut.i), bench.take(dut.o), bench.take(dut.kept, name="count_")
        taken = Count(m, loops={"beat": few.beats}, step=push, name="taken")
        given = Count(m, loops={"beat": few.beats, "pass": few.repeats}, step=pop, name="given")
        count = Signal(range(few.batch + 1))
        m.d.comb += count.eq(Value.cast(dut.kept.payload) + 1)

        # Whole vectors of batches whose count has not been taken, and batches whose count has.
        most = 2 * few.batch
        whole, begun = Signal(range(most + few.batch + 1)), Signal(range(4))
        enters, leaves = push & taken.last, pop & given.last
        m.d.sync += [whole.eq(whole + enters - Mux(told, count, 0)), begun.eq(begun + told - leaves)]
        bench.never("more vectors are inside than there is room for", whole > most)
        bench.never("a batch has more vectors than came, or than it may have", told & (count > whole))
        bench.never("a count is more than a batch", dut.kept.valid & (count > few.batch))
        bench.never("a batch is output before its count was taken", dut.o.valid & (begun == 0))

        due = _Due(bench)
        rests = taken.starts & ~dut.i.valid & (begun == 0) & ~dut.kept.valid
        due.within("whole vectors are not passed on", few.patience + _SOON, (whole != 0) & rests)
        due.within(
            "a complete batch is not passed on", _SOON, (whole >= few.batch) & (begun == 0) & ~dut.kept.valid
        )
        due.within("a batch that has begun is not output", _SOON, (begun != 0) & ~dut.o.valid)
        due.within(
            "an input is refused for ever", _SOON, dut.i.valid & ~dut.i.ready & (begun == 0) & ~dut.kept.valid
        )

        # One arbitrary vector, one of its beats, and its place: in which of the batches to come, and where.
        begins = dut.i.valid & taken.starts
        marked, ended, placed, done = (
            Signal(name=f"marked_{name}") for name in ("begun", "ended", "placed", "done")
        )
        mark, ahead = Signal(name="mark"), Signal(range(most + 1))
        m.d.comb += mark.eq(begins & ~marked & bench.free(name="mark"))
        now_ahead = Mux(mark, whole, ahead)
        ours = Signal()
        m.d.comb += ours.eq((marked | mark) & ~placed & told & (now_ahead < count))
        entering = (marked & ~ended | mark) & dut.i.valid
        vector, before = Signal(range(few.batch)), Signal(range(4))
        with m.If(mark):
            m.d.sync += marked.eq(1)
        with m.If(entering & push & taken.last):
            m.d.sync += ended.eq(1)
        m.d.sync += ahead.eq(now_ahead - Mux(told & ~ours & ~placed, count, 0))
        with m.If(ours):
            m.d.sync += [placed.eq(1), vector.eq(now_ahead), before.eq(begun - leaves)]
        with m.Elif(placed & leaves & (before != 0)):
            m.d.sync += before.eq(before - 1)
        with m.If(placed & leaves & (before == 0)):
            m.d.sync += done.eq(1)
        bench.never("a batch has a vector that has not come", ours & ~ended)

        beat = bench.constant(few.beats, name="beat")
        known, value = Signal(name="known"), Signal(name="value")
        here = Signal(name="here")
        m.d.comb += here.eq(entering & (taken.at["beat"] == beat))
        with m.If(here):
            m.d.sync += [known.eq(1), value.eq(Value.cast(dut.i.payload))]
        m.d.comb += memory.follow.eq(here & push)
        leaving = placed & ~done & (before == 0) & dut.o.valid & (given.at["beat"] == beat)
        bench.never(
            "a beat given is not the one taken in at its place",
            leaving & (~known | (Value.cast(dut.o.payload).bit_select(vector, 1) != value)),
        )
        return bench

    sizes = (
        f"{few.beats} beat(s), {few.repeats} time(s) and a patience of {few.patience} cycles stand for"
        f" {p.beats}, {p.repeats} and {p.patience}"
    )
    return Statement(
        subject=f"collector of {p.batch} x {p.beats} x {p.width} bits, {p.repeats} times",
        claim=(
            f"up to {p.batch} vectors of {p.beats} beats come out side by side, as many as the count of their"
            f" batch, in order, each batch complete {p.repeats} times: beat b of vector v of a batch is that"
            " of the vector that came in at that place. Whole vectors are passed on within"
            f" {p.patience + _SOON} cycles without input. {CONTRACT}"
        ),
        scope="; ".join([sizes, ONE_BIT.format(width=p.width), TRACKED]),
        circuit=circuit,
    )


def discards(make: Callable[[discard.Parameters], Component], *, parameters: discard.Parameters) -> Statement:
    """Statement about a `Discard`; `make` builds one from its parameters."""
    p = parameters
    few = replace(p, shape=1, beats=min(p.beats, 3), depth=min(p.depth, 2))

    def circuit() -> Circuit:
        bench = Circuit(make(few))
        dut, m = bench.component, bench.m
        push, pop = bench.offer(dut.i), bench.take(dut.o)
        told = bench.offer(dut.kept, payload=lambda count: Mux(count < few.batch, count, 0), name="count_")
        taken = Count(m, loops={"beat": few.beats, "vector": few.batch}, step=push, name="taken")

        # The counts that were taken and whose batches have not ended: one arbitrary of them is followed.
        held, ahead = Signal(range(few.depth + 2)), Signal(range(few.depth + 2))
        marked, done, count = Signal(name="marked"), Signal(name="done"), Signal(range(few.batch))
        mark = Signal(name="mark")
        ends = push & taken.last
        m.d.comb += mark.eq(told & ~marked & bench.free(name="mark"))
        m.d.sync += [
            held.eq(held + told - ends),
            ahead.eq(Mux(mark, held, ahead) - (ends & (Mux(mark, held, ahead) != 0))),
        ]
        with m.If(mark):
            m.d.sync += [marked.eq(1), count.eq(Value.cast(dut.kept.payload))]
        with m.If(marked & ~done & (ahead == 0) & ends):
            m.d.sync += done.eq(1)
        follows = marked & ~done & (ahead == 0)
        there = taken.at["vector"] <= count
        bench.never("a beat is taken or passed on before the count of its batch", (held == 0) & (push | pop))
        bench.never("a beat of a vector that is there is not passed on", follows & there & (push != pop))
        bench.never("a beat of a vector that is not there is passed on", follows & ~there & dut.o.valid)
        bench.never("a beat is not dropped at once", follows & ~there & dut.i.valid & ~dut.i.ready)
        bench.never("an offer is not passed on", follows & there & (dut.o.valid != dut.i.valid))
        bench.never(
            "another payload is passed on",
            dut.o.valid & (Value.cast(dut.o.payload) != Value.cast(dut.i.payload)),
        )
        bench.never("a count is refused though there is room", ~dut.kept.ready & (held != few.depth))
        return bench

    sizes = [f"{few.beats} beats and {few.depth} counts stand for {p.beats} and {p.depth}"]
    return Statement(
        subject=f"discard of {p.batch} x {p.beats} x {p.width} bits",
        claim=(
            f"of each batch of {p.batch} vectors of {p.beats} beats the first ones are passed on, unchanged,"
            " in the same cycle, as many as its count says; beats of the others are dropped, one per cycle; a"
            " payload offered stays until it is taken"
        ),
        scope="; ".join(
            [*(sizes if (few.beats, few.depth) != (p.beats, p.depth) else []), ONE_BIT.format(width=p.width)]
        ),
        circuit=circuit,
    )
