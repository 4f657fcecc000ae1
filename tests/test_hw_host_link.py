# amaranth: UnusedElaboratable=no
import random
import unittest
import zlib

from amaranth.sim import Simulator

from sbgen.boards import frames
from sbgen.hw.flash_loader import LOADED, LOADING, WRONG
from sbgen.hw.host_link import HostLink
from sbgen.hw.protocol import (
    FAILURE,
    REASON_BUSY,
    REASON_CHECKSUM,
    REASON_COMMAND,
    REASON_LENGTH,
    REASON_WEIGHTS,
    VERSION,
)
from sbgen.hw.slip import END, ESC

DIGEST = bytes([0xC0, 0xDB, 0xDC, 0xDD, 0x00, 0xFF, 0x12, 0x34])


def truth(image, classes, score_width, signs=False):
    """Scores and class (or bits) of the stand-in core: any function of all pixels will do, as long as it can
    be negative.
    """
    low = -(1 << (score_width - 1))
    scores = [
        low + zlib.crc32(c.to_bytes(2, "little") + bytes(image)) % (1 << score_width) for c in range(classes)
    ]
    return scores, (
        sum((score >= 0) << n for n, score in enumerate(scores)) if signs else scores.index(max(scores))
    )


class Bench:
    """A `HostLink` between a line that the test drives and a stand-in core, with random stalls everywhere."""

    def __init__(self, *, seed, pixels=5, classes=3, score_width=9, stalls=0.3, core_cycles=50, **settings):
        print(f"seed {seed}")
        self.rng = random.Random(seed)
        self.pixels, self.classes, self.score_width, self.stalls = pixels, classes, score_width, stalls
        self.core_cycles, self.signs = core_cycles, settings.get("signs", False)
        self.dut = HostLink(
            pixels=pixels, lanes=1, outputs=classes, score_width=score_width, digest=DIGEST, **settings
        )
        self.reader = frames.Reader()
        self.received = []
        self.line = bytearray()

    def run(self, scenario, *, deadline=200_000):
        finished = []

        async def testbench(ctx):
            await scenario(ctx)
            finished.append(True)

        async def watch(ctx):
            await ctx.delay(deadline * 1e-6)
            raise TimeoutError(f"not done after {deadline} cycles")

        simulator = Simulator(self.dut)
        simulator.add_clock(1e-6)
        simulator.add_testbench(testbench)
        for background in self._core, self._line_out, watch:
            simulator.add_testbench(background, background=True)
        simulator.run()
        assert finished

    def stalled(self):
        return self.rng.random() < self.stalls

    async def _core(self, ctx):
        dut = self.dut
        image, results, wait = [], [], 0
        while True:
            ctx.set(dut.pixels.ready, len(image) < self.pixels and not self.stalled())
            offer = bool(results) and wait == 0
            ctx.set(dut.results.valid, offer)
            if offer:
                ctx.set(dut.results.payload, results[0])
            _, _, clear, valid, ready, payload, taken = await ctx.tick().sample(
                dut.clear, dut.pixels.valid, dut.pixels.ready, dut.pixels.payload, dut.results.ready
            )
            wait = max(0, wait - 1)
            if valid and ready:
                image.append(payload[0])
                if len(image) == self.pixels:
                    scores, label = truth(image, self.classes, self.score_width, self.signs)
                    results = [
                        {"score": score, "label": label, "last": n == self.classes - 1}
                        for n, score in enumerate(scores)
                    ]
                    wait = self.rng.randrange(self.core_cycles)
            if offer and taken:
                results.pop(0)
                wait = self.rng.randrange(3)
                if not results:
                    image = []
            if clear:
                image, results = [], []

    async def _line_out(self, ctx):
        dut = self.dut
        while True:
            ctx.set(dut.o.ready, not self.stalled())
            _, _, valid, ready, payload = await ctx.tick().sample(dut.o.valid, dut.o.ready, dut.o.payload)
            if valid and ready:
                self.line.append(payload)
                self.received += self.reader.feed([payload])

    async def send(self, ctx, line):
        dut = self.dut
        for byte in line:
            while self.stalled():
                await ctx.tick()
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            while not (await ctx.tick().sample(dut.i.ready))[-1]:
                pass
            ctx.set(dut.i.valid, 0)

    async def receive(self, ctx, *, cycles=3000):
        """The next undamaged frame, or None."""
        for _ in range(cycles):
            if self.received:
                return self.received.pop(0)
            await ctx.tick()
        return None

    async def quiet(self, ctx, cycles=1500):
        await ctx.tick().repeat(cycles)

    def image(self):
        return bytes(self.rng.choice([END, ESC, self.rng.randrange(256)]) for _ in range(self.pixels))

    def classify(self, image, sequence):
        return frames.Frame(command=frames.CLASSIFY, sequence=sequence, payload=image)

    def assert_right(self, response, image):
        result = frames.parse_result(response, outputs=self.classes)
        assert (result.scores.tolist(), result.label) == truth(
            image, self.classes, self.score_width, self.signs
        )


