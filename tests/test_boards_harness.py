# amaranth: UnusedElaboratable=no
import random
import zlib
from dataclasses import replace

import by_hand
import numpy as np
import pytest
from amaranth.hdl import Fragment, Module, Signal
from amaranth.hdl._ast import Assign
from amaranth.sim import Simulator
from spi_flash import SpiFlash

from sbgen import boards
from sbgen.boards import flash_image, harness, messages
from sbgen.boards.ecp5.constraints import lpf
from sbgen.boards.families import FAMILIES
from sbgen.boards.frames import Frame, Reader
from sbgen.boards.messages import WANT_ALL
from sbgen.compiler import reference
from sbgen.compiler.ir import Binarize, Network, Scores
from sbgen.compiler.linked import link_parameters
from sbgen.compiler.lower import lower
from sbgen.errors import BoardError, FitError

DIGEST = bytes(range(32))


def design(*, pixels=6, lanes=1, classes=3, seed=1, store="bram", decision="argmax"):
    rng = np.random.default_rng(seed)
    network = Network(
        name="small",
        image_shape=(pixels,),
        labels=tuple(map(str, range(max(2, classes)))),
        decision=decision,
        layers=(
            Binarize(name="input", thresholds=rng.integers(1, 256, (pixels, 1))),
            Scores(
                name="scores",
                weights=rng.integers(0, 2, (classes, pixels)),
                offsets=rng.integers(-9, 9, classes),
            ),
        ),
    )
    return by_hand.fold(network, (lanes, lanes), {"pe": 1, "simd": 2, "store": store})


def top_of(design, board, **settings):
    """The top level of a design."""
    board = boards.get(board) if isinstance(board, str) else board
    link = link_parameters(design, board.device)
    return harness.Top(core=lower(design), board=board, link=link, digest=DIGEST, **settings)


class Host:
    """The other end of a `Top`'s serial line, on a board that runs at its oscillator with 4 cycles a bit."""

    def __init__(self, *, board="icebreaker", flash=None, inverted=(), **settings):
        self.design = design(**settings)
        self.board = replace(boards.get(board), clock_mhz=None)
        self.inverted = inverted
        if inverted:  # pins of the flash whose levels are the others on this board
            self.board.__dict__["flash_pins"] = tuple(
                replace(pin, invert=pin.invert ^ (pin.port in inverted)) for pin in self.board.flash_pins
            )
        self.top = top_of(self.design, self.board, baud=3_000_000)
        payload = self.top._link.identity(digest=DIGEST[:8], byte_cycles=40, loads=False)
        self.identity = messages.parse_identity(Frame(command=0x81, sequence=0, payload=payload))
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
            reader = Reader()
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
                cs, clk, copi, wp, hold = (
                    ctx.get(getattr(top, port)) ^ (port in self.inverted)
                    for port in ("flash_cs", "flash_clk", "flash_copi", "flash_wp", "flash_hold")
                )
                level = self.flash.step(cs=1 - cs, clk=clk, copi=copi)
                assert wp and hold
                await ctx.delay(0.1e-6)
                ctx.set(top.flash_cipo, bool(level) ^ ("flash_cipo" in self.inverted))

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

    def classify(self, sequence, image):
        return messages.classify(sequence=sequence, packed=self.identity.pack(image[None]), want=WANT_ALL)

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


@pytest.mark.parametrize(
    "lanes, decides",
    [
        (1, {}),
        (2, {}),
        (4, {}),
        (2, {"classes": 1, "decision": "sign"}),
        (2, {"classes": 10, "decision": "sign"}),
    ],
)
def test_classifies_over_its_pins(lanes, decides):
    host = Host(lanes=lanes, **decides)
    images = np.random.default_rng(lanes).integers(0, 256, (3, 6)).astype(np.uint8)
    images[0, :2] = 0xC0, 0xDB
    scores, classes = reference.evaluate(host.design.network, images)

    async def scenario(ctx):
        for n, image in enumerate(images):
            noise = random.Random(n).randbytes(n)
            response = await host.ask(ctx, host.classify(n, image), noise=noise)
            result = messages.parse_results(response, identity=host.identity, want=WANT_ALL, images=1)
            assert result.scores[0].tolist() == scores[n].tolist()
            assert np.array_equal(result.labels[0], classes[n])

    host.run(scenario)
    assert host.lit > 0


