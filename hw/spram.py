"""A memory that is filled at run time, in single-port RAMs of 16 bits."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["BLOCK_DEPTH", "BLOCK_WIDTH", "LoadSignature", "Spram", "blocks", "columns", "records"]

#: Bits in a word of one block, and its words (iCE40UP5K: SB_SPRAM256KA).
BLOCK_WIDTH = 16
BLOCK_DEPTH = 16384


def blocks(width):
    """Blocks side by side that make words of `width` bits."""
    return -(-width // BLOCK_WIDTH)


def columns(words, width):
    """What each block must be filled with: `blocks(width)` tuples of the 16-bit parts of `words`, the lowest
    first.
    """
    mask = (1 << BLOCK_WIDTH) - 1
    return tuple(tuple(word >> BLOCK_WIDTH * n & mask for word in words) for n in range(blocks(width)))


def records(image):
    """Each (block, address, word) of what fills several blocks."""
    return ((block, address, word) for block, words in enumerate(image) for address, word in enumerate(words))


class LoadSignature(wiring.Signature):
    """A port that fills blocks of RAM, word by word, seen from what fills them.

    Parameters
    ----------
    blocks : :class:`int`

    Members
    -------
    en : :py:`Out(blocks)`
        For each block, whether this cycle writes `data` to its word `addr`.
    addr : :py:`Out(range(BLOCK_DEPTH))`
    data : :py:`Out(BLOCK_WIDTH)`
    """

    def __init__(self, blocks):
        super().__init__({"en": Out(blocks), "addr": Out(range(BLOCK_DEPTH)), "data": Out(BLOCK_WIDTH)})


class Spram(wiring.Component):
    """Words that are written through `load`, and read with a latency of one cycle.

    It reads like a :class:`.Rom`: the output keeps its word while `en` is low. A cycle that writes does not
    read, since there is one port. Until they are written, words are undefined, so the memory has no initial
    value (see `sbgen.compiler.verilog`).

    Parameters
    ----------
    width : :class:`int`
        Bits in a word that are in these RAMs.
    depth : :class:`int`
        Words, at most `BLOCK_DEPTH`.
    rest : :class:`.Rom` or None
        Of as many words, which gives further bits of each, above these: what a word has beyond the RAMs that
        there are.

    Members
    -------
    addr : :py:`In(range(depth))`
    en : :py:`In(1)`
        Read `addr` in this cycle.
    data : :py:`Out(width)`
        The word read, from the next cycle on; with the bits of `rest`.
    load : :py:`In(LoadSignature(blocks(width)))`
        Not subject to the reset.
    """

    def __init__(self, *, width, depth, rest=None):
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
    def width(self):
        """Bits in a word that are in these RAMs."""
        return self._width

    @property
    def depth(self):
        return self._depth

    def elaborate(self, platform):
        m = Module()

        # One address for reading and writing, of all blocks: it takes that to be mapped to a single port.
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
            # The last block may be wider than what is needed of it.
            parts = [Cat(parts)[: len(self.data) - len(rest.data)], rest.data]
        m.d.comb += self.data.eq(Cat(parts))

        return m
