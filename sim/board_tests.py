"""The board's top level through the pins of its serial line, with the host's own codec.

``SBGEN_CASES`` names a JSON file: what the board must report, images and their scores.
"""

import json
import os
import random
from pathlib import Path

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from sbgen.boards import frames, messages
from sbgen.boards.messages import WANT_ALL

EXPECTED = json.loads(Path(os.environ["SBGEN_CASES"]).read_text())
CLOCK_PS = 2 * round(1e6 / EXPECTED["clock_mhz"] / 2)
BIT_PS = EXPECTED["divisor"] * CLOCK_PS
IMAGES = [np.array(image, np.uint8) for image in EXPECTED["images"]]
IDENTITY = messages.parse_identity(
    frames.Frame(command=0x81, sequence=0, payload=bytes.fromhex(EXPECTED["identity"]))
)
TEST = {"timeout_time": 50, "timeout_unit": "ms"}


class Host:
    """The other end of the serial line.

    Parameters
    ----------
    off : float
        How far this end's baud rate is from the board's, as a fraction of it.
    """

    def __init__(self, dut, *, off=0.0):
        self.frames = []
        self._dut = dut
        self._bit_ps = round(BIT_PS / (1 + off))
        self._reader = frames.Reader()

    async def start(self):
        self._dut.rx.value = 1
        self.clock = Clock(self._dut.clk, CLOCK_PS, unit="ps")
        self.clock.start()
        await Timer(EXPECTED["reset_cycles"] * CLOCK_PS + 20 * BIT_PS, unit="ps")
        assert self._dut.tx.value == 1, "an idle line must be high"
        cocotb.start_soon(self._receive())

    async def _receive(self):
        while True:
            await FallingEdge(self._dut.tx)
            await Timer(self._bit_ps // 2, unit="ps")
            assert self._dut.tx.value == 0, "a start bit must last"
            byte = 0
            for n in range(8):
                await Timer(self._bit_ps, unit="ps")
                byte |= int(self._dut.tx.value) << n
            await Timer(self._bit_ps, unit="ps")
            assert self._dut.tx.value == 1, "a stop bit must be high"
            self.frames += self._reader.feed([byte])

    async def level(self, value, bits):
        self._dut.rx.value = value
        await Timer(round(bits * self._bit_ps), unit="ps")

    async def send(self, line):
        for byte in line:
            for bit in [0, *(byte >> n & 1 for n in range(8)), 1]:
                await self.level(bit, 1)

    async def response(self):
        """The next frame from the board."""
        bits = (
            20 * IDENTITY.pixels * 10
            + 1000 * EXPECTED["outputs"]
            + 20 * EXPECTED["cycles"] // EXPECTED["divisor"]
        )
        for _ in range(bits):
            if self.frames:
                return self.frames.pop(0)
            await Timer(self._bit_ps, unit="ps")
        raise AssertionError(f"no response within {bits} bits")

    async def ask(self, request):
        await self.send(request.encode())
        return await self.response()

    async def check_identify(self, sequence):
        request = messages.identify(sequence=sequence)
        response = await self.ask(request)
        assert response.answers(request), response
        assert messages.parse_identity(response) == IDENTITY

    async def check_classify(self, n, sequence):
        request = classify(n, sequence=sequence)
        self.check_result(await self.ask(request), request, n)

    def check_result(self, response, request, *images):
        assert response.answers(request), response
        results = messages.parse_results(response, identity=IDENTITY, want=WANT_ALL, images=len(images))
        for result, label, n in zip(results.scores, results.labels, images, strict=True):
            assert result.tolist() == EXPECTED["scores"][n], f"image {n}: {result.tolist()}"
            assert np.array_equal(label, EXPECTED["labels"][n]), f"image {n}: {label}"

    async def check_failure(self, line, reason):
        await self.send(line)
        response = await self.response()
        assert response.is_failure and frames.REASONS[response.payload[0]] == reason, response


def classify(*images, sequence):
    """The request for the scores of images."""
    packed = IDENTITY.pack(np.stack([IMAGES[n] for n in images]))
    return messages.classify(sequence=sequence, packed=packed, want=WANT_ALL)


async def begin(dut, **options):
    host = Host(dut, **options)
    await host.start()
    return host


@cocotb.test(**TEST)
async def identity(dut):
    host = await begin(dut)
    await host.check_identify(7)
    await host.check_identify(0xC0)  # a sequence number that must be escaped


@cocotb.test(**TEST)
@cocotb.parametrize(
    off=[cocotb.Param(0.0, name="exact"), cocotb.Param(0.02, name="fast"), cocotb.Param(-0.02, name="slow")]
)
async def one_after_the_other(dut, off):
    host = await begin(dut, off=off)
    for n in range(len(IMAGES)):
        await host.check_classify(n, sequence=n)


@cocotb.test(**TEST)
async def garbage_on_the_line(dut):
    rng = random.Random(cocotb.RANDOM_SEED)
    host = await begin(dut)
    for n in range(3):
        await host.send(rng.randbytes(40))
        for _ in range(20):
            await host.level(
                rng.randint(0, 1), rng.uniform(0.05, 3)
            )  # spikes, breaks, bytes without a stop bit
        await host.level(0, 30)
        await host.level(1, 12)
        # A byte may have begun in the noise: the frame after a lone END and a pause is the first that must
        # be heard.
        await host.send(b"\xc0")
        await host.level(1, 2000)
        host.frames.clear()
        await host.check_classify(n % len(IMAGES), sequence=n)


@cocotb.test(**TEST)
async def damaged_frames(dut):
    host = await begin(dut)
    whole = classify(0, sequence=9).encode()
    middle = len(whole) // 2
    while {whole[middle], whole[middle] ^ 1} & {0xC0, 0xDB, 0xDC, 0xDD}:
        middle += 1
    for line, reason in (
        (whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :], "checksum"),
        (whole[:middle] + b"\xc0", "checksum"),
        (whole[:-1] + b"\x00\x00\xc0", "checksum"),
        (frames.Frame(command=2, sequence=9, payload=bytes(IDENTITY.image_bytes + 2)).encode(), "length"),
        (
            frames.Frame(command=2, sequence=9, payload=b"\x09" + bytes(IDENTITY.image_bytes)).encode(),
            "unknown want",
        ),
        (frames.Frame(command=0x55, sequence=9, payload=b"abc").encode(), "unknown command"),
    ):
        await host.check_failure(line, reason)
        await host.check_classify(1, sequence=10)


