"""Driving a component with one input and one output stream in Amaranth's simulator."""

import random

from amaranth.hdl import ClockDomain, Module, ResetInserter, Signal, Value
from amaranth.sim import Simulator

__all__ = ["beats", "elements", "pack", "transfer", "unpack"]


def pack(values, width):
    """Values of `width` bits side by side, the first lowest."""
    return sum((value & ((1 << width) - 1)) << (n * width) for n, value in enumerate(values))


def unpack(word, width, count, *, signed=False):
    """The `count` values of `width` bits in a word."""
    values = [word >> (n * width) & ((1 << width) - 1) for n in range(count)]
    return [value - (value >> (width - 1) << width) for value in values] if signed else values


def beats(vectors, lanes, width):
    """Vectors as the words of a stream: `lanes` values per beat, unused lanes 0."""
    return [pack(vector[at : at + lanes], width) for vector in vectors for at in range(0, len(vector), lanes)]


def elements(words, lanes, width, length, *, signed=False):
    """The inverse of `beats` for vectors of `length`, and the contents of unused lanes."""
    per_vector = -(-length // lanes)
    vectors, unused = [], []
    for at in range(0, len(words), per_vector):
        values = [
            value
            for word in words[at : at + per_vector]
            for value in unpack(word, width, lanes, signed=signed)
        ]
        vectors.append(values[:length])
        unused += values[length:]
    return vectors, unused


def transfer(component, words, count, *, seed=None, deadline=20000, reset_after=None, rest=0):
    """Send words to ``component.i``, take `count` words from ``component.o``.

    Parameters
    ----------
    seed : int, optional
        Both sides stall at random from this seed; without it neither stalls.
    deadline : int
        Cycles after which the bench gives up.
    reset_after : int, optional
        Hold reset in the cycle after this many words were taken in, then send `words` from the start.

    rest : int, optional
        Cycles that the component is left alone at first.

    Returns
    -------
    list of (int, int)
        (cycle, word) of each word taken. Cycle 0 is the one that took the first word in.
    """
    rng = random.Random(seed)
    print(f"seed {seed}")
    i_payload, o_payload = Value.cast(component.i.payload), Value.cast(component.o.payload)
    queue, taken = list(words), []
    state = {"in": 0, "start": None, "reset_at": reset_after}

    async def bench(ctx):
        held = None
        valid = False
        for _ in range(rest):
            await ctx.tick()
        for cycle in range(deadline):
            if state["reset_at"] is not None and state["in"] == state["reset_at"]:
                state.update(reset_at=None, start=None)
                ctx.set(reset, 1)
                ctx.set(component.i.valid, 0)
                await ctx.tick()
                ctx.set(reset, 0)
                queue[:], held, valid = words, None, False
                taken.clear()
            if not valid and queue:
                valid = seed is None or rng.random() < 0.7
            ctx.set(component.i.valid, valid)
            ctx.set(i_payload, queue[0] if valid else rng.getrandbits(len(i_payload)))
            ctx.set(component.o.ready, seed is None or rng.random() < 0.7)
            i_ready, o_valid, o_ready, word = (
                ctx.get(component.i.ready),
                ctx.get(component.o.valid),
                ctx.get(component.o.ready),
                ctx.get(o_payload),
            )
            assert held is None or (o_valid and word == held), (
                "an offered payload must stay until it is taken"
            )
            held = word if o_valid and not o_ready else None
            if valid and i_ready:
                state["start"] = cycle if state["start"] is None else state["start"]
                state["in"] += 1
                queue.pop(0)
                valid = False
            if o_valid and o_ready:
                taken.append((cycle - (state["start"] or 0), word))
            await ctx.tick()
            if len(taken) == count:
                return
        raise TimeoutError(f"{len(taken)} of {count} words after {deadline} cycles")

    top, reset = Module(), Signal()
    top.domains.sync = ClockDomain()  # a component of wires alone would have none
    top.submodules.dut = ResetInserter(reset)(component)
    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return taken
