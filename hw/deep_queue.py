"""A long first-in first-out queue in a memory."""

from amaranth.hdl import Module, Mux, Shape, Signal, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from .rom import STORES

__all__ = ["DeepQueue"]


class DeepQueue(wiring.Component):
    """Holds up to `depth` payloads, and one more on its output, and cuts every combinational path between its
    two sides.

    Latency is two cycles; a payload passes each cycle.

    Parameters
    ----------
    shape : :class:`ShapeLike`
        Shape of the payload.
    depth : :class:`int`
        Words of memory, at least 2.
    store : :class:`str`
        ``"bram"`` or ``"lut"``.

    Members
    -------
    i : :py:`In(stream.Signature(shape))`
        Ready while there is room, whatever the other side does.
    o : :py:`Out(stream.Signature(shape))`
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, shape, depth, store):
        if depth < 2:
            raise ValueError(f"depth must be at least 2, not {depth!r}")
        if store not in STORES:
            raise ValueError(f"store must be one of {', '.join(STORES)}, not {store!r}")
        self._shape = shape
        self._depth = depth
        self._store = store
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    @property
    def depth(self):
        return self._depth

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = ram = memory.Memory(
            shape=unsigned(Shape.cast(self._shape).width),
            depth=self._depth,
            init=[],
            attrs={"ram_style": STORES[self._store]},
        )
        w_port = ram.write_port()
        r_port = ram.read_port()

        held = Signal(range(self._depth + 1))  # written and not yet read
        push, pop = Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(held != self._depth),
            push.eq(self.i.valid & self.i.ready),
            w_port.en.eq(push),
            w_port.data.eq(self.i.payload),
            r_port.en.eq(~self.o.valid | self.o.ready),
            pop.eq(r_port.en & (held != 0)),
            self.o.payload.eq(r_port.data),
        ]
        m.d.sync += held.eq(held + push - pop)
        with m.If(r_port.en):
            m.d.sync += self.o.valid.eq(held != 0)
        for port, moves in (w_port, push), (r_port, pop):
            with m.If(moves):
                m.d.sync += port.addr.eq(Mux(port.addr == self._depth - 1, 0, port.addr + 1))
        return m
