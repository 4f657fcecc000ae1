"""How many images per second the host link carries, computed from the sizes of frames (``docs/link.md``)."""

from dataclasses import dataclass

from ..hw.protocol import OVERHEAD

__all__ = ["REQUEST_BYTES", "RESPONSE_BYTES", "LinkRate"]

#: Bytes of a request or a response besides its images or results: two ENDs, command, sequence, CRC, and of a
#: request what it wants.
REQUEST_BYTES = 9
RESPONSE_BYTES = 8


@dataclass(frozen=True, kw_only=True)
class LinkRate:
    """What bounds the rate of a link whose host always has a request in flight.

    Parameters
    ----------
    baud : float
    image_bytes, result_bytes : int
        Bytes of a packed image and of its result.
    image_cycles, byte_cycles : int
        Clock cycles of an image on the board, and of a byte on the line.
    frame_images, store_bytes : int
        Most images in a request, and what requests in flight may take of the store.
    """

    baud: float
    image_bytes: int
    result_bytes: int
    image_cycles: int
    byte_cycles: int
    frame_images: int
    store_bytes: int

    @property
    def images(self) -> int:
        """Images in a request: as many as leave room for another request."""
        half = (self.store_bytes // 2 - OVERHEAD) // self.image_bytes
        return max(1, min(half, self.frame_images))

    @property
    def cycles(self) -> dict[str, float]:
        """The clock cycles of an image by each that may bind: the line in both directions, and the board."""
        n = self.images
        return {
            "requests": (self.image_bytes + REQUEST_BYTES / n) * self.byte_cycles,
            # The transmitter takes a cycle more per byte.
            "responses": (self.result_bytes + RESPONSE_BYTES / n) * (self.byte_cycles + 1),
            "board": float(self.image_cycles),
        }

    @property
    def alone_cycles(self) -> float:
        """The clock cycles of a request of one image, and of its response, on the line."""
        request = (self.image_bytes + REQUEST_BYTES) * self.byte_cycles
        return request + (self.result_bytes + RESPONSE_BYTES) * (self.byte_cycles + 1)

    @property
    def binds(self) -> str:
        """Which of `cycles` it is."""
        return max(self.cycles, key=lambda name: self.cycles[name])

    @property
    def images_per_second(self) -> float:
        return self.baud / 10 * self.byte_cycles / max(self.cycles.values())
