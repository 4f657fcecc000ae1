"""Frames of the host link on the host side: requests to bytes, bytes to responses.

The protocol is in ``docs/link.md``. This module handles bytes only, `.host` the serial port.
"""

import struct
import zlib
from dataclasses import dataclass

import numpy as np

from ..errors import LinkError
from ..hw.flash_loader import LOADED, LOADING
from ..hw.protocol import CLASSIFY, FAILURE, IDENTIFY, RESPONSE, VERSION, VERSION_SIGNS
from ..hw.slip import END, ESC, ESC_END, ESC_ESC

__all__ = [
    "REASONS",
    "Frame",
    "Identity",
    "Reader",
    "Result",
    "Weights",
    "classify",
    "identify",
    "images_per_second",
    "parse_identity",
    "parse_result",
    "result_bytes",
]

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
        escaped = content.replace(bytes([ESC]), bytes([ESC, ESC_ESC])).replace(
            bytes([END]), bytes([ESC, ESC_END])
        )
        return bytes([END]) + escaped + bytes([END])

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

    def feed(self, received: bytes) -> list[Frame]:
        """Take bytes from the line and return the frames that end in them."""
        frames = []
        for byte in received:
            if byte != END:
                self._line.append(byte)
                continue
            line, self._line = bytes(self._line), bytearray()
            content = line.replace(bytes([ESC, ESC_END]), bytes([END])).replace(
                bytes([ESC, ESC_ESC]), bytes([ESC])
            )
            if len(content) >= 6 and zlib.crc32(content[:-4]) == int.from_bytes(content[-4:], "little"):
                frames.append(Frame(command=content[0], sequence=content[1], payload=content[2:-4]))
        return frames


def identify(*, sequence: int) -> Frame:
    """The request for the identity of a board's network."""
    return Frame(command=IDENTIFY, sequence=sequence)


def classify(*, sequence: int, image: np.ndarray) -> Frame:
    """The request to classify one image, an array of uint8 pixels of any shape."""
    image = np.asarray(image)
    if image.dtype != np.uint8:
        raise ValueError(f"an image must be raw uint8 pixels, not {image.dtype}")
    return Frame(command=CLASSIFY, sequence=sequence, payload=image.tobytes())


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The state of the weights that a board loads at start-up.

    Parameters
    ----------
    state : int
        As in `sbgen.hw.flash_loader`.
    checksum : int
        CRC-32 that the board computed; valid once it has finished loading.
    """

    state: int
    checksum: int

    @property
    def loaded(self) -> bool:
        return self.state == LOADED

    def __str__(self) -> str:
        if self.state == LOADING:
            return "loading"
        return f"CRC-32 {self.checksum:08x}, " + (
            "loaded" if self.loaded else "wrong: not those of the bitstream"
        )


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a board reports about its network.

    Parameters
    ----------
    lanes : int
        Pixels per beat of its core.
    outputs, pixels : int
        Scores and pixels per image.
    digest : bytes
        First 8 bytes of that network's SHA-256.
    weights : Weights or None
        None if all weights are in the bitstream.
    signs : bool
        Whether the network decides by the sign of each score (version 2 of the protocol), not by the maximum.
    """

    lanes: int
    outputs: int
    pixels: int
    digest: bytes
    weights: Weights | None = None
    signs: bool = False

    @property
    def classes(self) -> int:
        """Classes of the network, or outputs of one that is multi-label."""
        return 2 if self.signs and self.outputs == 1 else self.outputs

    @property
    def multi_label(self) -> bool:
        """Whether an image has a bit per output instead of one class."""
        return self.signs and self.outputs > 1

    def decide(self, scores: np.ndarray) -> int | np.ndarray:
        """The class that the scores of an image mean; of a multi-label network its bits, shape (outputs,)."""
        if not self.signs:
            return int(scores.argmax())
        bits = (scores >= 0).astype(int)
        return bits if self.multi_label else int(bits[0])


def parse_identity(frame: Frame) -> Identity:
    """Parse the response to `identify`."""
    if not frame.payload or frame.payload[0] not in (VERSION, VERSION_SIGNS):
        raise LinkError(
            f"the board must speak version {VERSION} or {VERSION_SIGNS} of the host link, but speaks "
            f"{frame.payload[0] if frame.payload else 'none'}; build its bitstream with this sbgen"
        )
    if len(frame.payload) not in (16, 21):
        raise LinkError(
            f"an identity must have 16 or 21 bytes, not {len(frame.payload)}; "
            "build the board's bitstream with this sbgen"
        )
    version, lanes, outputs, pixels, digest = struct.unpack("<BBHI8s", frame.payload[:16])
    if not (lanes and outputs and pixels):
        raise LinkError(
            f"a board must have at least one lane, output and pixel, but says {lanes}, {outputs} and"
            f" {pixels}; build its bitstream with this sbgen"
        )
    weights = None
    if frame.payload[16:]:
        state, checksum = struct.unpack("<BI", frame.payload[16:])
        weights = Weights(state=state, checksum=checksum)
    return Identity(
        lanes=lanes,
        outputs=outputs,
        pixels=pixels,
        digest=digest,
        weights=weights,
        signs=version == VERSION_SIGNS,
    )


def images_per_second(
    *, pixels: int, outputs: int, baud: int, signs: bool = False, latency_ms: float = 0.0
) -> float:
    """The maximum rate of the link: one request and its response after the other, ten bits per byte.

    Parameters
    ----------
    pixels, outputs : int
        Of the network.
    baud : int
    signs : bool
        Whether the network decides by the signs of its scores.
    latency_ms : float
        The latency timer of the USB converter: the end of a response, which does not fill a USB packet, is
        held back until it expires.
    """
    request = Frame(command=CLASSIFY, sequence=0, payload=bytes(pixels))
    response = Frame(
        command=CLASSIFY | RESPONSE, sequence=0, payload=bytes(result_bytes(outputs=outputs, signs=signs))
    )
    size = len(request.encode()) + len(response.encode())
    return 1 / (size * 10 / baud + latency_ms / 1000)


@dataclass(frozen=True, kw_only=True)
class Result:
    """The int32 scores of an image, shape (outputs,), and its class, or its bits, shape (outputs,)."""

    scores: np.ndarray
    label: int | np.ndarray


def result_bytes(*, outputs: int, signs: bool) -> int:
    """Bytes of the response to `classify`."""
    return 4 * outputs + (-(-outputs // 8) if signs else 2)


def parse_result(frame: Frame, *, outputs: int, signs: bool = False) -> Result:
    """Parse the response to `classify`; `outputs` and `signs` as in the board's `Identity`."""
    size = result_bytes(outputs=outputs, signs=signs)
    if len(frame.payload) != size:
        raise LinkError(
            f"a result of {outputs} outputs must have {size} bytes, not {len(frame.payload)}; "
            "build the board's bitstream with this sbgen"
        )
    scores = np.frombuffer(frame.payload[: 4 * outputs], "<i4").astype(np.int32)
    decision = frame.payload[4 * outputs :]
    if not signs:
        return Result(scores=scores, label=int.from_bytes(decision, "little"))
    bits = np.unpackbits(np.frombuffer(decision, np.uint8), bitorder="little").astype(int)
    return Result(scores=scores, label=bits[:outputs] if outputs > 1 else int(bits[0]))
