# amaranth: UnusedElaboratable=no
"""The board's end of the host link between a line and a stand-in core, both of which stall at random."""

import random
import zlib
from dataclasses import dataclass, field

import numpy as np
import pytest
from amaranth.sim import Simulator

from sbgen.boards import frames, messages
from sbgen.boards.frames import Frame
from sbgen.boards.messages import WANT_ALL, WANT_CLASS
from sbgen.hw.flash_loader import LOADED, LOADING, WRONG
from sbgen.hw.host_link import HostLink
from sbgen.hw.link_parameters import Parameters
from sbgen.hw.protocol import (
    CLASSIFY,
    FAILURE,
    REASON_BUSY,
    REASON_CHECKSUM,
    REASON_COMMAND,
    REASON_LENGTH,
    REASON_WANT,
    REASON_WEIGHTS,
)
from sbgen.hw.slip import END, ESC

DIGEST = bytes([0xC0, 0xDB, 0xDC, 0xDD, 0x00, 0xFF, 0x12, 0x34])


def truth(parameters, image):
    """Scores of the stand-in core: any function of all pixels will do, as long as it can be negative and has
    ties.
    """
    p = parameters
    low = -(1 << (p.score_width - 1))
    scores = [
        low + zlib.crc32(c.to_bytes(2, "little") + bytes(image)) % (1 << p.score_width)
        for c in range(p.outputs)
    ]
    if zlib.crc32(bytes(image)) % 3 == 0:
        scores[-1] = scores[0]
    return scores


def beats(parameters, image):
    """The results of the stand-in core for an image."""
    p, scores = parameters, truth(parameters, image)
    out = []
    for n, score in enumerate(scores):
        beat = {"score": score, "last": n == p.outputs - 1}
        if p.signs:
            beat["label"] = sum((score >= 0) << c for c, score in enumerate(scores[: n + 1]))
        else:
            ranked = sorted(range(n + 1), key=lambda c: (-scores[c], c))
            ranked += [0] * (p.top_k - len(ranked))  # anything
            beat["label"] = ranked[0]
            if p.top_k > 1:
                beat["runners_up"] = ranked[1 : p.top_k]
        out.append(beat)
    return out


@dataclass
class Bench:
    """A `HostLink` between a line and a stand-in core."""

    seed: int
    sizes: dict = field(default_factory=dict)
    stalls: float = 0.3
    core_cycles: int = 60
    settings: dict = field(default_factory=dict)

    def __post_init__(self):
        print(f"seed {self.seed}")
        self.rng = random.Random(self.seed)
        sizes = {"pixels": 5, "lanes": 1, "outputs": 3, "score_width": 9, "depth": 128} | self.sizes
        self.p = Parameters(**sizes)
        self.dut = HostLink(self.p, digest=DIGEST, byte_cycles=40, **self.settings)
        self.reader = frames.Reader()
        self.received, self.line, self.images = [], bytearray(), []
        self.identity = messages.parse_identity(Frame(command=0x81, sequence=0, payload=self.payload()))
        self.lit = 0

    def payload(self):
        return self.dut.identity + (bytes(5) if self.settings.get("loads") else b"")

    def run(self, scenario, *, deadline=400_000):
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
        for background in self._core_in, self._core_out, self._line_out, watch:
            simulator.add_testbench(background, background=True)
        simulator.run()
        assert finished

    def stalled(self):
        return self.rng.random() < self.stalls

    async def _core_in(self, ctx):
        pixels, self.queue, image = self.dut.pixels, [], []
        while True:
            ctx.set(pixels.ready, not self.stalled() and len(self.queue) < 2)
            valid, ready, payload = (await ctx.tick().sample(pixels.valid, pixels.ready, pixels.payload))[2:]
            if valid and ready:
                image += list(payload)
                if len(image) >= self.p.pixels:
                    self.images.append(image[: self.p.pixels])
                    self.queue.append(beats(self.p, image[: self.p.pixels]))
                    image = []

    async def _core_out(self, ctx):
        results = self.dut.results
        while True:
            if not self.queue:
                await ctx.tick()
                continue
            await ctx.tick().repeat(self.rng.randint(1, self.core_cycles))
            for beat in self.queue[0]:
                ctx.set(results.payload, beat)
                ctx.set(results.valid, 1)
                while not (await ctx.tick().sample(results.ready))[-1]:
                    pass
                ctx.set(results.valid, 0)
                while self.stalled():
                    await ctx.tick()
            self.queue.pop(0)

    async def _line_out(self, ctx):
        dut = self.dut
        while True:
            ctx.set(dut.o.ready, not self.stalled())
            _, _, valid, ready, payload, busy = await ctx.tick().sample(
                dut.o.valid, dut.o.ready, dut.o.payload, dut.busy
            )
            self.lit += busy
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

    async def receive(self, ctx, *, cycles=20_000):
        """The next undamaged frame, or None."""
        for _ in range(cycles):
            if self.received:
                return self.received.pop(0)
            await ctx.tick()
        return None

    def random_images(self, count):
        images = np.array(
            [
                [self.rng.choice([END, ESC, self.rng.randrange(256)]) for _ in range(self.p.pixels)]
                for _ in range(count)
            ],
            np.uint8,
        )
        return images if self.p.levels else images & (1 << self.p.pixel_bits) - 1

    def classify(self, images, sequence, want=WANT_CLASS):
        return messages.classify(sequence=sequence, packed=self.identity.pack(images), want=want)

    def assert_right(self, response, images, want):
        results = messages.parse_results(response, identity=self.identity, want=want, images=len(images))
        for n, image in enumerate(self.identity.unpack(self.identity.pack(images).tobytes())):
            scores = np.array(truth(self.p, image.tolist()))
            assert np.array_equal(results.labels[n], self.identity.decide(scores))
            if want == WANT_ALL:
                assert results.scores[n].tolist() == scores.tolist()
            elif want != WANT_CLASS:
                order = np.argsort(-scores, kind="stable")[:want]
                assert results.best[n].tolist() == order.tolist()
                assert results.best_scores[n].tolist() == scores[order].tolist()

    def wants(self):
        return [WANT_CLASS, WANT_ALL, *range(1, self.p.ranks + 1)]


