"""A read-only memory in block RAM or in LUTs."""

from amaranth.hdl import Module, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["STORES", "Rom"]

#: Where a memory can live, and what the synthesis calls it.
STORES = {"bram": "block", "lut": "logic"}


class Rom(wiring.Component):
    """Words fixed at synthesis, read with a latency of one cycle.

    The output keeps its word while `en` is low. The read register has neither reset nor initial value: either would
    keep the synthesis from using a block RAM.

    Parameters
    ----------
    width : :class:`int`
        Bits in a word.
    words : sequence of :class:`int`
        The contents, address 0 first.
    store : :class:`str`
        ``"bram"`` or ``"lut"``.

    Members
    -------
    addr : :py:`In(range(len(words)))`
    en : :py:`In(1)`
        Read `addr` in this cycle.
    data : :py:`Out(width)`
        The word read, from the next cycle on.
    """

    def __init__(self, *, width, words, store):
        if store not in STORES:
            raise ValueError(f"store must be one of {', '.join(STORES)}, not {store!r}")
        self._width = width
        self._words = tuple(words)
        self._store = store
        super().__init__({
            "addr": In(range(len(self._words))),
            "en": In(1),
            "data": Out(width),
        })

    @property
    def words(self):
        return self._words

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = rom = memory.Memory(
            shape=unsigned(self._width), depth=len(self._words), init=self._words,
            attrs={"ram_style": STORES[self._store]})
        port = rom.read_port()
        m.d.comb += [
            port.addr.eq(self.addr),
            port.en.eq(self.en),
            self.data.eq(port.data),
        ]
        return m
