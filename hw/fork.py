"""One stream to two."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Fork"]


class Fork(wiring.Component):
    """Gives each payload to both of its outputs, once.

    Each output handshakes on its own: one that takes a payload at once need not wait for the other, and is
    not given it again. Combinational: no latency, one payload a cycle while both take it. Back-pressure: the
    input stalls until both have taken the payload.

    Parameters
    ----------
    shape : :class:`ShapeLike`
        Shape of the payload.

    Members
    -------
    i : :py:`In(stream.Signature(shape))`
    o : :py:`Out(stream.Signature(shape))`
        To the layers that the shortcut passes by.
    kept : :py:`Out(stream.Signature(shape))`
        Into the shortcut.
    """

    i: stream.Interface
    o: stream.Interface
    kept: stream.Interface

    def __init__(self, *, shape):
        super().__init__(
            {
                "i": In(stream.Signature(shape)),
                "o": Out(stream.Signature(shape)),
                "kept": Out(stream.Signature(shape)),
            }
        )

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
