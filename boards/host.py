"""The host side of the link: a board on a serial port, which reports its network and classifies images."""

import argparse
import math
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np

from ..errors import LinkError
from . import baud as baud_
from . import frames, messages, usb
from .messages import WANT_ALL

if TYPE_CHECKING:
    from .board_spec import BoardSpec

__all__ = ["Link", "Port", "Result", "open_link"]

#: How often a request is sent before it fails.
_TRIES = 4

#: The baud rate of most boards.
_BAUD = 1_000_000

#: Seconds that a response may take in addition to the time on the line: for the core, the host and USB.
_PATIENCE = 1.0


def _port_errors() -> tuple[type[Exception], ...]:
    """The errors of a serial port whose device is gone.

    The error of pyserial is an `OSError`, that of the terminal below it is not.
    """
    try:
        from termios import error
    except ImportError:  # Windows
        return (OSError,)
    return OSError, error


class Port(Protocol):
    """What a link needs of a serial port, as `serial.Serial` has it."""

    baudrate: int

    @property
    def in_waiting(self) -> int: ...
    def write(self, data: bytes, /) -> int | None: ...
    def read(self, size: int, /) -> bytes:
        """At most `size` bytes: those received within a short timeout."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Result:
    """The scores of an image, shape (outputs,), and its class, or its bits, shape (outputs,)."""

    scores: np.ndarray
    label: int | np.ndarray


class Link:
    """Requests over a serial port.

    Each time a request is sent it has a new sequence number, and only an undamaged response with that number
    counts. So a late or repeated response is never mistaken for that of another image.

    Parameters
    ----------
    port
        A `Port`, such as `serial.Serial` with a short timeout.
    latency_ms : float or None
        The latency timer of its USB converter; None if it is unknown.
    """

    def __init__(self, *, port: Port, latency_ms: float | None = None) -> None:
        self._port = port
        self._latency_ms = latency_ms
        self._sequence = 0
        self._reader = frames.Reader()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        with suppress(*_port_errors()):  # the board may be gone
            self._port.close()

    def bounds(self, identity: messages.Identity) -> str:
        """The maximum rate of the link to a board, in words."""

        def rate(latency_ms: float = 0.0) -> str:
            # One request of one image after the other.
            size = identity.image_bytes + messages.result_bytes(identity, WANT_ALL) + 17
            return f"{1 / (size * 10 / self._port.baudrate + latency_ms / 1000):,.0f}"

        latencies = (usb.LOW_LATENCY_MS, usb.LATENCY_MS) if self._latency_ms is None else (self._latency_ms,)
        rates = ", or ".join(
            f"{rate(latency)} with a USB latency timer of {latency:g} ms" for latency in latencies
        )
        return f"the link allows {rate()} images/s at {self._port.baudrate:,} baud, {rates}" + (
            " (that of this port is not known)" if self._latency_ms is None else ""
        )

    def identify(self) -> messages.Identity:
        """Ask the board which network it runs."""
        response = self._ask(messages.identify, answer_bytes=64)
        return messages.parse_identity(response)

    def classify(self, images: np.ndarray) -> Iterator[Result]:
        """Classify images one after the other.

        Parameters
        ----------
        images : array of uint8, shape (N, ...)
            Raw pixels, per image as many as the board's network takes.

        Yields
        ------
        Result

        Raises
        ------
        LinkError
            When the board sends no undamaged response after several tries, or cannot take such images.
        """
        images = np.asarray(images)
        if images.dtype != np.uint8 or images.ndim < 2:
            raise LinkError(
                f"images must be an array (N, ...) of raw uint8 pixels, not {images.dtype} of shape "
                f"{images.shape}"
                + (
                    "; values of int8 are sent as their bytes, images.view(numpy.uint8)"
                    if images.dtype == np.int8
                    else ""
                )
            )
        identity = self.identify()
        if identity.weights and not identity.weights.loaded:
            raise LinkError(
                f"the board must have loaded its weights, but: {identity.weights}; write its flash again with"
                " sbgen flash"
            )
        images = images.reshape(len(images), math.prod(images.shape[1:]))
        if images.shape[1] != identity.pixels:
            raise LinkError(
                f"an image must have the {identity.pixels} pixels that the board's network takes, "
                f"not {images.shape[1]}"
            )
        for n, packed in enumerate(identity.pack(images)):
            response = self._ask(
                lambda sequence, packed=packed: messages.classify(
                    sequence=sequence, packed=packed, want=WANT_ALL
                ),
                answer_bytes=messages.result_bytes(identity, WANT_ALL),
            )
            results = messages.parse_results(response, identity=identity, want=WANT_ALL, images=1)
            assert results.scores is not None
            label = results.labels[0]
            result = Result(scores=results.scores[0], label=label if identity.multi_label else int(label))
            if np.any(result.label != identity.decide(result.scores)):
                must = (
                    "a bit must be 1 if its score is not negative"
                    if identity.signs
                    else "the class must be the first with the maximum score"
                )
                raise LinkError(
                    f"image {n}: {must}, but the board reports {'bits' if identity.multi_label else 'class'} "
                    f"{result.label} for the scores {result.scores.tolist()}; its bitstream is wrong"
                )
            yield result

    def _ask(self, make: Callable[..., frames.Frame], *, answer_bytes: int) -> frames.Frame:
        trouble = []
        for _ in range(_TRIES):
            self._sequence = (self._sequence + 1) % 256
            request = make(sequence=self._sequence)
            line = request.encode()
            try:
                self._port.write(line)
                # An escaped byte takes two, and each is ten bits on the line.
                deadline = (
                    time.monotonic()
                    + _PATIENCE
                    + (len(line) + 2 * (answer_bytes + 8)) * 10 / self._port.baudrate
                )
                response = self._wait(request, deadline)
            except _port_errors() as error:
                raise LinkError(
                    f"the board must stay plugged in, but its port ended: {error}; plug it in again, load its"
                    " bitstream (sbgen flash) and start again"
                ) from error
            if response is None:
                trouble.append("nothing")
            elif response.is_failure:
                trouble.append(frames.REASONS.get(response.payload[0] if response.payload else 0, "failure"))
            else:
                return response
        raise LinkError(
            f"the board must answer, but {_TRIES} requests led to: {', '.join(trouble)}; check the port and "
            "the baud rate, that the bitstream is loaded (sbgen flash), and press its reset"
        )

    def _wait(self, request: frames.Frame, deadline: float) -> frames.Frame | None:
        """The response to `request`, or the failure that the board reports of it, or None."""
        while time.monotonic() < deadline:
            for frame in self._reader.feed(self._port.read(max(1, self._port.in_waiting))):
                # A failure with another number is about noise or an earlier try.
                if frame.answers(request) or (frame.is_failure and frame.sequence == request.sequence):
                    return frame
        return None


def open_link(arguments: argparse.Namespace) -> Link:
    """Open the link that the options of `sbgen.arguments.add_port` select."""
    from . import get
    from .harness import clock_and_pll

    if arguments.board is None and arguments.port is None:
        raise LinkError("the board must be named: give --board NAME or --port PORT")
    try:
        import serial
    except ImportError:
        raise LinkError(
            "the link to a board needs pyserial, which is not installed; try: pip install 'sbgen[link]'"
        ) from None
    board = None if arguments.board is None else get(arguments.board)
    if board is None:
        port, baud = arguments.port, _BAUD
    else:
        port = arguments.port or _find_port(board)
        baud, _ = baud_.choose(board, clock_mhz=clock_and_pll(board)[0])
    baud = arguments.baud or baud
    refusals: tuple[type[Exception], ...] = (*_port_errors(), ValueError, OverflowError)
    try:
        opened = serial.serial_for_url(port, baudrate=baud, timeout=0.05)
        return Link(port=opened, latency_ms=usb.ask_low_latency(opened))
    except refusals as error:
        raise LinkError(
            f"{port} must open at {baud} baud, but: {error}; check the name, and that this user may open it "
            "(on Linux: group dialout)"
        ) from error


def _find_port(board: "BoardSpec") -> str:
    from serial.tools.list_ports import comports

    if board.serial_interface is None:
        rx, tx = (pin.site for port in ("rx", "tx") if (pin := board.pin(port)))
        raise LinkError(
            f"{board.name} must have a USB serial adapter at its pins {rx} (rx) and {tx} (tx), as its own USB"
            " does not lead to the link; name the adapter's port: --port PORT"
        )
    ports = sorted(
        (port for port in comports() if (port.vid, port.pid) in board.usb), key=lambda port: port.device
    )
    # The location ends with the number of the USB interface, such as 1-4:1.1.
    right = [port for port in ports if (port.location or "").endswith(f".{board.serial_interface}")] or ports
    if not right:
        ids = (
            " or ".join(f"{vendor:04x}:{product:04x}" for vendor, product in board.usb)
            or "(its USB IDs are unknown)"
        )
        raise LinkError(
            f"{board.name} must be plugged in, but no serial port of a USB device {ids} is there; "
            "plug it in, or give --port"
        )
    return right[0].device
