"""The host side of the link: a board on a serial port, which reports its network and classifies images.

::

    images ──▶ Batch ──▶ Flight ──▶ Line ══ serial port ══ board
    results ◀── Batch ◀── Flight ◀── Line
"""

import math
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from ..errors import LinkError
from ..hw.protocol import IDENTIFY, REASON_BUSY, WANT_ALL
from ..hw.slip import END
from . import frames, messages
from .batch import Batch
from .flight import MOST, Flight, Request
from .line import Line, Port
from .messages import Identity, Results

__all__ = ["LineErrors", "Link"]

#: How often a board that does not answer is asked.
_TRIES = 4

#: Seconds without progress, in addition to the time on the line: for the core, the host and USB.
_PATIENCE = 1.0

#: Seconds that an answer may take at a board that is as fast as its line: for USB and the host.
_DELAY = 0.05

#: Seconds of the line that requests in flight fill: more than USB's latency timer and the host's scheduler
#: take together.
_AHEAD = 0.1

#: And bytes of it at least, so that a slow line too has the next request when one ends.
_LEAST_AHEAD = 1 << 12

#: Bytes of an identity and its request on the line, about.
_IDENTITY_BYTES = 70

#: Bytes of a response's frame around its payload, if a few of it are escaped.
_AROUND = 14


@dataclass(kw_only=True)
class LineErrors:
    """What went wrong on a line so far.

    Parameters
    ----------
    damaged : int
        Frames of the board whose checksum was wrong.
    refused : int
        Requests that the board refused, by `frames.REASONS`: damaged ones, or because it was busy.
    lost : int
        Requests that were sent again.
    silent : int
        Times at which the board did not answer.
    """

    damaged: int = 0
    refused: int = 0
    lost: int = 0
    silent: int = 0


