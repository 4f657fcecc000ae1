"""Frames of the host link on the host side, to bytes and back.

The protocol is in ``docs/link.md``. `.messages` has what is in frames, `.host` the serial port.
"""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from ..hw.protocol import FAILURE, RESPONSE
from ..hw.slip import END, ESC, ESC_END, ESC_ESC

__all__ = ["REASONS", "Frame", "Reader"]

_END, _ESC = bytes([END]), bytes([ESC])

#: Why a board did not answer a frame.
REASONS = {
    1: "checksum",
    2: "length",
    3: "unknown command",
    4: "busy",
    5: "weights not loaded",
    6: "unknown want",
}


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One undamaged frame, without framing and checksum."""

    command: int
    sequence: int
    payload: bytes = b""

    def encode(self) -> bytes:
        """The bytes on the line, with an END on both sides."""
        content = bytes([self.command, self.sequence]) + self.payload
        content += zlib.crc32(content).to_bytes(4, "little")
        escaped = content.replace(_ESC, _ESC + bytes([ESC_ESC])).replace(_END, _ESC + bytes([ESC_END]))
        return _END + escaped + _END

    def answers(self, request: "Frame") -> bool:
        """Whether this is the response to `request`."""
        return self.command == request.command | RESPONSE and self.sequence == request.sequence

    @property
    def is_failure(self) -> bool:
        return self.command == FAILURE


class Reader:
    """Finds undamaged frames in the bytes of a line.

    Anything damaged is ignored: a truncated frame, noise, a wrong checksum.
    """

    def __init__(self) -> None:
        self._line = bytearray()
        #: Frames so far whose checksum was wrong.
        self.damaged = 0

    def feed(self, received: Iterable[int]) -> list[Frame]:
        """Take bytes from the line and return the frames that end in them."""
        self._line += bytes(received)
        *lines, self._line = self._line.split(_END)
        frames = []
        for line in lines:
            content = bytes(line)
            if ESC in content:
                content = content.replace(_ESC + bytes([ESC_END]), _END).replace(
                    _ESC + bytes([ESC_ESC]), _ESC
                )
            if len(content) >= 6 and zlib.crc32(content[:-4]) == int.from_bytes(content[-4:], "little"):
                frames.append(Frame(command=content[0], sequence=content[1], payload=content[2:-4]))
            elif content:
                self.damaged += 1
        return frames
