"""The host's end of sbgen's link, version 3 of the protocol, for MicroPython: a board at a `machine.UART`.

    from machine import UART
    from sbgen_link import Board

    board = Board(UART(1, baudrate=3_000_000, timeout=100))
    print(board.classify(pixels))

Everything that differs between networks comes from the board's answer to identify, so a new bitstream needs
no new program.
"""

import struct

try:
    from binascii import crc32
except ImportError:

    def crc32(data, crc=0):  # type: ignore[no-redef, misc]
        """CRC-32 of IEEE 802.3; slower, for ports whose binascii has none."""
        crc = ~crc & 0xFFFFFFFF
        for byte in data:
            crc ^= byte
            for _ in range(8):
                crc = crc >> 1 ^ (0xEDB88320 if crc & 1 else 0)
        return ~crc & 0xFFFFFFFF


_END, _ESC = b"\xc0", b"\xdb"
_REASONS = ("failure", "checksum", "length", "unknown command", "busy", "weights not loaded", "unknown want")
_TRIES = 4


class LinkError(Exception):
    """The board does not answer, or refuses the request."""


class Board:
    """A board at a UART whose timeout is longer than an image takes; one request at a time.

    `pixels`, `outputs`, `digest` and so on are what identify reports (docs/link.md of sbgen).
    """

    def __init__(self, uart) -> None:
        self._uart = uart
        self._sequence = 0
        self._line = b""
        self.identify()

    def identify(self) -> None:
        """Ask the board what it is."""
        answer = self._ask(1, b"", None)
        if not answer or answer[0] != 3:
            raise LinkError("the board speaks another version of the link; build its bitstream again")
        fields = struct.unpack("<BBHI8sBBBBIHHIIHB", answer[:39])
        self.lanes, self.outputs, self.pixels, self.digest = fields[1:5]
        flags, self.pixel_bits, self.score_bytes, self.top_k, self.image_bytes = fields[5:10]
        self.signs, self.loads = bool(flags & 1), bool(flags & 2)
        self.levels = tuple(answer[39 : 39 + fields[15]])
        # The code of each value of a pixel.
        self._codes = bytes(
            sum(level <= pixel for level in self.levels) if self.levels else pixel for pixel in range(256)
        )

    def classify(self, pixels: bytes) -> int:
        """The class of an image; where signs decide, the bits of its outputs as a number, output 0 lowest.

        `pixels` are `self.pixels` bytes, row-major, channels last.
        """
        return self._number(self._ask(2, b"\x00" + self.pack(pixels), self._decision_bytes()))

    def scores(self, pixels: bytes) -> tuple:
        """The scores of an image, and its decision as `classify` returns it."""
        size = self.score_bytes
        answer = self._ask(2, b"\xff" + self.pack(pixels), self.outputs * size + self._decision_bytes())
        scores = []
        for n in range(self.outputs):
            value = self._number(answer[n * size : (n + 1) * size])
            scores.append(value - (1 << 8 * size) if value >> (8 * size - 1) else value)
        return scores, self._number(answer[self.outputs * size :])

    def pack(self, pixels: bytes) -> bytes:
        """An image as it goes over the line."""
        if len(pixels) != self.pixels:
            raise LinkError(f"an image must have {self.pixels} pixels, not {len(pixels)}")
        packed = bytearray(self.image_bytes)
        bits, count, place, width = 0, 0, 0, self.pixel_bits
        for pixel in pixels:
            bits |= self._codes[pixel] << count
            count += width
            if count >= 8:
                packed[place] = bits & 255
                place += 1
                bits >>= 8
                count -= 8
        if count:
            packed[place] = bits & 255
        return bytes(packed)

    def _decision_bytes(self) -> int:
        return (self.outputs + 7) // 8 if self.signs else 1 if self.outputs <= 256 else 2

    @staticmethod
    def _number(data: bytes) -> int:
        value = 0
        for n, byte in enumerate(data):
            value |= byte << 8 * n
        return value

    def _ask(self, command: int, payload: bytes, size) -> bytes:
        reason = "nothing came"
        for _ in range(_TRIES):
            self._sequence = (self._sequence + 1) & 255
            content = bytes((command, self._sequence)) + payload
            content += struct.pack("<I", crc32(content) & 0xFFFFFFFF)
            self._uart.write(
                _END + content.replace(_ESC, _ESC + b"\xdd").replace(_END, _ESC + b"\xdc") + _END
            )
            answer = self._receive()
            while answer is not None:
                if answer[1] == self._sequence:
                    if answer[0] == 255:
                        code = answer[2] if len(answer) > 2 else 0
                        reason = _REASONS[code] if code < len(_REASONS) else "failure"
                        if code not in (1, 4):
                            raise LinkError("the board refuses: " + reason)
                        break
                    if answer[0] == command | 128 and size in (None, len(answer) - 2):
                        return answer[2:]
                answer = self._receive()
        raise LinkError("the board must answer, but: " + reason)

    def _receive(self):
        """The next undamaged frame without its checksum, or None when the line falls silent."""
        while True:
            end = self._line.find(_END)
            if end < 0:
                received = self._uart.read(max(1, self._uart.any()))
                if not received:
                    return None
                self._line += received
                continue
            content, self._line = self._line[:end], self._line[end + 1 :]
            content = content.replace(_ESC + b"\xdc", _END).replace(_ESC + b"\xdd", _ESC)
            if len(content) >= 6 and crc32(content[:-4]) & 0xFFFFFFFF == struct.unpack("<I", content[-4:])[0]:
                return content[:-4]
