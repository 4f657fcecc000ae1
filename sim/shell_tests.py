"""A core in a shell, driven by models of its bus: AXI4-Stream, AXI4-Lite and Wishbone, with stalls, resets
and images of every length.

``SBGEN_SHELL`` names a JSON file: the shell, its words per image and what the images and results are.
"""

import json
import os
import random
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)
from cocotbext.wishbone.driver import WBOp, WishboneMaster

CASE = json.loads(Path(os.environ["SBGEN_SHELL"]).read_text())
WORDS, IMAGES, RESULTS = CASE["words"], CASE["images"], CASE["results"]
REGISTER = CASE["registers"]
#: Polls after which a result does not come any more.
PATIENCE = 10_000


def stalls(rng):
    """Whether a side pauses, cycle by cycle, at a rate that changes."""
    while True:
        rate = rng.choice([0.0, 0.2, 0.6, 0.9])
        for _ in range(rng.randrange(1, 64)):
            yield rng.random() < rate


def damaged(rng):
    """An image of a wrong length."""
    return [
        rng.getrandbits(CASE["width"])
        for _ in range(rng.choice([n for n in range(1, 3 * WORDS) if n != WORDS]))
    ]


class Stream:
    """Images as packets of AXI4-Stream."""

    def __init__(self, dut, rng):
        self._dut, self._bytes = dut, CASE["width"] // 8
        settings = {"reset": dut.aresetn, "reset_active_level": False, "byte_size": 8}
        self._source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.aclk, **settings)
        self._sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.aclk, **settings)
        self._source.set_pause_generator(stalls(rng))
        self._sink.set_pause_generator(stalls(rng))

    async def reset(self):
        self._dut.aresetn.value = 0
        self._source.clear()
        await ClockCycles(self._dut.aclk, 3)
        self._sink.clear()
        self._dut.aresetn.value = 1
        await RisingEdge(self._dut.aclk)

    async def send(self, words):
        data = b"".join(word.to_bytes(self._bytes, "little") for word in words)
        await self._source.send(AxiStreamFrame(data))

    async def begin(self, words):
        """Some words of an image that does not end."""
        await self.send(words)
        for _ in range(3):
            await RisingEdge(self._dut.aclk)

    async def take(self):
        frame = await self._sink.recv()
        data = bytes(frame.tdata)
        return [int.from_bytes(data[n : n + self._bytes], "little") for n in range(0, len(data), self._bytes)]

    async def drops(self):
        await ClockCycles(self._dut.aclk, CASE["settle"])
        return int(self._dut.drops.value)

    @property
    def left(self):
        return self._sink.count()


class _Registers:
    """Images as writes, results as reads."""

    left = 0

    async def send(self, words):
        for word in words[:-1]:
            assert await self.write("DATA", word), "a word was refused"
        assert await self.write("LAST", words[-1]), "a last word was refused"

    async def begin(self, words):
        for word in words:
            await self.write("DATA", word)

    async def take(self):
        for _ in range(PATIENCE):
            if await self.read(REGISTER["STATUS"]) >> 1 & 1:
                break
        else:
            raise AssertionError("no result came")
        first = REGISTER["SCORES"]
        words = [await self.read(first + 4 * n) for n in range(len(RESULTS[0]))]
        assert await self.write("NEXT", 0)
        return words

    async def drops(self):
        return await self.read(REGISTER["DROPS"])


class AxiLite(_Registers):
    """Registers by AXI4-Lite, each channel with stalls of its own."""

    def __init__(self, dut, rng):
        self._dut = dut
        self._master = AxiLiteMaster(
            AxiLiteBus.from_prefix(dut, "s_axi"), dut.aclk, dut.aresetn, reset_active_level=False
        )
        write, read = self._master.write_if, self._master.read_if
        for channel in (write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel):
            channel.set_pause_generator(stalls(rng))

    async def reset(self):
        self._dut.aresetn.value = 0
        await ClockCycles(self._dut.aclk, 3)
        self._dut.aresetn.value = 1
        await RisingEdge(self._dut.aclk)

    async def write(self, register, word):
        response = await self._master.write(REGISTER[register], word.to_bytes(4, "little"))
        assert response.resp in (0, 2), response
        return response.resp == 0

    async def read(self, address):
        return int.from_bytes((await self._master.read(address, 4)).data, "little")


