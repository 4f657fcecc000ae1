"""How many different pixels a network can tell apart: the host link carries no more bits of them."""

from dataclasses import dataclass

from ..hw.protocol import MAX_LEVELS, image_bytes
from .ir import PIXEL_BITS, Network
from .layers import rules

__all__ = ["PixelCodes", "pixel_codes"]


@dataclass(frozen=True, kw_only=True)
class PixelCodes:
    """The codes of pixels on the link.

    Parameters
    ----------
    bits : int
        Bits of a code.
    levels : tuple of int
        A code is the number of these that are not above the pixel; without any it is the pixel itself.
    pixels : int
        Pixels of an image.
    """

    bits: int
    levels: tuple[int, ...]
    pixels: int

    @property
    def image_bytes(self) -> int:
        """Bytes of a packed image."""
        return image_bytes(pixels=self.pixels, bits=self.bits)


def pixel_codes(network: Network, *, patchable: bool) -> PixelCodes:
    """The codes for a network's pixels.

    Two pixels have the same code only if its first layer cannot tell them apart. All bits are carried if the
    bitstream is `patchable`, as other thresholds may come, or where there are more than `MAX_LEVELS`
    boundaries.
    """
    boundaries = rules(network)[0].boundaries
    if patchable or boundaries is None or len(boundaries) > MAX_LEVELS:
        return PixelCodes(bits=PIXEL_BITS, levels=(), pixels=network.pixels)
    # A network that never looks at its pixels still gets a bit of each: the format has no pixels of none.
    levels = boundaries or (1,)
    return PixelCodes(bits=len(levels).bit_length(), levels=levels, pixels=network.pixels)
