"""A short first-in first-out queue of flip-flops."""

from amaranth.hdl import Cat, Module, Mux, Shape, ShapeLike, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Queue"]


class Queue(wiring.Component):
    """Buffers up to `depth` payloads and cuts every combinational path between its two sides.

    Latency is one cycle. Throughput is one payload per cycle with a depth of at least 2, and one per two
    cycles with a depth of 1. The entries form a shift register towards the output. All outputs come straight
    from flip-flops.

    An entry that is not in use follows `i.payload`, so its clock enable does not wait for `i.valid`. Payloads
    have no reset, which would be one more input of the enables; whether there is one is always reset.

    Parameters
    ----------
    shape : :class:`ShapeLike`
        Shape of the payload.
    depth : :class:`int`
        Maximum number of payloads, at least 1.

    Members
    -------
    i : :py:`In(stream.Signature(shape))`
        Ready while there is room, independent of the other side.
    o : :py:`Out(stream.Signature(shape))`
        Valid while there is a payload.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, shape: ShapeLike, depth: int):
        if depth < 1:
            raise ValueError(f"depth must be at least 1, not {depth!r}")
        self._shape = shape
        self._depth = depth
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    @property
    def depth(self) -> int:
        """Maximum number of payloads."""
        return self._depth

    def elaborate(self, platform):
        m = Module()

        entries = [
            Signal(Shape.cast(self._shape), name=f"entry_{n}", reset_less=True) for n in range(self._depth)
        ]
        used = Signal(self._depth)  # of each entry, whether it has a payload
        push, pop = Signal(), Signal()

        m.d.comb += [
            push.eq(self.i.valid & self.i.ready),
            pop.eq(self.o.valid & self.o.ready),
            self.i.ready.eq(~used[-1]),
            self.o.valid.eq(used[0]),
            self.o.payload.eq(entries[0]),
        ]
        with m.If(push & ~pop):
            m.d.sync += used.eq(Cat(1, used))
        with m.Elif(pop & ~push):
            m.d.sync += used.eq(used[1:])

        for n, entry in enumerate(entries):
            following = self.i.payload
            if n + 1 < self._depth:
                following = Mux(used[n + 1], entries[n + 1], following)
            # With a depth of 1 no payload comes while another leaves.
            with m.If(~used[n] | pop if self._depth > 1 else ~used[n]):
                m.d.sync += entry.eq(following)

        return m
