"""The sliding window of a convolution or pooling layer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from amaranth.hdl import Cat, Module, Mux, Shape, ShapeLike, Signal, Value, signed, unsigned
from amaranth.lib import memory
from amaranth.lib.data import ArrayLayout
from amaranth.utils import bits_for

from .geometry import Geometry
from .part import Part, PartComponent
from .rom import STORES

__all__ = ["Geometry", "Parameters", "SlidingWindow", "beside", "interleaved"]


def beside(shape: ShapeLike, count: int) -> ShapeLike:
    """Shape of some words side by side: the first element of each, then the second of each, and so on."""
    if count == 1:
        return shape
    elements = shape if isinstance(shape, ArrayLayout) else ArrayLayout(shape, 1)
    return ArrayLayout(elements.elem_shape, elements.length * count)


def interleaved(words: Sequence[Value], shape: ShapeLike) -> Value:
    """Words of a shape side by side, in the order of `beside`."""
    if len(words) == 1:
        return words[0]
    length = shape.length if isinstance(shape, ArrayLayout) else 1
    bits = len(words[0]) // length
    return Cat(word.word_select(n, bits) for n in range(length) for word in words)


@dataclass(frozen=True, kw_only=True)
class Parameters(Part):
    """What a sliding window is created from.

    Parameters
    ----------
    shape : :class:`ShapeLike`
        Shape of a word.
    geometry : :class:`Geometry`
    padding_words : tuple of :class:`int`
        The value of each word of a pixel outside the image.
    store : :class:`str`
        ``"bram"`` or ``"lut"``.
    """

    rtl_name: ClassVar[str] = "slidingwindow"

    shape: ShapeLike
    geometry: Geometry
    padding_words: tuple[int, ...]
    store: str

    def __post_init__(self) -> None:
        if len(self.padding_words) != self.geometry.slices:
            raise ValueError(
                f"{self.geometry.slices} words of a pixel need as many padding words, not"
                f" {len(self.padding_words)}"
            )
        if self.store not in STORES:
            raise ValueError(f"store must be one of {', '.join(STORES)}, not {self.store!r}")

    @property
    def width(self) -> int:
        """Bits of a word."""
        return Shape.cast(self.shape).width

    @property
    def i_shape(self) -> ShapeLike:
        return self.shape

    @property
    def o_shape(self) -> ShapeLike:
        return beside(self.shape, self.geometry.at_once)

    def o_beats(self, i_beats: int) -> int:
        return i_beats // self.geometry.words_in * self.geometry.words_out

    def create(self) -> "SlidingWindow":
        return SlidingWindow(self)


class SlidingWindow(PartComponent[Parameters]):
    """Outputs the words under a window that moves over a streamed image (see :class:`Geometry` for their
    order).

    Each word is taken once, into a ring of line buffers; the window starts on a row of positions when the
    rows it needs have arrived, and then outputs a word per cycle, or several that stand side by side: one of
    each of some adjacent positions, from as many read ports. Back-pressure: the input stalls while the
    ring is full. Images follow each other without a pause.

    Parameters
    ----------
    parameters : :class:`Parameters`

    Members
    -------
    i : :py:`In(stream.Signature(shape))`
    o : :py:`Out(stream.Signature(o_shape))`
        As `beside`.
    """

    def elaborate(self, platform):
        m = Module()
        p, g = self._parameters, self._parameters.geometry

        m.submodules.memory = ram = memory.Memory(
            shape=unsigned(p.width), depth=g.depth, init=[], attrs={"ram_style": STORES[p.store]}
        )
        w_port = ram.write_port()
        r_ports = [ram.read_port() for _ in range(g.at_once)]

        w_address, rows_held, row_taken, row_given = self._write(m, w_port)

        # Reading: a counter for each loop, the innermost first.
        loops = {
            "word": g.slices // g.groups,
            "kernel_column": g.kernel[1],
            "kernel_row": g.kernel[0],
            "repeat": g.repeats,
            "group": g.groups,
            "out_column": g.out_steps,
            "out_row": g.out_height,
        }
        counters = {name: Signal(range(limit), name=name) for name, limit in loops.items()}
        available, move, step = Signal(), Signal(), Signal()
        m.d.comb += [move.eq(~self.o.valid | self.o.ready), step.eq(move & available)]
        for r_port in r_ports:
            # What is being written is never under the window; that it is not read tells the synthesis so,
            # which then adds no registers that would remember what stood there.
            m.d.comb += r_port.en.eq(move & ~(w_port.en & (w_address == r_port.addr)))
        ends, row_ends = step, None
        for name, limit in loops.items():
            counter, last = counters[name], counters[name] == limit - 1
            with m.If(ends):
                m.d.sync += counter.eq(Mux(last, 0, counter + 1))
            ends = ends & last
            if name == "out_column":
                row_ends = ends

        needed, freed = (
            self._by_out_row(m, counters["out_row"], name, of)
            for name, of in (("needed", g.needed), ("freed", g.freed))
        )
        m.d.comb += [available.eq(rows_held >= needed), row_given.eq(row_ends)]
        m.d.sync += rows_held.eq(rows_held + row_taken - Mux(row_given, freed, 0))

        # The address moves by a constant that depends on how many loops end; a place outside the image moves
        # it as one inside would, and is not read from.
        # Each position at once has an address of its own, which moves alike.
        delta = Signal(range(-g.depth, g.depth))
        addresses = [
            Signal(
                range(g.depth),
                init=self._address(0, -g.padding[0][0], n * g.stride[1] - g.padding[1][0], 0),
                name="_".join(("address", *map(str, (n,) if g.at_once > 1 else ()))),
            )
            for n in range(g.at_once)
        ]
        self._deltas(m, loops, counters, delta)
        for address, r_port in zip(addresses, r_ports, strict=True):
            moved = Signal(signed(bits_for(g.depth) + 2))
            m.d.comb += moved.eq(address + delta)
            with m.If(step):
                m.d.sync += address.eq(Mux(moved >= 0, moved, moved + g.depth))
            m.d.comb += r_port.addr.eq(address)

        # Padding is decided beside the read and takes the place of what was read.
        outside, padding = Signal(g.at_once), Signal(p.width)
        m.d.comb += outside.eq(Cat(self._outside(m, counters, step, row_ends)))
        is_padding = Signal(g.at_once)
        with m.If(move):
            m.d.sync += [self.o.valid.eq(available), is_padding.eq(outside)]
        words = [Mux(is_padding[n], padding, r_port.data) for n, r_port in enumerate(r_ports)]
        m.d.comb += self.o.payload.eq(interleaved(words, p.shape))
        if len(set(p.padding_words)) == 1:
            m.d.comb += padding.eq(p.padding_words[0])
        else:
            words = g.slices // g.groups
            with m.If(move), m.Switch(counters["group"] * words + counters["word"]):
                for n, word in enumerate(p.padding_words):
                    with m.Case(n):
                        m.d.sync += padding.eq(word)
        return m

    def _write(self, m: Module, w_port: memory.WritePort) -> tuple[Signal, Signal, Signal, Signal]:
        """Words go round the ring; whole rows are counted.

        Returns the address, the rows that are held, and whether a row is taken in this cycle or output for
        the last time, which the reading side drives.
        """
        g = self._parameters.geometry
        row_words = g.width * g.slices
        w_address, w_word = Signal(range(g.depth)), Signal(range(row_words))
        rows_held = Signal(range(g.rows + 1))
        row_taken, row_given = Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(rows_held != g.rows),
            w_port.en.eq(self.i.valid & self.i.ready),
            w_port.addr.eq(w_address),
            w_port.data.eq(self.i.payload),
            row_taken.eq(w_port.en & (w_word == row_words - 1)),
        ]
        with m.If(w_port.en):
            m.d.sync += w_word.eq(Mux(row_taken, 0, w_word + 1))
            m.d.sync += w_address.eq(Mux(w_address == g.depth - 1, 0, w_address + 1))
        return w_address, rows_held, row_taken, row_given

    def _address(self, frame: int, row: int, column: int, word: int) -> int:
        """Address in the ring of a word of the image `frame`, also for rows and columns outside the image."""
        g = self._parameters.geometry
        return ((frame * g.height + row) * g.width * g.slices + column * g.slices + word) % g.depth

    def _deltas(self, m: Module, loops: dict[str, int], counters: dict[str, Signal], delta: Signal) -> None:
        """Select the move from each word to the next by the outermost loop that steps on."""
        g = self._parameters.geometry
        start = dict.fromkeys(loops, 0)
        end = {name: limit - 1 for name, limit in loops.items()}
        names = list(loops)
        branch = m.If
        for n in range(len(names) + 1):
            # Loops inside the n-th end and begin anew, the n-th steps on; past the last one, the next image
            # begins.
            before = {**start, **{name: end[name] for name in names[:n]}}
            after, frame = dict(start), 0
            if n < len(names):
                after[names[n]] = 1
            else:
                frame = 1
            move = (self._place(frame, after) - self._place(0, before)) % g.depth
            steps = counters[names[n]] != loops[names[n]] - 1 if n < len(names) else None
            with branch(steps) if steps is not None else m.Else():
                # Negative or zero: then what it leads to is below the depth, and one addition brings it back.
                m.d.comb += delta.eq(move - g.depth if move else 0)
            branch = m.Elif

    def _place(self, frame: int, at: dict[str, int]) -> int:
        g = self._parameters.geometry
        return self._address(
            frame,
            at["out_row"] * g.stride[0] - g.padding[0][0] + at["kernel_row"],
            at["out_column"] * g.stride[1] * g.at_once - g.padding[1][0] + at["kernel_column"],
            at["group"] * (g.slices // g.groups) + at["word"],
        )

    def _by_out_row(self, m: Module, out_row: Signal, name: str, of: Callable[[int], int]) -> Signal:
        """`of` each row of positions; most rows have the same."""
        g = self._parameters.geometry
        values = [of(n) for n in range(g.out_height)]
        common = max(set(values), key=values.count)
        value = Signal(range(max(values) + 1), name=name)
        m.d.comb += value.eq(common)
        with m.Switch(out_row):
            for n, each in enumerate(values):
                if each != common:
                    with m.Case(n):
                        m.d.comb += value.eq(each)
        return value

    def _outside(
        self, m: Module, counters: dict[str, Signal], step: Signal, row_ends: Value
    ) -> list[Value | int]:
        """Whether the word now read is outside the image, for each that is read at once."""
        g = self._parameters.geometry
        outside: list[Value | int] = [0] * g.at_once
        for size, out_size, stride, (before, after), out, kernel, axis in (
            (g.height, g.out_height, g.stride[0], g.padding[0], "out_row", "kernel_row", 0),
            (g.width, g.out_steps, g.stride[1] * g.at_once, g.padding[1], "out_column", "kernel_column", 1),
        ):
            if not before and not after:
                continue
            # The window's corner, counted along with its position.
            least, most = -before, (out_size - 1) * stride - before + g.kernel[axis] - 1
            corner = Signal(range(least, most + 1), name=f"corner_{axis}", init=least)
            last = counters[out] == out_size - 1
            with m.If(row_ends if axis == 0 else self._position_ends(counters, step)):
                m.d.sync += corner.eq(Mux(last, least, corner + stride))
            at = Signal(range(least, most + 1), name=f"at_{axis}")
            m.d.comb += at.eq(corner + counters[kernel])
            for n in range(g.at_once):
                here = at + n * g.stride[1] if axis == 1 and n else at
                outside[n] = outside[n] | (here < 0) | (here >= size)
        return outside

    def _position_ends(self, counters: dict[str, Signal], step: Signal) -> Value:
        """Whether the last word of a position is read."""
        g = self._parameters.geometry
        return (
            step
            & (counters["word"] == g.slices // g.groups - 1)
            & (counters["kernel_column"] == g.kernel[1] - 1)
            & (counters["kernel_row"] == g.kernel[0] - 1)
            & (counters["repeat"] == g.repeats - 1)
            & (counters["group"] == g.groups - 1)
        )