class Wishbone(_Registers):
    """Registers by Wishbone, with pauses between cyc and stb."""

    def __init__(self, dut, rng):
        self._dut, self._rng = dut, rng
        names = {name: name for name in ("cyc", "stb", "we", "adr", "sel", "ack", "err")}
        self._master = WishboneMaster(
            dut, "wb", dut.clk, width=32, timeout=PATIENCE,
            signals_dict={**names, "datwr": "dat_w", "datrd": "dat_r"},
        )  # fmt: skip

    async def reset(self):
        self._dut.rst.value = 1
        await ClockCycles(self._dut.clk, 3)
        self._dut.rst.value = 0
        await RisingEdge(self._dut.clk)

    async def _access(self, address, word):
        operation = WBOp(adr=address >> 2, dat=word, idle=self._rng.choice([0, 0, 0, 1, 5]))
        (result,) = await self._master.send_cycle([operation])
        return result

    async def write(self, register, word):
        return (await self._access(REGISTER[register], word)).ack == 1

    async def read(self, address):
        return int((await self._access(address, None)).datrd)


DRIVERS = {"stream": Stream, "axi": AxiLite, "wishbone": Wishbone}


async def start(dut):
    rng = random.Random(f"{cocotb.RANDOM_SEED} {CASE['shell']}")
    clock = getattr(dut, CASE["clock"])
    Clock(clock, 10, unit="ns").start()
    # Nothing may be undefined when the models look for the first time.
    for name in CASE["inputs"]:
        getattr(dut, name).value = 0
    reset = getattr(dut, CASE["reset"])
    reset.value = CASE["reset"] == "rst"
    await ClockCycles(clock, 4)
    driver = DRIVERS[CASE["shell"]](dut, rng)
    await driver.reset()
    return driver, rng


async def compare(driver, images):
    for n in images:
        found = await driver.take()
        assert found == RESULTS[n], f"image {n} must have {RESULTS[n]}, not {found}"


@cocotb.test(timeout_time=10, timeout_unit="sec")
async def no_wrong_length_harms_another_image(dut):
    driver, rng = await start(dut)
    wrong, right = 0, int(os.environ["SBGEN_IMAGES"])
    to_send, left = [n % len(IMAGES) for n in range(right)], CASE["wrong"] * right
    taken, waiting = 0, []
    for sent, n in enumerate(to_send):
        if rng.random() < left / (right - sent):
            await driver.send(damaged(rng))
            wrong, left = wrong + 1, left - 1
            if CASE["shell"] != "stream":  # its place is free when the core has computed it
                while await driver.drops() & 0xFFFF != wrong & 0xFFFF:
                    pass
        await driver.send(IMAGES[n])
        waiting.append(n)
        while len(waiting) > (0 if CASE["shell"] == "stream" else rng.randrange(CASE["in_flight"])):
            await compare(driver, [waiting.pop(0)])
            taken += 1
    await compare(driver, waiting)
    assert await driver.drops() & 0xFFFF == wrong & 0xFFFF and driver.left == 0
    dut._log.info(f"{right} images right, {wrong} wrong lengths")


@cocotb.test(timeout_time=10, timeout_unit="sec")
async def a_reset_in_the_middle_of_an_image(dut):
    driver, rng = await start(dut)
    for n in range(3):
        await driver.send(IMAGES[n])
        await compare(driver, [n])
        if WORDS > 1:
            await driver.begin(IMAGES[n][: rng.randrange(1, WORDS)])
        await driver.reset()
    assert await driver.drops() == 0 and driver.left == 0


if CASE["shell"] != "stream":

    @cocotb.test(timeout_time=10, timeout_unit="sec")
    async def an_image_without_room_is_refused(dut):
        driver, _ = await start(dut)
        interrupt = dut.irq
        await driver.write("CONTROL", 3)
        for n in range(CASE["in_flight"]):
            await driver.send(IMAGES[n])
        assert not await driver.read(REGISTER["STATUS"]) & 1
        refused = [
            await driver.write("LAST" if n == WORDS - 1 else "DATA", word) for n, word in enumerate(IMAGES[0])
        ]
        assert not any(refused)
        await compare(driver, range(CASE["in_flight"]))
        assert await driver.drops() == 1 and int(interrupt.value) == 1
        await driver.write("DROPS", 0)
        await FallingEdge(getattr(dut, CASE["clock"]))
        assert int(interrupt.value) == 0 and await driver.drops() == 0
        # The reset of a register empties the core in the middle of an image.
        await driver.begin(IMAGES[0][:1])
        await driver.write("CONTROL", 1 << 8)
        await driver.send(IMAGES[1])
        await compare(driver, [1])
