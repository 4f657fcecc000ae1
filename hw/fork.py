"""One stream to two."""

from dataclasses import dataclass
from typing import ClassVar

from amaranth.hdl import Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Out

from .part import Part, PartComponent, Passing

__all__ = ["Fork", "Parameters"]


@dataclass(frozen=True, kw_only=True)
class Parameters(Passing, Part):
    """What a fork is created from.

    Parameters
    ----------
    shape : :class:`ShapeLike`
        Shape of the payload.
    """

    rtl_name: ClassVar[str] = "fork"

    def create(self) -> "Fork":
        return Fork(self)


class Fork(PartComponent[Parameters]):
    """Passes each payload to both of its outputs, once.

    Each output handshakes on its own: if one takes a payload before the other, it does not get it again.
    Combinational: no latency, one payload per cycle while both take it. Back-pressure: the input stalls until
    both have taken the payload.

    Parameters
    ----------
    parameters : :class:`Parameters`

    Members
    -------
    i : :py:`In(stream.Signature(shape))`
    o : :py:`Out(stream.Signature(shape))`
        To the layers that the shortcut bypasses.
    kept : :py:`Out(stream.Signature(shape))`
        Into the shortcut.
    """

    kept: stream.Interface

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(parameters, kept=Out(stream.Signature(parameters.shape)))

    def elaborate(self, platform):
        m = Module()
        dones = []
        for name, side in ("o", self.o), ("kept", self.kept):
            taken = Signal(name=f"{name}_taken")  # in an earlier cycle, while the other side was waited for
            done = Signal(name=f"{name}_done")
            m.d.comb += [
                side.valid.eq(self.i.valid & ~taken),
                side.payload.eq(self.i.payload),
                done.eq(taken | side.ready),
            ]
            with m.If(self.i.valid):
                m.d.sync += taken.eq(done & ~self.i.ready)
            dones.append(done)
        m.d.comb += self.i.ready.eq(dones[0] & dones[1])
        return m