SIZES = [
    {},
    {"pixels": 1, "outputs": 1, "signs": True, "score_width": 1, "depth": 64},
    {
        "pixels": 11,
        "lanes": 4,
        "pixel_bits": 1,
        "levels": (64,),
        "outputs": 10,
        "score_width": 16,
        "top_k": 3,
    },
    {"pixels": 13, "lanes": 3, "pixel_bits": 3, "levels": (2, 6, 10, 14), "outputs": 9, "signs": True},
    {"pixels": 6, "lanes": 7, "pixel_bits": 4, "levels": tuple(range(7, 22)), "score_width": 32, "top_k": 2},
    {"pixels": 9, "lanes": 9, "pixel_bits": 5, "outputs": 257, "score_width": 3, "depth": 64},
    {"pixels": 3, "pixel_bits": 2, "levels": (1, 255), "outputs": 2, "score_width": 8, "store": "lut"},
    {"pixels": 20, "pixel_bits": 8, "outputs": 4, "depth": 64, "store": "spram", "top_k": 4},
]


@pytest.mark.parametrize("seed, sizes", list(enumerate(SIZES)))
def test_frames_follow_each_other(seed, sizes):
    """Several requests in flight, of every kind, within what the store takes."""
    bench = Bench(seed=seed, sizes=sizes)
    identity, rng = bench.identity, bench.rng
    jobs = []
    for n in range(12):
        if rng.random() < 0.2:
            jobs.append((messages.identify(sequence=n), None, None))
            continue
        images = bench.random_images(rng.randint(1, min(4, identity.frame_images)))
        want = rng.choice(bench.wants())
        jobs.append((bench.classify(images, sequence=n, want=want), images, want))

    def size(job):
        return messages.OVERHEAD + (0 if job[1] is None else len(job[1]) * identity.image_bytes)

    async def scenario(ctx):
        waiting, flight = list(jobs), []
        while waiting or flight:
            taken = sum(map(size, flight))
            if waiting and taken + size(waiting[0]) <= identity.store_bytes:
                flight.append(waiting.pop(0))
                await bench.send(ctx, bytes([END] * rng.randrange(3)) + flight[-1][0].encode())
            while flight and (
                bench.received or not waiting or taken + size(waiting[0]) > identity.store_bytes
            ):
                request, images, want = flight.pop(0)
                response = await bench.receive(ctx)
                assert response and response.answers(request), response
                if images is None:
                    assert response.payload == bench.payload()
                else:
                    bench.assert_right(response, images, want)
                taken = sum(map(size, flight))

    bench.run(scenario)
    assert bench.lit > 0


def damaged(rng, line):
    """A line of which a byte is dropped, doubled or changed."""
    line = bytearray(line)
    at = rng.randrange(len(line))
    match rng.choice(["drop", "double", "flip"]):
        case "drop":
            del line[at]
        case "double":
            line.insert(at, line[at])
        case "flip":
            line[at] ^= 1 << rng.randrange(8)
    return bytes(line)


@pytest.mark.parametrize("seed", range(3))
def test_a_damaged_frame_costs_itself_alone(seed):
    bench = Bench(seed=seed, sizes=SIZES[2])
    rng = bench.rng

    async def scenario(ctx):
        for n in range(8):
            images = bench.random_images(2)
            line = damaged(rng, bench.classify(bench.random_images(1), sequence=200).encode())
            await bench.send(ctx, line + bench.classify(images, sequence=n).encode())
            response = await bench.receive(ctx)
            while response and response.sequence != n or response.is_failure:
                # An END in the middle makes two frames.
                assert response.is_failure or response.sequence == 200, response
                response = await bench.receive(ctx)
            bench.assert_right(response, images, WANT_CLASS)

    bench.run(scenario)


