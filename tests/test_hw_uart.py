# amaranth: UnusedElaboratable=no
import random
import unittest

from amaranth.hdl import Module
from amaranth.sim import Simulator

from sbgen.hw import uart

DIVISORS = uart.MINIMUM_DIVISOR, 5, 12, 48


def simulate(component, *testbenches, deadline):
    """Run testbenches to the end of the first; the others go on in the background. Nothing outlives
    `deadline` cycles.
    """
    done = []

    async def first(ctx):
        await testbenches[0](ctx)
        done.append(True)

    async def watch(ctx):
        await ctx.delay(deadline * 1e-6)
        raise TimeoutError(f"not done after {deadline} cycles")

    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    simulator.add_testbench(first)
    for testbench in [*testbenches[1:], watch]:
        simulator.add_testbench(testbench, background=True)
    simulator.run()
    assert done


async def send_levels(ctx, line, levels):
    """Drive (level, cycles) pairs."""
    for level, cycles in levels:
        ctx.set(line, level)
        await ctx.tick().repeat(cycles)


def levels(byte, divisor, *, stop=1):
    return [(level, divisor) for level in (0, *((byte >> n) & 1 for n in range(8)), stop)]


async def receive_line(ctx, line, divisor, count):
    """An independent receiver: waits for the falling edge and samples the middle of each bit."""
    received = []
    while len(received) < count:
        while ctx.get(line):
            await ctx.tick()
        await ctx.tick().repeat(divisor // 2)
        bits = []
        for _ in range(9):
            bits.append(ctx.get(line))
            await ctx.tick().repeat(divisor)
        assert bits[0] == 0
        assert ctx.get(line) == 1, "no stop bit"
        received.append(sum(bit << n for n, bit in enumerate(bits[1:])))
    return received


class DivisorTestCase(unittest.TestCase):
    def test_rounds_to_the_nearest(self):
        self.assertEqual(uart.divisor(clock_hz=48e6, baud=1_000_000), 48)
        self.assertEqual(uart.divisor(clock_hz=12e6, baud=115200), 104)

    def test_error_is_of_the_real_rate(self):
        self.assertEqual(uart.baud_error(clock_hz=48e6, baud=1_000_000), 0)
        self.assertAlmostEqual(uart.baud_error(clock_hz=10e6, baud=4_000_000), 10 / 3 / 4 - 1)

    def test_too_small_is_refused(self):
        for component in uart.Rx, uart.Tx:
            with self.assertRaisesRegex(ValueError, "at least 4 clock cycles per bit, not 3"):
                component(divisor=3)


class RxTestCase(unittest.TestCase):
    def check(self, divisor, drive, expected, *, cycles, ready=lambda: True):
        dut = uart.Rx(divisor=divisor)
        received = []

        async def line(ctx):
            await send_levels(ctx, dut.rx, [(1, 5), *drive, (1, 3 * divisor)])

        async def sink(ctx):
            while True:
                ctx.set(dut.o.ready, ready())
                _, _, valid, was_ready, payload = await ctx.tick().sample(
                    dut.o.valid, dut.o.ready, dut.o.payload
                )
                if valid and was_ready:
                    received.append(payload)

        simulate(dut, line, sink, deadline=cycles + 20 * divisor)
        self.assertEqual(received, expected)

    def test_every_divisor_back_to_back(self):
        for divisor in DIVISORS:
            data = [0x00, 0xFF, 0x55, 0xAA, *random.Random(divisor).randbytes(20)]
            with self.subTest(divisor=divisor, data=data):
                drive = [level for byte in data for level in levels(byte, divisor)]
                self.check(divisor, drive, data, cycles=len(data) * 10 * divisor + 10)

    def test_rate_off_by_four_percent(self):
        data = list(random.Random(1).randbytes(20))
        for cycles in 48, 52:
            with self.subTest(cycles=cycles):
                drive = [level for byte in data for level in levels(byte, cycles)]
                self.check(50, drive, data, cycles=len(data) * 520)

    def test_spike_is_no_byte(self):
        self.check(12, [(0, 3), (1, 40), *levels(0x5A, 12)], [0x5A], cycles=300)

    def test_framing_error_drops_the_byte(self):
        self.check(12, [*levels(0x12, 12, stop=0), (1, 30), *levels(0x34, 12)], [0x34], cycles=400)

    def test_break_gives_no_byte(self):
        self.check(12, [(0, 500), (1, 20), *levels(0x34, 12)], [0x34], cycles=800)

    def test_stalled_sink_keeps_the_first_byte(self):
        taken = iter([False] * 400)
        drive = [level for byte in (1, 2, 3) for level in levels(byte, 12)]
        self.check(
            12, [*drive, (1, 400), *levels(4, 12)], [1, 4], cycles=1200, ready=lambda: next(taken, True)
        )


class TxTestCase(unittest.TestCase):
    def test_random_pauses(self):
        for divisor in DIVISORS:
            rng = random.Random(divisor)
            data = [0x00, 0xFF, 0x55, *rng.randbytes(20)]
            pauses = [rng.choice((0, 0, 0, 1, 5, 11 * divisor)) for _ in data]
            with self.subTest(divisor=divisor, data=data, pauses=pauses):
                dut = uart.Tx(divisor=divisor)
                received = []

                async def line(ctx, dut=dut, divisor=divisor, data=data, received=received):
                    received.extend(await receive_line(ctx, dut.tx, divisor, len(data)))

                async def source(ctx, dut=dut, data=data, pauses=pauses):
                    for byte, pause in zip(data, pauses, strict=True):
                        await ctx.tick().repeat(pause) if pause else None
                        ctx.set(dut.i.payload, byte)
                        ctx.set(dut.i.valid, 1)
                        await ctx.tick().until(dut.i.ready)
                        ctx.set(dut.i.valid, 0)

                simulate(dut, line, source, deadline=sum(pauses) + (len(data) + 2) * 11 * divisor)
                self.assertEqual(received, data)

    def test_ten_bits_and_a_cycle_a_byte_when_back_to_back(self):
        dut = uart.Tx(divisor=5)

        async def source(ctx):
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
            for _ in range(3):
                taken = 0
                while True:
                    _, _, ready = await ctx.tick().sample(dut.i.ready)
                    taken += 1
                    if ready:
                        break
                self.assertEqual(taken, 51)

        simulate(dut, source, deadline=300)


class LoopTestCase(unittest.TestCase):
    def test_rx_hears_tx(self):
        m = Module()
        m.submodules.rx = rx = uart.Rx(divisor=7)
        m.submodules.tx = tx = uart.Tx(divisor=7)
        m.d.comb += rx.rx.eq(tx.tx)
        data = list(random.Random(3).randbytes(30))
        received = []

        async def source(ctx):
            for byte in data:
                ctx.set(tx.i.payload, byte)
                ctx.set(tx.i.valid, 1)
                await ctx.tick().until(tx.i.ready)
            ctx.set(tx.i.valid, 0)

        async def sink(ctx):
            ctx.set(rx.o.ready, 1)
            for _ in data:
                received.append(await ctx.tick().sample(rx.o.payload).until(rx.o.valid))

        simulate(m, sink, source, deadline=72 * (len(data) + 1))
        self.assertEqual([payload for (payload,) in received], data)
