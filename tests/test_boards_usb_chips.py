import pytest

from sbgen import boards
from sbgen.boards.usb_chips import FT231X, FT2232H
from sbgen.errors import BoardError


@pytest.mark.parametrize(
    ("chip", "baud", "real"),
    [
        (FT2232H, 12e6, 12e6),
        (FT2232H, 9.5e6, 8e6),  # none between 12 MHz over 1 and over 1.5
        (FT2232H, 8e6, 8e6),
        (FT2232H, 6.5e6, 6e6),
        (FT2232H, 5.6e6, 12e6 / 2.125),
        (FT2232H, 1e6, 1e6),
        (FT2232H, 115_200, 12e6 / 104.125),
        (FT231X, 3e6, 3e6),
        (FT231X, 115_200, 3e6 / 26),
    ],
)
def test_rates_that_a_converter_makes(chip, baud, real):
    assert chip.nearest(baud) == pytest.approx(real, rel=1e-12)


def test_rates_a_converter_cannot_make():
    with pytest.raises(
        BoardError, match="at most 3,000,000, the fastest of the board's FT231X, but it is 12"
    ):
        FT231X.nearest(12e6)
    with pytest.raises(BoardError):
        FT231X.nearest(0)


@pytest.mark.parametrize("board", boards.BOARDS.values(), ids=boards.BOARDS)
def test_boards_have_a_baud_rate_of_their_converter(board):
    if board.usb_chip is not None:
        assert board.usb_chip.nearest(board.baud) == pytest.approx(board.baud, rel=0.01)
