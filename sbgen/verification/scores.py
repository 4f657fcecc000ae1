"""Scores that must equal those of the reference."""

import numpy as np

from ..errors import SbgenError

__all__ = ["ScoreError", "require_equal"]


class ScoreError(SbgenError):
    """A score differs; `image` is the index of the first image with a wrong score."""

    def __init__(self, message: str, *, image: int) -> None:
        super().__init__(message)
        self.image = image


def require_equal(found: np.ndarray, expected: np.ndarray) -> None:
    """Raise a `ScoreError` that names the first score that differs.

    Parameters
    ----------
    found, expected : int array, shape (N, outputs)
    """
    wrong = np.argwhere(found != expected)
    if len(wrong):
        image, output = map(int, wrong[0])
        raise ScoreError(
            f"scores, image {image}, output {output}: expected {int(expected[image, output])}, found"
            f" {int(found[image, output])} ({len(wrong):,} of {expected.size:,} scores differ)",
            image=image,
        )
