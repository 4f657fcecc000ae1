"""Messages of the host link on the host side: what is in the frames of requests and responses.

The protocol is in ``docs/link.md``. `.frames` has what a frame is, `.identity` what a board reports of
itself, `.host` the serial port.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import LinkError
from ..hw.protocol import CLASSIFY, IDENTIFY, OVERHEAD, WANT_ALL, WANT_CLASS
from .frames import Frame
from .identity import Identity, Weights, parse_identity

__all__ = [
    "OVERHEAD",
    "WANT_ALL",
    "WANT_CLASS",
    "Identity",
    "Results",
    "Weights",
    "classify",
    "identify",
    "parse_identity",
    "parse_results",
    "result_bytes",
]


def identify(*, sequence: int) -> Frame:
    """The request for the identity of a board."""
    return Frame(command=IDENTIFY, sequence=sequence)


def classify(*, sequence: int, packed: np.ndarray, want: int = WANT_CLASS) -> Frame:
    """The request to classify images.

    Parameters
    ----------
    sequence : int
    packed : uint8 array, shape (N, image_bytes)
        As `Identity.pack` returns them, 1 ... frame_images.
    want : int
        `WANT_CLASS`, a number of best classes, or `WANT_ALL`.
    """
    return Frame(command=CLASSIFY, sequence=sequence, payload=bytes([want]) + packed.tobytes())


@dataclass(frozen=True, kw_only=True)
class Results:
    """What a board answers about images.

    Parameters
    ----------
    labels : int64 array
        The class of each image, shape (N,), or its bits, shape (N, outputs).
    scores : int64 array or None
        Every score, shape (N, outputs); only of `WANT_ALL`.
    best : int64 array or None
        The k best classes, shape (N, k), and ...
    best_scores : int64 array or None
        ... their scores; only where k were wanted.
    """

    labels: np.ndarray
    scores: np.ndarray | None = None
    best: np.ndarray | None = None
    best_scores: np.ndarray | None = None


def result_bytes(identity: Identity, want: int) -> int:
    """Bytes of an image's result."""
    if want == WANT_CLASS:
        return identity.decision_bytes
    if want == WANT_ALL:
        return identity.outputs * identity.score_bytes + identity.decision_bytes
    return want * (identity.class_bytes + identity.score_bytes)


def parse_results(frame: Frame, *, identity: Identity, want: int, images: int) -> Results:
    """Parse the response to `classify`.

    Raises
    ------
    LinkError
        The response has not the length of so many results, or a class that the network does not have.
    """
    size = images * result_bytes(identity, want)
    if len(frame.payload) != size:
        raise LinkError(
            f"the results of {images} images must have {size} bytes, not {len(frame.payload)};"
            " build the board's bitstream again with this sbgen"
        )
    lines = np.frombuffer(frame.payload, np.uint8).reshape(images, -1)
    scores = best = best_scores = None
    if want in (WANT_CLASS, WANT_ALL):
        if want == WANT_ALL:
            split = lines.shape[1] - identity.decision_bytes
            scores = _numbers(lines[:, :split].reshape(images, identity.outputs, -1), signed=True)
            lines = lines[:, split:]
        if identity.signs:
            labels = np.unpackbits(lines, axis=1, bitorder="little")[:, : identity.outputs].astype(np.int64)
            labels = labels if identity.multi_label else labels[:, 0]
        else:
            labels = _numbers(lines)
    else:
        entries = lines.reshape(images, want, -1)
        best = _numbers(entries[:, :, : identity.class_bytes])
        best_scores = _numbers(entries[:, :, identity.class_bytes :], signed=True)
        labels = best[:, 0]
    for classes in () if identity.signs else (labels, best):
        if classes is not None and classes.size and classes.max() >= identity.outputs:
            raise LinkError(
                f"a class must be below {identity.outputs}, but the board reports {classes.max()}; its"
                " bitstream is wrong"
            )
    return Results(labels=labels, scores=scores, best=best, best_scores=best_scores)


def _numbers(bytes_: np.ndarray, *, signed: bool = False) -> np.ndarray:
    """Little-endian numbers along the last axis."""
    width = bytes_.shape[-1]
    values = (bytes_.astype(np.int64) << 8 * np.arange(width)).sum(axis=-1)
    return values - ((values >> 8 * width - 1) << 8 * width) if signed else values
