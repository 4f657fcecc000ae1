"""The memory in which the host link stores requests: what a core leaves of its device."""

from dataclasses import dataclass

from ..hw.link_parameters import RESERVE
from ..hw.protocol import OVERHEAD
from ..hw.spram import BLOCK_DEPTH
from .device import Device

__all__ = ["LinkStore", "choose"]

#: Bytes of a store in SPRAM: enough for the host to be some milliseconds late.
_SPRAM_DEPTH = 4096

#: Most bytes of a store in flip-flops, of which each takes some 15 LUTs.
_LUT_DEPTH = 64


@dataclass(frozen=True, kw_only=True)
class LinkStore:
    """The store of a link.

    Parameters
    ----------
    kind : str
        ``"bram"``, ``"spram"`` or ``"lut"``.
    depth : int
        Bytes, a power of 2.
    bram, spram : int
        Blocks that it takes of its device.
    """

    kind: str
    depth: int
    bram: int = 0
    spram: int = 0


def choose(*, image_bytes: int, bram: int, spram: int, device: Device) -> LinkStore:
    """The store of a link next to a core.

    It holds two images, so that one can come while the one before is computed, or at least one. SPRAM comes
    first, since few designs use it, then block RAM, then flip-flops. Where nothing is left it is in block RAM
    all the same: then the design does not fit the device.

    Parameters
    ----------
    image_bytes : int
        Bytes of a packed image.
    bram, spram : int
        What the core takes of `device`.
    device : Device
    """
    depths = [_power_of_2(RESERVE + OVERHEAD + images * image_bytes) for images in (2, 1)]
    for depth in (max(depths[0], _SPRAM_DEPTH), *depths):
        blocks = -(-depth // BLOCK_DEPTH)
        if blocks <= device.spram - spram:
            return LinkStore(kind="spram", depth=depth, spram=blocks)
    for depth in depths:
        blocks = device.brams(width=8, depth=depth)
        if blocks <= device.bram - bram:
            while device.brams(width=8, depth=2 * depth) == blocks:
                depth *= 2
            return LinkStore(kind="bram", depth=depth, bram=blocks)
    for depth in depths:
        if depth <= _LUT_DEPTH:
            return LinkStore(kind="lut", depth=depth)
    return LinkStore(kind="bram", depth=depths[1], bram=device.brams(width=8, depth=depths[1]))


def _power_of_2(least: int) -> int:
    return 1 << (least - 1).bit_length()
