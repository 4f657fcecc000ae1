"""Random designs, and how many images they are simulated with."""

from typing import Any

from ..design import Design
from ..layers import rules
from ..simulate import work
from .chain import MAX_WORK
from .foldings import fold_at_random, image_cycles
from .networks import random_network

__all__ = ["image_count", "random_design"]


def random_design(
    seed: int,
    *,
    largest: int = 48,
    pixels: int = 0,
    images: bool | None = None,
    shortcuts: bool | None = None,
    **folding: Any,
) -> Design:
    """The random network of the same arguments, folded by `fold_at_random` with the others."""
    network = random_network(seed, largest=largest, pixels=pixels, images=images, shortcuts=shortcuts)
    return fold_at_random(seed, network, **folding)


#: Cycles of a layer for all images together, unless two images take more.
_MAX_CYCLES = 2000


def image_count(design: Design, most: int) -> int:
    """How many images of at most `most` are simulated: fewer if they take long, but two, which meet in the
    pipeline.
    """
    slowest = max(1, image_cycles(rules(design.network), design.foldings))
    return min(most, max(2, min(_MAX_CYCLES // slowest, 3 * MAX_WORK // max(1, work(design.network)))))
