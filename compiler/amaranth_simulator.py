"""A network's images through its core in Amaranth's own simulator, which needs no tool outside Python."""

import random
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path

import numpy as np
from amaranth.hdl import ClockDomain, Module, Value
from amaranth.sim import Simulator, SimulatorContext

from ..hw.core import Core
from ..hw.spram import records
from .ir import Network
from .reference import check_images
from .simulate import HardwareError, Simulation, patience, rest

__all__ = ["simulate"]


class _Bench:
    """Both ends of a core's streams: what was given to it, and what it output.

    Parameters
    ----------
    core : Core
    images : uint8 array, shape (N, pixels)
    stall : int or None
        As for `simulate`.
    patience : int
        Maximum of cycles in which nothing moves.
    rest : int
        Cycles that the core is left alone at first, where nothing stalls.
    name : str
        Of the simulator, for messages.
    """

    def __init__(
        self, core: Core, images: np.ndarray, *, stall: int | None, patience: int, rest: int, name: str
    ) -> None:
        self._core, self._images, self._patience, self._name = core, images, patience, name
        self._rest = 0 if stall is not None else rest
        self._stalls, self._rng = stall is not None, random.Random(stall)
        self._beats = [
            int.from_bytes(image[at : at + core.lanes].tobytes(), "little")
            for image in images
            for at in range(0, core.pixels, core.lanes)
        ]
        self._given = 0
        #: Cycles in which the first beat of an image was taken.
        self.firsts: list[int] = []
        #: For each result, the cycle in which it was taken and its word.
        self.taken: list[tuple[int, int]] = []

    def _moves(self) -> bool:
        """Whether a side moves in this cycle, if it can choose."""
        return not self._stalls or self._rng.random() < 0.7

    async def _load(self, ctx: SimulatorContext) -> None:
        """Fill the RAMs of the weights."""
        core = self._core
        for block, address, word in records(core.ram_contents):
            ctx.set(core.load.en, 1 << block)
            ctx.set(core.load.addr, address)
            ctx.set(core.load.data, word)
            await ctx.tick()
        if core.ram_contents:
            ctx.set(core.load.en, 0)

    async def run(self, ctx: SimulatorContext) -> None:
        await self._load(ctx)
        if self._rest:
            await ctx.tick().repeat(self._rest)
        core, beats, outputs = self._core, self._beats, self._core.outputs
        i_payload, o_payload = Value.cast(core.i.payload), Value.cast(core.o.payload)
        image_beats = len(beats) // len(self._images)
        cycle = idle = 0
        valid, held = False, None
        while len(self.taken) < len(self._images) * outputs:
            valid = self._given < len(beats) and (valid or self._moves())
            ready = self._moves()
            ctx.set(core.i.valid, valid)
            if valid:
                ctx.set(i_payload, beats[self._given])
            ctx.set(core.o.ready, ready)
            takes, offers = valid and ctx.get(core.i.ready), ctx.get(core.o.valid)
            word = ctx.get(o_payload) if offers else None
            if held is not None and word != held:
                raise HardwareError(
                    f"a beat must stay until it is taken, but {self._name} saw the stream o withdraw beat "
                    f"{len(self.taken) % outputs} of image {len(self.taken) // outputs}"
                )
            held = word if offers and not ready else None
            if takes:
                if self._given % image_beats == 0:
                    self.firsts.append(cycle)
                self._given, valid = self._given + 1, False
            if word is not None and ready:
                self.taken.append((cycle, word))
            idle = 0 if takes or offers and ready else idle + 1
            if idle > self._patience:
                raise HardwareError(
                    f"the design must accept and return all of its {len(self._images)} images, but in"
                    f" {self._name} nothing moved for {self._patience} cycles;"
                    f" {self._given // image_beats} images in, {len(self.taken) // outputs} out"
                )
            await ctx.tick()
            cycle += 1


def simulate(
    core: Core, network: Network, images: np.ndarray, *, stall: int | None = None, waves: Path | None = None
) -> Simulation:
    """Run images through the core, one after the other.

    Parameters
    ----------
    core : hw.core.Core
        Of `lower.lower`, not simulated before.
    network : Network
    images : uint8 array, shape (N, *image_shape) or (N, pixels), N at least 1
    stall : int or None
        None: the source always offers and the sink always takes. Otherwise a seed with which both sides stall
        at random.
    waves : path or None
        A file for the waveform.

    Returns
    -------
    Simulation
        As that of the emitted Verilog, cycle by cycle where nothing stalls.

    Raises
    ------
    HardwareError
        When the core hangs or breaks the rules of a stream.
    """
    name, flat, outputs = f"Amaranth {version('amaranth')}", check_images(network, images), core.outputs
    bench = _Bench(core, flat, stall=stall, patience=patience(network), rest=rest(network), name=name)
    top = Module()
    top.domains.sync = ClockDomain()  # a core of wires alone would have none
    top.submodules.core = core
    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench.run)
    with nullcontext() if waves is None else simulator.write_vcd(str(waves)):
        simulator.run()

    layout = core.o.payload.shape()
    results = [layout.from_bits(word) for _, word in bench.taken]
    if [result.last for result in results] != [n % outputs == outputs - 1 for n in range(len(results))]:
        raise HardwareError(
            f"the last of every {outputs} scores must be marked, but {name} found other marks"
        )
    if core.signs:
        ranked = [[result.label >> n & 1 for n in range(outputs)] for result in results if result.last]
    else:
        ranked = [
            [result.label, *(result.runners_up if core.top_k > 1 else ())]
            for result in results
            if result.last
        ]
    return Simulation(
        scores=np.array([result.score for result in results], np.int64).reshape(-1, outputs),
        ranked=np.array(ranked, np.int64),
        first_beats=np.array(bench.firsts, np.int64),
        last_scores=np.array([cycle for cycle, _ in bench.taken[outputs - 1 :: outputs]], np.int64),
        simulator=name,
        multi_label=network.multi_label,
    )