class Link:
    """Requests over a serial port, many of them in flight.

    Each time a request is sent it has a new sequence number, and only an undamaged response with that number
    counts. So a late or repeated response is never mistaken for that of another image.

    Parameters
    ----------
    port : Port
        Such as `serial.Serial` with a short timeout.
    latency_ms : float or None
        The latency timer of its USB converter; None if it is unknown.
    number : int or None
        The first sequence number; by default a random one, as answers to a host before may still come.
    """

    def __init__(self, *, port: Port, latency_ms: float | None = None, number: int | None = None) -> None:
        self._line = Line(port)
        self.latency_ms = latency_ms
        #: What the board last reported.
        self.identity: Identity | None = None
        self._flight = Flight(os.urandom(1)[0] if number is None else number)
        self._reader = frames.Reader()
        self._out = bytearray()
        self._byte_seconds = 10 / port.baudrate
        self._careful = False  # whether the board has been busy
        self._errors = LineErrors()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the port."""
        self._line.close()

    @property
    def baud(self) -> int:
        return self._line.baud

    @property
    def errors(self) -> LineErrors:
        """What went wrong on the line so far."""
        return replace(self._errors, damaged=self._reader.damaged)

    def identify(self) -> Identity:
        """Ask the board which network it runs. What was in flight is given up.

        Raises
        ------
        LinkError
            The board does not answer, or speaks another version of the protocol.
        """
        trouble = []
        for _ in range(_TRIES):
            request = Request(command=IDENTIFY, payload=b"")
            if len(self._flight) == MOST:
                self._flight.clear()
            self._out += bytes([END]) + self._flight.add(request)
            start = time.monotonic()
            patience = _PATIENCE + 4 * (self._flight.line_bytes + _IDENTITY_BYTES) * self._byte_seconds
            reason = "nothing"
            while time.monotonic() < start + patience:
                for frame in self._reader.feed(self._line.exchange(self._out, _DELAY)):
                    answered, _, failed = self._flight.accept(frame)
                    reason = failed or reason
                    if answered is request:
                        slow = time.monotonic() - start - _DELAY
                        self._byte_seconds = max(10 / self.baud, slow / _IDENTITY_BYTES)
                        self.identity = messages.parse_identity(frame)
                        return self.identity
            trouble.append(reason)
        raise LinkError(
            f"the board must answer, but {_TRIES} requests led to: {', '.join(trouble)}; check the port and "
            "the baud rate, that the bitstream is loaded (sbgen flash), and press its reset"
        )

    def classify(
        self, images: np.ndarray | Iterable[np.ndarray], *, want: int = WANT_ALL
    ) -> Iterator[Results]:
        """Classify images; many are on their way at the same time.

        Parameters
        ----------
        images : array of uint8, shape (N, ...), or iterable of arrays of uint8
            Raw pixels, per image as many as the board's network takes.
        want : int
            `WANT_CLASS`, `WANT_ALL`, or a number of best classes that the board ranks.

        Yields
        ------
        Results
            Of the next images, in order, as soon as they come.

        Raises
        ------
        LinkError
            When the board does not answer, or cannot take such images.
        """
        _check_images(images)
        identity = self.identify()
        if identity.weights and not identity.weights.loaded:
            raise LinkError(
                f"the board must have loaded its weights, but: {identity.weights}; write its flash again with"
                " sbgen flash"
            )
        batch = Batch(identity, images, want)
        silent, since = 0, time.monotonic()
        while not batch.done:
            self._send(batch, identity, want)
            before = len(self._out)
            received = self._line.exchange(self._out, _DELAY)
            moved = len(self._out) < before
            for frame in self._reader.feed(received):
                moved |= self._take(frame, batch)
            if (results := batch.results()) is not None:
                silent, moved = 0, True
                yield results
            if moved:
                since = time.monotonic()
            elif time.monotonic() > since + self._patience(identity):
                silent, since = silent + 1, time.monotonic()
                self._ask_again(silent)

    def _send(self, batch: Batch, identity: Identity, want: int) -> None:
        """Put requests into flight while there is room."""
        room = max(_LEAST_AHEAD, round(_AHEAD * self.baud / 10))
        while (
            len(self._flight) < MOST - _TRIES  # the rest is for identify
            and len(self._out) < room
            and self._flight.line_bytes < room
            and not (self._careful and self._flight)
        ):
            request = batch.request()
            if request is None:
                return
            wake = math.ceil(identity.wake * 1e-6 * self.baud / 10) if not self._flight else 0
            pace = max(
                math.ceil(request.images * identity.image_cycles / identity.byte_cycles),
                request.images * messages.result_bytes(identity, want) + _AROUND,
            ) * (not identity.flow_control)
            self._out += bytes([END]) * wake + self._flight.add(request, pace=pace)

    def _patience(self, identity: Identity) -> float:
        """Seconds without progress after which what is in flight is lost."""
        longest = max((request.line_bytes for request in self._flight), default=0)
        return _PATIENCE + 4 * (longest + identity.image_cycles / identity.byte_cycles) * self._byte_seconds

    def _take(self, frame: frames.Frame, batch: Batch) -> bool:
        """Take a frame of the board; returns whether it was of use."""
        answered, lost, reason = self._flight.accept(frame)
        if answered is not None and answered.packed is not None:
            batch.answered(answered, frame.payload)
        self._errors.lost += len(lost)
        self._errors.refused += reason is not None
        batch.lost(request for request in lost if request.packed is not None)
        self._careful |= reason == frames.REASONS[REASON_BUSY]
        return answered is not None or bool(lost)

    def _ask_again(self, silent: int) -> None:
        """Ask a silent board to identify itself: its answer says that all requests before are lost."""
        self._errors.silent += 1
        if silent > _TRIES:
            raise LinkError(
                f"the board must answer, but was silent {_TRIES} times; check the cable, that its bitstream"
                " is still loaded (sbgen flash), and press its reset"
            )
        if not self._out:
            self._out += bytes([END]) + self._flight.add(Request(command=IDENTIFY, payload=b""))


def _check_images(images: np.ndarray | Iterable[np.ndarray]) -> None:
    if isinstance(images, np.ndarray) and (images.dtype != np.uint8 or images.ndim < 2):
        raise LinkError(
            f"images must be an array (N, ...) of raw uint8 pixels, not {images.dtype} of shape "
            f"{images.shape}"
            + (
                "; values of int8 are sent as their bytes, images.view(numpy.uint8)"
                if images.dtype == np.int8
                else ""
            )
        )
