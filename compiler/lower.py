"""From a design to hardware."""

from ..hw.core import Core
from .design import Design
from .pipeline import submodules

__all__ = ["lower"]


def lower(design: Design) -> Core:
    """The core that computes `design`."""
    return Core(submodules=submodules(design), pixels=design.network.pixels)