def test_identifies_over_its_pins():
    host = Host(lanes=2, board="ice40_hx8k_b_evn")

    async def scenario(ctx):
        response = await host.ask(ctx, messages.identify(sequence=7))
        identity = messages.parse_identity(response)
        assert (identity.lanes, identity.outputs, identity.pixels) == (2, 3, 6)
        assert (identity.digest, identity.byte_cycles) == (DIGEST[:8], 40)
        thresholds = host.design.network.layers[0].thresholds
        assert identity.levels == tuple(sorted(set(thresholds.ravel().tolist())))
        assert identity == host.identity

    host.run(scenario)


@pytest.mark.parametrize(
    "damage, inverted",
    [
        (0, ()),
        (1, ()),
        (0, ("flash_cs", "flash_cipo", "flash_wp")),
        (0, ("flash_clk", "flash_copi", "flash_cipo", "flash_hold")),
    ],
)
def test_loads_its_weights_from_flash(damage, inverted):
    image = np.arange(6, dtype=np.uint8) * 50
    core = lower(design(store="spram"))
    weights = bytearray(flash_image.weight_bytes(core.ram_contents))
    checksum = zlib.crc32(weights)
    weights[3] ^= damage
    host = Host(
        flash=SpiFlash(flash_image.combine(b"bitstream", bytes(weights)), wake=500),
        inverted=inverted,
        store="spram",
    )

    async def weights_of(ctx):
        return messages.parse_identity(await host.ask(ctx, messages.identify(sequence=7))).weights

    async def scenario(ctx):
        await host.wait(ctx, 1500)
        assert await weights_of(ctx) == messages.Weights(
            state=2 if damage else 1, checksum=zlib.crc32(weights)
        )
        assert (zlib.crc32(weights) == checksum) == (not damage)
        request = host.classify(1, image)
        if damage:
            with pytest.raises(TimeoutError):
                await host.ask(ctx, request)
            assert host.received == [Frame(command=0xFF, sequence=1, payload=bytes([5]))]
        else:
            response = await host.ask(ctx, request)
            result = messages.parse_results(response, identity=host.identity, want=WANT_ALL, images=1)
            assert result.scores.tolist() == reference.evaluate(host.design.network, image[None])[0].tolist()

    host.run(scenario)


def test_board_without_a_flash():
    with pytest.raises(
        BoardError, match="must have an SPI flash for weights in SPRAM, but its platform has no spi_flash_1x"
    ):
        top_of(design(store="spram"), "ulx3s_85f")


def test_reset_outlasts_the_block_rams_start():
    for board in boards.BOARDS.values():
        top = top_of(design(), board)
        assert top.reset_cycles / top.clock_mhz >= harness.RESET_SECONDS * 1e6
        assert top.reset_cycles & (top.reset_cycles - 1) == 0


@pytest.mark.parametrize(
    "board,clock,got,has_pll",
    [
        ("icebreaker", None, 48, True),
        ("icebreaker", 12, 12, False),
        ("icebreaker", 50, 50.25, True),
        ("ulx3s_85f", 25, 25, False),
        ("ulx3s_85f", 80, 80, True),
    ],
)
def test_clock_is_what_the_pll_really_makes(board, clock, got, has_pll):
    top = top_of(design(), board, clock_mhz=clock)
    assert (top.clock_mhz, top.pll is not None) == (got, has_pll)
    assert top.divisor == int(got * 1e6 / top.baud + 0.5)


class Unlocked:
    """A top level whose PLL is a wire with a lock that the test sets, and a counter of the cycles since
    reset.
    """

    def __init__(self, monkeypatch, board):
        self.locked, self.cycles = Signal(), Signal(16)

        def instance(pll, *, i, o, locked, pad=False):
            m = Module()
            m.d.comb += [o.eq(i), locked.eq(self.locked)]
            return m

        class Link(harness.HostLink):
            def elaborate(link, platform):
                m = super().elaborate(platform)
                m.d.sync += self.cycles.eq(self.cycles + 1)
                return m

        for family in FAMILIES.values():
            monkeypatch.setattr(family.pll, "instance", instance)
        monkeypatch.setattr(harness, "HostLink", Link)
        self.top = top_of(design(), board)
        # What is tried here is not speed: reset lasts as long in cycles as it would at this clock.
        self.least = harness.RESET_SECONDS * self.top.clock_mhz * 1e6

    def run(self, scenario):
        top, done = self.top, []

        async def testbench(ctx):
            async def clock(cycles):
                for _ in range(cycles):
                    await ctx.delay(0.5e-6)
                    ctx.set(top.clk, 1)
                    await ctx.delay(0.5e-6)
                    ctx.set(top.clk, 0)

            await scenario(ctx, clock)
            done.append(True)

        simulator = Simulator(top)
        simulator.add_testbench(testbench)
        simulator.run()
        assert done


