"""Sums over windows that do not overlap."""

from amaranth.hdl import Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from .bits import bits
from .rom import STORES

__all__ = ["WindowSums"]


class WindowSums(wiring.Component):
    """Adds, in each lane, the elements under every position of a window that does not overlap itself; of
    bits, it counts those that are on.

    The words of an image are added as they come to the sums of the one window each belongs to; what lies
    between or behind the windows is passed over. Only a row of windows is held, so that the sum over a whole
    image takes no more memory than its result. Sums leave in the order row, column, word of the pixel::

        i ────────┬ register ─┐
                  │           +─ sums ─┬─▶ o     (with the last word of a window)
                  └ read ─ 0 ─┘        │
                     ▲─── row of sums ◀┘

    One word is taken each cycle; a sum is valid two cycles after the last of its words. Back-pressure:
    everything stalls while a sum waits.

    Parameters
    ----------
    lanes : :class:`int`
        Elements of a word.
    geometry : :class:`.Geometry`
        Of the window: without padding, groups and repeats, its stride at least its kernel.
    store : :class:`str`
        Where the row of sums is, ``"bram"`` or ``"lut"``; a single one is always a register.
    greatest : :class:`int`
        Maximum of an element; 1 are bits.

    Members
    -------
    i : :py:`In(stream.Signature(bits(lanes)))`, or of :py:`ArrayLayout(unsigned(bits_for(greatest)), lanes)`
    o : :py:`Out(stream.Signature(ArrayLayout(unsigned(width), lanes)))`
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, *, lanes, geometry, store, greatest=1):
        for name, value in ("lanes", lanes), ("greatest", greatest):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value!r}")
        if any(step < size for step, size in zip(geometry.stride, geometry.kernel, strict=True)):
            raise ValueError(
                f"the stride must be at least the kernel {geometry.kernel}, not {geometry.stride}"
            )
        if any(map(any, geometry.padding)) or geometry.groups > 1 or geometry.repeats > 1:
            raise ValueError(
                "the window must have no padding, no groups and no repeats, not "
                f"{geometry.padding}, {geometry.groups}, {geometry.repeats}"
            )
        if store not in STORES:
            raise ValueError(f"store must be one of {', '.join(STORES)}, not {store!r}")
        self._geometry = geometry
        self._store = store
        elements = bits(lanes) if greatest == 1 else data.ArrayLayout(unsigned(bits_for(greatest)), lanes)
        super().__init__(
            {
                "i": In(stream.Signature(elements)),
                "o": Out(stream.Signature(data.ArrayLayout(unsigned(self.width(geometry, greatest)), lanes))),
            }
        )

    @staticmethod
    def width(geometry, greatest=1):
        """Bits of a sum of elements of 0 ... `greatest`."""
        return bits_for(geometry.kernel[0] * geometry.kernel[1] * greatest)

    @staticmethod
    def depth(geometry):
        """Words of sums that are held: those of a row of windows."""
        return geometry.out_width * geometry.slices

    def elaborate(self, platform):
        m = Module()
        g, depth = self._geometry, self.depth(self._geometry)

        # Where the next word stands: which word of its pixel, the pixel's place from the window's corner, and
        # which window.
        word, address = Signal(range(g.slices)), Signal(range(depth))
        move, take, ends = Signal(), Signal(), Signal()
        m.d.comb += [
            move.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(move),
            take.eq(self.i.valid & move),
            ends.eq(take & (word == g.slices - 1)),
        ]
        with m.If(take):
            m.d.sync += word.eq(Mux(word == g.slices - 1, 0, word + 1))
        begins = finishes = inside = Const(1, 1)
        pixel_ends, step = ends, None
        for name, size, out_size, kernel, stride in (
            ("column", g.width, g.out_width, g.kernel[1], g.stride[1]),
            ("row", g.height, g.out_height, g.kernel[0], g.stride[0]),
        ):
            at, window = (
                Signal(range(stride), name=name),
                Signal(range(-(-size // stride)), name=f"{name}_window"),
            )
            over, image_over = Signal(name=f"{name}_over"), Signal(name=f"{name}s_over")
            m.d.comb += [
                over.eq(at == stride - 1),
                image_over.eq((at == (size - 1) % stride) & (window == (size - 1) // stride)),
            ]
            with m.If(ends):
                m.d.sync += [
                    at.eq(Mux(over | image_over, 0, at + 1)),
                    window.eq(Mux(image_over, 0, window + over)),
                ]
            begins &= at == 0
            finishes &= at == kernel - 1
            inside &= (at < kernel) & (window < out_size)
            step = over if step is None else step
            ends = ends & image_over
            if name == "column":
                row_ends, column = ends, at
        with m.If(take):
            m.d.sync += address.eq(
                Mux(
                    row_ends,
                    0,
                    Mux(
                        pixel_ends & ~step,
                        address - (g.slices - 1),
                        Mux(address == depth - 1, 0, address + 1),
                    ),
                )
            )

        # The word waits while the sum that it belongs to is read.
        held, begun, finished = Signal(), Signal(), Signal()
        x, again = Signal(self.i.payload.shape(), reset_less=True), Signal()
        with m.If(move):
            m.d.sync += [
                held.eq(take & inside),
                begun.eq(begins),
                finished.eq(take & finishes & inside),
                x.eq(self.i.payload),
                self.o.valid.eq(finished),
            ]
        total = Signal.like(self.o.payload.as_value(), reset_less=True)
        before, after = (
            data.View(self.o.payload.shape(), Signal.like(total, name=name)) for name in ("before", "after")
        )
        m.d.comb += [
            after[lane].eq(Mux(begun, 0, before[lane]) + x[lane])
            for lane in range(self.o.payload.shape().length)
        ]
        m.d.comb += self.o.payload.eq(total)
        with m.If(move & held):
            m.d.sync += total.eq(after)
        if depth == 1:
            m.d.comb += before.eq(total)
            return m

        m.submodules.memory = ram = memory.Memory(
            shape=unsigned(len(total)), depth=depth, init=[], attrs={"ram_style": STORES[self._store]}
        )
        w_port, r_port = ram.write_port(), ram.read_port()
        written = Signal.like(address)
        with m.If(move):
            m.d.sync += [written.eq(address), again.eq(column != 0)]
        m.d.comb += [
            # What is being written is never needed from the memory, and never read: the synthesis sees that,
            # and adds no registers that would remember what stood there.
            r_port.en.eq(move & ~(w_port.en & (written == address))),
            r_port.addr.eq(address),
            w_port.en.eq(move & held),
            w_port.addr.eq(written),
            w_port.data.eq(after),
            # Of pixels of one word the next adds to the same sum, which is not yet written when it is read.
            before.eq(Mux(again, total, r_port.data) if g.slices == 1 else r_port.data),
        ]
        return m
