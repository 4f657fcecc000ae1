"""A buffer that gives each vector several times."""

from amaranth.hdl import Cat, Module, Mux, Shape, Signal, unsigned
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from .rom import STORES

__all__ = ["ReplayBuffer"]


class ReplayBuffer(wiring.Component):
    """Takes vectors of `beats` beats and gives each of them `repeats` times.

    There are two banks: while one vector is given, the next is taken. The first pass follows the vector as it
    arrives, two cycles behind; from then on a beat can be given each cycle. Back-pressure: the input stalls
    while both banks hold vectors that have not been given completely.

    A vector of a single beat stands in a register, which takes the next when it gives this one for the last
    time: it is given from the cycle after it came, each cycle without a pause.

    Parameters
    ----------
    shape : :class:`ShapeLike`
        Shape of a beat.
    beats : :class:`int`
        Beats in a vector.
    repeats : :class:`int`
        How often each vector is given.
    store : :class:`str`
        ``"bram"`` or ``"lut"``.

    Members
    -------
    i : :py:`In(stream.Signature(shape))`
    o : :py:`Out(stream.Signature(shape))`
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, shape, beats, repeats, store):
        for name, value in ("beats", beats), ("repeats", repeats):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value!r}")
        if store not in STORES:
            raise ValueError(f"store must be one of {', '.join(STORES)}, not {store!r}")
        self._shape = shape
        self._beats = beats
        self._repeats = repeats
        self._store = store
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    @property
    def beats(self):
        return self._beats

    @property
    def repeats(self):
        return self._repeats

    @staticmethod
    def depth(beats):
        """Words of memory for vectors of `beats` beats: two banks, each of a power of two for its address;
        none for one beat.
        """
        return 2 << ceil_log2(beats) if beats > 1 else 0

    def elaborate(self, platform):
        m = Module()
        if self._beats == 1:
            self._hold(m)
        else:
            self._replay(m)
        return m

    def _hold(self, m):
        left = Signal(range(self._repeats))  # times that the beat is to be given after this one
        last = Signal()  # whether that is none, from a flip-flop of its own: both streams wait for it
        word = Signal(self._shape, reset_less=True)
        m.d.comb += [self.o.payload.eq(word), self.i.ready.eq(~self.o.valid | (last & self.o.ready))]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [self.o.valid.eq(~last), left.eq(left - 1), last.eq(left == 1)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                self.o.valid.eq(1),
                word.eq(self.i.payload),
                left.eq(self._repeats - 1),
                last.eq(self._repeats == 1),
            ]

    def _replay(self, m):
        width = Shape.cast(self._shape).width
        m.submodules.memory = ram = memory.Memory(
            shape=unsigned(width),
            depth=self.depth(self._beats),
            init=[],
            attrs={"ram_style": STORES[self._store]},
        )
        w_port = ram.write_port()
        r_port = ram.read_port()

        index_bits = ceil_log2(self._beats)
        w_bank, r_bank = Signal(), Signal()
        w_index, r_index = Signal(index_bits), Signal(index_bits)
        r_pass = Signal(range(self._repeats))
        held = Signal(range(3))  # complete vectors in the banks
        taken, given = Signal(), Signal()

        m.d.comb += [
            self.i.ready.eq(held != 2),
            w_port.en.eq(self.i.valid & self.i.ready),
            w_port.addr.eq(Cat(w_index, w_bank)),
            w_port.data.eq(self.i.payload),
            taken.eq(w_port.en & (w_index == self._beats - 1)),
        ]
        with m.If(w_port.en):
            m.d.sync += w_index.eq(Mux(taken, 0, w_index + 1))
            m.d.sync += w_bank.eq(w_bank ^ taken)

        # With no complete vector held, the one given is the one arriving, up to the beat that arrived last.
        available = (held != 0) | (r_index != w_index)
        pass_ends = r_index == self._beats - 1
        move = Signal()
        m.d.comb += [
            move.eq(~self.o.valid | self.o.ready),
            # What is being written is not available yet; that it is not read tells the synthesis so, which
            # then adds no registers that would remember what stood there.
            r_port.en.eq(move & ~(w_port.en & (w_port.addr == r_port.addr))),
            r_port.addr.eq(Cat(r_index, r_bank)),
            self.o.payload.eq(r_port.data),
            given.eq(move & available & pass_ends & (r_pass == self._repeats - 1)),
        ]
        with m.If(move):
            m.d.sync += self.o.valid.eq(available)
        with m.If(move & available):
            m.d.sync += r_index.eq(Mux(pass_ends, 0, r_index + 1))
            with m.If(pass_ends):
                m.d.sync += r_pass.eq(Mux(given, 0, r_pass + 1))
            m.d.sync += r_bank.eq(r_bank ^ given)

        m.d.sync += held.eq(held + taken - given)
