import random

import pytest
from streams import pack, transfer

from sbgen.hw import sums
from sbgen.hw.window import Geometry

GEOMETRIES = {
    "whole image": Geometry(height=4, width=3, slices=2, kernel=(4, 3), stride=(4, 3)),
    "whole image of one word a pixel": Geometry(height=3, width=5, slices=1, kernel=(3, 5), stride=(3, 5)),
    "two by two": Geometry(height=4, width=6, slices=1, kernel=(2, 2), stride=(2, 2)),
    "words of a pixel": Geometry(height=6, width=4, slices=3, kernel=(3, 2), stride=(3, 2)),
    "pixels left over": Geometry(height=5, width=8, slices=1, kernel=(2, 3), stride=(2, 3)),
    "stride over the kernel": Geometry(height=7, width=8, slices=2, kernel=(2, 1), stride=(3, 3)),
    "gaps between words": Geometry(height=3, width=9, slices=1, kernel=(1, 2), stride=(2, 4)),
    "columns": Geometry(height=6, width=3, slices=1, kernel=(3, 1), stride=(3, 1)),
    "one column": Geometry(height=6, width=1, slices=1, kernel=(2, 1), stride=(2, 1)),
    "one row": Geometry(height=1, width=9, slices=1, kernel=(1, 9), stride=(1, 9)),
    "one by one": Geometry(height=2, width=3, slices=2, kernel=(1, 1), stride=(1, 1)),
    "one pixel": Geometry(height=1, width=1, slices=1, kernel=(1, 1), stride=(1, 1)),
}
LANES = 3


def run(geometry, *, images=3, store="bram", maximum=1, **options):
    rng, width = random.Random(5), maximum.bit_length()
    words = [
        [pack([rng.randint(0, maximum) for _ in range(LANES)], width) for _ in range(geometry.words_in)]
        for _ in range(images)
    ]
    words[0] = [pack([maximum] * LANES, width)] * geometry.words_in  # the maximum sums
    dut = sums.Parameters(lanes=LANES, geometry=geometry, store=store, maximum=maximum).create()
    expected = []
    for image in words:
        for row in range(geometry.out_height):
            for column in range(geometry.out_width):
                for word in range(geometry.slices):
                    under = [
                        image[
                            (
                                (row * geometry.stride[0] + r) * geometry.width
                                + column * geometry.stride[1]
                                + c
                            )
                            * geometry.slices
                            + word
                        ]
                        for r in range(geometry.kernel[0])
                        for c in range(geometry.kernel[1])
                    ]
                    expected.append(
                        pack(
                            [
                                sum(each >> lane * width & (1 << width) - 1 for each in under)
                                for lane in range(LANES)
                            ],
                            dut.parameters.width,
                        )
                    )
    given = [word for image in words for word in image]
    return transfer(dut, given, len(expected), **options), expected


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize("store", ["bram", "lut"])
def test_sums_under_the_window(name, seed, store):
    taken, expected = run(GEOMETRIES[name], seed=seed, store=store)
    assert [word for _, word in taken] == expected


@pytest.mark.parametrize("name", ["whole image", "two by two", "gaps between words", "one pixel"])
@pytest.mark.parametrize("maximum", [2, 7, 20])
def test_sums_of_integers(name, maximum):
    taken, expected = run(GEOMETRIES[name], seed=maximum, maximum=maximum)
    assert [word for _, word in taken] == expected


def test_reset_in_the_middle_of_an_image():
    taken, expected = run(GEOMETRIES["pixels left over"], seed=1, reset_after=23)
    assert [word for _, word in taken] == expected


def test_a_word_each_cycle_and_two_cycles_of_latency():
    taken, _ = run(GEOMETRIES["whole image of one word a pixel"])
    assert [cycle for cycle, _ in taken] == [15 * n + 1 for n in range(1, 4)]


def test_the_sum_of_an_image_takes_the_memory_of_its_result():
    geometry = Geometry(height=7, width=7, slices=8, kernel=(7, 7), stride=(7, 7))
    assert sums.Parameters(lanes=1, geometry=geometry, store="bram").depth == 8


@pytest.mark.parametrize(
    "change, message",
    [
        ({"lanes": 0}, "lanes must be at least 1, not 0"),
        ({"maximum": 0}, "maximum must be at least 1, not 0"),
        ({"store": "sram"}, "store must be one of bram, lut, not 'sram'"),
        (
            {"geometry": Geometry(height=4, width=4, slices=1, kernel=(2, 2), stride=(2, 1))},
            r"the stride must be at least the kernel \(2, 2\), not \(2, 1\)",
        ),
        (
            {"geometry": Geometry(height=4, width=4, slices=1, kernel=(2, 2), stride=(2, 2), repeats=2)},
            "no padding, no groups and no repeats",
        ),
    ],
)
def test_illegal(change, message):
    with pytest.raises(ValueError, match=message):
        sums.Parameters(
            **{"lanes": 2, "geometry": GEOMETRIES["two by two"], "store": "bram", **change}
        ).create()
