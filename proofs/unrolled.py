"""Unrolled layers: that each vector is computed by itself, whoever stalls, and that what is computed is the layer."""

from dataclasses import replace

from amaranth.hdl import Cat, Value

from .circuit import Circuit
from .moves import CONTRACT
from .statement import Statement
from .vectors import Vectors

__all__ = ["traffic"]


def _subject(p):
    return f"unrolled layer of {p.inputs} inputs and {p.pe} outputs, {len(p.tables):,} tables"


def traffic(parameters):
    """That every output is made from the bits of its own vector, and that none is lost."""
    p = parameters

    def circuit():
        # With tables that are on where all their inputs are, a bit that is on has seen nothing but bits that are on.
        made = Circuit(replace(p, tables=tuple((1 << (1 << len(ins)) - 1, ins) for _, ins in p.tables)).create())
        vectors = Vectors(made, i_loops={"beat": 1}, o_loops={"beat": 1}, capacity=p.latency, patience=p.latency + 2,
                          i_payload=lambda taken, anything: anything[0].replicate(len(anything)))
        known, value = vectors.captured(1, place={}, value=Value.cast(vectors.i.payload)[0])
        literals = [literal for bits in p.outputs for literal in bits]
        wanted = Cat(value ^ (literal & 1) if literal > 1 else literal for literal in literals)
        made.never("an output has seen bits of another vector", vectors.leaving & (~known | (Value.cast(vectors.o.payload) != wanted)))
        return made

    return Statement(
        subject=_subject(p) + ": traffic",
        claim=f"every output bit of a vector is made, through its tables, from bits of that vector alone, {p.latency} register(s) behind each other, however "
              f"long any of them waits; the n-th vector in is the n-th out; {CONTRACT}",
        scope="each table is on where all of its inputs are, and the bits of a vector are all on or all off: a bit that is on has seen no bit of a vector "
              "that is off", circuit=circuit)
