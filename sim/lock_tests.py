"""The PLL loses its lock in the middle of an image, and runs too fast until it locks again."""

import cocotb
from board_tests import CLOCK_PS, EXPECTED, IMAGES, TEST, begin, classify
from cocotb.clock import Clock
from cocotb.triggers import Timer

from sbgen.boards import messages


@cocotb.test(**TEST)
async def an_image_after_the_lock_was_lost_in_one(dut):
    host = await begin(dut)
    await host.check_classify(0, sequence=1)
    line = classify(0, sequence=2).encode()
    await host.send(line[: len(line) // 2])
    dut.pll.lost.value = 1
    host.clock.stop()
    fast = Clock(dut.clk, CLOCK_PS // 4 * 2, unit="ps")
    fast.start()
    await Timer(60 * CLOCK_PS, unit="ps")
    fast.stop()
    host.clock.start()
    dut.pll.lost.value = 0
    await Timer((EXPECTED["reset_cycles"] + 20) * CLOCK_PS, unit="ps")
    assert dut.tx.value == 1 and not host.frames, "the line must be idle after reset"
    # Nothing of the first half is left, so the second is noise.
    await host.send(line[len(line) // 2 :])
    response = await host.response()
    assert response.is_failure, response
    for n in range(len(IMAGES)):
        await host.check_classify(n, sequence=3 + n)


@cocotb.test(**TEST)
async def reset_lasts_until_the_lock_is_back(dut):
    host = await begin(dut)
    dut.pll.lost.value = 1
    await Timer(30 * CLOCK_PS, unit="ps")
    await host.send(messages.identify(sequence=1).encode())
    await Timer(2 * EXPECTED["reset_cycles"] * CLOCK_PS, unit="ps")
    assert not host.frames, "a board in reset must be silent"
    dut.pll.lost.value = 0
    await Timer((EXPECTED["reset_cycles"] + 20) * CLOCK_PS, unit="ps")
    await host.check_identify(2)
