"""Vectors through streams: every case of a bench without stalls, with stalls and with resets in its middle.

``SBGEN_CASES`` names the JSON file of `cases.Case`\\ s.
"""

import os
import random

import cocotb
from cases import load
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge
from stream_ends import Sink, Source, reset

from sbgen.hw.spram import records

CASES = {case.name: case for case in load(os.environ["SBGEN_CASES"])}
_NAMES = [cocotb.Param(name, name=name) for name in CASES]


async def start(dut, case, *, stalls):
    """Source and sink at the case's component, all else in the bench unused."""
    rng = random.Random(f"{cocotb.RANDOM_SEED} {case.name}")
    Clock(dut.clk, 10, unit="ns").start()
    dut.rst.value = 1
    for other in {other.component for other in CASES.values()} - {case.component}:
        getattr(dut, f"{other}__i__valid").value = 0
    source = Source(dut, f"{case.component}__i", rng=rng if stalls else None)
    sink = Sink(dut, f"{case.component}__o", rng=rng if stalls else None)
    for block, address, word in records(case.image):
        await RisingEdge(dut.clk)
        getattr(dut, f"{case.component}__load__en").value = 1 << block
        getattr(dut, f"{case.component}__load__addr").value = address
        getattr(dut, f"{case.component}__load__data").value = word
    if case.image:
        await RisingEdge(dut.clk)
        getattr(dut, f"{case.component}__load__en").value = 0
    await reset(dut)
    return source, sink, rng


async def check(dut, case, source, sink, *, cycles):
    """All beats in, the expected ones out, and nothing after them."""
    source.send(case.i)
    await sink.wait_for(len(case.o), cycles=cycles)
    await ClockCycles(dut.clk, 50)
    for n, (got, expected) in enumerate(zip(sink.beats, case.o, strict=False)):
        assert got == expected, f"beat {n} of {len(case.o)} must be {expected:#x}, not {got:#x}"
    assert len(sink.beats) == len(case.o), f"{len(case.o)} beats must come, not {len(sink.beats)}"


@cocotb.test(timeout_time=50, timeout_unit="ms")
@cocotb.parametrize(name=_NAMES)
async def back_to_back(dut, name):
    case = CASES[name]
    source, sink, _ = await start(dut, case, stalls=False)
    await check(dut, case, source, sink, cycles=case.cycles)


@cocotb.test(timeout_time=50, timeout_unit="ms")
@cocotb.parametrize(name=_NAMES)
async def stalled(dut, name):
    case = CASES[name]
    source, sink, _ = await start(dut, case, stalls=True)
    await check(dut, case, source, sink, cycles=50 * case.cycles)


@cocotb.test(timeout_time=50, timeout_unit="ms")
@cocotb.parametrize(name=_NAMES)
async def reset_in_the_middle(dut, name):
    case = CASES[name]
    source, sink, rng = await start(dut, case, stalls=False)
    for _ in range(3):
        # Whatever was inside, the next beat is the first of a new vector.
        source.send(case.i)
        await ClockCycles(dut.clk, rng.randint(1, min(case.cycles, 400)))
        await reset(dut)
    await check(dut, case, source, sink, cycles=case.cycles)
