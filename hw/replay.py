"""A buffer that outputs each vector several times."""

from dataclasses import dataclass
from typing import ClassVar

from amaranth.hdl import Cat, Module, Mux, Shape, Signal, unsigned
from amaranth.lib import memory
from amaranth.utils import ceil_log2

from .part import Part, PartComponent, Passing
from .rom import STORES

__all__ = ["Parameters", "ReplayBuffer"]


@dataclass(frozen=True, kw_only=True)
class Parameters(Passing, Part):
    """What a replay buffer is created from.

    Parameters
    ----------
    shape : :class:`ShapeLike`
        Shape of a beat.
    beats : :class:`int`
        Beats in a vector.
    repeats : :class:`int`
        How often each vector is output.
    store : :class:`str`
        ``"bram"`` or ``"lut"``.
    """

    rtl_name: ClassVar[str] = "replaybuffer"

    beats: int
    repeats: int
    store: str

    def __post_init__(self) -> None:
        for name in "beats", "repeats":
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)!r}")
        if self.store not in STORES:
            raise ValueError(f"store must be one of {', '.join(STORES)}, not {self.store!r}")

    @property
    def depth(self) -> int:
        """Words of memory: two banks, each of a power of two; none for vectors of one beat."""
        return 2 << ceil_log2(self.beats) if self.beats > 1 else 0

    def o_beats(self, i_beats: int) -> int:
        return i_beats * self.repeats

    def create(self) -> "ReplayBuffer":
        return ReplayBuffer(self)


class ReplayBuffer(PartComponent[Parameters]):
    """Takes vectors of `beats` beats and outputs each of them `repeats` times.

    There are two banks: while one vector is output, the next is taken. The first pass follows the vector as
    it arrives, two cycles later; from then on a beat can be output in each cycle. Back-pressure: the input
    stalls while both banks hold vectors that have not been output completely.

    A vector of a single beat is in a register, which takes the next in the cycle of this one's last output:
    it is output from the cycle after it came, in each cycle without a pause.

    Parameters
    ----------
    parameters : :class:`Parameters`

    Members
    -------
    i : :py:`In(stream.Signature(shape))`
    o : :py:`Out(stream.Signature(shape))`
    """

    def elaborate(self, platform):
        m = Module()
        if self._parameters.beats == 1:
            self._hold(m)
        else:
            self._replay(m)
        return m

    def _hold(self, m: Module) -> None:
        p = self._parameters
        left = Signal(range(p.repeats))  # times that the beat is to be output after this one
        last = Signal()  # whether that is none, from a flip-flop of its own: both streams wait for it
        word = Signal(p.shape, reset_less=True)
        m.d.comb += [self.o.payload.eq(word), self.i.ready.eq(~self.o.valid | (last & self.o.ready))]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [self.o.valid.eq(~last), left.eq(left - 1), last.eq(left == 1)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                self.o.valid.eq(1),
                word.eq(self.i.payload),
                left.eq(p.repeats - 1),
                last.eq(p.repeats == 1),
            ]

    def _replay(self, m: Module) -> None:
        p = self._parameters
        width = Shape.cast(p.shape).width
        m.submodules.memory = ram = memory.Memory(
            shape=unsigned(width),
            depth=p.depth,
            init=[],
            # What is being written is never read, so no register must remember what stood there.
            attrs={"ram_style": STORES[p.store], "no_rw_check": 1},
        )
        w_port = ram.write_port()
        r_port = ram.read_port()

        index_bits = ceil_log2(p.beats)
        w_bank, r_bank = Signal(), Signal()
        w_index, r_index = Signal(index_bits), Signal(index_bits)
        w_latest = Signal(index_bits)  # of the beat that arrived last
        r_pass = Signal(range(p.repeats))
        # From flip-flops: the next beat of each side is the last of its vector, and the pass is the last one.
        w_ends, r_ends, final = Signal(), Signal(), Signal(init=p.repeats == 1)
        held = Signal(range(3))  # complete vectors in the banks
        taken, given = Signal(), Signal()

        m.d.comb += [
            self.i.ready.eq(~held[1]),  # fewer than two
            w_port.en.eq(self.i.valid & self.i.ready),
            w_port.addr.eq(Cat(w_index, w_bank)),
            w_port.data.eq(self.i.payload),
            taken.eq(w_port.en & w_ends),
        ]
        with m.If(w_port.en):
            m.d.sync += [
                w_latest.eq(w_index),
                w_index.eq(Mux(w_ends, 0, w_index + 1)),
                w_ends.eq(w_index == p.beats - 2),
                w_bank.eq(w_bank ^ w_ends),
            ]

        # With no complete vector held, the one output is the one arriving, up to the beat that arrived last:
        # whether the next beat is still to arrive is in a flip-flop.
        waits = Signal(init=1)
        move, read = Signal(), Signal()
        exhausted = Mux(held == 0, w_latest == r_index, r_ends & final & held[0] & (w_index == 0))
        m.d.sync += waits.eq(~w_port.en & (waits | (move & exhausted)))
        m.d.comb += [
            move.eq(~self.o.valid | self.o.ready),
            read.eq(move & ~waits),
            r_port.en.eq(read),
            r_port.addr.eq(Cat(r_index, r_bank)),
            self.o.payload.eq(r_port.data),
            given.eq(read & r_ends & final),
        ]
        with m.If(move):
            m.d.sync += self.o.valid.eq(~waits)
        with m.If(read):
            m.d.sync += [
                r_index.eq(Mux(r_ends, 0, r_index + 1)),
                r_ends.eq(r_index == p.beats - 2),
                r_bank.eq(r_bank ^ (r_ends & final)),
            ]
            if p.repeats > 1:
                with m.If(r_ends):
                    m.d.sync += [r_pass.eq(Mux(final, 0, r_pass + 1)), final.eq(r_pass == p.repeats - 2)]

        m.d.sync += held.eq(held + taken - given)
