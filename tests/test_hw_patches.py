import random

import pytest
from amaranth.hdl import unsigned
from amaranth.lib.data import ArrayLayout
from streams import transfer, unpack

from sbgen.hw import patches

PIXEL = ArrayLayout(unsigned(2), 3)
SHAPES = [  # width, kernel, stride, padding, at_once
    (6, (3, 3), 1, (0, 0), 1),
    (6, (3, 3), 1, (1, 1), 1),
    (6, (3, 3), 1, (1, 1), 2),
    (7, (2, 3), 2, (2, 1), 2),
    (5, (1, 4), 1, (0, 0), 2),
    (9, (2, 2), 3, (0, 0), 2),
    (5, (3, 1), 2, (0, 0), 3),
    (1, (3, 1), 1, (0, 0), 1),
    (2, (2, 3), 1, (2, 2), 3),
    (8, (1, 8), 1, (0, 0), 1),
]


def expected(part, row):
    """The pixels under each position, element by element those of all at once; None past the row."""
    beats = []
    for step in range(part.steps):
        elements = []
        for kernel_row in range(part.kernel[0]):
            for kernel_column in range(part.kernel[1]):
                for channel in range(part.pixel.length):
                    for n in range(part.at_once):
                        position = step * part.at_once + n
                        at = position * part.stride - part.padding[0] + kernel_column
                        word = row[at][kernel_row] if 0 <= at < part.width else part.padding_word
                        past = position >= part.out_width
                        elements.append(None if past else unpack(word, 2, 3)[channel])
        beats.append(elements)
    return beats


@pytest.mark.parametrize("width, kernel, stride, padding, at_once", SHAPES)
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_pixels_under_the_kernel(width, kernel, stride, padding, at_once, seed):
    rng = random.Random(seed)
    part = patches.Parameters(
        pixel=PIXEL,
        width=width,
        kernel=kernel,
        stride=stride,
        padding=padding,
        padding_word=0b100111,
        at_once=at_once,
    )
    rows = [[[rng.getrandbits(6) for _ in range(kernel[0])] for _ in range(width)] for _ in range(4)]
    words = [word for row in rows for column in row for word in column]
    wanted = [beat for row in rows for beat in expected(part, row)]
    taken = transfer(part.create(), words, len(wanted), seed=seed)
    for (_, word), beat in zip(taken, wanted, strict=True):
        found = unpack(word, 2, len(beat))
        assert [None if want is None else value for value, want in zip(found, beat, strict=True)] == beat


def test_a_pixel_is_taken_in_each_cycle():
    part = patches.Parameters(pixel=PIXEL, width=6, kernel=(2, 3))
    words = list(range(12)) * 3
    cycles = [cycle for cycle, _ in transfer(part.create(), words, 12)]
    assert cycles == [row * 12 + 6 + 2 * n for row in range(3) for n in range(4)]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"width": 0}, "width must be at least 1, not 0"),
        ({"padding": (3, 0)}, r"padding must be in 0 ... 2, not \(3, 0\)"),
        ({"width": 2}, "the kernel of 3 columns must fit the padded image of 2"),
        ({"at_once": 3}, "at_once must be in 1 ... 2, not 3"),
    ],
)
def test_parameters_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        patches.Parameters(**{"pixel": PIXEL, "width": 4, "kernel": (3, 3), **options})
