"""What a host link is created from, and the sizes that follow from it (``docs/link.md``)."""

import struct
from dataclasses import dataclass

from . import protocol
from .byte_ram import STORES
from .packet_store import MARGIN
from .protocol import LIMITS, MAX_LEVELS, OVERHEAD, VERSION

__all__ = ["RESERVE", "Parameters"]

#: Bytes of the store that no host may use: those that are not `roomy`, and what is being counted.
RESERVE = MARGIN + 8

#: Most images in a request: their number has a byte in the store.
_FRAME_IMAGES = 255


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """What a :class:`.HostLink` is created from.

    Parameters
    ----------
    pixels : :class:`int`
        Pixels in an image.
    lanes : :class:`int`
        Pixels in a beat of the core.
    outputs : :class:`int`
        Results per image.
    score_width : :class:`int`
        Bits of a score, two's complement.
    top_k : :class:`int`
        How many best classes the results report.
    signs : :class:`bool`
        Whether the results have one bit per output instead of classes.
    pixel_bits : :class:`int`
        Bits of a packed pixel.
    levels : tuple of :class:`int`
        The boundaries between its codes; empty where a code is the pixel itself.
    depth : :class:`int`
        Bytes of the store, a power of 2.
    store : :class:`str`
        Memory of the store: ``"bram"``, ``"spram"`` or ``"lut"``.
    core_cycles : :class:`int`
        Cycles that the core needs for an image.
    flow_control : :class:`bool`
        Whether the line waits while the board takes no byte: then no request is refused because others are
        in the store.

    Raises
    ------
    ValueError
        A number exceeds `protocol.LIMITS`, codes do not fit, or the store does not hold an image.
    """

    pixels: int
    lanes: int
    outputs: int
    score_width: int
    top_k: int = 1
    signs: bool = False
    pixel_bits: int = 8
    levels: tuple[int, ...] = ()
    depth: int = 512
    store: str = "bram"
    core_cycles: int = 1
    flow_control: bool = False

    def __post_init__(self) -> None:
        for name, most in LIMITS.items():
            if not 1 <= getattr(self, name) <= most:
                raise ValueError(f"{name} must be in 1 ... {most}, not {getattr(self, name)!r}")
        if not 1 <= self.pixel_bits <= 8:
            raise ValueError(f"pixel_bits must be in 1 ... 8, not {self.pixel_bits!r}")
        most = min(MAX_LEVELS, (1 << self.pixel_bits) - 1)
        if len(self.levels) > most or list(self.levels) != sorted(set(self.levels) & set(range(1, 256))):
            raise ValueError(
                f"levels must be at most {most} rising numbers of 1 ... 255, not {self.levels!r}"
            )
        if self.store not in STORES:
            raise ValueError(f"store must be one of {', '.join(STORES)}, not {self.store!r}")
        if self.frame_images < 1:
            raise ValueError(
                f"the store must hold an image of {self.image_bytes} bytes, but has {self.depth}"
            )

    @property
    def image_bytes(self) -> int:
        """Bytes of a packed image."""
        return protocol.image_bytes(pixels=self.pixels, bits=self.pixel_bits)

    @property
    def score_bytes(self) -> int:
        """Bytes of a score."""
        return -(-self.score_width // 8)

    @property
    def class_bytes(self) -> int:
        """Bytes of a class."""
        return protocol.class_bytes(self.outputs)

    @property
    def decision_bytes(self) -> int:
        """Bytes of what an image is decided to be."""
        return protocol.decision_bytes(self.outputs, signs=self.signs)

    @property
    def ranks(self) -> int:
        """How many best classes a request can ask for."""
        return 0 if self.signs else self.top_k

    @property
    def store_bytes(self) -> int:
        """What requests in flight may take of the store."""
        return self.depth - RESERVE

    @property
    def frame_images(self) -> int:
        """Most images in a request."""
        return min(_FRAME_IMAGES, (self.store_bytes - OVERHEAD) // self.image_bytes)

    @property
    def image_cycles(self) -> int:
        """Cycles that an image takes in the core, or to be unpacked, which takes a cycle per bit, another per
        pixel and three per byte."""
        return max(self.core_cycles, self.pixels * (self.pixel_bits + 1) + 3 * self.image_bytes + 8)

    def identity(self, *, digest: bytes, byte_cycles: int, loads: bool) -> bytes:
        """The payload of the response to identify, without the state of loaded weights.

        Parameters
        ----------
        digest : :class:`bytes`
            First 8 bytes of the SHA-256 of the network.
        byte_cycles : :class:`int`
            Cycles of a byte on the line.
        loads : :class:`bool`
            Whether weights are loaded at start-up.
        """
        return struct.pack(
            "<BBHI8sBBBBIHHIIHB",
            VERSION,
            self.lanes,
            self.outputs,
            self.pixels,
            digest,
            self.signs | loads << 1 | self.flow_control << 2,
            self.pixel_bits,
            self.score_bytes,
            self.ranks,
            self.image_bytes,
            self.frame_images,
            0,
            self.store_bytes,
            self.image_cycles,
            byte_cycles,
            len(self.levels),
        ) + bytes(self.levels)
