"""The choice of the best class among all scores at once.

::

    i -> comparisons -> register -> comparisons -> register -> o
         -------------------- traffic --------------------
         comparisons -------> comparisons                      whole
"""

from collections.abc import Callable

from amaranth.hdl import Const, Signal, Value, signed

from ..hw.best import Best
from .circuit import Circuit
from .moves import CONTRACT
from .statement import Statement
from .vectors import Vectors

__all__ = ["traffic", "whole"]

#: Builds the component with so many comparisons between two registers; None is its own number.
Make = Callable[[int | None], Best]


def _subject(make: Make) -> str:
    p = make(None).parameters
    return f"best class of {p.classes} scores of {p.score_width} bits"


def traffic(make: Make) -> Statement:
    """Statement that every image has one result, of its own scores, in order."""
    latency = make(None).parameters.latency

    def circuit() -> Circuit:
        bench = Circuit(make(None))
        vectors = Vectors(
            bench,
            i_loops={"beat": 1},
            o_loops={"beat": 1},
            capacity=latency,
            patience=latency + 2,
            i_payload=lambda taken, anything: anything[0].replicate(len(anything)),
        )
        known, value = vectors.captured(1, place={}, value=Value.cast(vectors.i.payload)[0])
        score = Value.cast(vectors.o.payload.score)
        bench.never(
            "a result has seen scores of another image",
            vectors.leaving & (~known | (score != value.replicate(len(score)))),
        )
        return bench

    return Statement(
        subject=_subject(make) + ": handshakes",
        claim=(
            f"the result of an image follows from its own scores, through {latency} register(s) in series,"
            f" however long any of them waits; the n-th image in is the n-th out; {CONTRACT}"
        ),
        scope="the scores of an image are all 0 or all -1, so that a result shows which image it has seen",
        circuit=circuit,
    )


def whole(make: Make) -> Statement:
    """Statement that the result is the first maximum, and its score."""
    p = make(None).parameters

    def circuit() -> Circuit:
        bench = Circuit(make(max(1, p.depth)))
        dut, m = bench.component, bench.m
        vector = bench.free(p.classes * p.score_width, name="scores")
        m.d.comb += [dut.i.valid.eq(1), dut.o.ready.eq(1), Value.cast(dut.i.payload).eq(vector)]
        full = bench.delayed(Const(1, 1), 1, name="full")
        before = bench.delayed(vector, 1, name="scores")
        label, told = dut.o.payload.label, dut.o.payload.score
        scores = [Signal(signed(p.score_width), name=f"score_{n}") for n in range(p.classes)]
        m.d.comb += [
            score.eq(before.word_select(n, p.score_width).as_signed()) for n, score in enumerate(scores)
        ]
        bench.never("the label is no class", full & (label >= p.classes))
        bench.never("the result is not marked as the last", full & ~dut.o.payload.last)
        for n, score in enumerate(scores):
            bench.never(f"the score of class {n} is another", full & (label == n) & (told != score))
            bench.never(f"class {n} beats the label", full & ((score > told) | (score == told) & (label > n)))
        return bench

    return Statement(
        subject=_subject(make) + ": choice",
        claim=(
            f"for all scores of {p.score_width} bits, the label is the first class with the maximum score,"
            " the score is that maximum, and `last` is set"
        ),
        scope=(
            "the registers between the comparisons are omitted: that they only delay is the statement about"
            " their traffic"
        ),
        circuit=circuit,
    )
