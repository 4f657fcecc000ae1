"""The two ends of a stream, with stalls, and the rules that a stream is held to.

Everything is driven just after the rising edge of the clock and sampled at the falling one, when all has
settled: these are the values that the next rising edge acts upon. Both simulators agree on that, whatever
their order of events.
"""

from collections import deque

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge

__all__ = ["Sink", "Source", "reset"]


async def reset(dut, *, cycles=1):
    """Hold the synchronous reset for some clock cycles; sources and sinks forget what they have."""
    await RisingEdge(dut.clk)
    dut.rst.value = 1
    for _ in range(cycles):
        await RisingEdge(dut.clk)
    dut.rst.value = 0
    await RisingEdge(dut.clk)


class _Pace:
    """Whether an end goes on in a cycle: always, or at a rate that changes every few dozen cycles."""

    def __init__(self, rng):
        self._rng = rng
        self._rate = 0.5

    def __call__(self):
        if self._rng is None:
            return True
        if self._rng.random() < 1 / 32:
            self._rate = self._rng.choice([0.1, 0.5, 0.9, 1.0])
        return self._rng.random() < self._rate


class Source:
    """Offers beats to the stream input `name` of `dut`.

    Parameters
    ----------
    rng : random.Random or None
        Where the stalls come from; None offers without a pause.
    """

    def __init__(self, dut, name, *, rng=None):
        self._dut = dut
        self._payload, self._valid, self._ready = (
            getattr(dut, f"{name}__{port}") for port in ("payload", "valid", "ready")
        )
        self._goes = _Pace(rng)
        self._beats = deque()
        self._valid.value = 0
        self._payload.value = 0
        cocotb.start_soon(self._run())

    def send(self, beats):
        self._beats.extend(beats)

    async def _run(self):
        offering = clear = False
        while True:
            await RisingEdge(self._dut.clk)
            if clear:
                self._beats.clear()
            if not offering and self._beats and self._goes():
                self._payload.value = self._beats.popleft()
                self._valid.value = offering = True
            elif not offering:
                self._valid.value = False
            await FallingEdge(self._dut.clk)
            clear = bool(self._dut.rst.value)
            if clear or (offering and self._ready.value):
                offering = False


class Sink:
    """Takes beats from the stream output `name` of `dut` into `beats`, and holds it to the contract of a
    stream.

    Valid must not be taken back, the payload must stay until it is taken, and valid must not wait for ready.

    Parameters
    ----------
    rng : random.Random or None
        Where the stalls come from; None takes without a pause.
    """

    def __init__(self, dut, name, *, rng=None):
        self.beats = []
        self._dut = dut
        self._name = name
        self._payload, self._valid, self._ready = (
            getattr(dut, f"{name}__{port}") for port in ("payload", "valid", "ready")
        )
        self._rng = rng
        self._goes = _Pace(rng)
        cocotb.start_soon(self._run())

    async def wait_for(self, count, *, cycles):
        """Until `count` beats are there; an error when they are not within so many clock cycles."""
        for _ in range(cycles):
            if len(self.beats) >= count:
                return
            await RisingEdge(self._dut.clk)
        raise AssertionError(
            f"{self._name}: only {len(self.beats)} of {count} beats came within {cycles} cycles"
        )

    async def _run(self):
        offered = None
        waits = False  # for valid, before it is ready
        while True:
            await RisingEdge(self._dut.clk)
            if self._rng is not None and self._rng.random() < 1 / 64:
                waits = not waits
            ready = self._goes() and (offered is not None or not waits)
            self._ready.value = ready
            await FallingEdge(self._dut.clk)
            if self._dut.rst.value:
                self.beats.clear()
                offered = None
                continue
            valid = bool(self._valid.value)
            assert valid or offered is None, f"{self._name}: valid fell before its beat was taken"
            if valid:
                payload = int(self._payload.value)
                assert offered in (None, payload), (
                    f"{self._name}: the payload changed from {offered:#x} to {payload:#x} before it was taken"
                )
                offered = payload
                if ready:
                    self.beats.append(payload)
                    offered = None
