import random
import unittest

from amaranth.hdl import Module
from amaranth.lib.wiring import connect
from amaranth.sim import Simulator

from sbgen.boards.frames import Frame
from sbgen.hw import slip

SPECIAL = [slip.END, slip.ESC, slip.ESC_END, slip.ESC_ESC, 0x00, 0xFF]


def encode(frames):
    """The software truth: RFC 1055, an END behind each frame."""
    line = []
    for frame in frames:
        for byte in frame:
            line += {slip.END: [slip.ESC, slip.ESC_END], slip.ESC: [slip.ESC, slip.ESC_ESC]}.get(byte, [byte])
        line.append(slip.END)
    return line


def beats(frames):
    return [beat for frame in frames for beat in [*((byte, 0) for byte in frame), (None, 1)]]


def transfer(component, source, sink, given, count, *, seed, deadline):
    """Give payloads to `source`, take `count` from `sink`, both with random stalls."""
    rng = random.Random(seed)
    taken = []

    async def give(ctx):
        for payload in given:
            while rng.random() < 0.3:
                await ctx.tick()
            ctx.set(source.payload, payload)
            ctx.set(source.valid, 1)
            while not (await ctx.tick().sample(source.ready))[-1]:
                pass
            ctx.set(source.valid, 0)

    async def take(ctx):
        held = None
        for _ in range(deadline):
            ctx.set(sink.ready, rng.random() < 0.7)
            _, _, valid, ready, payload = await ctx.tick().sample(sink.valid, sink.ready, sink.payload)
            assert held is None or (valid and payload == held), "the payload must stay until it is taken"
            held = payload if valid and not ready else None
            if valid and ready:
                taken.append(payload)
            if len(taken) == count:
                return
        raise TimeoutError(f"only {len(taken)} of {count} after {deadline} cycles")

    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    simulator.add_testbench(take)
    simulator.add_testbench(give, background=True)
    simulator.run()
    return taken


def random_frames(seed):
    rng = random.Random(seed)
    return [[rng.choice([*SPECIAL, rng.randrange(256)]) for _ in range(rng.randrange(12))] for _ in range(20)]


class EncoderTestCase(unittest.TestCase):
    def test_every_byte(self):
        frames = [list(range(256))]
        dut = slip.Encoder()
        given = [{"data": byte or 0, "end": end} for byte, end in beats(frames)]
        self.assertEqual(
            transfer(dut, dut.i, dut.o, given, len(encode(frames)), seed=0, deadline=2000), encode(frames)
        )

    def test_random_frames(self):
        for seed in range(3):
            frames = random_frames(seed)
            with self.subTest(seed=seed):
                dut = slip.Encoder()
                # The data of an end beat are ignored, special or not.
                given = [{"data": slip.ESC if end else byte, "end": end} for byte, end in beats(frames)]
                self.assertEqual(
                    transfer(dut, dut.i, dut.o, given, len(encode(frames)), seed=seed, deadline=2000),
                    encode(frames),
                )


class DecoderTestCase(unittest.TestCase):
    def decode(self, line, expected, seed=0):
        dut = slip.Decoder()
        taken = transfer(dut, dut.i, dut.o, line, len(expected), seed=seed, deadline=3000)
        self.assertEqual([(None if beat.end else beat.data, beat.end) for beat in taken], expected)

    def test_every_byte(self):
        frames = [list(range(256))]
        self.decode(encode(frames), beats(frames))

    def test_random_frames(self):
        for seed in range(3):
            with self.subTest(seed=seed):
                frames = random_frames(seed)
                self.decode(encode(frames), beats(frames), seed)

    def test_wrong_byte_after_esc_stands_for_itself(self):
        self.decode([1, slip.ESC, 2, slip.END], [(1, 0), (2, 0), (None, 1)])

    def test_doubled_esc_is_one(self):
        self.decode(
            [slip.ESC, slip.ESC, slip.ESC_END, slip.END], [(slip.ESC, 0), (slip.ESC_END, 0), (None, 1)]
        )

    def test_end_after_esc_ends_the_frame(self):
        self.decode([1, slip.ESC, slip.END, 2, slip.END], [(1, 0), (None, 1), (2, 0), (None, 1)])

    def test_the_host_speaks_the_same(self):
        payload = bytes(SPECIAL * 3)
        line = list(Frame(command=slip.END, sequence=slip.ESC, payload=payload).encode())
        self.assertEqual(line[0], slip.END)
        dut = slip.Decoder()
        taken = transfer(dut, dut.i, dut.o, line[1:], len(payload) + 7, seed=4, deadline=1000)
        self.assertEqual(bytes(beat.data for beat in taken[:-5]), bytes([slip.END, slip.ESC]) + payload)


class LoopTestCase(unittest.TestCase):
    def test_decoder_undoes_encoder(self):
        m = Module()
        m.submodules.encoder = encoder = slip.Encoder()
        m.submodules.decoder = decoder = slip.Decoder()
        connect(m, encoder.o, decoder.i)
        frames = random_frames(9)
        given = [{"data": byte or 0, "end": end} for byte, end in beats(frames)]
        taken = transfer(m, encoder.i, decoder.o, given, len(given), seed=9, deadline=3000)
        self.assertEqual([(None if beat.end else beat.data, beat.end) for beat in taken], beats(frames))
