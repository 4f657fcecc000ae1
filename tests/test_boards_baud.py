"""The baud rate that a board's clock and its USB converter both can make."""

import random
from dataclasses import replace

import pytest

from sbgen import boards
from sbgen.boards import baud
from sbgen.boards.catalog import BOARDS
from sbgen.errors import BoardError

ICEBREAKER = boards.get("icebreaker")
NO_CHIP = replace(ICEBREAKER, usb_chip=None)


@pytest.mark.parametrize(
    "board, clock_mhz, expected",
    [
        ("icebreaker", 48, (12_000_000, 4)),
        ("icebreaker", 60, (12_000_000, 5)),
        ("icebreaker", 45, (5_647_059, 8)),  # 12 MHz over 2.125
        ("icebreaker", 12, (3_000_000, 4)),
        ("ice40_hx8k_b_evn", 120, (12_000_000, 10)),
        ("ulx3s_85f", 75, (3_000_000, 25)),
        ("ulx3s_85f", 25, (1_500_000, 17)),
    ],
)
def test_the_fastest_rate_is_the_default(board, clock_mhz, expected):
    assert baud.choose(boards.get(board), clock_mhz=clock_mhz) == expected


@pytest.mark.parametrize("name", BOARDS)
def test_no_faster_rate_is_possible(name):
    """Against a search of all rates of the converter."""
    board, rng = boards.get(name), random.Random(name)
    chip = board.usb_chip
    if chip is None:
        pytest.skip("its converter is not known")
    rates = {chip.nearest(chip.max_baud / divisor * step) for divisor in range(1, 60) for step in (0.97, 1)}
    for _ in range(20):
        clock_mhz = rng.uniform(10, 200)
        rate, divisor = baud.choose(board, clock_mhz=clock_mhz)
        made = clock_mhz * 1e6 / divisor
        assert divisor >= 4 and abs(made / rate - 1) <= 0.02001
        for faster in rates:
            if faster > 1.01 * rate:
                nearest = max(4, round(clock_mhz * 1e6 / faster))
                assert abs(clock_mhz * 1e6 / nearest / faster - 1) > 0.0199, (clock_mhz, rate, faster)


def test_rates_are_taken_up_to_two_per_cent_off():
    rng, taken = random.Random(1), []
    for _ in range(200):
        rate = rng.randrange(300_000, 4_000_000)
        divisor = max(1, int(12e6 / rate + 0.5))
        fits = abs(12e6 / divisor / rate - 1) <= 0.02 and divisor >= 4
        try:
            assert baud.choose(NO_CHIP, clock_mhz=12, baud=rate) == (rate, divisor)
        except BoardError:
            assert not fits, rate
        else:
            assert fits, rate
        taken.append(fits)
    assert 20 < sum(taken) < 180


def test_a_rate_just_at_the_limit_is_taken(monkeypatch):
    monkeypatch.setattr(baud, "TOLERANCE", 0)
    baud.choose(NO_CHIP, clock_mhz=12, baud=1_000_000)
    with pytest.raises(BoardError, match="1,010,000 is off by -1.0% at 12"):
        baud.choose(NO_CHIP, clock_mhz=12, baud=1_010_000)


def test_a_rate_that_the_clock_cannot_make():
    with pytest.raises(BoardError, match="9,000,000 is off by .33.3% at 1"):
        baud.choose(NO_CHIP, clock_mhz=12, baud=9_000_000)
    with pytest.raises(BoardError, match="at least 4 cycles per bit, but 4,000,000 is off by"):
        baud.choose(ICEBREAKER, clock_mhz=12, baud=4_000_000)


def test_a_rate_that_the_converter_cannot_make():
    with pytest.raises(BoardError, match="at most 12,000,000, the fastest of the board's FT2232H"):
        baud.choose(ICEBREAKER, clock_mhz=120, baud=15_000_000)
    with pytest.raises(BoardError, match="the nearest to 10,000,001 is 12,000,000; choose that"):
        baud.choose(ICEBREAKER, clock_mhz=120, baud=10_000_001)


def test_a_board_whose_converter_is_not_known_has_its_own_rate():
    assert baud.choose(NO_CHIP, clock_mhz=48) == (1_000_000, 48)
