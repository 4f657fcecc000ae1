import random
import zlib

import pytest
from amaranth.sim import Simulator
from spi_flash import SpiFlash

from sbgen.hw.flash_loader import LOADED, LOADING, WRONG, FlashLoader


def load(words, *, address, contents=None, checksum=None, pause=20):
    """What a loader writes into its blocks, its state and its checksum."""
    stored = b"".join(word.to_bytes(2, "little") for block in words for word in block)
    dut = FlashLoader(
        address=address,
        words=[len(block) for block in words],
        pause=pause,
        checksum=zlib.crc32(stored) if checksum is None else checksum,
    )
    # The flash sleeps for the pause, and for some of the 16 cycles of the command behind it.
    flash = SpiFlash(
        bytes(address) + (stored if contents is None else contents) + b"\x5a" * 4, wake=pause + 10
    )
    written = [{} for _ in words]

    async def bench(ctx):
        bits = 8 + 32 + 8 * len(stored)
        for _ in range(2 * bits + pause + 40):
            cipo = flash.step(cs=ctx.get(dut.cs), clk=ctx.get(dut.clk), copi=ctx.get(dut.copi))
            ctx.set(dut.cipo, random.getrandbits(1) if cipo is None else cipo)
            for n, block in enumerate(written):
                if ctx.get(dut.load.en) >> n & 1:
                    at = ctx.get(dut.load.addr)
                    assert at not in block and ctx.get(dut.state) == LOADING
                    block[at] = ctx.get(dut.load.data)
            await ctx.tick()
        assert not ctx.get(dut.cs), "the flash must be let go"
        return ctx.get(dut.state), ctx.get(dut.checksum)

    found = []

    async def testbench(ctx):
        found.extend(await bench(ctx))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
    assert flash.commands == [0xAB, 0x03]
    return [[block[n] for n in range(len(block))] for block in written], *found


@pytest.mark.parametrize("lengths,address", [([1], 0), ([5], 3), ([3, 1, 4, 2], 0x100), ([40, 40], 0xFF)])
def test_every_word_of_every_block(lengths, address):
    rng = random.Random(address)
    words = [[rng.getrandbits(16) for _ in range(length)] for length in lengths]
    found, state, checksum = load(words, address=address)
    assert found == words
    assert state == LOADED
    assert checksum == zlib.crc32(b"".join(word.to_bytes(2, "little") for block in words for word in block))


@pytest.mark.parametrize("bit", [0, 7, 8, 31, 47])
def test_one_bit_wrong(bit):
    words = [[0x1234, 0x5678], [0x9ABC]]
    damaged = bytearray.fromhex("34127856bc9a")
    damaged[bit // 8] ^= 1 << bit % 8
    _, state, checksum = load(words, address=7, contents=bytes(damaged))
    assert (state, checksum) == (WRONG, zlib.crc32(damaged))


def test_erased_flash():
    _, state, checksum = load([[1, 2, 3]], address=0, contents=b"\xff" * 6)
    assert (state, checksum) == (WRONG, zlib.crc32(b"\xff" * 6))


def test_weights_of_another_bitstream():
    assert load([[1, 2, 3]], address=0, checksum=0)[1] == WRONG


def test_wrong_arguments():
    with pytest.raises(ValueError, match="address must be in 0 ... 16777215, not 16777216"):
        FlashLoader(address=1 << 24, words=[1], checksum=0, pause=1)
    with pytest.raises(ValueError, match=r"words must be counts in 1 ... 16384, not \[16385\]"):
        FlashLoader(address=0, words=[16385], checksum=0, pause=1)
