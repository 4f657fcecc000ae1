import random

import pytest
from streams import elements, pack, transfer

from sbgen.hw.scale import Parameters

# maximum count, scales, offsets
CASES = [
    (1, (1,), (0,)),
    (64, (3, 1, 2), (-5, 0, 7)),
    (63, (0, -4, 255, 1), (1, -1, 0, 1000)),
    (4095, (4095, -4095, 2048), (-(2**20), 2**20, 0)),
    (9, (-1, -1), (-8, -8)),
    (5, (0, 0), (0, 0)),
    (5, (-8, 7, -1), (0, 3, -3)),
]


def run(parameters, images, **options):
    words = transfer(
        parameters.create(),
        [pack([count], parameters.count_width) for image in images for count in image],
        len(images) * parameters.classes,
        **options,
    )
    scores, _ = elements(
        [word for _, word in words], 1, parameters.score_width, parameters.classes, signed=True
    )
    return scores, [cycle for cycle, _ in words]


@pytest.mark.parametrize("store", ["bram", "lut"])
@pytest.mark.parametrize("seed", [None, 1])
@pytest.mark.parametrize("maximum, scales, offsets", CASES)
def test_scale_and_offset_of_each_class(maximum, scales, offsets, seed, store):
    rng = random.Random(maximum)
    parameters = Parameters(maximum=maximum, scales=scales, offsets=offsets, store=store)
    images = [[rng.randint(0, maximum) for _ in scales] for _ in range(20)] + [
        [0] * len(scales),
        [maximum] * len(scales),
    ]
    scores, cycles = run(parameters, images, seed=seed)
    assert (
        scores
        == [
            [scale * count + offset for scale, offset, count in zip(scales, offsets, image, strict=True)]
            for image in images
        ]
        == [parameters.compute(image) for image in images]
    )
    if seed is None:
        assert cycles == [parameters.cycles * (n + 1) for n in range(len(cycles))]


def test_width_is_what_the_ends_need():
    assert Parameters(maximum=3, scales=(5,), offsets=(0,)).score_width == 5  # 0 ... 15
    assert Parameters(maximum=3, scales=(5,), offsets=(1,)).score_width == 6  # 1 ... 16
    assert Parameters(maximum=3, scales=(-5,), offsets=(-1,)).score_width == 5  # -16 ... -1


def test_reset_starts_from_the_first_class():
    parameters = Parameters(maximum=7, scales=(1, 2, 3), offsets=(0, 0, 0))
    images = [[1, 2, 3], [7, 0, 5]]
    assert run(parameters, images, seed=2, reset_after=2)[0] == [
        parameters.compute(image) for image in images
    ]


@pytest.mark.parametrize(
    "change, what",
    [
        ({"maximum": 0}, "maximum must be at least 1, not 0"),
        ({"offsets": (1, 2)}, "each class must have a scale and an offset, not 1 and 2"),
        ({"store": "spram"}, "store must be one of bram, lut, not 'spram'"),
    ],
)
def test_parameters_that_cannot_be(change, what):
    with pytest.raises(ValueError, match=what):
        Parameters(**{"maximum": 3, "scales": (1,), "offsets": (0,), **change})
