"""A queue of bytes to which packets are added whole, or not at all."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .byte_ram import STORES, ByteRam

__all__ = ["MARGIN", "PacketStore", "WriteSignature"]

#: Bytes that must be free for the store to be `roomy`.
MARGIN = 16


class WriteSignature(wiring.Signature):
    """The writing end of a :class:`PacketStore`, as seen by the component that writes.

    At most one of `put`, `set`, `step`, `commit` and `rollback` is high in a cycle.

    Members
    -------
    data : :py:`Out(8)`
    put : :py:`Out(1)`
        Append `data` to the packet under way.
    set : :py:`Out(1)`
        Write `data` over the packet's first byte; what follows it becomes the packet.
    step : :py:`Out(1)`
        The same, but leave the byte as it is.
    commit : :py:`Out(1)`
        End the packet.
    rollback : :py:`Out(1)`
        Remove the packet.
    roomy : :py:`In(1)`
        At least `MARGIN` bytes are free; as of three cycles ago.
    some : :py:`In(1)`
        At least half of that are free; as of three cycles ago.
    drained : :py:`In(1)`
        Nothing but the packet under way is in the store, so `roomy` and `some` stay as they are.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "data": Out(8),
                "put": Out(1),
                "set": Out(1),
                "step": Out(1),
                "commit": Out(1),
                "rollback": Out(1),
                "roomy": In(1),
                "some": In(1),
                "drained": In(1),
            }
        )


class PacketStore(wiring.Component):
    """Stores packets of bytes until they are read.

    Bytes are appended to the packet under way, and cannot be read. At its end a packet is either committed or
    rolled back. The first bytes of a packet can be written last: `set` moves the border of what can be read
    byte by byte, so a header can report what the packet turned out to be. A short packet is written by `set`
    and `step` alone, over one that is rolled back then.

    The memory has a single port. A write comes before a read, and a byte is read in two cycles.

    Parameters
    ----------
    depth : :class:`int`
        Bytes of memory, a power of 2, of at least 32.
    store : :class:`str`
        ``"bram"``, ``"spram"`` or ``"lut"``.

    Members
    -------
    write : :py:`In(WriteSignature())`
        There is no overflow check: it must not append more than is free.
    o : :py:`Out(stream.Signature(8))`
        The bytes of whole packets, in order.
    empty : :py:`Out(1)`
        Nothing can be read. From a flip-flop.
    """

    write: wiring.PureInterface
    o: stream.Interface
    empty: Signal

    def __init__(self, *, depth: int, store: str):
        if depth < 2 * MARGIN or depth & (depth - 1):
            raise ValueError(f"depth must be a power of 2, of at least {2 * MARGIN}, not {depth!r}")
        if store not in STORES:
            raise ValueError(f"store must be one of {', '.join(STORES)}, not {store!r}")
        self._depth = depth
        self._store = store
        super().__init__(
            {"write": In(WriteSignature()), "o": Out(stream.Signature(8)), "empty": Out(1, init=1)}
        )

    @property
    def depth(self) -> int:
        """Bytes of memory."""
        return self._depth

    def elaborate(self, platform):
        m = Module()
        m.submodules.ram = ram = ByteRam(depth=self._depth, store=self._store)
        write = self.write

        border = Signal(range(self._depth))  # of what can be read: the packet under way begins here
        end = Signal(range(self._depth))  # of the packet under way
        read = Signal(range(self._depth))  # the next byte to be read

        # The write port is behind registers.
        address = Signal(range(self._depth))
        w_en = Signal()
        w_data = Signal(8)
        m.d.sync += [
            w_en.eq(write.put | write.set),
            address.eq(Mux(write.put, end, border)),
            w_data.eq(write.data),
        ]
        with m.If(write.put):
            m.d.sync += end.eq(end + 1)
        with m.If(write.rollback):
            m.d.sync += end.eq(border)
        with m.If(write.set | write.step):
            m.d.sync += border.eq(border + 1)
        with m.If(write.commit):
            m.d.sync += border.eq(end)

        free = Signal(range(self._depth))
        m.d.sync += [
            free.eq(read - end - 1),
            write.roomy.eq(free >= MARGIN),
            write.some.eq(free >= MARGIN // 2),
        ]
        # What was read last is seen in `roomy` and `some` by then.
        settling = Signal()
        m.d.sync += [settling.eq(self.empty & ~self.o.valid), write.drained.eq(settling & self.empty)]

        # A byte is fetched in one cycle and offered from the next.
        fetch = Signal()
        m.d.sync += self.empty.eq(read == border)
        m.d.comb += [
            fetch.eq(~self.empty & ~self.o.valid & ~w_en),
            self.o.payload.eq(ram.r_data),
            ram.r_addr.eq(read),
            ram.r_en.eq(fetch),
            ram.w_addr.eq(address),
            ram.w_en.eq(w_en),
            ram.w_data.eq(w_data),
        ]
        with m.If(fetch):
            m.d.sync += [read.eq(read + 1), self.o.valid.eq(1)]
        with m.Elif(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        return m
