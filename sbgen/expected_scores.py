"""The scores of a network on images: of many quickly, of those that run on hardware by the reference."""

from dataclasses import dataclass

import numpy as np

from .compiler import fast_reference, reference
from .compiler.ir import Network

__all__ = ["ExpectedScores"]


@dataclass(frozen=True, kw_only=True)
class ExpectedScores:
    """Images and what a network means by them.

    Parameters
    ----------
    network : Network
    images : uint8 array, shape (N, *image_shape)
    scores : int64 array, shape (N, outputs)
    classes : int array
        As from `reference.decide`.
    """

    network: Network
    images: np.ndarray
    scores: np.ndarray
    classes: np.ndarray

    @classmethod
    def of(cls, network: Network, images: np.ndarray) -> "ExpectedScores":
        """The scores of all images, by `fast_reference`."""
        scores, classes = fast_reference.evaluate(network, images)
        return cls(network=network, images=images, scores=scores, classes=classes)

    def first(self, count: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The first `count` images, None is all, with scores and classes by `reference` itself, which is
        what hardware is compared with.
        """
        images = self.images[:count]
        scores, classes = reference.evaluate(self.network, images)
        if not np.array_equal(scores, self.scores[:count]):
            raise AssertionError(
                "fast_reference must compute the scores of reference; this is a defect of sbgen, please"
                " report it with the network"
            )
        return images, scores, classes
