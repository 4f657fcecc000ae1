"""Numbers of the host link's protocol (see ``docs/link.md``)."""

__all__ = [
    "CLASSIFY",
    "CRC_BYTES",
    "FAILURE",
    "IDENTIFY",
    "LIMITS",
    "MAX_LEVELS",
    "NO_REASON",
    "OVERHEAD",
    "REASON_BUSY",
    "REASON_CHECKSUM",
    "REASON_COMMAND",
    "REASON_LENGTH",
    "REASON_WANT",
    "REASON_WEIGHTS",
    "RESPONSE",
    "VERSION",
    "WANT_ALL",
    "WANT_CLASS",
    "class_bytes",
    "decision_bytes",
    "image_bytes",
]

#: Version of the protocol, which identify reports.
VERSION = 3

#: Commands of requests. A response has the bit `RESPONSE` set in addition.
IDENTIFY = 0x01
CLASSIFY = 0x02
RESPONSE = 0x80

#: Command of the response to a frame that is not a valid request, and the reasons that it reports.
FAILURE = 0xFF
NO_REASON = 0
REASON_CHECKSUM = 1
REASON_LENGTH = 2
REASON_COMMAND = 3
REASON_BUSY = 4
REASON_WEIGHTS = 5
REASON_WANT = 6

#: What a request wants of each image: its decision alone, or every score too. In between: that many best
#: classes.
WANT_CLASS = 0
WANT_ALL = 255

#: Maxima of the protocol: pixels in an image and in a beat, outputs, and bits of a score.
LIMITS = {"pixels": 2**32 - 1, "lanes": 2**8 - 1, "outputs": 2**16 - 1, "score_width": 32}

#: Most boundaries between the codes of a pixel.
MAX_LEVELS = 15

#: Bytes of a frame's CRC.
CRC_BYTES = 4

#: Bytes that a request takes of the board's store besides its images: as many as its header and its CRC.
OVERHEAD = 8


def image_bytes(*, pixels: int, bits: int) -> int:
    """Bytes of a packed image, of `bits` bits a pixel."""
    return -(-pixels * bits // 8)


def class_bytes(outputs: int) -> int:
    """Bytes of a class of a network with so many outputs."""
    return 1 if outputs <= 256 else 2


def decision_bytes(outputs: int, *, signs: bool) -> int:
    """Bytes of a decision: a class or, where `signs` decide, a bit of each output."""
    return -(-outputs // 8) if signs else class_bytes(outputs)
