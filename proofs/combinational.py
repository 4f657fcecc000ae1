"""Components that pass each beat on in the cycle in which it is offered."""

from .circuit import Circuit
from .vectors import Count

__all__ = ["PASSES", "passes"]

#: What the claims about such a component have in common.
PASSES = (
    "it passes a beat on in the cycle in which it is offered, takes it when it is taken downstream, and"
    " stores none, so nothing is lost, duplicated or reordered"
)


def passes(bench: Circuit, *, beats: dict[str, int]) -> Count:
    """State that a combinational component passes each beat on; return the position in its input vector."""
    dut, m = bench.component, bench.m
    i = dut.i.payload.as_value()
    m.d.comb += [
        dut.i.valid.eq(bench.free(name="valid")),
        dut.o.ready.eq(bench.free(name="ready")),
        i.eq(bench.free(len(i), name="payload")),
    ]
    bench.never("a beat is not passed on when it is offered", dut.o.valid != dut.i.valid)
    bench.never("a beat is not taken when it is taken behind", dut.i.valid & (dut.i.ready != dut.o.ready))
    return Count(m, loops=beats, step=dut.i.valid & dut.o.ready, name="taken")
