"""The contents of a board's flash: the bitstream and the weights that the design loads at start-up."""

import zlib
from collections.abc import Sequence
from pathlib import Path

from ..errors import BoardError
from ..hw.spram import BLOCK_WIDTH

__all__ = ["MODEL", "OFFSET", "as_hex", "checksum", "combine", "weight_bytes"]

#: A model of the flash for simulators: the module ``spi_flash``, which reads `as_hex` of its bytes from
#: ``flash.hex``.
MODEL = Path(__file__).with_name("spi_flash.v")

#: Address of the weights: the second erase block of 64 KiB after a bitstream of the iCE40UP5K, which has
#: 104,090 bytes.
OFFSET = 0x20000


def weight_bytes(ram_contents: Sequence[Sequence[int]]) -> bytes:
    """The contents of a core's RAMs as bytes: block by block, each word little-endian."""
    return b"".join(word.to_bytes(BLOCK_WIDTH // 8, "little") for words in ram_contents for word in words)


def as_hex(contents: bytes) -> str:
    """Bytes as the text that ``$readmemh`` reads."""
    return "".join(f"{byte:02x}\n" for byte in contents)


def checksum(ram_contents: Sequence[Sequence[int]]) -> int:
    """CRC-32 of the `weight_bytes`."""
    return zlib.crc32(weight_bytes(ram_contents))


def combine(bitstream: bytes, weights: bytes) -> bytes:
    """One file for the flash, from address 0 on: the bitstream, 0xFF up to `OFFSET`, and the weights.

    Raises
    ------
    BoardError
        When the bitstream reaches beyond `OFFSET`.
    """
    if len(bitstream) > OFFSET:
        raise BoardError(
            f"a bitstream with weights after it must have at most {OFFSET:,} bytes, but it has"
            f" {len(bitstream):,}; fold the network so that no layer is in SPRAM"
        )
    return bitstream.ljust(OFFSET, b"\xff") + weights
