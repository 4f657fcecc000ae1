# amaranth: UnusedElaboratable=no
import random
import zlib
from dataclasses import replace

import numpy as np
import pytest
from amaranth.sim import Simulator
from spi_flash import SpiFlash

from sbgen import boards
from sbgen.boards import flash_image, frames, harness
from sbgen.compiler import reference
from sbgen.compiler.design import Design, Folding
from sbgen.compiler.ir import Binarize, Network, Scores
from sbgen.compiler.lower import lower
from sbgen.errors import BoardError

DIGEST = bytes(range(32))


def design(*, pixels=6, lanes=1, classes=3, seed=1, store="bram"):
    rng = np.random.default_rng(seed)
    network = Network(
        name="small", image_shape=(pixels,), labels=tuple(map(str, range(classes))), layers=(
            Binarize(name="input", thresholds=rng.integers(1, 256, (pixels, 1))),
            Scores(name="scores", weights=rng.integers(0, 2, (classes, pixels)),
                   offsets=rng.integers(-9, 9, classes))))
    return Design(network=network, foldings=(Folding(pe=lanes, simd=lanes), Folding(pe=1, simd=2, store=store)))


class Host:
    """The other end of a `Top`'s serial line, on a board that runs at its oscillator with 4 cycles a bit."""

    def __init__(self, *, board="icebreaker", flash=None, **settings):
        self.design = design(**settings)
        self.board = replace(boards.get(board), clock_mhz=None, baud=3_000_000)
        self.top = harness.Top(core=lower(self.design), board=self.board, digest=DIGEST)
        self.received = []
        self.lit = 0
        self.flash = flash

    def run(self, scenario, *, cycles=20_000):
        top, done = self.top, []

        async def testbench(ctx):
            ctx.set(top.rx, 1)
            await self.wait(ctx, 300)
            await scenario(ctx)
            done.append(True)

        async def clock(ctx):
            for _ in range(cycles):
                await ctx.delay(0.5e-6)
                ctx.set(top.clk, 1)
                await ctx.delay(0.5e-6)
                ctx.set(top.clk, 0)
            raise TimeoutError(f"not done after {cycles} cycles")

        async def line(ctx):
            reader = frames.Reader()
            while True:
                while ctx.get(top.tx):
                    await self.wait(ctx, 1)
                await self.wait(ctx, 6)
                byte = 0
                for n in range(8):
                    byte |= ctx.get(top.tx) << n
                    await self.wait(ctx, 4)
                assert ctx.get(top.tx), "no stop bit"
                self.lit += ctx.get(top.led) ^ self.board.pin("led").invert
                self.received += reader.feed([byte])

        async def flash(ctx):
            while True:
                await ctx.posedge(top.clk)
                level = self.flash.step(cs=1 - ctx.get(top.flash_cs), clk=ctx.get(top.flash_clk), copi=ctx.get(top.flash_copi))
                assert ctx.get(top.flash_wp) and ctx.get(top.flash_hold)
                await ctx.delay(0.1e-6)
                ctx.set(top.flash_cipo, bool(level))

        simulator = Simulator(top)
        if self.flash:
            simulator.add_testbench(flash, background=True)
        simulator.add_testbench(testbench)
        simulator.add_testbench(clock, background=True)
        simulator.add_testbench(line, background=True)
        simulator.run()
        assert done

    @staticmethod
    async def wait(ctx, cycles):
        await ctx.delay(cycles * 1e-6)

    async def ask(self, ctx, request, *, noise=b""):
        for byte in noise + request.encode():
            for bit in [0, *((byte >> n) & 1 for n in range(8)), 1]:
                ctx.set(self.top.rx, bit)
                await self.wait(ctx, 4)
        for _ in range(3000):
            for frame in self.received:
                if frame.answers(request):
                    self.received.clear()
                    return frame
            await self.wait(ctx, 1)
        raise TimeoutError(f"no answer, only {self.received}")


