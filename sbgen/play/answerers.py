"""Who answers the page of `sbgen play`: the reference, or a board at the end of its link."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from ..errors import LinkError

if TYPE_CHECKING:
    from ..boards.host import Link
    from ..compiler.ir import Network

__all__ = ["Answerer", "board", "reference"]


@dataclass(frozen=True, kw_only=True)
class Answerer:
    """What scores images.

    Parameters
    ----------
    name : str
        What a page calls it.
    scores : callable
        Of images, uint8, shape (N, pixels), the scores, shape (N, outputs). A `LinkError` where a board does
        not answer.
    """

    name: str
    scores: Callable[[np.ndarray], np.ndarray]


def reference(network: "Network") -> Answerer:
    """The reference."""
    from ..compiler import reference

    return Answerer(name="the reference", scores=lambda images: reference.evaluate(network, images)[0])


def board(link: "Link", network: "Network", *, name: str) -> Answerer:
    """A board, real or emulated; a `LinkError` if it does not answer or runs another network."""
    from ..compiler import exchange

    digest, identity = exchange.digest(network), link.identify()
    if bytes.fromhex(digest)[:8] != identity.digest:
        raise LinkError(
            f"the board must run the network of the folder, {digest[:16]}..., but runs"
            f" {identity.digest.hex()}...; load its bitstream: sbgen flash"
        )
    one_at_a_time = Lock()

    def scores(images: np.ndarray) -> np.ndarray:
        with one_at_a_time:
            found = [results.scores for results in link.classify(images) if results.scores is not None]
            return np.concatenate(found)

    return Answerer(name=name, scores=scores)