class HostLinkTestCase(unittest.TestCase):
    def test_identify(self):
        for settings in {}, {"identity_store": "bram"}, {"identity_store": "bram", "stalls": 0}:
            with self.subTest(**settings):
                self.identify(**settings)

    def identify(self, **settings):
        bench = Bench(seed=1, **settings)

        async def scenario(ctx):
            for sequence in 0, END, ESC, 255:
                request = frames.identify(sequence=sequence)
                await bench.send(ctx, request.encode())
                response = await bench.receive(ctx)
                self.assertTrue(response.answers(request))
                self.assertEqual(
                    frames.parse_identity(response),
                    frames.Identity(lanes=1, outputs=3, pixels=5, digest=DIGEST),
                )
                self.assertEqual(response.payload[0], VERSION)

        bench.run(scenario)

    def test_classify_every_size(self):
        for seed, (pixels, classes, score_width, stalls) in enumerate(
            [
                (1, 1, 1, 0.3),
                (1, 2, 32, 0.0),
                (3, 1, 8, 0.5),
                (4, 4, 9, 0.0),
                (5, 3, 16, 0.3),
                (16, 2, 17, 0.3),
                (17, 40, 11, 0.0),
            ]
        ):
            with self.subTest(pixels=pixels, classes=classes, score_width=score_width, stalls=stalls):
                bench = Bench(
                    seed=seed, pixels=pixels, classes=classes, score_width=score_width, stalls=stalls
                )

                async def scenario(ctx, bench=bench):
                    for sequence in range(3):
                        image = bench.image()
                        request = bench.classify(image, sequence)
                        await bench.send(ctx, request.encode())
                        response = await bench.receive(ctx, cycles=30_000)
                        self.assertTrue(response.answers(request))
                        bench.assert_right(response, image)

                bench.run(scenario)

    def test_failures_name_their_reason(self):
        bench = Bench(seed=2)
        image = bench.image()

        def framed(content, checksum=None):
            frame = frames.Frame(command=content[0], sequence=content[1], payload=bytes(content[2:]))
            return frame.encode()

        good = bench.classify(bytes([1, 2, 3, 4, 5]), 7).encode()
        damaged = bytearray(good)
        damaged[4] ^= 0x10
        cases = [
            (damaged, REASON_CHECKSUM),
            (framed([2, 7, 1, 2, 3, 4]), REASON_LENGTH),
            (framed([2, 7, 1, 2, 3, 4, 5, 6]), REASON_LENGTH),
            (framed([1, 7, 1]), REASON_LENGTH),
            ([END, 2, 7, END], REASON_LENGTH),
            ([END, 1, 7, 1, END], REASON_LENGTH),
            (framed([3, 7]), REASON_COMMAND),
            (framed([0x82, 7, 1, 2, 3]), REASON_COMMAND),
        ]

        async def scenario(ctx):
            for line, reason in cases:
                await bench.send(ctx, line)
                response = await bench.receive(ctx)
                self.assertTrue(response.is_failure)
                self.assertEqual(response.sequence, 7)
                self.assertEqual(list(response.payload), [reason], f"line {bytes(line).hex(' ')}")
                request = bench.classify(image, 9)
                await bench.send(ctx, request.encode())
                response = await bench.receive(ctx)
                self.assertTrue(response.answers(request))
                bench.assert_right(response, image)

        bench.run(scenario)

    def test_no_image_is_classified_before_the_weights_are_there(self):
        bench = Bench(seed=13, loads=True)
        image = bench.image()
        request = bench.classify(image, 3)

        async def identify(ctx, state, checksum):
            await bench.send(ctx, frames.identify(sequence=9).encode())
            identity = frames.parse_identity(await bench.receive(ctx))
            self.assertEqual(identity.weights, frames.Weights(state=state, checksum=checksum))
            self.assertEqual(identity.weights.loaded, state == LOADED)

        async def refused(ctx):
            response = await bench.receive(ctx)
            self.assertEqual(
                (response.command, response.sequence, list(response.payload)), (FAILURE, 3, [REASON_WEIGHTS])
            )

        async def scenario(ctx):
            ctx.set(bench.dut.checksum, 0xC0DBDCDD)
            for state in LOADING, WRONG:
                ctx.set(bench.dut.state, state)
                await identify(ctx, state, 0xC0DBDCDD)
                await bench.send(ctx, request.encode())
                await refused(ctx)
            # They come in the middle of a request: it began too early.
            ctx.set(bench.dut.state, LOADING)
            await bench.send(ctx, request.encode()[:6])
            await bench.quiet(ctx, 200)
            ctx.set(bench.dut.state, LOADED)
            await bench.send(ctx, request.encode()[6:])
            await refused(ctx)
            await identify(ctx, LOADED, 0xC0DBDCDD)
            await bench.send(ctx, request.encode())
            bench.assert_right(await bench.receive(ctx), image)

        bench.run(scenario)

    def test_empty_frames_are_ignored(self):
        bench = Bench(seed=3)

        async def scenario(ctx):
            await bench.send(ctx, [END] * 5)
            await bench.quiet(ctx)
            self.assertEqual(bench.line, b"")

        bench.run(scenario)

    def test_a_flipped_bit_is_found(self):
        bench = Bench(seed=4, stalls=0.0, core_cycles=1, pixels=2, classes=2)
        line = bench.classify(bytes([0x17, 0xA0]), 5).encode()

        async def scenario(ctx):
            for bit in bench.rng.sample(range(8, 8 * len(line) - 8), 24):
                damaged = bytearray(line)
                damaged[bit // 8] ^= 1 << bit % 8
                await bench.send(ctx, damaged)
                await bench.quiet(ctx, 250)
                self.assertTrue(all(frame.is_failure for frame in bench.received), f"bit {bit}")
                self.assertTrue(bench.received, f"bit {bit}")
                bench.received.clear()

        bench.run(scenario)

    def test_noise_before_a_request_does_not_cost_it(self):
        bench = Bench(seed=5, stalls=0.1)

        async def scenario(ctx):
            for _ in range(20):
                noise = bench.rng.randbytes(bench.rng.randrange(1, 30))
                image = bench.image()
                request = bench.classify(image, bench.rng.randrange(256))
                # The failure is a hundred cycles long: the request hits every part of it, or comes after it.
                await bench.send(ctx, noise + bytes([END]))
                await bench.quiet(ctx, bench.rng.randrange(1, 200))
                await bench.send(ctx, request.encode())
                while (response := await bench.receive(ctx)).is_failure:
                    pass
                self.assertTrue(response.answers(request))
                bench.assert_right(response, image)

        bench.run(scenario)

    def test_request_during_a_response_is_answered_busy(self):
        bench = Bench(seed=6, core_cycles=600)

        async def scenario(ctx):
            for _ in range(8):
                image = bench.image()
                first, second = bench.classify(image, 1), bench.classify(bench.image(), 2)
                await bench.send(ctx, first.encode() + second.encode())
                response = await bench.receive(ctx)
                self.assertTrue(response.answers(first))
                bench.assert_right(response, image)
                response = await bench.receive(ctx)
                self.assertEqual(
                    (response.command, response.sequence, list(response.payload)), (FAILURE, 2, [REASON_BUSY])
                )

        bench.run(scenario)

    def test_reset_between_halves_of_an_image(self):
        bench = Bench(seed=7)

        async def scenario(ctx):
            for _ in range(10):
                image = bench.image()
                half = bench.classify(bench.image(), 1).encode()[: bench.rng.randrange(2, 8)]
                request = bench.classify(image, 2)
                await bench.send(ctx, half)
                await bench.quiet(ctx, 100)
                await bench.send(ctx, request.encode())
                while (response := await bench.receive(ctx)).is_failure:
                    pass
                self.assertTrue(response.answers(request))
                bench.assert_right(response, image)

        bench.run(scenario)

    def test_dropped_doubled_and_flipped_bytes_never_give_a_wrong_result(self):
        for seed in 10, 11:
            bench = Bench(seed=seed, pixels=6, stalls=0.05, core_cycles=20)
            outcomes = {"answered": 0, "failed": 0, "silent": 0}

            async def scenario(ctx, bench=bench, outcomes=outcomes):
                for n in range(25):
                    image = bench.image()
                    request = bench.classify(image, n)
                    line = bytearray(request.encode())
                    for _ in range(bench.rng.choice((1, 1, 1, 2, 3))):
                        at = bench.rng.randrange(len(line))
                        match bench.rng.randrange(4):
                            case 0:
                                del line[at]
                            case 1:
                                line.insert(at, line[at])
                            case 2:
                                line[at] ^= 1 << bench.rng.randrange(8)
                            case 3:
                                line[at:at] = bench.rng.randbytes(3)
                    await bench.send(ctx, line)
                    await bench.quiet(ctx, 250)
                    answers = [frame for frame in bench.received if not frame.is_failure]
                    outcomes["answered" if answers else "failed" if bench.received else "silent"] += 1
                    for frame in answers:
                        # Only a lost or doubled END leaves the request whole.
                        self.assertTrue(frame.answers(request))
                        bench.assert_right(frame, image)
                    bench.received.clear()
                    # The next request, undamaged, is answered whatever came before. Its leading END may
                    # complete the damaged one, where only the last END was lost; then that is answered, and
                    # this one is busy.
                    again = bench.classify(image, n ^ 0x80)
                    await bench.send(ctx, again.encode())
                    while not (response := await bench.receive(ctx)).answers(again):
                        if response.answers(request):
                            bench.assert_right(response, image)
                        else:
                            self.assertTrue(response.is_failure)
                            if response.payload[0] == REASON_BUSY:
                                await bench.send(ctx, again.encode())
                    bench.assert_right(response, image)

            bench.run(scenario)
            print(outcomes)
            self.assertGreater(outcomes["failed"], 10)

    def test_cycles_from_request_to_response(self):
        """Without stalls an END is on the line 23 cycles after that of the request."""
        bench = Bench(seed=8, stalls=0.0)

        async def scenario(ctx):
            await bench.send(ctx, frames.identify(sequence=1).encode())
            cycles = 0
            while not bench.line:
                await ctx.tick()
                cycles += 1
            self.assertEqual((bench.line, cycles), (bytes([END]), 23))

        bench.run(scenario)

    def test_signs_of_any_number_of_outputs(self):
        """The bits come behind the scores, in as many bytes as they fill, and identify tells of them."""
        for outputs in 1, 3, 8, 9, 21:
            bench = Bench(seed=9, classes=outputs, signs=True, stalls=0.1)

            async def scenario(ctx, bench=bench, outputs=outputs):
                await bench.send(ctx, frames.identify(sequence=1).encode())
                identity = frames.parse_identity(await bench.receive(ctx))
                self.assertEqual((identity.outputs, identity.signs), (outputs, True))
                for n in range(3):
                    image = bench.image()
                    await bench.send(ctx, bench.classify(image, n).encode())
                    result = frames.parse_result(
                        await bench.receive(ctx, cycles=9000), outputs=outputs, signs=True
                    )
                    scores, bits = truth(image, outputs, bench.score_width, signs=True)
                    self.assertEqual(result.scores.tolist(), scores)
                    told = [result.label] if outputs == 1 else result.label.tolist()
                    self.assertEqual(told, [bits >> n & 1 for n in range(outputs)])

            with self.subTest(outputs=outputs):
                bench.run(scenario)

    def test_out_of_range_is_refused(self):
        good = {"pixels": 4, "lanes": 1, "outputs": 2, "score_width": 8, "digest": DIGEST}
        for name, value in ("pixels", 0), ("lanes", 256), ("outputs", 65536), ("score_width", 33):
            with (
                self.subTest(name=name),
                self.assertRaisesRegex(ValueError, f"{name} must be in 1 ... .*{value}"),
            ):
                HostLink(**{**good, name: value})
        with self.assertRaisesRegex(ValueError, "8 bytes"):
            HostLink(**{**good, "digest": b"short"})
