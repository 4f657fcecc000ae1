"""A board that loads its weights from flash, through the pins of its serial line.

``SBGEN_CASES`` as in `board_tests`, and of the weights the cycles that they take, their checksum and whether
it is right.
"""

import cocotb
from board_tests import CLOCK_PS, EXPECTED, IMAGES, TEST, begin, classify
from cocotb.triggers import Timer

from sbgen.boards import messages
from sbgen.hw.flash_loader import LOADED, LOADING, WRONG

CHECKSUM, RIGHT = EXPECTED["checksum"], EXPECTED["right"]


async def weights(host, sequence):
    return messages.parse_identity(await host.ask(messages.identify(sequence=sequence))).weights


async def refused(host, sequence):
    request = classify(0, sequence=sequence)
    await host.check_failure(request.encode(), "weights not loaded")


@cocotb.test(**TEST)
async def classifies_what_it_has_loaded_and_nothing_before(dut):
    host = await begin(dut)
    assert (await weights(host, 1)).state == LOADING
    await refused(host, 2)
    await Timer(EXPECTED["load_cycles"] * CLOCK_PS, unit="ps")
    assert await weights(host, 3) == messages.Weights(state=LOADED if RIGHT else WRONG, checksum=CHECKSUM)
    for n in range(len(IMAGES)):
        await (host.check_classify(n, sequence=n) if RIGHT else refused(host, n))
