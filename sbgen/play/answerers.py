"""Who answers the page of `sbgen play`: the reference, or a board at the end of its link."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..errors import LinkError

if TYPE_CHECKING:
    from ..compiler.ir import Network

__all__ = ["Answerer", "Board", "Link", "Reference"]


class Answerer(Protocol):
    """What scores images.

    `name` is what a page calls it.
    """

    name: str

    def scores(self, images: np.ndarray) -> np.ndarray:
        """The scores, int64, shape (N, outputs), of images, uint8, shape (N, pixels).

        A `LinkError` where a board does not answer.
        """
        ...


@dataclass(frozen=True)
class Reference:
    """The integer network itself, in `sbgen.compiler.reference`."""

    network: "Network"
    name: str = "the reference"

    def scores(self, images: np.ndarray) -> np.ndarray:
        from ..compiler import reference

        return reference.evaluate(self.network, images)[0]


class Link(Protocol):
    """What is needed of an open link to a board."""

    def scores(self, images: np.ndarray) -> np.ndarray:
        """Scores (N, outputs) of uint8 images (N, pixels)."""
        ...


@dataclass(frozen=True, kw_only=True)
class Board:
    """A board, real or emulated. One request at a time uses the link.

    Parameters
    ----------
    link : `Link`
    name : str
        The board and its port.
    """

    link: Link
    name: str
    _lock: Lock

    def scores(self, images: np.ndarray) -> np.ndarray:
        with self._lock:
            return np.asarray(self.link.scores(images), np.int64)
