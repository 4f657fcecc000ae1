"""Packed images to codes."""

import random

import pytest
from amaranth.sim import Simulator
from streams import transfer

from sbgen.hw.unpacker import Unpacker


def packed(images, bits):
    """Images of codes as bytes, each from a byte of its own on, with anything after its last code."""
    line = b""
    for n, image in enumerate(images):
        number = sum(code << bits * k for k, code in enumerate(image))
        size = -(-len(image) * bits // 8)
        line += (number | (0x5A3C96 * (n + 1) << bits * len(image)) & (1 << 8 * size) - 1).to_bytes(
            size, "little"
        )
    return line


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("pixels", [1, 2, 7, 8, 11])
@pytest.mark.parametrize("seed", [None, 1])
def test_codes(bits, pixels, seed):
    rng = random.Random(100 * bits + pixels)
    images = [[rng.randrange(1 << bits) for _ in range(pixels)] for _ in range(6)]
    taken = transfer(Unpacker(pixels=pixels, bits=bits), packed(images, bits), 6 * pixels, seed=seed)
    assert [code for _, code in taken] == [code for image in images for code in image]


@pytest.mark.parametrize("bits, pixels", [(1, 5), (8, 3), (3, 8)])
def test_an_image_is_done_after_its_last_code_and_before_the_next_byte(bits, pixels):
    dut, rng = Unpacker(pixels=pixels, bits=bits), random.Random(7)
    image_bytes = -(-pixels * bits // 8)
    taken, codes, done = 0, 0, 0

    async def bench(ctx):
        nonlocal taken, codes, done
        for _ in range(2000):
            ctx.set(dut.i.valid, rng.random() < 0.8)
            ctx.set(dut.o.ready, rng.random() < 0.5)
            done += ctx.get(dut.done)
            if ctx.get(dut.i.valid) and ctx.get(dut.i.ready):
                assert taken // image_bytes == done or taken % image_bytes
                taken += 1
            codes += ctx.get(dut.o.valid) and ctx.get(dut.o.ready)
            assert done <= codes // pixels <= done + 1
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert done > 5


@pytest.mark.parametrize("pixels, bits", [(0, 1), (1, 0), (1, 9)])
def test_sizes_are_checked(pixels, bits):
    with pytest.raises(ValueError, match="pixels must be at least 1 and bits in 1 ... 8"):
        Unpacker(pixels=pixels, bits=bits)
