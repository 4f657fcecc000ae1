"""A memory of bytes that is written and read at run time."""

from amaranth.hdl import Array, Module, Mux, Signal, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["STORES", "ByteRam"]

#: Where the bytes can be stored, and the name that synthesis has for it (`ram_style`).
STORES = {"bram": "block", "spram": "huge", "lut": "logic"}

#: Memories side by side of a store in flip-flops: the multiplexer of one would set the clock.
_BANKS = 4


class ByteRam(wiring.Component):
    """Bytes that are read with a latency of one cycle.

    The output holds its byte while nothing is read. Bytes are undefined until they are written. In SPRAM,
    which has a single port, the component consists of nothing but its memory: only then does
    `sbgen.compiler.verilog` remove the initial contents, which an SPRAM cannot have.

    Parameters
    ----------
    depth : :class:`int`
        Bytes, a multiple of 4.
    store : :class:`str`
        ``"bram"``, ``"spram"`` or ``"lut"``.

    Members
    -------
    w_addr, w_en, w_data : :py:`In(range(depth))`, :py:`In(1)`, :py:`In(8)`
        Write in this cycle.
    r_addr, r_en : :py:`In(range(depth))`, :py:`In(1)`
        Read in this cycle. Never in the same cycle as a write.
    r_data : :py:`Out(8)`
        The byte read, from the next cycle on.
    """

    def __init__(self, *, depth: int, store: str):
        if store not in STORES:
            raise ValueError(f"store must be one of {', '.join(STORES)}, not {store!r}")
        self._depth = depth
        self._store = store
        super().__init__(
            {
                "w_addr": In(range(depth)),
                "w_en": In(1),
                "w_data": In(8),
                "r_addr": In(range(depth)),
                "r_en": In(1),
                "r_data": Out(8),
            }
        )

    def elaborate(self, platform):
        m = Module()
        if self._store == "lut":
            self._banks(m)
            return m
        ram = self._memory(self._depth)
        m.submodules.memory = ram
        w_port, r_port = ram.write_port(), ram.read_port()
        shared = Signal(range(self._depth))
        m.d.comb += [
            shared.eq(Mux(self.w_en, self.w_addr, self.r_addr)),
            w_port.addr.eq(shared),
            w_port.en.eq(self.w_en),
            w_port.data.eq(self.w_data),
            r_port.addr.eq(shared),
            r_port.en.eq(self.r_en & ~self.w_en),
            self.r_data.eq(r_port.data),
        ]
        return m

    def _memory(self, depth: int) -> memory.Memory:
        return memory.Memory(
            shape=unsigned(8), depth=depth, init=[], attrs={"ram_style": STORES[self._store]}
        )

    def _banks(self, m: Module) -> None:
        """Bytes that follow each other are in different banks. All are read, and one is chosen after that."""
        chosen = Signal(range(_BANKS))
        outputs = []
        for n in range(_BANKS):
            m.submodules[f"bank_{n}"] = ram = self._memory(self._depth // _BANKS)
            w_port, r_port = ram.write_port(), ram.read_port()
            m.d.comb += [
                w_port.addr.eq(self.w_addr[len(chosen) :]),
                w_port.en.eq(self.w_en & (self.w_addr[: len(chosen)] == n)),
                w_port.data.eq(self.w_data),
                r_port.addr.eq(self.r_addr[len(chosen) :]),
                r_port.en.eq(self.r_en),
            ]
            outputs.append(r_port.data)
        with m.If(self.r_en):
            m.d.sync += chosen.eq(self.r_addr)
        m.d.comb += self.r_data.eq(Array(outputs)[chosen])
