"""A short first-in first-out queue of flip-flops."""

from amaranth.hdl import Module, Mux, Shape, ShapeLike, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Queue"]


class Queue(wiring.Component):
    """Buffers up to `depth` payloads and cuts every combinational path between its two sides.

    Latency is one cycle. Throughput is one payload per cycle with a depth of at least 2, and one per two
    cycles with a depth of 1. The entries form a shift register towards the output, so an output payload comes
    straight from flip-flops.

    Parameters
    ----------
    shape : :class:`ShapeLike`
        Shape of the payload.
    depth : :class:`int`
        Maximum number of payloads, at least 1.
    reset_less : :class:`bool`
        Whether to omit the reset of payloads, whose net would span a large device. Whether a payload is valid
        is always reset.
    eager : :class:`bool`
        Whether a payload is stored whenever there is room, before it is valid. Only with a depth of 1, where
        it takes the handshake out of the path to the payload's enable.

    Members
    -------
    i : :py:`In(stream.Signature(shape))`
        Ready while there is room, independent of the other side.
    o : :py:`Out(stream.Signature(shape))`
        Valid while there is a payload.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, shape: ShapeLike, depth: int, reset_less: bool = False, eager: bool = False):
        if depth < 1:
            raise ValueError(f"depth must be at least 1, not {depth!r}")
        if eager and depth != 1:
            raise ValueError(f"an eager queue must have a depth of 1, not {depth!r}")
        self._shape = shape
        self._depth = depth
        self._reset_less = reset_less
        self._eager = eager
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    @property
    def depth(self) -> int:
        """Maximum number of payloads."""
        return self._depth

    @property
    def reset_less(self) -> bool:
        """Whether payloads have no reset."""
        return self._reset_less

    @property
    def eager(self) -> bool:
        """Whether a payload is stored before it is valid."""
        return self._eager

    def elaborate(self, platform):
        m = Module()

        entries = [
            Signal(Shape.cast(self._shape), name=f"entry_{n}", reset_less=self._reset_less)
            for n in range(self._depth)
        ]
        count = Signal(range(self._depth + 1))
        push = self.i.valid & self.i.ready
        pop = self.o.valid & self.o.ready

        m.d.comb += [
            self.i.ready.eq(count != self._depth),
            self.o.valid.eq(count != 0),
            self.o.payload.eq(entries[0]),
        ]
        m.d.sync += count.eq(count + push - pop)

        for n, entry in enumerate(entries):
            # The new payload goes after the last one, which a simultaneous pop moves by one; with a depth of
            # 1 there is no simultaneous pop.
            alone = self.i.ready if self._eager else push
            lands_here = push & (count == Mux(pop, n + 1, n)) if self._depth > 1 else alone
            with m.If(lands_here):
                m.d.sync += entry.eq(self.i.payload)
            if n + 1 < self._depth:
                with m.Elif(pop):
                    m.d.sync += entry.eq(entries[n + 1])

        return m
