"""The buffer in front of a global network of an iCE40."""

from amaranth.hdl import Instance, Value

__all__ = ["CLOCK_BUFFER", "clock_buffer"]

#: Its name in Lattice's library. A design that has one has all that it needs: place and route adds none.
CLOCK_BUFFER = "SB_GB"


def clock_buffer(*, i: Value, o: Value) -> Instance:
    """The buffer from signal `i` to signal `o`, which is then a clock of any number of flip-flops."""
    return Instance(CLOCK_BUFFER, i_USER_SIGNAL_TO_GLOBAL_BUFFER=i, o_GLOBAL_BUFFER_OUTPUT=o)
