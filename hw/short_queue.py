"""A queue of a few places between two parts of a core."""

from dataclasses import dataclass
from typing import ClassVar

from amaranth.hdl import Module
from amaranth.lib.wiring import connect, flipped

from .part import Part, PartComponent, Passing
from .queue import Queue

__all__ = ["Parameters", "ShortQueue"]


@dataclass(frozen=True, kw_only=True)
class Parameters(Passing, Part):
    """What a short queue is created from.

    Parameters
    ----------
    shape : :class:`ShapeLike`
        Shape of the payload.
    depth : :class:`int`
        Places, at least 2: a payload then passes in each cycle.
    """

    rtl_name: ClassVar[str] = "queue"

    depth: int = 2

    def __post_init__(self) -> None:
        if self.depth < 2:
            raise ValueError(f"depth must be at least 2, not {self.depth!r}")

    def create(self) -> "ShortQueue":
        return ShortQueue(self)


class ShortQueue(PartComponent[Parameters]):
    """A :class:`.Queue` as a part of a core: it cuts every combinational path between its two sides.

    Latency is one cycle; one payload passes per cycle. Payloads have no reset, what is valid has.

    Parameters
    ----------
    parameters : :class:`Parameters`

    Members
    -------
    i : :py:`In(stream.Signature(shape))`
        Ready while there is room, whatever the other side does.
    o : :py:`Out(stream.Signature(shape))`
    """

    def elaborate(self, platform):
        m = Module()
        p = self._parameters
        m.submodules.queue = queue = Queue(shape=p.shape, depth=p.depth)
        connect(m, flipped(self.i), queue.i)
        connect(m, queue.o, flipped(self.o))
        return m
