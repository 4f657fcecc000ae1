"""What the parts of a core have in common: each is created from a plain, checked, frozen value."""

from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from amaranth.hdl import Shape, ShapeLike
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Part", "PartComponent", "Passing"]


class Part:
    """The value that a stream component is created from, as `Parameters` of `amaranth.lib.crc`.

    Everything about the component follows from it: its ports, its size, its handshake and what it computes.

    Attributes
    ----------
    rtl_name : :class:`str`
        Name of the submodule in the core, before the number of its layer.
    """

    rtl_name: ClassVar[str]

    @property
    def i_shape(self) -> ShapeLike:
        """Shape of the payload that it takes."""
        raise NotImplementedError

    @property
    def o_shape(self) -> ShapeLike:
        """Shape of the payload that it outputs."""
        raise NotImplementedError

    def o_beats(self, i_beats: int) -> int:
        """Beats that it outputs per image, if it takes `i_beats` of them."""
        return i_beats

    def busy(self, i_beats: int) -> int:
        """Cycles that it is busy per image: it takes at most one beat per cycle, and outputs one."""
        return max(i_beats, self.o_beats(i_beats))

    def create(self) -> wiring.Component:
        """The hardware with these parameters."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Passing:
    """What parts have in common that output the payloads that they take, perhaps later or more than once.

    Parameters
    ----------
    shape : :class:`ShapeLike`
        Shape of the payload.
    """

    shape: ShapeLike

    @property
    def i_shape(self) -> ShapeLike:
        return self.shape

    @property
    def o_shape(self) -> ShapeLike:
        return self.shape

    @property
    def width(self) -> int:
        """Bits of a payload."""
        return Shape.cast(self.shape).width


P = TypeVar("P", bound=Part)


class PartComponent(wiring.Component, Generic[P]):
    """The component of a part, which has a stream `i` and a stream `o`.

    Parameters
    ----------
    parameters : :class:`Part`
    members : dict of :class:`wiring.Member`
        Its other ports.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, parameters: P, **members: wiring.Member) -> None:
        self._parameters = parameters
        super().__init__(
            {
                "i": In(stream.Signature(parameters.i_shape)),
                "o": Out(stream.Signature(parameters.o_shape)),
                **members,
            }
        )

    @property
    def parameters(self) -> P:
        return self._parameters
