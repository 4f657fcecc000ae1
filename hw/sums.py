"""Sums over windows that do not overlap."""

from dataclasses import dataclass
from typing import ClassVar

from amaranth.hdl import Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, memory
from amaranth.utils import bits_for

from .bits import bits
from .part import Part, PartComponent
from .rom import STORES
from .window import Geometry

__all__ = ["Parameters", "WindowSums"]


@dataclass(frozen=True, kw_only=True)
class Parameters(Part):
    """What sums over windows are created from.

    Parameters
    ----------
    lanes : :class:`int`
        Elements of a word.
    geometry : :class:`.Geometry`
        Of the window: without padding, groups and repeats, its stride at least its kernel.
    store : :class:`str`
        Memory of the row of sums, ``"bram"`` or ``"lut"``; a single one is always in a register.
    maximum : :class:`int`
        Maximum of an element; 1 are bits.
    """

    rtl_name: ClassVar[str] = "windowsums"

    lanes: int
    geometry: Geometry
    store: str
    maximum: int = 1

    def __post_init__(self) -> None:
        for name in "lanes", "maximum":
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)!r}")
        geometry = self.geometry
        if any(step < size for step, size in zip(geometry.stride, geometry.kernel, strict=True)):
            raise ValueError(
                f"the stride must be at least the kernel {geometry.kernel}, not {geometry.stride}"
            )
        if any(map(any, geometry.padding)) or geometry.groups > 1 or geometry.repeats > 1:
            raise ValueError(
                "the window must have no padding, no groups and no repeats, not "
                f"{geometry.padding}, {geometry.groups}, {geometry.repeats}"
            )
        if self.store not in STORES:
            raise ValueError(f"store must be one of {', '.join(STORES)}, not {self.store!r}")

    @property
    def width(self) -> int:
        """Bits of a sum."""
        rows, columns = self.geometry.kernel
        return bits_for(rows * columns * self.maximum)

    @property
    def depth(self) -> int:
        """Sums that are held: those of a row of windows."""
        return self.geometry.out_width * self.geometry.slices

    @property
    def i_shape(self) -> data.ArrayLayout:
        if self.maximum == 1:
            return bits(self.lanes)
        return data.ArrayLayout(unsigned(bits_for(self.maximum)), self.lanes)

    @property
    def o_shape(self) -> data.ArrayLayout:
        return data.ArrayLayout(unsigned(self.width), self.lanes)

    def o_beats(self, i_beats: int) -> int:
        g = self.geometry
        return i_beats // g.words_in * g.out_height * g.out_width * g.slices

    def create(self) -> "WindowSums":
        return WindowSums(self)


class WindowSums(PartComponent[Parameters]):
    """Adds, in each lane, the elements under every position of a window that does not overlap itself; of
    bits, it counts those that are on.

    The words of an image are added as they come to the sum of the window that each belongs to; what is
    between or after the windows is skipped. Only a row of windows is held, so that the sum over a whole image
    takes no more memory than its result. Sums leave in the order row, column, word of the pixel::

        i ────────┬ register ─┐
                  │           +─ sums ─┬─▶ o     (with the last word of a window)
                  └ read ─ 0 ─┘        │
                     ▲─── row of sums ◀┘

    One word is taken per cycle; a sum is valid two cycles after the last of its words. Back-pressure:
    everything stalls while a sum waits.

    Parameters
    ----------
    parameters : :class:`Parameters`

    Members
    -------
    i : :py:`In(stream.Signature(bits(lanes)))`, or of :py:`ArrayLayout(unsigned(bits_for(maximum)), lanes)`
    o : :py:`Out(stream.Signature(ArrayLayout(unsigned(width), lanes)))`
    """

    def elaborate(self, platform):
        m = Module()
        g, depth = self._parameters.geometry, self._parameters.depth

        # The place of the next word: which word of its pixel, the pixel's place from the window's corner, and
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
            same_window, following = address - (g.slices - 1), Mux(address == depth - 1, 0, address + 1)
            m.d.sync += address.eq(Mux(row_ends, 0, Mux(pixel_ends & ~step, same_window, following)))

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
        else:
            self._row_of_sums(
                m, before, after, total, address=address, column=column, move=move, held=held, again=again
            )
        return m

    def _row_of_sums(
        self,
        m: Module,
        before: data.View,
        after: data.View,
        total: Signal,
        *,
        address: Signal,
        column: Signal,
        move: Signal,
        held: Signal,
        again: Signal,
    ) -> None:
        """Hold a sum for each word of a row of windows: `before` this word, and `after` it."""
        p = self._parameters
        m.submodules.memory = ram = memory.Memory(
            shape=unsigned(len(total)), depth=p.depth, init=[], attrs={"ram_style": STORES[p.store]}
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
            before.eq(Mux(again, total, r_port.data) if p.geometry.slices == 1 else r_port.data),
        ]