@pytest.mark.parametrize("board", ["icebreaker", "ulx3s_85f"])
def test_reset_lasts_while_the_pll_is_unlocked_and_long_enough_after(monkeypatch, board):
    made = Unlocked(monkeypatch, board)
    rng = random.Random(1)

    async def scenario(ctx, clock):
        for unlocked in 2 * int(made.least), *(rng.randint(3, 40) for _ in range(3)):
            ctx.set(made.locked, 0)
            await clock(4)
            for _ in range(unlocked):
                await clock(1)
                assert ctx.get(made.cycles) == 0, "it ran while the PLL was unlocked"
            ctx.set(made.locked, 1)
            cycle = 0
            while not ctx.get(made.cycles):
                await clock(1)
                cycle += 1
                assert cycle < 2 * made.top.reset_cycles, "reset does not end"
            assert made.least <= cycle <= made.top.reset_cycles + 4
            await clock(rng.randint(1, 99))
            assert ctx.get(made.cycles) > 0

    made.run(scenario)


def assignments(fragment):
    """Every statement of a design as (domain, statement)."""
    for domain, statements in fragment.statements.items():
        yield from ((domain, each) for each in statements)
    for subfragment, *_ in fragment.subfragments:
        yield from assignments(subfragment)


def reads(statement):
    return (statement.rhs if isinstance(statement, Assign) else statement)._rhs_signals()


def first_uses(signal, found, stages):
    """Statements that read a signal after less than so many flip-flops that do nothing but copy it."""
    for domain, each in found:
        if signal not in reads(each):
            continue
        if not (isinstance(each, Assign) and each.rhs is signal):
            yield each
        elif left := stages - (domain != "comb"):
            yield from first_uses(each.lhs, found, left)


@pytest.mark.parametrize("board", ["icebreaker", "ulx3s_85f"])
def test_asynchronous_inputs_go_through_two_flip_flops(monkeypatch, board):
    made = Unlocked(monkeypatch, board)
    found = list(assignments(Fragment.get(made.top, None)))
    for name, signal in ("rx", made.top.rx), ("lock", made.locked):
        assert any(signal in reads(each) for _, each in found), f"{name} is not used"
        assert not list(first_uses(signal, found, 2)), name


@pytest.mark.parametrize("board", ["icebreaker", "ice40_hx8k_b_evn"])
def test_led_is_on_while_a_request_is_in_work(board):
    host = Host(lanes=2, board=board)

    async def scenario(ctx):
        def lit():
            return ctx.get(host.top.led) ^ host.board.pin("led").invert

        assert not lit()
        await host.ask(ctx, host.classify(1, np.zeros(6, np.uint8)))
        assert host.lit > 0
        await host.wait(ctx, 100)
        assert not lit()

    host.run(scenario)


def test_pin_of_the_esp32_is_high():
    for name in (
        "ulx3s_85f",
        "amaranth_boards.ulx3s:ULX3S_12F_Platform",
        "amaranth_boards.ulx3s:ULX3S_45F_Platform",
    ):
        try:
            board = boards.get(name)
        except BoardError:
            continue  # a device that sbgen does not know
        top = top_of(design(), board, clock_mhz=board.oscillator_mhz)
        assert [(pin.port, pin.site) for pin in top.pins][-1] == ("wifi_gpio0", "L2")
        assert 'LOCATE COMP "wifi_gpio0" SITE "L2";' in lpf(board, top.pins)
        simulator = Simulator(top)

        async def testbench(ctx, top=top):
            for n in range(1000):
                assert ctx.get(top.wifi_gpio0) == 1
                ctx.set(top.clk, n % 2)
                await ctx.delay(1e-6)

        simulator.add_testbench(testbench)
        simulator.run()
    assert boards.get("icebreaker").high_pins == ()


def test_checksum_is_the_one_of_zlib():
    frame = messages.identify(sequence=3)
    assert frame.encode()[1:-5] == bytes([1, 3])
    assert frame.encode()[-5:-1] == zlib.crc32(bytes([1, 3])).to_bytes(4, "little")


def test_a_design_that_the_link_cannot_serve():
    with pytest.raises(FitError, match="takes at most 255 pixels at once, not 300; fold layer 'input'"):
        top_of(design(pixels=300, lanes=300), "icebreaker")
