"""The register of a kernel, which moves over the columns of an image."""

from dataclasses import dataclass
from typing import ClassVar

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal
from amaranth.lib.data import ArrayLayout

from .part import Part, PartComponent

__all__ = ["Parameters", "Patches"]


@dataclass(frozen=True, kw_only=True)
class Parameters(Part):
    """What the register of a kernel is created from.

    Parameters
    ----------
    pixel : :class:`ArrayLayout`
        Shape of a pixel: all its channels.
    width : :class:`int`
        Columns of the image.
    kernel : pair of :class:`int`
        Rows and columns.
    stride : :class:`int`
        Columns by which the kernel moves.
    padding : pair of :class:`int`
        Columns to the left and to the right of the image.
    padding_word : :class:`int`
        The pixel there.
    at_once : :class:`int`
        Adjacent positions that are output together.
    """

    rtl_name: ClassVar[str] = "patches"

    pixel: ArrayLayout
    width: int
    kernel: tuple[int, int]
    stride: int = 1
    padding: tuple[int, int] = (0, 0)
    padding_word: int = 0
    at_once: int = 1

    def __post_init__(self) -> None:
        for name, value in (
            ("width", self.width),
            ("kernel", min(self.kernel)),
            ("stride", self.stride),
            ("at_once", self.at_once),
        ):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value!r}")
        if not all(0 <= side < self.kernel[1] for side in self.padding):
            raise ValueError(f"padding must be in 0 ... {self.kernel[1] - 1}, not {self.padding!r}")
        if self.width + sum(self.padding) < self.kernel[1]:
            raise ValueError(
                f"the kernel of {self.kernel[1]} columns must fit the padded image of"
                f" {self.width + sum(self.padding)}"
            )
        if self.at_once > self.out_width:
            raise ValueError(f"at_once must be in 1 ... {self.out_width}, not {self.at_once!r}")

    @property
    def out_width(self) -> int:
        """Positions of a row."""
        return (self.width + sum(self.padding) - self.kernel[1]) // self.stride + 1

    @property
    def steps(self) -> int:
        """Beats that it outputs for a row."""
        return -(-self.out_width // self.at_once)

    @property
    def columns(self) -> int:
        """Columns under all positions that are output together."""
        return self.kernel[1] + (self.at_once - 1) * self.stride

    @property
    def moves(self) -> int:
        """Columns by which they move."""
        return self.at_once * self.stride

    @property
    def fed(self) -> int:
        """Columns that pass through the register for a row, with those of padding."""
        return max((self.steps - 1) * self.moves + self.columns, self.padding[0] + self.width)

    @property
    def i_shape(self) -> ArrayLayout:
        return self.pixel

    @property
    def o_shape(self) -> ArrayLayout:
        length = self.pixel.length * self.kernel[0] * self.kernel[1] * self.at_once
        return ArrayLayout(self.pixel.elem_shape, length)

    def _rows(self, i_beats: int) -> int:
        return i_beats // (self.width * self.kernel[0])

    def o_beats(self, i_beats: int) -> int:
        return self._rows(i_beats) * self.steps

    def busy(self, i_beats: int) -> int:
        return self._rows(i_beats) * (self.width * self.kernel[0] + self.fed - self.width)

    def create(self) -> "Patches":
        return Patches(self)


class Patches(PartComponent[Parameters]):
    """Takes the columns under the rows of a kernel and outputs, for each position of a row, all pixels under
    the kernel at once.

    A row of positions comes as its columns from left to right, each of `kernel[0]` pixels from the top to the
    bottom. They pass through a shift register as large as the kernel, or as several adjacent positions.
    A pixel is taken in each cycle; a column of padding takes a cycle. A position is output in the cycle after
    its last pixel has come, and the next pixel is taken when it leaves.

    Parameters
    ----------
    parameters : :class:`Parameters`

    Members
    -------
    i : :py:`In(stream.Signature(pixel))`
    o : :py:`Out(stream.Signature(o_shape))`
        In the order kernel row, kernel column, channel; for each of them the elements of all positions that
        are output together. What comes past the last position of a row is undefined.
    """

    def elaborate(self, platform):
        m = Module()
        p = self._parameters
        rows, bits = p.kernel[0], Shape.cast(p.pixel).width
        held = [Signal(bits, name=f"pixel_{n}", reset_less=True) for n in range(p.columns * rows)]

        at, row = Signal(range(p.fed)), Signal(range(rows))
        due = Signal(
            range(max(p.columns, p.moves)), init=p.columns - 1
        )  # columns until a position is complete
        outside, room, take, pad, column, row_ends = (
            Signal(name=name) for name in ("outside", "room", "take", "pad", "column", "row_ends")
        )
        left, right = p.padding[0], p.padding[0] + p.width
        m.d.comb += [
            outside.eq((at < left) | (at >= right)),
            room.eq(~self.o.valid | self.o.ready),
            self.i.ready.eq(room & ~outside),
            take.eq(self.i.valid & self.i.ready),
            pad.eq(room & outside),
            column.eq(pad | take & (row == rows - 1)),
            row_ends.eq(at == p.fed - 1),
        ]
        with m.If(room):
            m.d.sync += self.o.valid.eq(column & (due == 0))
        with m.If(take):
            m.d.sync += row.eq(Mux(row == rows - 1, 0, row + 1))
        with m.If(column):
            m.d.sync += [
                at.eq(Mux(row_ends, 0, at + 1)),
                due.eq(Mux(row_ends, p.columns - 1, Mux(due == 0, p.moves - 1, due - 1))),
            ]
        beyond = [Const(p.padding_word, bits)] * rows
        with m.If(take | pad):
            for pixel, one, all_rows in zip(
                held, (*held[1:], self.i.payload.as_value()), (*held[rows:], *beyond), strict=True
            ):
                m.d.sync += pixel.eq(Mux(outside, all_rows, one))
        m.d.comb += self.o.payload.as_value().eq(Cat(self._in_order(held)))
        return m

    def _in_order(self, held: list[Signal]) -> list:
        p = self._parameters
        each = Shape.cast(p.pixel.elem_shape).width
        return [
            held[(n * p.stride + kernel_column) * p.kernel[0] + kernel_row].word_select(channel, each)
            for kernel_row in range(p.kernel[0])
            for kernel_column in range(p.kernel[1])
            for channel in range(p.pixel.length)
            for n in range(p.at_once)
        ]
