"""Numbers of the host link's protocol (see ``docs/link.md``)."""

__all__ = [
    "CLASSIFY",
    "CRC_BYTES",
    "FAILURE",
    "IDENTIFY",
    "LABEL_BYTES",
    "LIMITS",
    "NO_REASON",
    "REASON_BUSY",
    "REASON_CHECKSUM",
    "REASON_COMMAND",
    "REASON_LENGTH",
    "REASON_WANT",
    "REASON_WEIGHTS",
    "RESPONSE",
    "SCORE_BYTES",
    "VERSION",
    "VERSION_3",
    "VERSION_SIGNS",
    "WANT_ALL",
    "WANT_CLASS",
]

#: Version of the protocol, which identify reports.
VERSION = 1

#: Version for a network that decides by the signs of its scores: its results end with one bit per score
#: instead of a class.
VERSION_SIGNS = 2

#: Version that `boards.messages` speaks (docs/link.md).
VERSION_3 = 3

#: What a request wants of each image: its decision alone, or every score too. In between: that many best
#: classes.
WANT_CLASS = 0
WANT_ALL = 255

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

#: Maxima of the protocol: pixels in an image and in a beat, outputs, and bits of a score.
LIMITS = {"pixels": 2**32 - 1, "lanes": 2**8 - 1, "outputs": 2**16 - 1, "score_width": 32}

#: Bytes of a frame's CRC, of a score, and of a class; the bits of signs take as many bytes as they fill.
CRC_BYTES = 4
SCORE_BYTES = 4
LABEL_BYTES = 2