@pytest.mark.parametrize("seed", range(2))
def test_only_whole_images_reach_the_core(seed):
    bench = Bench(seed=seed)
    sent = []

    async def scenario(ctx):
        for n in range(6):
            images = bench.random_images(2)
            good = bench.classify(images, sequence=n).encode()
            await bench.send(ctx, good[: bench.rng.randrange(3, len(good) - 1)])
            await bench.send(ctx, good)
            sent.extend(bench.identity.unpack(bench.identity.pack(images).tobytes()).tolist())
            while not (await bench.receive(ctx)).answers(bench.classify(images, sequence=n)):
                pass

    bench.run(scenario)
    assert bench.images == sent


def failure(sequence, reason):
    return Frame(command=FAILURE, sequence=sequence, payload=bytes([reason]))


def test_reasons_of_failures():
    bench = Bench(seed=3, sizes=SIZES[2])
    image = bench.identity.pack(bench.random_images(1)).tobytes()
    most = bench.identity.frame_images
    wrong = bytearray(Frame(command=CLASSIFY, sequence=9, payload=b"\0" + image).encode())
    wrong[-2] ^= 1
    cases = [
        (Frame(command=0x55, sequence=1), REASON_COMMAND),
        (Frame(command=0x55, sequence=2, payload=b"abc"), REASON_COMMAND),
        (Frame(command=0x82, sequence=3, payload=b"\0" + image), REASON_COMMAND),
        (Frame(command=1, sequence=4, payload=b"\0"), REASON_LENGTH),
        (Frame(command=CLASSIFY, sequence=5), REASON_LENGTH),
        (Frame(command=CLASSIFY, sequence=6, payload=b"\0"), REASON_LENGTH),
        (Frame(command=CLASSIFY, sequence=7, payload=b"\0" + image + b"\0"), REASON_LENGTH),
        (Frame(command=CLASSIFY, sequence=8, payload=b"\0" + image[:-1]), REASON_LENGTH),
        (Frame(command=CLASSIFY, sequence=10, payload=b"\4" + image), REASON_WANT),
        (Frame(command=CLASSIFY, sequence=11, payload=b"\xfe" + image), REASON_WANT),
    ]

    async def scenario(ctx):
        for request, reason in cases:
            await bench.send(ctx, request.encode())
            assert await bench.receive(ctx) == failure(request.sequence, reason), request
        await bench.send(ctx, wrong)
        assert await bench.receive(ctx) == failure(9, REASON_CHECKSUM)
        # An END after one byte, or none: nothing is answered.
        await bench.send(ctx, bytes([END, END, CLASSIFY, END, 1, END]))
        images = bench.random_images(most)
        await bench.send(ctx, bench.classify(images, sequence=12).encode())
        bench.assert_right(await bench.receive(ctx), images, WANT_CLASS)

    bench.run(scenario)


def test_more_images_than_a_request_may_have():
    bench = Bench(seed=4, sizes={"pixels": 1, "depth": 512, "outputs": 1, "signs": True})
    assert bench.identity.frame_images == 255

    async def scenario(ctx):
        for count, right in (255, True), (256, False), (255, True):
            images = bench.random_images(count)
            request = bench.classify(images, sequence=count % 256)
            await bench.send(ctx, request.encode())
            response = await bench.receive(ctx, cycles=60_000)
            if right:
                bench.assert_right(response, images, WANT_CLASS)
            else:
                assert response == failure(0, REASON_LENGTH)

    bench.stalls = 0
    bench.core_cycles = 1
    bench.run(scenario)


