"""A read-only memory in block RAM or in LUTs."""

from collections.abc import Sequence

from amaranth.hdl import Array, Const, Instance, Module, Signal, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["LUT_MODULE", "PATCHABLE", "STORES", "Rom"]

#: Where a memory can be stored, and the name that synthesis has for it (`ram_style`).
STORES = {"bram": "block", "lut": "logic"}

#: The attribute that marks the memory of a patchable block RAM.
PATCHABLE = "sbgen_patchable"

#: The module of 16 one-bit words of a patchable ROM in LUTs. Its `INIT` is changed in the finished bitstream,
#: so synthesis must not look into it.
LUT_MODULE = "SBGEN_LUT4"

_LUT_WORDS = 16

#: The depth of a patchable block RAM is a multiple of this: its bits are identified by their contents, and 48
#: rows of a block RAM must hold some of each.
_PATCHABLE_DEPTH = 256

#: The same with at most so many bits in a word, where a row of a block RAM has eight words.
_NARROW, _NARROW_DEPTH = 2, 512


class Rom(wiring.Component):
    """Words fixed at synthesis, read with a latency of one cycle.

    The output holds its word while `en` is low. The read register has neither reset nor initial value, since
    either would prevent synthesis from using a block RAM.

    Parameters
    ----------
    width : :class:`int`
        Bits in a word.
    words : sequence of :class:`int`
        The contents, address 0 first.
    store : :class:`str`
        ``"bram"`` or ``"lut"``.
    patchable : :class:`bool`
        Whether the contents can be replaced in a bitstream, so that synthesis must not optimise for them. A
        block RAM then has a multiple of 256 words, or of 512 where a word has one or two bits, and LUTs are
        instances of `LUT_MODULE`.

    Members
    -------
    addr : :py:`In(range(len(words)))`
    en : :py:`In(1)`
        Read `addr` in this cycle.
    data : :py:`Out(width)`
        The word read, from the next cycle on.
    """

    def __init__(self, *, width: int, words: Sequence[int], store: str, patchable: bool = False):
        if store not in STORES:
            raise ValueError(f"store must be one of {', '.join(STORES)}, not {store!r}")
        self._width = width
        self._words = tuple(words)
        self._store = store
        self._patchable = patchable
        super().__init__({"addr": In(range(len(self._words))), "en": In(1), "data": Out(width)})

    @property
    def words(self) -> tuple[int, ...]:
        """The contents, address 0 first."""
        return self._words

    def elaborate(self, platform):
        m = Module()
        # A simulator has no model of the LUT module: it reads the words.
        if self._patchable and self._store == "lut" and platform is not None:
            self._luts(m)
            return m
        depth, attrs = len(self._words), {"ram_style": STORES[self._store]}
        if self._patchable:
            multiple = _NARROW_DEPTH if self._width <= _NARROW else _PATCHABLE_DEPTH
            depth, attrs = -(-depth // multiple) * multiple, attrs | {PATCHABLE: 1}
        m.submodules.memory = rom = memory.Memory(
            shape=unsigned(self._width), depth=depth, init=self._words, attrs=attrs
        )
        port = rom.read_port()
        m.d.comb += [port.addr.eq(self.addr), port.en.eq(self.en), self.data.eq(port.data)]
        return m

    def _luts(self, m: Module) -> None:
        """Put every 16 words of every bit in a LUT of their own."""
        low = Signal(4, name="chunks")  # as before, so that the Verilog stays the same
        chunks: list[Signal] = []
        m.d.comb += low.eq(self.addr)
        for first in range(0, len(self._words), _LUT_WORDS):
            chunk = Signal(self._width, name=f"chunk_{len(chunks)}")
            words = self._words[first : first + _LUT_WORDS]
            for bit in range(self._width):
                init = sum((word >> bit & 1) << n for n, word in enumerate(words))
                m.submodules[f"lut_{len(chunks)}_{bit}"] = Instance(
                    LUT_MODULE, p_INIT=Const(init, _LUT_WORDS), i_a=low, o_o=chunk[bit]
                )
            chunks.append(chunk)
        data = Signal(self._width, reset_less=True)
        with m.If(self.en):
            m.d.sync += data.eq(Array(chunks)[self.addr[4:]] if len(chunks) > 1 else chunks[0])
        m.d.comb += self.data.eq(data)
