"""`sbgen.compiler.constants`."""

import random

import pytest

from sbgen.compiler.constants import number


@pytest.mark.parametrize("width", [1, 31, 32, 33, *random.Random(1).sample(range(2, 300), 12)])
def test_a_number_is_read_in_every_base(width):
    for value in 0, (1 << width) - 1, random.Random(width).getrandbits(width):
        assert [
            number(text)
            for text in (
                f"{width}'h{value:x}",
                f"{width}'d{value}",
                f"{width}'b{value:b}",
                f"{width}'o{value:o}",
                f"{width}'h{value:080x}",
                f"{width}'sh{value:x}",
            )
        ] == [value] * 6
        if value:
            assert number(f"-{width}'sd{(1 << width) - value}") == value


@pytest.mark.parametrize("text", ["4'hx", "32'bxxxx0000", "4'b2", "4'd1a", "3'h8"])
def test_digits_that_are_no_number(text):
    with pytest.raises(ValueError, match="must be"):
        number(text)


@pytest.mark.parametrize("text", ["", "5", "x", "{ 4'h1, 4'h2 }", "wire", "'h5"])
def test_what_is_no_sized_constant(text):
    with pytest.raises(ValueError, match="must be a constant"):
        number(text)