@cocotb.test(timeout_time=200, timeout_unit="ms")
async def bytes_dropped_doubled_and_flipped(dut):
    """No wrong result is reported as right, and the next frame works."""
    rng = random.Random(cocotb.RANDOM_SEED)
    host = await begin(dut)
    for n in range(16):
        damaged = classify(0, sequence=n)
        line = bytearray(damaged.encode())
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(line))
            match rng.choice(("drop", "double", "flip")):
                case "drop":
                    del line[at]
                case "double":
                    line.insert(at, line[at])
                case "flip":
                    line[at] ^= 1 << rng.randrange(8)
        await host.send(line)
        request = classify(1, sequence=100 + n)
        await host.send(request.encode())
        response = await host.response()
        while not response.answers(request):
            assert response.is_failure or response.answers(damaged), f"{line.hex()}: {response}"
            if not response.is_failure:
                host.check_result(response, damaged, 0)
            response = await host.response()
        host.check_result(response, request, 1)


@cocotb.test(**TEST)
async def abandoned_request(dut):
    """The host stops in the middle of an image and starts again."""
    host = await begin(dut)
    line = classify(0, sequence=1).encode()
    await host.send(line[: len(line) // 2])
    await host.level(1, 500)
    request = classify(1, sequence=2)
    response = await host.ask(request)
    assert response.is_failure, response
    host.check_result(await host.response(), request, 1)


@cocotb.test(**TEST)
async def requests_in_flight(dut):
    """Many at once: as many as the store takes."""
    host = await begin(dut)
    taken, flight = 0, []
    for n in range(10):
        images = [n % len(IMAGES), *([1] if IDENTITY.frame_images > 1 else [])]
        request = classify(*images, sequence=n) if n % 5 else messages.identify(sequence=n)
        taken += messages.OVERHEAD + len(images) * IDENTITY.image_bytes * bool(n % 5)
        if taken > IDENTITY.store_bytes:
            break
        flight.append((request, images))
        await host.send(request.encode())
    assert len(flight) > 1
    for request, images in flight:
        response = await host.response()
        if request.payload:
            host.check_result(response, request, *images)
        else:
            assert response.answers(request), response