@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_classifies_over_its_pins(lanes):
    host = Host(lanes=lanes)
    images = np.random.default_rng(lanes).integers(0, 256, (3, 6)).astype(np.uint8)
    images[0, :2] = 0xC0, 0xDB
    scores, classes = reference.evaluate(host.design.network, images)

    async def scenario(ctx):
        for n, image in enumerate(images):
            noise = random.Random(n).randbytes(n)
            response = await host.ask(ctx, frames.classify(sequence=n, image=image), noise=noise)
            result = frames.parse_result(response, classes=3)
            assert (result.scores.tolist(), result.label) == (scores[n].tolist(), classes[n])

    host.run(scenario)
    assert host.lit > 0


def test_identifies_over_its_pins():
    host = Host(lanes=2, board="ice40_hx8k_b_evn")

    async def scenario(ctx):
        response = await host.ask(ctx, frames.identify(sequence=7))
        assert frames.parse_identity(response) == frames.Identity(lanes=2, classes=3, pixels=6, digest=DIGEST[:8])

    host.run(scenario)


@pytest.mark.parametrize("damage", [0, 1])
def test_loads_its_weights_from_flash(damage):
    image = np.arange(6, dtype=np.uint8) * 50
    core = lower(design(store="spram"))
    weights = bytearray(flash_image.weight_bytes(core.image))
    checksum = zlib.crc32(weights)
    weights[3] ^= damage
    host = Host(flash=SpiFlash(flash_image.combine(b"bitstream", bytes(weights)), wake=500), store="spram")

    async def weights_of(ctx):
        return frames.parse_identity(await host.ask(ctx, frames.identify(sequence=7))).weights

    async def scenario(ctx):
        await host.wait(ctx, 1500)
        assert await weights_of(ctx) == frames.Weights(state=2 if damage else 1, checksum=zlib.crc32(weights))
        assert (zlib.crc32(weights) == checksum) == (not damage)
        request = frames.classify(sequence=1, image=image)
        if damage:
            with pytest.raises(TimeoutError):
                await host.ask(ctx, request)
            assert host.received == [frames.Frame(command=0xFF, sequence=1, payload=bytes([5]))]
        else:
            result = frames.parse_result(await host.ask(ctx, request), classes=3)
            assert result.scores.tolist() == reference.evaluate(host.design.network, image[None])[0][0].tolist()

    host.run(scenario)


def test_board_without_a_flash():
    with pytest.raises(BoardError, match="must have an SPI flash for weights in SPRAM, but its platform .* has no spi_flash_1x"):
        harness.Top(core=lower(design(store="spram")), board=boards.get("ulx3s_85f"), digest=DIGEST)


def test_reset_outlasts_the_block_rams_start():
    for board in boards.BOARDS.values():
        top = harness.Top(core=lower(design()), board=board, digest=DIGEST)
        assert top.reset_cycles / top.clock_mhz >= harness.RESET_SECONDS * 1e6
        assert top.reset_cycles & (top.reset_cycles - 1) == 0


@pytest.mark.parametrize("board,clock,got,has_pll", [
    ("icebreaker", None, 48, True), ("icebreaker", 12, 12, False), ("icebreaker", 50, 50.25, True),
    ("ulx3s_85f", 25, 25, False), ("ulx3s_85f", 80, 80, True)])
def test_clock_is_what_the_pll_really_makes(board, clock, got, has_pll):
    top = harness.Top(core=lower(design()), board=boards.get(board), clock_mhz=clock, digest=DIGEST)
    assert (top.clock_mhz, top.pll is not None) == (got, has_pll)
    assert top.divisor == int(got * 1e6 / top._board.baud + 0.5)


def test_baud_rate_that_the_clock_cannot_make():
    with pytest.raises(BoardError, match="9000000 is off by .33.3% at 1"):
        harness.Top(core=lower(design()), board=boards.get("icebreaker"), clock_mhz=12, baud=9_000_000, digest=DIGEST)
    with pytest.raises(BoardError, match="at least 4 cycles a bit, but 4000000 is off by"):
        harness.Top(core=lower(design()), board=boards.get("icebreaker"), clock_mhz=12, baud=4_000_000, digest=DIGEST)


def test_checksum_is_the_one_of_zlib():
    frame = frames.identify(sequence=3)
    assert frame.encode()[1:-5] == bytes([1, 3])
    assert frame.encode()[-5:-1] == zlib.crc32(bytes([1, 3])).to_bytes(4, "little")
