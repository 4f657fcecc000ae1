"""A board in software that speaks version 3 of the host link, on a port that may damage what passes.

It shares nothing with the host's code but the numbers of the protocol, the CRC of zlib and `Identity`.
"""

import zlib
from collections import deque

import numpy as np

from sbgen.boards.messages import Identity

__all__ = ["DIGEST", "Port", "SoftBoard", "truth"]

DIGEST = bytes(range(8))


def truth(identity, codes):
    """The scores of images, int64, (N, outputs), from the codes of their pixels, (N, pixels)."""
    weights = np.arange(identity.outputs)[:, None] * 7 + np.arange(identity.pixels)[None] * 5
    return codes.astype(np.int64) @ (weights % 11 - 5).T


def scores_of(identity, images):
    """The scores of raw images."""
    return truth(identity, identity.codes[images.reshape(len(images), -1)])


class SoftBoard:
    """Takes bytes of the line and returns bytes of the line.

    Each byte that comes in is `byte_cycles` of time, in which its core works; what does not fit into its
    store is refused as busy.
    """

    def __init__(self, identity=None, **changes):
        fields = {
            "lanes": 2,
            "outputs": 3,
            "pixels": 11,
            "digest": DIGEST,
            "pixel_bits": 2,
            "levels": (40, 100, 200),
            "score_bytes": 2,
            "top_k": 2,
            "frame_images": 5,
            "store_bytes": 64,
            "image_cycles": 100,
            "byte_cycles": 40,
        }
        self.identity = identity or Identity(**{**fields, **changes})
        self.answer_identity = self.identity.encode()
        self.refusals = []
        self.requests = 0
        self._frame = bytearray()
        self._work = deque()  # (bytes of the store, cycles, answer)
        self._used = 0

    def feed(self, data):
        out = bytearray()
        for byte in data:
            self._compute(self.identity.byte_cycles, out)
            if byte != 0xC0:
                self._frame.append(byte)
                continue
            frame, self._frame = self._unescape(bytes(self._frame)), bytearray()
            if len(frame) >= 2:
                self._receive(frame)
        return bytes(out)

    def rest(self):
        """What it answers when the line stays idle."""
        out = bytearray()
        self._compute(1 << 60, out)
        return bytes(out)

    @staticmethod
    def _unescape(line):
        out, parts = bytearray(), iter(line)
        for byte in parts:
            out.append({0xDC: 0xC0, 0xDD: 0xDB}.get(next(parts, 0), 0) if byte == 0xDB else byte)
        return bytes(out)

    def _compute(self, cycles, out):
        while self._work and cycles:
            size, left, answer = self._work.popleft()
            if left > cycles:
                self._work.appendleft((size, left - cycles, answer))
                return
            cycles -= left
            self._used -= size
            out += answer

    def _answer(self, command, sequence, payload, *, size=8, cycles=1):
        content = bytes([command, sequence]) + payload
        content += zlib.crc32(content).to_bytes(4, "little")
        line = b"\xc0"
        for byte in content:
            line += {0xC0: b"\xdb\xdc", 0xDB: b"\xdb\xdd"}.get(byte, bytes([byte]))
        self._used += size
        self._work.append((size, cycles, line + b"\xc0"))

    def _receive(self, frame):
        self.requests += 1
        identity, payload = self.identity, frame[2:-4]
        images, rest = divmod(len(payload) - 1, identity.image_bytes)
        size = (images * identity.image_bytes if frame[0] == 2 else 0) + 8

        def refuse(reason):
            self.refusals.append(reason)
            self._answer(0xFF, frame[1], bytes([reason]))

        if self._used + size > max(identity.store_bytes, identity.frame_images * identity.image_bytes + 8):
            refuse(4)
        elif len(frame) < 6 or zlib.crc32(frame[:-4]) != int.from_bytes(frame[-4:], "little"):
            refuse(1)
        elif frame[0] not in (1, 2):
            refuse(3)
        elif frame[0] == 1:
            if payload:
                refuse(2)
            else:
                self._answer(0x81, frame[1], self.answer_identity)
        elif rest or not 1 <= images <= identity.frame_images:
            refuse(2)
        elif payload[0] not in (0, 255) and not 1 <= payload[0] <= identity.top_k:
            refuse(6)
        elif identity.weights and not identity.weights.loaded:
            refuse(5)
        else:
            self._answer(
                0x82,
                frame[1],
                self._results(payload[0], payload[1:]),
                size=size,
                cycles=images * identity.image_cycles,
            )

    def _results(self, want, packed):
        identity = self.identity
        lines = np.frombuffer(packed, np.uint8).reshape(-1, identity.image_bytes)
        bits = np.unpackbits(lines, axis=1, bitorder="little")[:, : identity.pixels * identity.pixel_bits]
        codes = bits.reshape(len(lines), identity.pixels, -1) @ (1 << np.arange(identity.pixel_bits))
        out = b""
        for scores in truth(identity, codes).tolist():
            numbers = [score.to_bytes(identity.score_bytes, "little", signed=True) for score in scores]
            best = sorted(range(len(scores)), key=lambda n: (-scores[n], n))
            width = 1 if len(scores) <= 256 else 2
            classes = [n.to_bytes(width, "little") for n in best]
            if identity.signs:
                bits = sum((score >= 0) << n for n, score in enumerate(scores))
                decision = bits.to_bytes(-(-len(scores) // 8), "little")
            else:
                decision = classes[0]
            if want == 0:
                out += decision
            elif want == 255:
                out += b"".join(numbers) + decision
            else:
                out += b"".join(classes[n] + numbers[best[n]] for n in range(want))
        return out


class Port:
    """A `SoftBoard` on a serial port.

    Parameters
    ----------
    board : SoftBoard
    damage : callable
        Gets bytes of one transfer and returns what arrives.
    """

    baudrate = 1_000_000

    def __init__(self, board, damage=lambda line: line):
        self.board, self.damage = board, damage
        self.out = bytearray()
        self.written = 0

    @property
    def in_waiting(self):
        return len(self.out)

    def read(self, count):
        if not self.out:
            self.out += self.damage(self.board.rest())
        taken, self.out = bytes(self.out[:count]), self.out[count:]
        return taken

    def write(self, line):
        self.written += len(line)
        self.out += self.damage(self.board.feed(self.damage(line)))

    def close(self):
        self.out.clear()
