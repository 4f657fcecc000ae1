"""A store of packets against a list of bytes."""

import random

import pytest
from amaranth.sim import Simulator

from sbgen.hw.byte_ram import STORES
from sbgen.hw.packet_store import MARGIN, PacketStore


def run(dut, scenario):
    done = []

    async def bench(ctx):
        await scenario(ctx)
        done.append(True)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert done


class Writer:
    """Writes one operation per cycle, and reads with random stalls in between."""

    def __init__(self, dut, ctx, rng, stalls):
        self.dut, self.ctx, self.rng, self.stalls = dut, ctx, rng, stalls
        self.read = []

    async def cycle(self, operation=None, data=0):
        dut, ctx = self.dut, self.ctx
        for name in "put", "set", "step", "commit", "rollback":
            ctx.set(getattr(dut.write, name), name == operation)
        ctx.set(dut.write.data, data)
        ctx.set(dut.o.ready, self.rng.random() >= self.stalls)
        _, _, valid, ready, payload = await ctx.tick().sample(dut.o.valid, dut.o.ready, dut.o.payload)
        if valid and ready:
            self.read.append(payload)

    async def idle(self, cycles):
        for _ in range(cycles):
            await self.cycle()


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("depth, stalls", [(32, 0.2), (64, 0.9)])
def test_packets_are_whole_or_not_there(store, depth, stalls):
    seed = depth + len(store)
    rng, dut = random.Random(seed), PacketStore(depth=depth, store=store)
    expected = []

    async def scenario(ctx):
        writer = Writer(dut, ctx, rng, stalls)
        for _ in range(60):
            while not ctx.get(dut.write.roomy):
                await writer.cycle()
            packet = rng.randbytes(rng.randint(3, 9))
            for byte in packet:
                await writer.cycle("put", byte)
                await writer.idle(rng.choice([0, 0, 3]))
            kind = rng.choice(["whole", "rolled back", "header", "short"])
            if kind == "rolled back":
                await writer.cycle("rollback")
            elif kind == "short":
                header = rng.randbytes(2)
                await writer.cycle("set", header[0])
                await writer.cycle("set", header[1])
                await writer.cycle("step")
                await writer.cycle("rollback")
                expected.extend([*header, packet[2]])
            else:
                head = rng.randbytes(2 * (kind == "header"))
                for byte in head:
                    await writer.cycle("set", byte)
                await writer.cycle("commit")
                expected.extend([*head, *packet[len(head) :]])
            await writer.idle(3)
        for _ in range(100 * depth):
            if len(writer.read) == len(expected):
                break
            await writer.cycle()
        await writer.idle(20)
        assert writer.read == expected and ctx.get(dut.empty)

    run(dut, scenario)


def test_what_is_free():
    dut = PacketStore(depth=32, store="bram")

    async def scenario(ctx):
        writer = Writer(dut, ctx, random.Random(1), 1)
        await writer.idle(4)
        for written in range(31):
            assert ctx.get(dut.write.roomy) == (31 - written >= MARGIN), written
            assert ctx.get(dut.write.some) == (31 - written >= MARGIN // 2), written
            await writer.cycle("put", written)
            await writer.idle(3)
        await writer.cycle("commit")
        writer.stalls = 0
        await writer.idle(80)
        assert writer.read == list(range(31)) and ctx.get(dut.write.roomy)

    run(dut, scenario)


@pytest.mark.parametrize("depth", [16, 48, 0])
def test_depth_must_be_a_power_of_two(depth):
    with pytest.raises(ValueError, match="power of 2, of at least 32"):
        PacketStore(depth=depth, store="bram")


def test_store_must_be_known():
    with pytest.raises(ValueError, match="must be one of bram, spram, lut"):
        PacketStore(depth=32, store="tape")
