"""Images and expected results as words of a shell's bus."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..compiler import reference
from ..compiler.ir import Network
from ..hw.core import Core
from ..hw.shells.parameters import Parameters
from ..hw.shells.result_words import answer_words

__all__ = ["Vectors", "image_words", "result_words", "vectors"]


@dataclass(frozen=True, kw_only=True)
class Vectors:
    """What a bench sends and expects.

    Parameters
    ----------
    images : int
        Images of the right length.
    wrong : int
        Images of a wrong length between them.
    sent : tuple of int
        Words; the bit above a word marks the last of an image, the next one an image of a wrong length.
    expected : tuple of int
        Words of the results.
    """

    images: int
    wrong: int
    sent: tuple[int, ...]
    expected: tuple[int, ...]


def image_words(image: np.ndarray, parameters: Parameters) -> list[int]:
    """An image as words, the first pixel lowest.

    Parameters
    ----------
    image : uint8 array, shape (pixels,)
    parameters : Parameters
    """
    codes = np.searchsorted(parameters.levels, image, side="right") if parameters.levels else image
    step, bits = parameters.word_pixels, parameters.pixel_bits
    return [
        sum(int(code) << bits * n for n, code in enumerate(codes[at : at + step]))
        for at in range(0, len(codes), step)
    ]


def result_words(scores: np.ndarray, core: Core, width: int) -> list[int]:
    """The words of an image's results: scores, then classes or bits.

    Parameters
    ----------
    scores : int array, shape (outputs,)
    """
    mask = (1 << width) - 1
    if core.signs:
        bits = sum(1 << n for n, score in enumerate(scores) if score >= 0)
        answers = [bits >> n * width & mask for n in range(answer_words(core, width))]
    else:
        answers = [int(n) for n in reference.ranked(scores[None], core.top_k)[0]]
    return [*(int(score) & mask for score in _reported(scores, core)), *answers]


def _reported(scores: np.ndarray, core: Core) -> np.ndarray:
    """The scores that the core outputs: all of them, or the maximum."""
    return reference.results(scores[None], core.outputs)[0]


def _bare_words(scores: np.ndarray, core: Core) -> Iterator[int]:
    """The results as the core outputs them: score, then label and runners-up with the last, and its mark."""
    answers = result_words(scores, core, max(core.outputs, 32))[core.outputs :]
    labels = sum(answer << n * core.label_width for n, answer in enumerate(answers))
    reported = _reported(scores, core)
    for n, score in enumerate(reported):
        last = n == len(reported) - 1
        above = labels | 1 << len(answers) * core.label_width if last else 0
        yield int(score) & ((1 << core.score_width) - 1) | above << core.score_width


def vectors(
    network: Network, images: np.ndarray, core: Core, parameters: Parameters, *, marked: bool
) -> Vectors:
    """The words of images; where the last is `marked`, some of a wrong length are among them.

    Parameters
    ----------
    images : uint8 array, shape (N, *image_shape)
    """
    scores, _ = reference.evaluate(network, images)
    last, wrong = 1 << parameters.width, 2 << parameters.width
    sent: list[int] = []
    expected: list[int] = []
    count = 0
    for n, (image, row) in enumerate(zip(images.reshape(len(images), -1), scores, strict=True)):
        words = image_words(image, parameters)
        damaged = [*words, words[0]] if n % 4 == 2 else words[:-1] if n % 4 == 1 else []
        if marked and damaged:
            sent += [*damaged[:-1], damaged[-1] | last | wrong]
            count += 1
        sent += [*words[:-1], words[-1] | last]
        expected += result_words(row, core, parameters.width) if marked else _bare_words(row, core)
        if marked:
            expected[-1] |= last
    return Vectors(images=len(images), wrong=count, sent=tuple(sent), expected=tuple(expected))
