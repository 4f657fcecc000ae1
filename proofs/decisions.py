"""Components that decide from scores: the best classes, or signs."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Mux, Signal, signed

from .circuit import Circuit
from .combinational import PASSES, passes
from .statement import Make, Statement

__all__ = ["argmax", "signs"]


def _never_misranked(
    bench: Circuit,
    *,
    width: int,
    classes: int,
    index: Signal,
    take: Signal,
    at: Signal,
    any_yet: Signal,
    labels: Sequence[Signal],
    ranks: Sequence[Signal],
) -> None:
    """State that the classes reported so far are the best of those that have come, for any class.

    Parameters
    ----------
    index, at : Signal
        The class whose score is offered, and the class taken last.
    take, any_yet : Signal
        A score is taken in this cycle; one has been taken.
    labels, ranks : sequence of Signal
        The classes reported with the last score taken, and their scores.
    """
    m, score, top = bench.m, bench.component.i.payload[0], len(ranks)
    # Any class, and what it scored.
    chosen, scored = bench.constant(classes, name="class"), Signal(signed(width), name="scored")
    with m.If(take & (index == chosen)):
        m.d.sync += scored.eq(score)
    seen = any_yet & (chosen <= at)
    for rank, (label, kept) in enumerate(zip(labels, ranks, strict=True)):
        reached = any_yet & (at >= rank)
        bench.never(f"rank {rank} is no class that has come", reached & (label > at))
        bench.never(
            f"rank {rank} has not the score of its class",
            reached & seen & (label == chosen) & (kept != scored),
        )
        for other in range(rank + 1, top):
            bench.never(
                f"ranks {rank} and {other} are one class", any_yet & (at >= other) & (label == labels[other])
            )
        if rank + 1 < top:
            after, below = labels[rank + 1], ranks[rank + 1]
            bench.never(
                f"rank {rank} stands before one that beats it",
                any_yet & (at >= rank + 1) & ((kept < below) | (kept == below) & (label > after)),
            )
    among = Cat((label == chosen) & (at >= rank) for rank, label in enumerate(labels)).any()
    bench.never("a class is not told although there is a rank for it", seen & (at < top) & ~among)
    bench.never(
        "a class that is not told beats one that is",
        seen & (at >= top) & ~among & ((scored > ranks[-1]) | (scored == ranks[-1]) & (chosen < labels[-1])),
    )


def argmax(make: Make, *, width: int, classes: int, top: int) -> Statement:
    """Statement about an `Argmax`."""

    def circuit() -> Circuit:
        bench = Circuit(make())
        dut, m = bench.component, bench.m
        index = passes(bench, beats={"class": classes}).at["class"]
        score, take = Signal(signed(width), name="score"), Signal(name="take")
        m.d.comb += [score.eq(dut.i.payload[0]), take.eq(dut.i.valid & dut.o.ready)]
        bench.never("a score is not passed on", dut.i.valid & (dut.o.payload.score != score))
        bench.never(
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

        bench.never(
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

        _never_misranked(
            bench,
            width=width,
            classes=classes,
            index=index,
            take=take,
            at=at,
            any_yet=any_yet,
            labels=labels,
            ranks=ranks,
        )
        return bench

    best = "the best class" if top == 1 else f"the best {top} classes in order"
    return Statement(
        subject=f"argmax of {classes} scores of {width} bits" + (f", best {top}" if top > 1 else ""),
        claim=(
            f"with every score that is taken comes {best} so far, an equal score after that of a lower"
            " class: each rank reports a class of its own, none comes before one that beats it, and no class"
            f" that is not reported beats one that is, for every class and all scores of {width} bits; `last`"
            f" is set at the last class only; {PASSES}"
        ),
        circuit=circuit,
    )


def signs(make: Make, *, width: int, outputs: int) -> Statement:
    """Statement about a `Signs`."""

    def circuit() -> Circuit:
        bench = Circuit(make())
        dut, m = bench.component, bench.m
        index = passes(bench, beats={"output": outputs}).at["output"]
        score = Signal(signed(width), name="score")
        m.d.comb += score.eq(dut.i.payload[0])
        bench.never("a score is not passed on", dut.i.valid & (dut.o.payload.score != score))
        bench.never(
            "the last output is not marked, or another is",
            dut.i.valid & (dut.o.payload.last != (index == outputs - 1)),
        )

        # Any output, and whether its score was negative.
        chosen, negative = bench.constant(outputs, name="output"), Signal(name="negative")
        with m.If(dut.i.valid & dut.o.ready & (index == chosen)):
            m.d.sync += negative.eq(score < 0)
        # The bits so far are at the top, so that at the last output each is at its own place.
        place = Signal(range(outputs), name="place")
        m.d.comb += place.eq(chosen + (outputs - 1 - index))
        bench.never(
            "the bit of an output is wrong",
            dut.i.valid
            & (chosen <= index)
            & (dut.o.payload.label.bit_select(place, 1) == Mux(chosen == index, score < 0, negative)),
        )
        return bench

    return Statement(
        subject=f"signs of {outputs} scores of {width} bits",
        claim=(
            "with the last score of an image comes a bit for each output, 1 exactly where its score was not"
            f" negative, for every output and all scores of {width} bits; `last` is set at the last output"
            f" only; {PASSES}"
        ),
        circuit=circuit,
    )
