"""What a board's flash holds: the bitstream and, behind it, the weights that it loads at start-up."""

import zlib

from ..errors import BoardError
from ..hw.spram import BLOCK_WIDTH

__all__ = ["OFFSET", "checksum", "combine", "weight_bytes"]

#: Address of the weights: the second erase block of 64 KiB behind a bitstream of the iCE40UP5K, which has
#: 104,090 bytes.
OFFSET = 0x20000


def weight_bytes(image):
    """What fills a core's RAMs (`Core.image`) as bytes: block by block, each word little-endian."""
    return b"".join(word.to_bytes(BLOCK_WIDTH // 8, "little") for words in image for word in words)


def checksum(image):
    """CRC-32 of the `weight_bytes`."""
    return zlib.crc32(weight_bytes(image))


def combine(bitstream, weights):
    """One file for the flash, from address 0 on: the bitstream, 0xFF up to `OFFSET`, and the weights; all are
    bytes.

    Raises
    ------
    BoardError
        When the bitstream reaches beyond `OFFSET`.
    """
    if len(bitstream) > OFFSET:
        raise BoardError(
            f"a bitstream with weights behind it must have at most {OFFSET:,} bytes, but it has"
            f" {len(bitstream):,}; fold the network so that no layer is in SPRAM"
        )
    return bitstream.ljust(OFFSET, b"\xff") + weights
