"""A buffer that outputs several vectors side by side, several times."""

from dataclasses import dataclass
from typing import ClassVar

from amaranth.hdl import Cat, Module, Mux, Shape, Signal, unsigned
from amaranth.lib import data, memory, stream
from amaranth.lib.wiring import Out
from amaranth.utils import ceil_log2

from .part import Part, PartComponent
from .rom import STORES

__all__ = ["Collector", "Parameters"]


@dataclass(frozen=True, kw_only=True)
class Parameters(Part):
    """What a collector is created from.

    Parameters
    ----------
    shape : :class:`ArrayLayout`
        Shape of a beat of one vector.
    beats : :class:`int`
        Beats in a vector.
    batch : :class:`int`
        Vectors side by side, at least 2.
    repeats : :class:`int`
        How often each batch is output.
    store : :class:`str`
        ``"bram"`` or ``"lut"``.
    patience : :class:`int`
        Cycles without input after which an incomplete batch is passed on.
    """

    rtl_name: ClassVar[str] = "collector"

    shape: data.ArrayLayout
    beats: int
    batch: int
    repeats: int
    store: str
    patience: int = 16

    def __post_init__(self) -> None:
        for name, least in ("beats", 1), ("batch", 2), ("repeats", 1), ("patience", 1):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, not {getattr(self, name)!r}")
        if self.store not in STORES:
            raise ValueError(f"store must be one of {', '.join(STORES)}, not {self.store!r}")

    @property
    def width(self) -> int:
        """Bits of a beat of one vector."""
        return Shape.cast(self.shape).width

    @property
    def depth(self) -> int:
        """Words of each of the `batch` memories: two banks, each of a power of two."""
        return 2 << ceil_log2(self.beats)

    @property
    def i_shape(self) -> data.ArrayLayout:
        return self.shape

    @property
    def o_shape(self) -> data.ArrayLayout:
        return data.ArrayLayout(self.shape.elem_shape, self.shape.length * self.batch)

    @property
    def counts(self) -> Shape:
        """Shape of how many vectors of a batch there are, less 1."""
        return unsigned(ceil_log2(self.batch))

    def o_beats(self, i_beats: int) -> int:
        return i_beats // self.batch * self.repeats

    def create(self) -> "Collector":
        return Collector(self)


class Collector(PartComponent[Parameters]):
    """Takes vectors of `beats` beats, and outputs `batch` of them side by side, each batch `repeats` times.

    There are two banks, each of a memory for every vector of a batch: while one batch is output, the next is
    taken. A batch is output when it is complete. It is also complete, with the vectors that have come so far,
    when no beat of a further one was offered for `patience` cycles and no other batch is still to be output.
    What the missing vectors output is undefined.

    Parameters
    ----------
    parameters : :class:`Parameters`

    Members
    -------
    i : :py:`In(stream.Signature(shape))`
    o : :py:`Out(stream.Signature(o_shape))`
        For each place of a beat the elements of all vectors, the first vector's first.
    kept : :py:`Out(stream.Signature(counts))`
        For each batch, how many vectors it has, less 1. The batch is output when this has been taken.
    """

    kept: stream.Interface

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(parameters, kept=Out(stream.Signature(parameters.counts)))

    def elaborate(self, platform):
        m = Module()
        p = self._parameters
        index_bits = ceil_log2(p.beats)
        w_bank, w_index, w_vector = Signal(), Signal(index_bits), Signal(range(p.batch))
        r_bank, r_index = Signal(), Signal(index_bits)
        held = Signal(range(3))  # batches in the banks that have not been output completely
        take, vector_ends, complete, given = (
            Signal(name=name) for name in ("take", "vector_ends", "complete", "given")
        )

        idle, patience = Signal(), Signal(range(p.patience), init=p.patience - 1)
        m.d.comb += [
            self.i.ready.eq(held != 2),
            take.eq(self.i.valid & self.i.ready),
            vector_ends.eq(take & (w_index == p.beats - 1)),
            # Whole vectors have come, no part of another, and nothing else is to be output.
            idle.eq((w_vector != 0) & (w_index == 0) & (held == 0) & ~self.i.valid),
            complete.eq(vector_ends & (w_vector == p.batch - 1) | idle & (patience == 0)),
        ]
        m.d.sync += patience.eq(Mux(idle, patience - 1, p.patience - 1))
        with m.If(take):
            m.d.sync += w_index.eq(Mux(vector_ends, 0, w_index + 1))
        with m.If(complete):
            m.d.sync += [w_vector.eq(0), w_bank.eq(~w_bank)]
        with m.Elif(vector_ends):
            m.d.sync += w_vector.eq(w_vector + 1)
        last = [Signal(p.counts, name=f"last_{bank}") for bank in range(2)]  # vectors of a bank, less 1
        for bank, count in enumerate(last):
            with m.If(complete & (w_bank == bank)):
                m.d.sync += count.eq(Mux(vector_ends, p.batch - 1, w_vector - 1))

        announced, available, move = Signal(), Signal(), Signal()
        r_pass = Signal(range(p.repeats))
        pass_ends = r_index == p.beats - 1
        m.d.comb += [
            self.kept.valid.eq((held != 0) & ~announced),
            self.kept.payload.eq(Mux(r_bank, last[1], last[0])),
            available.eq((held != 0) & (announced | self.kept.ready)),
            move.eq(~self.o.valid | self.o.ready),
            given.eq(move & available & pass_ends & (r_pass == p.repeats - 1)),
        ]
        m.d.sync += [announced.eq(available & ~given), held.eq(held + complete - given)]
        with m.If(move):
            m.d.sync += self.o.valid.eq(available)
        with m.If(move & available):
            m.d.sync += r_index.eq(Mux(pass_ends, 0, r_index + 1))
            with m.If(pass_ends):
                m.d.sync += r_pass.eq(Mux(given, 0, r_pass + 1))
            m.d.sync += r_bank.eq(r_bank ^ given)

        self._memories(m, take, w_vector, Cat(w_index, w_bank), move, Cat(r_index, r_bank))
        return m

    def _memories(self, m: Module, take, w_vector, w_address, move, r_address) -> None:
        """A memory for each vector, all of them read at the same address."""
        p = self._parameters
        each = Shape.cast(p.shape.elem_shape).width
        for n in range(p.batch):
            m.submodules[f"memory_{n}"] = ram = memory.Memory(
                shape=unsigned(p.width), depth=p.depth, init=[], attrs={"ram_style": STORES[p.store]}
            )
            w_port, r_port = ram.write_port(), ram.read_port()
            m.d.comb += [
                w_port.en.eq(take & (w_vector == n)),
                w_port.addr.eq(w_address),
                w_port.data.eq(self.i.payload),
                r_port.addr.eq(r_address),
                # The bank that is read is never written. That it is not tells the synthesis so, which then
                # adds no registers that would remember what stood there.
                r_port.en.eq(move & ~(w_port.en & (w_address[-1] == r_address[-1]))),
            ]
            m.d.comb += [
                self.o.payload.as_value()
                .word_select(place * p.batch + n, each)
                .eq(r_port.data.word_select(place, each))
                for place in range(p.shape.length)
            ]
