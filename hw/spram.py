"""A memory that is filled at run time, in single-port RAMs of 16 bits."""

from collections.abc import Iterator, Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from .rom import Rom

__all__ = ["BLOCK_DEPTH", "BLOCK_WIDTH", "LoadSignature", "Spram", "blocks", "columns", "records"]

#: Bits of a word of a block, and words of a block (SB_SPRAM256KA of the iCE40UP5K).
BLOCK_WIDTH = 16
BLOCK_DEPTH = 16384


def blocks(width: int) -> int:
    """Blocks in parallel for words of `width` bits."""
    return -(-width // BLOCK_WIDTH)


def columns(words: Sequence[int], width: int) -> tuple[tuple[int, ...], ...]:
    """The contents of each block: `blocks(width)` tuples of the 16-bit parts of `words`, least significant
    first.
    """
    mask = (1 << BLOCK_WIDTH) - 1
    return tuple(tuple(word >> BLOCK_WIDTH * n & mask for word in words) for n in range(blocks(width)))


def records(contents: Sequence[Sequence[int]]) -> Iterator[tuple[int, int, int]]:
    """Each (block, address, word) of the contents of several blocks."""
    return (
        (block, address, word) for block, words in enumerate(contents) for address, word in enumerate(words)
    )


class LoadSignature(wiring.Signature):
    """A port that fills blocks of RAM word by word, as seen by the component that fills them.

    Parameters
    ----------
    blocks : :class:`int`

    Members
    -------
    en : :py:`Out(blocks)`
        One bit per block: whether this cycle writes `data` to its word `addr`.
    addr : :py:`Out(range(BLOCK_DEPTH))`
    data : :py:`Out(BLOCK_WIDTH)`
    """

    def __init__(self, blocks: int):
        super().__init__({"en": Out(blocks), "addr": Out(range(BLOCK_DEPTH)), "data": Out(BLOCK_WIDTH)})


class Spram(wiring.Component):
    """Words that are written through `load`, and read with a latency of one cycle.

    It reads like a :class:`.Rom`: the output holds its word while `en` is low. A cycle that writes does not
    read, since there is one port. Words are undefined until they are written, so the memory has no initial
    value (see `sbgen.compiler.verilog`).

    Parameters
    ----------
    width : :class:`int`
        Bits of a word that are in these RAMs.
    depth : :class:`int`
        Words, at most `BLOCK_DEPTH`.
    rest : :class:`.Rom` or None
        Of the same depth: the most significant bits of each word, beyond those in the RAMs.

    Members
    -------
    addr : :py:`In(range(depth))`
    en : :py:`In(1)`
        Read `addr` in this cycle.
    data : :py:`Out(width)`
        The word read, from the next cycle on, including the bits of `rest`.
    load : :py:`In(LoadSignature(blocks(width)))`
        Not subject to the reset.
    """

    def __init__(self, *, width: int, depth: int, rest: Rom | None = None):
        if not 1 <= depth <= BLOCK_DEPTH:
            raise ValueError(f"depth must be in 1 ... {BLOCK_DEPTH}, not {depth!r}")
        self._width = width
        self._depth = depth
        self._rest = rest
        super().__init__(
            {
                "addr": In(range(depth)),
                "en": In(1),
                "data": Out(width + (len(rest.data) if rest else 0)),
                "load": In(LoadSignature(blocks(width))),
            }
        )

    @property
    def width(self) -> int:
        """Bits of a word that are in these RAMs."""
        return self._width

    @property
    def depth(self) -> int:
        """Words."""
        return self._depth

    def elaborate(self, platform):
        m = Module()

        # One address for reading and writing in all blocks: only then is the memory mapped to a single port.
        address = Signal(range(self._depth))
        m.d.comb += address.eq(Mux(self.load.en.any(), self.load.addr, self.addr))
        parts = []
        for n, write in enumerate(self.load.en):
            m.submodules[f"block_{n}"] = block = memory.Memory(
                shape=unsigned(BLOCK_WIDTH), depth=self._depth, init=[], attrs={"ram_style": "huge"}
            )
            read_port, write_port = block.read_port(), block.write_port()
            m.d.comb += [
                read_port.addr.eq(address),
                read_port.en.eq(self.en & ~write),
                write_port.addr.eq(address),
                write_port.data.eq(self.load.data),
                write_port.en.eq(write),
            ]
            parts.append(read_port.data)
        if self._rest:
            m.submodules.rest = rest = self._rest
            m.d.comb += [rest.addr.eq(self.addr), rest.en.eq(self.en)]
            # The last block may be only partly used.
            parts = [Cat(parts)[: len(self.data) - len(rest.data)], rest.data]
        m.d.comb += self.data.eq(Cat(parts))

        return m
