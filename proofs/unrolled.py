"""Unrolled layers: each vector is computed independently, whichever side stalls, and the result is that of
the layer.

::

    i -> tables -> register -> tables -> register -> o
         ----------------- traffic -----------------
         tables -----------> tables                        whole
"""

from dataclasses import replace

from amaranth.hdl import Cat, Const, Mux, Signal, Value, signed

from ..compiler.ir import Dense, Scores
from ..hw.unrolled import Parameters
from .circuit import Circuit
from .moves import CONTRACT
from .statement import Statement
from .vectors import Vectors

__all__ = ["MOST_INPUTS", "traffic", "whole"]

#: Maximum input bits of a layer that is stated as a whole: the solvers do not decide sums of more.
MOST_INPUTS = 48


def _subject(p: Parameters) -> str:
    return f"unrolled layer of {p.inputs} inputs and {p.pe} outputs, {len(p.tables):,} tables"


def traffic(parameters: Parameters) -> Statement:
    """Statement that every output depends on the bits of its own vector only, and that none is lost."""
    p = parameters

    def circuit() -> Circuit:
        # With tables that are on where all their inputs are, a bit that is on has seen nothing but bits that
        # are on.
        bench = Circuit(
            replace(p, tables=tuple((1 << (1 << len(ins)) - 1, ins) for _, ins in p.tables)).create()
        )
        vectors = Vectors(
            bench,
            i_loops={"beat": 1},
            o_loops={"beat": 1},
            capacity=p.latency,
            patience=p.latency + 2,
            i_payload=lambda taken, anything: anything[0].replicate(len(anything)),
        )
        known, value = vectors.captured(1, place={}, value=Value.cast(vectors.i.payload)[0])
        literals = [literal for bits in p.outputs for literal in bits]
        wanted = Cat(value ^ (literal & 1) if literal > 1 else literal for literal in literals)
        bench.never(
            "an output has seen bits of another vector",
            vectors.leaving & (~known | (Value.cast(vectors.o.payload) != wanted)),
        )
        return bench

    return Statement(
        subject=_subject(p) + ": handshakes",
        claim=(
            "every output bit of a vector follows, through its tables, from bits of that vector alone,"
            f" through {p.latency} register(s) in series, however long any of them waits; the n-th vector in"
            f" is the n-th out; {CONTRACT}"
        ),
        scope=(
            "each table is on where all of its inputs are, and the bits of a vector are all on or all off: a"
            " bit that is on has seen no bit of a vector that is off"
        ),
        circuit=circuit,
    )


def whole(parameters: Parameters, layer: Dense | Scores, *, name: str) -> Statement:
    """Statement that the tables compute the network's layer, as a whole.

    Parameters
    ----------
    parameters : `sbgen.hw.unrolled.Parameters`
        Of at most `MOST_INPUTS` input bits.
    layer : Dense or Scores
    """
    p = parameters
    masks = layer.mask
    if isinstance(layer, Scores):
        presets, signs = layer.offsets if layer.scales is None else None, False
    else:
        presets = None if layer.thresholds is None else -layer.thresholds
        signs = presets is not None

    def circuit() -> Circuit:
        bench = Circuit(replace(p, levels=max(1, p.depth)).create())
        dut, m = bench.component, bench.m
        vector = bench.free(p.inputs * p.planes, name="vector")
        m.d.comb += [dut.i.valid.eq(1), dut.o.ready.eq(1), Value.cast(dut.i.payload).eq(vector)]
        full = bench.delayed(Const(1, 1), 1, name="full")
        numbers = [vector.word_select(n, p.planes) for n in range(p.inputs)]
        for row in range(layer.outputs):
            total = Const(0 if presets is None else int(presets[row]), signed(40))
            for n, number in enumerate(numbers):
                if masks is None or masks[row, n]:
                    longer = Signal(signed(p.inputs.bit_length() + p.planes + 24), name=f"sum_{row}_{n}")
                    m.d.comb += longer.eq(
                        total + (number if layer.weights[row, n] else (1 << p.planes) - 1 - number)
                    )
                    total = longer
            wanted = Signal(p.sum_width, name=f"wanted_{row}")
            m.d.comb += wanted.eq(Mux(total >= 0, 1, 0) if signs else total)
            given = Value.cast(dut.o.payload).word_select(row, p.sum_width)
            bench.never(
                f"output {row} is wrong", full & (given != bench.delayed(wanted, 1, name=f"wanted_{row}"))
            )
        return bench

    return Statement(
        subject=f"{_subject(p)}: every output of {name}",
        claim=f"for all 2^{p.inputs * p.planes} vectors, each of the {layer.outputs} outputs is "
        + (
            "1 exactly where its count of agreeing inputs reaches the network's threshold"
            if signs
            else "its count of agreeing inputs" + (" and the network's offset" if presets is not None else "")
        ),
        scope=(
            "the registers between the tables are omitted: that they only delay is the statement about its"
            " traffic"
        ),
        circuit=circuit,
    )
