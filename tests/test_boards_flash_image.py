import zlib

import pytest

from sbgen.boards.flash_image import OFFSET, checksum, combine, weight_bytes
from sbgen.errors import BoardError

IMAGE = ((0x0102, 0xFFFE), (0x8000,))


def test_blocks_in_order_and_words_little_endian():
    assert weight_bytes(IMAGE) == bytes.fromhex("0201feff0080")
    assert checksum(IMAGE) == zlib.crc32(bytes.fromhex("0201feff0080"))


def test_weights_lie_behind_the_bitstream():
    file = combine(b"stream", b"weights")
    assert (file[:6], file[6:OFFSET].strip(b"\xff"), file[OFFSET:]) == (b"stream", b"", b"weights")
    assert combine(bytes(OFFSET), b"w") == bytes(OFFSET) + b"w"


def test_bitstream_that_is_too_long():
    with pytest.raises(BoardError, match="at most 131,072 bytes, but it has 131,073"):
        combine(bytes(OFFSET + 1), b"w")