def test_busy():
    """The core does not go on, so the store fills. What does not fit is refused, the rest answered."""
    bench = Bench(seed=5, core_cycles=6000)
    per = bench.identity.image_bytes + messages.OVERHEAD
    jobs = [bench.random_images(1) for _ in range(2 * bench.p.depth // per)]

    async def scenario(ctx):
        for n, images in enumerate(jobs):
            await bench.send(ctx, bench.classify(images, sequence=n).encode())
        answered = 0
        for n, images in enumerate(jobs):
            response = await bench.receive(ctx)
            if response is None:
                break
            if response == failure(n, REASON_BUSY):
                continue
            bench.assert_right(response, images, WANT_CLASS)
            answered += 1
        assert bench.identity.store_bytes // per <= answered < len(jobs)
        # It is as before.
        await bench.send(ctx, bench.classify(jobs[0], sequence=99).encode())
        while (response := await bench.receive(ctx)).sequence != 99:
            pass
        bench.assert_right(response, jobs[0], WANT_CLASS)

    bench.run(scenario)


@pytest.mark.parametrize("seed", range(2))
def test_with_flow_control_nothing_is_refused(seed):
    """Requests come faster than a slow core takes them, and more than the store holds: all are answered."""
    bench = Bench(seed=seed, sizes={"flow_control": True, "depth": 64}, core_cycles=[900, 90][seed])
    assert bench.identity.flow_control
    most = bench.identity.frame_images
    jobs = [bench.random_images(most if n % 3 else bench.rng.randint(1, most)) for n in range(9)]
    assert sum(map(len, jobs)) * bench.identity.image_bytes > 2 * bench.p.depth

    async def scenario(ctx):
        for n, images in enumerate(jobs):
            await bench.send(ctx, bench.classify(images, sequence=n).encode())
        for images in jobs:
            bench.assert_right(await bench.receive(ctx), images, WANT_CLASS)

    bench.run(scenario, deadline=200_000)


def test_with_flow_control_a_frame_that_never_fits_is_refused():
    """It waits until what is before it is answered, and does not block what is after it."""
    bench = Bench(seed=6, sizes={"flow_control": True, "depth": 64}, core_cycles=900)
    small = [bench.random_images(1) for _ in range(4)]
    large = Frame(command=CLASSIFY, sequence=50, payload=bytes(1 + 40 * bench.identity.image_bytes))

    async def scenario(ctx):
        for n, images in enumerate(small):
            await bench.send(ctx, bench.classify(images, sequence=n).encode())
            if n == 2:
                await bench.send(ctx, large.encode())
        for n, images in enumerate(small):
            bench.assert_right(await bench.receive(ctx), images, WANT_CLASS)
            if n == 2:
                assert await bench.receive(ctx) == failure(50, REASON_BUSY)

    bench.run(scenario, deadline=100_000)


@pytest.mark.parametrize("state, checksum", [(LOADING, 0), (LOADED, 0xC0DB1234), (WRONG, 7)])
def test_weights_that_are_loaded_at_start_up(state, checksum):
    bench = Bench(seed=6, settings={"loads": True})
    images = bench.random_images(1)

    async def scenario(ctx):
        ctx.set(bench.dut.state, state)
        ctx.set(bench.dut.checksum, checksum)
        await bench.send(ctx, messages.identify(sequence=9).encode())
        identity = messages.parse_identity(await bench.receive(ctx))
        assert identity.weights == messages.Weights(state=state, checksum=checksum)
        await bench.send(ctx, bench.classify(images, sequence=1).encode())
        response = await bench.receive(ctx)
        if state == LOADED:
            bench.assert_right(response, images, WANT_CLASS)
        else:
            assert response == failure(1, REASON_WEIGHTS)

    bench.run(scenario)


@pytest.mark.parametrize("store", ["bram", "lut"])
def test_identity_in_a_rom(store):
    bench = Bench(seed=7, settings={"identity_store": store})

    async def scenario(ctx):
        await bench.send(ctx, messages.identify(sequence=1).encode())
        assert (await bench.receive(ctx)).payload == bench.payload()

    bench.run(scenario)


@pytest.mark.parametrize(
    "sizes, sentence",
    [
        ({"pixels": 0}, "pixels must be in 1"),
        ({"lanes": 256}, "lanes must be in 1 ... 255, not 256"),
        ({"outputs": 1 << 16}, "outputs must be in"),
        ({"score_width": 33}, "score_width must be in 1 ... 32"),
        ({"pixel_bits": 9}, "pixel_bits must be in 1 ... 8"),
        ({"levels": (3, 2)}, "levels must be at most 15 rising"),
        ({"levels": (0, 2)}, "levels must be at most 15 rising"),
        ({"levels": (2, 256)}, "levels must be at most 15 rising"),
        ({"levels": (1, 2), "pixel_bits": 1}, "levels must be at most 1 rising"),
        ({"store": "tape"}, "store must be one of"),
        ({"pixels": 97}, "must hold an image of 97 bytes, but has 128"),
    ],
)
def test_parameters_are_checked(sizes, sentence):
    with pytest.raises(ValueError, match=sentence):
        Parameters(**{"pixels": 5, "lanes": 1, "outputs": 3, "score_width": 9, "depth": 128} | sizes)
    Parameters(pixels=96, lanes=1, outputs=3, score_width=9, depth=128)


def test_the_identity_of_loaded_weights_is_not_in_a_rom():
    with pytest.raises(ValueError, match="cannot be in a ROM"):
        Bench(seed=0, settings={"loads": True, "identity_store": "bram"})
    with pytest.raises(ValueError, match="digest must be 8 bytes"):
        HostLink(Parameters(pixels=5, lanes=1, outputs=3, score_width=9), digest=b"", byte_cycles=40)
