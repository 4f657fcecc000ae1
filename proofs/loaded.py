"""A memory that is filled at run time: a read returns what was written last."""

from functools import partial
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.hdl._mem import MemoryInstance

from .circuit import Circuit
from .statement import Make, Statement

__all__ = ["spram"]


def _memory(bench: Circuit, followed: Signal, rests: list[Any], instance: MemoryInstance) -> Module:
    """A RAM that holds the word at `followed` and may hold anything elsewhere.

    A ROM holds any words; its read port is added to `rests`.
    """
    inner, (read,) = Module(), instance._read_ports
    data, anything = Signal(len(read._data), name="read"), bench.free(len(read._data), name="memory")
    inner.d.comb += read._data.eq(data)
    if not instance._write_ports:
        rests.append(read)
        with inner.If(read._en):
            inner.d.sync += data.eq(anything)
        return inner
    (write,) = instance._write_ports
    known, word = Signal(name="known"), Signal(len(write._data), name="word")
    writes = write._en.any() & (write._addr == followed)
    with inner.If(writes):
        inner.d.sync += [known.eq(1), word.eq(write._data)]
    with inner.If(read._en):
        inner.d.sync += data.eq(Mux(known & (read._addr == followed) & ~writes, word, anything))
    return inner


def spram(make: Make, *, depth: int, blocks: int, width: int, rest_width: int) -> Statement:
    """Statement about an `Spram`.

    Parameters
    ----------
    make : callable
        Builds one.
    depth, blocks, width : int
        Words, parallel RAMs, and bits of a word in the RAMs.
    rest_width : int
        Bits of a word that are in a ROM.
    """

    def circuit() -> Circuit:
        bench = Circuit(make())
        dut, m = bench.component, bench.m
        # An arbitrary word is tracked, and all others hold anything.
        followed = bench.constant(depth, name="followed")
        rests: list[Any] = []

        memory = partial(_memory, bench, followed, rests)
        assert bench.replace(MemoryInstance, memory) == blocks + bool(rest_width)
        address, place = (bench.free(range(depth), name=name) for name in ("address", "place"))
        m.d.comb += [
            dut.addr.eq(address),
            dut.en.eq(bench.free(name="en")),
            dut.load.addr.eq(place),
            dut.load.en.eq(bench.free(blocks, name="load")),
            dut.load.data.eq(bench.free(len(dut.load.data), name="data")),
        ]
        loads, reads = dut.load.en.any(), dut.en & (dut.addr == followed)
        holds = Signal(name="holds")  # the output is the word followed
        with m.If(dut.en | loads):
            m.d.sync += holds.eq(reads & ~loads)
        for n in range(blocks):
            size = min(width - 16 * n, 16)
            loaded, last, read = (
                Signal(name=f"loaded_{n}"),
                Signal(size, name=f"last_{n}"),
                Signal(size, name=f"wanted_{n}"),
            )
            with m.If(dut.load.en[n] & (dut.load.addr == followed)):
                m.d.sync += [loaded.eq(1), last.eq(dut.load.data)]
            was_loaded = Signal(name=f"was_loaded_{n}")
            with m.If(reads & ~loads):
                m.d.sync += [read.eq(last), was_loaded.eq(loaded)]
            bench.never(
                f"block {n} does not give what was loaded last",
                holds & was_loaded & (dut.data[16 * n : 16 * n + size] != read),
            )
        for read in rests:
            bench.never(
                "the rest of a word is read from another address",
                dut.en & ~(read._en & (read._addr == dut.addr)),
            )
            bench.never("the rest of a word is not passed on", dut.data[width:] != Cat(read._data))
        return bench

    rest = f"; the {rest_width} bits beyond them come from the same address of a ROM" if rest_width else ""
    return Statement(
        subject=f"weights in {blocks} SPRAM(s), {depth} words of {width} bits"
        + (f", {rest_width} more in block RAM" if rest_width else ""),
        claim=(
            f"when a word is read in a cycle in which nothing is loaded, each of the {blocks} RAMs returns"
            " what was loaded last into its part of that word, from the next cycle until something else is"
            f" read or loaded, for every address and any order of loading{rest}"
        ),
        scope="one arbitrary word is tracked, and all others hold anything",
        circuit=circuit,
    )
