"""Shells: words of a bus into a core, images of every length, results that belong to the right images."""

import random

import numpy as np
import pytest
from streams import transfer

from sbgen.compiler import cycles, reference
from sbgen.compiler.lower import lower
from sbgen.compiler.pixel_codes import pixel_codes
from sbgen.compiler.random_network import random_design, random_images
from sbgen.handover.vectors import image_words, result_words
from sbgen.hw.shells.engine import Engine
from sbgen.hw.shells.parameters import PIXEL_BITS, Parameters
from sbgen.hw.shells.result_words import ResultWords

#: Seeds of random designs that are small: a few hundred cycles per image.
SEEDS = (8, 10)


def shell(seed, *, width, packed=False):
    design = random_design(seed)
    codes = pixel_codes(design.network, patchable=False)
    settings = (
        {"pixel_bits": next(bits for bits in PIXEL_BITS if bits >= codes.bits), "levels": codes.levels}
        if packed and codes.levels
        else {}
    )
    return design, Parameters(width=width, in_flight=3, **settings)


def sent(images, parameters, rng):
    """Words with marks, wrong lengths at random between the images; and how many of those."""
    last, words, wrong = 1 << parameters.width, [], 0
    for n, image in enumerate(images):
        right = image_words(image.reshape(-1), parameters)
        assert len(right) > 2
        lengths = (1, len(right) + 1, rng.randrange(1, len(right)), rng.randrange(len(right) + 1, 99))
        for length in lengths[n % 4 : n % 4 + rng.randrange(1, 3)]:
            damaged = [rng.getrandbits(parameters.width) for _ in range(length)]
            words += [*damaged[:-1], damaged[-1] | last]
            wrong += 1
        words += [*right[:-1], right[-1] | last]
    return words, wrong


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("stalls", [False, True])
def test_an_image_of_the_wrong_length_harms_no_other(seed, stalls):
    design, parameters = shell(seed, width=8, packed=False)
    rng = random.Random(seed)
    images = random_images(seed, design.network, 4)
    core = lower(design)
    scores, _ = reference.evaluate(design.network, images)
    words, wrong = sent(images, parameters, rng)
    print(f"seed {seed}, {wrong} wrong lengths")
    engine = Engine(core=core, parameters=parameters)
    longest = cycles.predict(design).latency + 200
    taken = transfer(
        engine,
        words,
        scores.size,
        seed=seed if stalls else None,
        deadline=(len(images) + wrong) * longest * (6 if stalls else 1) + 10 * len(words) + 1000,
    )
    mask = (1 << core.score_width) - 1
    assert [beat & mask for _, beat in taken] == [int(score) & mask for score in scores.ravel()]


@pytest.mark.parametrize("seed", SEEDS)
def test_results_as_words(seed):
    design, _ = shell(seed, width=32)
    core = lower(design)
    rng = np.random.default_rng(seed)
    rows = rng.integers(-3, 4, (4, core.outputs))
    beats = []
    for row in rows:
        (*answers,) = result_words(row, core, max(32, core.outputs))[core.outputs :]
        label = sum(answer << n * core.label_width for n, answer in enumerate(answers))
        for n, score in enumerate(row):
            end = n == core.outputs - 1
            above = label | end << core.label_width * len(answers) if end else 0
            beats.append(int(score) & ((1 << core.score_width) - 1) | above << core.score_width)
    expected = [word for row in rows for word in result_words(row, core, 32)]
    ends = len(expected) // len(rows)
    taken = [word for _, word in transfer(ResultWords(core=core, width=32), beats, len(expected), seed=seed)]
    assert [word & 0xFFFFFFFF for word in taken] == expected
    assert [word >> 32 for word in taken] == [int(n % ends == ends - 1) for n in range(len(taken))]


def test_a_shell_too_narrow_for_a_score():
    design, _ = shell(SEEDS[0], width=8)
    core = lower(design)
    with pytest.raises(ValueError, match="the bits of a score and of a class, not 1"):
        ResultWords(core=core, width=1)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"width": 12}, "multiple of 8"),
        ({"width": 0}, "multiple of 8"),
        ({"width": 8, "pixel_bits": 3}, "one of"),
        ({"width": 8, "pixel_bits": 1}, "0 levels"),
        ({"width": 8, "pixel_bits": 1, "levels": (3, 9)}, "2 levels must have 3 codes"),
        ({"width": 8, "in_flight": 1}, "at least 2"),
    ],
)
def test_parameters_out_of_range(settings, says):
    with pytest.raises(ValueError, match=says):
        Parameters(**settings)
