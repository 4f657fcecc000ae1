"""Where a window is over an image, as a value: sizes, strides, the order of its words, the rows it needs."""

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Geometry"]


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Sizes and strides of a window that moves over an image, and the order in which it outputs its words.

    An image has `height` rows of `width` pixels of `slices` words each; it arrives row by row, each word
    once. The window has `kernel` rows and columns and moves by `stride`; words outside the image are padding.
    The words of a pixel are split evenly over `groups`. For each position, row by row, and each group, the
    words come in the order kernel row, kernel column, word, and that `repeats` times. With several positions
    of a row at once, the words of all of them come together; what comes past the last position of a row is
    undefined.

    Parameters
    ----------
    height, width, slices : :class:`int`
    kernel, stride : pair of :class:`int`
        Rows and columns.
    padding : pair of pairs of :class:`int`
        Rows above and below the image, columns left and right of it.
    groups, repeats : :class:`int`
    at_once : :class:`int`
        Adjacent positions of a row whose words are output together.
    rows : :class:`int`, optional
        Rows of the ring of line buffers, by default the minimum: those under the window, and those that
        arrive meanwhile. With twice the rows under the window, the next image comes in while the window is at
        the bottom of this one.
    """

    height: int
    width: int
    slices: int
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0))
    groups: int = 1
    repeats: int = 1
    at_once: int = 1
    rows: int = None  # type: ignore[assignment]  # the minimum, which is set below

    def __post_init__(self) -> None:
        for name, value in (
            ("height", self.height),
            ("width", self.width),
            ("slices", self.slices),
            ("groups", self.groups),
            ("repeats", self.repeats),
            ("at_once", self.at_once),
            ("kernel", min(self.kernel)),
            ("stride", min(self.stride)),
        ):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value!r}")
        if self.slices % self.groups:
            raise ValueError(f"groups must divide the {self.slices} words of a pixel, not {self.groups!r}")
        for size, window, (before, after), what in zip(
            (self.height, self.width), self.kernel, self.padding, ("row", "column"), strict=True
        ):
            if not (0 <= before < window and 0 <= after < window):
                raise ValueError(
                    f"{what} padding must be in 0 ... {window - 1}, not {before!r} and {after!r}"
                )
            if size + before + after < window:
                raise ValueError(
                    f"the kernel of {window} {what}s must fit the padded image of {size + before + after}"
                )
        if self.at_once > self.out_width:
            raise ValueError(f"at_once must be in 1 ... {self.out_width}, not {self.at_once!r}")
        least, _ = self.rows_range(height=self.height, kernel=self.kernel, stride=self.stride)
        if self.rows is None:
            object.__setattr__(self, "rows", least)
        if self.rows < least:
            raise ValueError(f"rows must be at least {least}, not {self.rows!r}")

    @staticmethod
    def rows_range(*, height: int, kernel: tuple[int, int], stride: tuple[int, int]) -> tuple[int, int]:
        """The minimum of rows that the ring needs, and the maximum that is of use."""
        under = min(max(kernel[0], stride[0]), height)
        return under + min(stride[0], height), 2 * under

    @property
    def out_height(self) -> int:
        return (self.height + sum(self.padding[0]) - self.kernel[0]) // self.stride[0] + 1

    @property
    def out_width(self) -> int:
        return (self.width + sum(self.padding[1]) - self.kernel[1]) // self.stride[1] + 1

    @property
    def out_steps(self) -> int:
        """Steps in which the window goes over a row."""
        return -(-self.out_width // self.at_once)

    @property
    def words_in(self) -> int:
        """Words of an image."""
        return self.height * self.width * self.slices

    @property
    def words_out(self) -> int:
        """Words that the window outputs per image, or sets of them."""
        return (
            self.out_height
            * self.out_steps
            * self.groups
            * self.repeats
            * self.kernel[0]
            * self.kernel[1]
            * (self.slices // self.groups)
        )

    @property
    def depth(self) -> int:
        """Words of memory."""
        return self.rows * self.width * self.slices

    def first(self, out_row: int) -> int:
        """The first row of the image that the window at `out_row` needs or that is still to come."""
        return min(max(0, out_row * self.stride[0] - self.padding[0][0]), self.height)

    def freed(self, out_row: int) -> int:
        """Rows that are no longer needed once the window has passed `out_row`."""
        after = self.first(out_row + 1) if out_row + 1 < self.out_height else self.height
        return after - self.first(out_row)

    def needed(self, out_row: int) -> int:
        """Rows, from the oldest held, that must have arrived before the window can go over `out_row`."""
        last = min(self.height, out_row * self.stride[0] - self.padding[0][0] + self.kernel[0])
        return max(last - self.first(out_row), self.freed(out_row))

    def positions(self) -> Iterator[tuple[int, int, int] | None]:
        """For each word that is output, in order: (row, column, word of the pixel), or None for padding.

        Words that are output together come in the order of their positions, also past the last of a row.
        """
        words = self.slices // self.groups
        for out_row in range(self.out_height):
            for out_step in range(self.out_steps):
                for group in range(self.groups):
                    for _ in range(self.repeats):
                        for kernel_row in range(self.kernel[0]):
                            for kernel_column in range(self.kernel[1]):
                                for word in range(words):
                                    for n in range(self.at_once):
                                        position = out_row, out_step * self.at_once + n
                                        row, column = self._under(position, (kernel_row, kernel_column))
                                        inside = 0 <= row < self.height and 0 <= column < self.width
                                        yield (row, column, group * words + word) if inside else None

    def _under(self, position: tuple[int, int], kernel: tuple[int, int]) -> tuple[int, int]:
        """Row and column of the image under a place of the kernel."""
        row, column = (
            out * step - before + at
            for out, step, (before, _), at in zip(position, self.stride, self.padding, kernel, strict=True)
        )
        return row, column
