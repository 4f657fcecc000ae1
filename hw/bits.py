"""The payload of a stream that carries a vector of bits."""

from amaranth.hdl import unsigned
from amaranth.lib import data

__all__ = ["bits"]


def bits(lanes: int) -> data.ArrayLayout:
    """Shape of a beat of `lanes` bits; lane 0 is the first element of the vector."""
    return data.ArrayLayout(unsigned(1), lanes)
