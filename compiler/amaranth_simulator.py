"""A network's images through its core in Amaranth's own simulator, which needs no tool outside Python."""

import random
from contextlib import nullcontext
from importlib.metadata import version

import numpy as np
from amaranth.hdl import ClockDomain, Module, Value
from amaranth.sim import Simulator

from ..hw.spram import records
from .reference import check_images
from .simulate import HardwareError, Simulation, patience

__all__ = ["simulate"]


def simulate(core, network, images, *, stall=None, waves=None):
    """Images through the core, one behind the other.

    Parameters
    ----------
    core : hw.core.Core
        Of `lower.lower`, not simulated before.
    network : Network
    images : uint8 array, shape (N, *image_shape) or (N, pixels), N at least 1
    stall : int or None
        None: the source always offers and the sink always takes. Otherwise a seed from which both sides stall
        at random.
    waves : path or None
        A file for the waveform.

    Returns
    -------
    Simulation
        As the emitted Verilog would give it, cycle by cycle where nothing stalls.

    Raises
    ------
    HardwareError
        When the core hangs or breaks the rules of a stream.
    """
    name = f"Amaranth {version('amaranth')}"
    flat = check_images(network, images)
    classes, limit, rng = core.outputs, patience(network), random.Random(stall)
    beats = [
        int.from_bytes(image[at : at + core.lanes].tobytes(), "little")
        for image in flat
        for at in range(0, network.pixels, core.lanes)
    ]
    image_beats = len(beats) // len(flat)
    i_payload, o_payload = Value.cast(core.i.payload), Value.cast(core.o.payload)
    firsts, taken = [], []

    async def bench(ctx):
        for block, address, word in records(core.ram_contents):
            ctx.set(core.load.en, 1 << block)
            ctx.set(core.load.addr, address)
            ctx.set(core.load.data, word)
            await ctx.tick()
        if core.ram_contents:
            ctx.set(core.load.en, 0)
        cycle = idle = given = 0
        valid, held = False, None
        while len(taken) < len(flat) * classes:
            valid = given < len(beats) and (valid or stall is None or rng.random() < 0.7)
            ready = stall is None or rng.random() < 0.7
            ctx.set(core.i.valid, valid)
            if valid:
                ctx.set(i_payload, beats[given])
            ctx.set(core.o.ready, ready)
            takes, gives = valid and ctx.get(core.i.ready), ctx.get(core.o.valid)
            word = ctx.get(o_payload) if gives else None
            if held is not None and word != held:
                raise HardwareError(
                    f"a beat must stay until it is taken, but {name} saw the stream o give up beat "
                    f"{len(taken) % classes} of image {len(taken) // classes}"
                )
            held = word if gives and not ready else None
            if takes:
                if given % image_beats == 0:
                    firsts.append(cycle)
                given, valid = given + 1, False
            if gives and ready:
                taken.append((cycle, word))
            idle = 0 if takes or gives and ready else idle + 1
            if idle > limit:
                raise HardwareError(
                    f"the design must accept and return all of its {len(flat)} images, but in {name} nothing"
                    f" moved for {limit} cycles; {given // image_beats} images in,"
                    f" {len(taken) // classes} out"
                )
            await ctx.tick()
            cycle += 1

    top = Module()
    top.domains.sync = ClockDomain()  # a core of wires alone would have none
    top.submodules.core = core
    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    with nullcontext() if waves is None else simulator.write_vcd(str(waves)):
        simulator.run()

    layout = core.o.payload.shape()
    results = [layout.from_bits(word) for _, word in taken]
    if [result.last for result in results] != [n % classes == classes - 1 for n in range(len(results))]:
        raise HardwareError(
            f"the last of every {classes} scores must be marked, but {name} found other marks"
        )

    def told(result):
        if core.signs:
            return [result.label >> n & 1 for n in range(classes)]
        return [result.label, *(result.runners_up if core.top_k > 1 else ())]

    return Simulation(
        scores=np.array([result.score for result in results], np.int64).reshape(-1, classes),
        ranked=np.array([told(result) for result in results if result.last], np.int64),
        first_beats=np.array(firsts, np.int64),
        last_scores=np.array([cycle for cycle, _ in taken[classes - 1 :: classes]], np.int64),
        simulator=name,
        multi_label=network.multi_label,
    )
