"""Power as a range: what it is made of, and what makes it smaller."""

from dataclasses import asdict, replace

import pytest

from sbgen import boards
from sbgen.boards import board_top, power
from sbgen.boards.harness import clock_and_pll
from sbgen.boards.ice40.power import CURRENTS
from sbgen.errors import BoardError

UP5K = CURRENTS["up5k"]


def test_currents_are_those_that_were_measured():
    """Lattice's breakout board, 12 MHz from outside: 32 and 228 cells of counters, in microampere."""
    for cells, measured in ((32, 613.5), (228, 641.3)):
        least, most = UP5K.running_ua(12, {"lut": cells, "bram": 0, "spram": 0}, pll=False)
        assert least <= measured * 1.02 and measured <= most
    # Without a clock, and with a PLL that makes 48 MHz for a counter.
    least, _ = UP5K.running_ua(0, {"lut": 28, "bram": 0, "spram": 0}, pll=False)
    assert least == pytest.approx(92.1)
    least, most = UP5K.running_ua(48, {"lut": 28, "bram": 0, "spram": 0}, pll=True)
    assert least <= (2573 + 104) * 1.02 and most >= 2573


def test_a_clock_that_stops():
    used = {"lut": 2000, "bram": 20, "spram": 1}

    def at(rate, awake_cycles):
        return power.power(
            UP5K, clock_mhz=12, used=used, pll=False, images_per_second=rate, awake_cycles=awake_cycles
        )

    runs, sleeps = at(30, None), at(30, 6000)
    assert runs.stopped_mw is None and runs.average_mw == runs.running_mw == sleeps.running_mw
    for least_or_most in range(2):
        stopped, average, running = (
            getattr(sleeps, name)[least_or_most] for name in ("stopped_mw", "average_mw", "running_mw")
        )
        share = 30 * 6000 / 12e6
        assert average == pytest.approx(stopped + share * (running - stopped))
        assert sleeps.image_uj[least_or_most] == pytest.approx(average / 30 * 1e3)
    # Images that come faster than the board is done keep the clock running, and no more than that.
    assert at(1e6, 6000).average_mw == pytest.approx(runs.running_mw)
    assert "stopped" in power.words(asdict(sleeps)) and "stopped" not in power.words(asdict(runs))


@pytest.mark.parametrize(
    ("board", "clock", "what"),
    [
        ("icebreaker", 48, "the oscillator's 12 MHz, but 48 MHz needs the PLL, which would keep running"),
        ("upduino_v3", None, "comes from one in the FPGA, which would keep running; leave out --sleep"),
        ("ulx3s_85f", 25, "a gate before its network, but sbgen has none for ecp5-85f; leave out --sleep"),
        ("arty_a7", None, "sbgen has none for xc7a35t"),
    ],
)
def test_clocks_that_cannot_stop(board, clock, what):
    with pytest.raises(BoardError) as error:
        board_top.require_sleep(boards.get(board), clock)
    assert what in str(error.value)


def test_usb_needs_its_clock():
    board = replace(boards.get("tinyfpga_bx"), usb_link=True)
    with pytest.raises(BoardError, match="must not be that of a USB device"):
        board_top.require_sleep(board, board.oscillator_mhz)


def test_clocks_that_can_stop():
    for name in ("icebreaker", "icestick", "tinyfpga_bx"):
        board = boards.get(name)
        board_top.require_sleep(board, board.oscillator_mhz)
        assert clock_and_pll(board, board.oscillator_mhz)[1] is None
