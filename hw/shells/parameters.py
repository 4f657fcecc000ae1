"""What is the same in every shell around a core."""

from dataclasses import dataclass

__all__ = ["PIXEL_BITS", "Parameters"]

#: Bits that a pixel may take in a word.
PIXEL_BITS = (1, 2, 4, 8)


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """How words of a bus become an image.

    Parameters
    ----------
    width : :class:`int`
        Bits of a word: a multiple of 8. The first pixel is in its least significant bits.
    pixel_bits : :class:`int`
        Bits of a pixel in a word, one of `PIXEL_BITS`.
    levels : tuple of :class:`int`
        A pixel is sent as the number of these that are not above it; without any as it is, in 8 bits.
    in_flight : :class:`int`
        Images that may be in the core at once, at least 2.
    """

    width: int
    pixel_bits: int = 8
    levels: tuple[int, ...] = ()
    in_flight: int = 2

    def __post_init__(self) -> None:
        if self.width < 8 or self.width % 8:
            raise ValueError(f"width must be a multiple of 8, at least 8, not {self.width!r}")
        if self.pixel_bits not in PIXEL_BITS:
            raise ValueError(f"pixel_bits must be one of {PIXEL_BITS}, not {self.pixel_bits!r}")
        if len(self.levels) >= 1 << self.pixel_bits or not self.levels and self.pixel_bits != 8:
            raise ValueError(
                f"{len(self.levels)} levels must have {len(self.levels) + 1} codes of {self.pixel_bits} bits"
            )
        if self.in_flight < 2:
            raise ValueError(f"in_flight must be at least 2, not {self.in_flight!r}")

    @property
    def word_pixels(self) -> int:
        """Pixels in a word."""
        return self.width // self.pixel_bits

    def words(self, pixels: int) -> int:
        """Words of an image of so many pixels."""
        return -(-pixels // self.word_pixels)
