"""What a board reports of itself: its network, and how its link takes images (``docs/link.md``)."""

import math
import struct
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..errors import LinkError
from ..hw import protocol
from ..hw.flash_loader import LOADED, LOADING
from ..hw.protocol import MAX_LEVELS, VERSION
from .frames import Frame

__all__ = ["Identity", "Weights", "parse_identity"]

_FIXED = "<BBHI8sBBBBIHHIIHB"
_SIGNS, _LOADS, _FLOW = 1, 2, 4


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
    """What a board reports about its network and its link.

    Parameters
    ----------
    lanes : int
        Pixels per beat of its core.
    outputs, pixels : int
        Scores and pixels per image.
    digest : bytes
        First 8 bytes of that network's SHA-256.
    signs : bool
        Whether the network decides by the sign of each score, not by the maximum.
    pixel_bits : int
        Bits of a packed pixel, 1 ... 8.
    levels : tuple of int
        The boundaries between the codes of a pixel; empty where the code is the pixel.
    score_bytes : int
        Bytes of a score, 1 ... 4.
    top_k : int
        How many of an image's best classes the board ranks; 0 where signs decide.
    frame_images : int
        Most images in a request.
    store_bytes : int
        What requests in flight may take of the board's store, each its images and `OVERHEAD`.
    image_cycles, byte_cycles : int
        Clock cycles that the board needs for an image, and those of a byte on the line.
    wake : int
        Microseconds of END before a request after a pause.
    flow_control : bool
        Whether the line waits while the board takes no byte: then the host need not keep its pace.
    weights : Weights or None
        None if all weights are in the bitstream.
    """

    lanes: int
    outputs: int
    pixels: int
    digest: bytes
    signs: bool = False
    pixel_bits: int = 8
    levels: tuple[int, ...] = ()
    score_bytes: int = 4
    top_k: int = 1
    frame_images: int = 1
    store_bytes: int = 512
    image_cycles: int = 1
    byte_cycles: int = 40
    wake: int = 0
    flow_control: bool = False
    weights: Weights | None = None

    @property
    def classes(self) -> int:
        """Classes of the network, or outputs of one that is multi-label."""
        return 2 if self.signs and self.outputs == 1 else self.outputs

    @property
    def multi_label(self) -> bool:
        """Whether an image has a bit per output instead of one class."""
        return self.signs and self.outputs > 1

    @property
    def image_bytes(self) -> int:
        """Bytes of a packed image."""
        return protocol.image_bytes(pixels=self.pixels, bits=self.pixel_bits)

    @property
    def class_bytes(self) -> int:
        """Bytes of a class."""
        return protocol.class_bytes(self.outputs)

    @property
    def decision_bytes(self) -> int:
        """Bytes of a decision: a class, or the bits of all outputs."""
        return protocol.decision_bytes(self.outputs, signs=self.signs)

    @cached_property
    def codes(self) -> np.ndarray:
        """The code of each value of a pixel, uint8, shape (256,)."""
        values = np.arange(256)
        if self.levels:
            values = np.searchsorted(np.array(self.levels), values, side="right")
        return values.astype(np.uint8)

    @cached_property
    def values(self) -> np.ndarray:
        """A pixel of each code, the least, uint8, shape (codes,)."""
        if self.levels:
            return np.array([0, *self.levels], np.uint8)
        return np.arange(1 << self.pixel_bits).astype(np.uint8)

    def decide(self, scores: np.ndarray) -> int | np.ndarray:
        """The class that the scores of an image mean; of a multi-label network its bits, shape (outputs,)."""
        if not self.signs:
            return int(scores.argmax())
        bits = (scores >= 0).astype(int)
        return bits if self.multi_label else int(bits[0])

    def pack(self, images: np.ndarray) -> np.ndarray:
        """Images as they go over the line.

        Parameters
        ----------
        images : uint8 array, shape (N, ...)
            Raw pixels, `pixels` of them per image.

        Returns
        -------
        uint8 array, shape (N, image_bytes)

        Raises
        ------
        LinkError
            A pixel has no code, or an image another size.
        """
        images = np.asarray(images)
        if images.dtype != np.uint8:
            raise LinkError(f"images must be raw uint8 pixels, not {images.dtype}; convert them")
        images = images.reshape(len(images), math.prod(images.shape[1:]))
        if images.shape[1] != self.pixels:
            raise LinkError(
                f"an image must have {self.pixels:,} pixels as the board's network, not"
                f" {images.shape[1]:,}; choose the images or the board of that network"
            )
        if self.pixel_bits == 8 and not self.levels:
            return images
        codes = self.codes[images]
        if codes.size and codes.max() >> self.pixel_bits:
            raise LinkError(
                f"a pixel must have at most {self.pixel_bits} bits for this board, but one is {codes.max()}"
            )
        if self.pixel_bits == 1:
            return np.packbits(codes, axis=1, bitorder="little")
        bits = np.unpackbits(codes[:, :, None], axis=2, count=self.pixel_bits, bitorder="little")
        return np.packbits(
            bits.reshape(len(images), bits.shape[1] * bits.shape[2]), axis=1, bitorder="little"
        )

    def unpack(self, packed: bytes) -> np.ndarray:
        """Pixels that packed images may have had: for each code the least, uint8, shape (N, pixels)."""
        lines = np.frombuffer(packed, np.uint8).reshape(-1, self.image_bytes)
        bits = np.unpackbits(lines, axis=1, count=self.pixels * self.pixel_bits, bitorder="little")
        bits = bits.reshape(len(lines), self.pixels, self.pixel_bits)
        codes = np.packbits(bits, axis=2, bitorder="little")[:, :, 0]
        return self.values[np.minimum(codes, len(self.values) - 1)]

    def encode(self) -> bytes:
        """The payload of the response to `identify`, as a board sends it."""
        flags = self.signs * _SIGNS | (self.weights is not None) * _LOADS | self.flow_control * _FLOW
        payload = struct.pack(
            _FIXED,
            VERSION,
            self.lanes,
            self.outputs,
            self.pixels,
            self.digest,
            flags,
            self.pixel_bits,
            self.score_bytes,
            self.top_k,
            self.image_bytes,
            self.frame_images,
            self.wake,
            self.store_bytes,
            self.image_cycles,
            self.byte_cycles,
            len(self.levels),
        ) + bytes(self.levels)
        if self.weights is not None:
            payload += struct.pack("<BI", self.weights.state, self.weights.checksum)
        return payload


def parse_identity(frame: Frame) -> Identity:
    """Parse the response to `identify`.

    Raises
    ------
    LinkError
        The board speaks another version, or says what cannot be.
    """
    payload = frame.payload
    if not payload or payload[0] != VERSION:
        old = payload[:1] in (b"\x01", b"\x02")
        raise LinkError(
            f"the board must speak version {VERSION} of the host link, but speaks"
            f" {payload[0] if payload else 'none'}{' (sbgen 0.1)' if old else ''}; build its bitstream again"
            " with this sbgen"
        )
    size = struct.calcsize(_FIXED)
    fields = struct.unpack(_FIXED, payload[:size]) if len(payload) >= size else None
    levels = tuple(payload[size : size + fields[-1]]) if fields else ()
    rest = payload[size + len(levels) :]
    if fields is None or len(levels) != fields[-1] or len(rest) != 5 * bool(fields[5] & _LOADS):
        raise LinkError(
            f"an identity must be as long as its fields, but has {len(payload)} bytes; build the board's"
            " bitstream again with this sbgen"
        )
    _, lanes, outputs, pixels, digest, flags, bits, score_bytes, top_k, image_bytes, images = fields[:11]
    wake, store_bytes, image_cycles, byte_cycles, _ = fields[11:]
    identity = Identity(
        lanes=lanes,
        outputs=outputs,
        pixels=pixels,
        digest=digest,
        signs=bool(flags & _SIGNS),
        pixel_bits=bits,
        levels=levels,
        score_bytes=score_bytes,
        top_k=top_k,
        frame_images=images,
        store_bytes=store_bytes,
        image_cycles=image_cycles,
        byte_cycles=byte_cycles,
        wake=wake,
        flow_control=bool(flags & _FLOW),
        weights=Weights(**dict(zip(("state", "checksum"), struct.unpack("<BI", rest), strict=True)))
        if rest
        else None,
    )
    _check(identity, image_bytes)
    return identity


def _check(identity: Identity, image_bytes: int) -> None:
    """Refuse an identity that no board can have."""
    levels = identity.levels
    holds = {
        "at least one lane, output and pixel": min(identity.lanes, identity.outputs, identity.pixels) > 0,
        "pixels of 1 ... 8 bits": 1 <= identity.pixel_bits <= 8,
        "scores of 1 ... 4 bytes": 1 <= identity.score_bytes <= 4,
        "at least one image per request and one cycle per byte": min(
            identity.frame_images, identity.byte_cycles
        )
        > 0,
        "images as long as their pixels": image_bytes == identity.image_bytes,
        "rising boundaries above 0 that its codes can count": (
            len(levels) <= min(MAX_LEVELS, (1 << identity.pixel_bits) - 1)
            and list(levels) == sorted(set(levels) - {0})
        ),
        "no more best classes than outputs": identity.top_k <= (0 if identity.signs else identity.outputs),
    }
    for must, true in holds.items():
        if not true:
            raise LinkError(
                f"a board must have {must}, but reports {identity}; build its bitstream again with this sbgen"
            )
