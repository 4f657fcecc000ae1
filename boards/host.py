"""The host's end of the link: a board on a serial port that tells what it is and classifies images."""

import math
import time
from contextlib import suppress

import numpy as np

from ..arguments import at_least
from ..errors import LinkError
from . import frames, usb

__all__ = ["Link", "add_port_arguments", "open_link"]

#: Tries of a request before it is given up.
_TRIES = 4

#: Seconds that a response may take beyond the time on the line: the core's, the host's, and that of USB.
_PATIENCE = 1.0


def _port_errors():
    """What a serial port raises when its device is gone: pyserial's own error is an `OSError`, that of the
    terminal below it is none.
    """
    try:
        from termios import error
    except ImportError:  # Windows
        return (OSError,)
    return OSError, error


class Link:
    """Requests over a serial port.

    Every try of a request has a sequence number of its own, and only an undamaged response with that number
    counts, so that a late or repeated response is never taken for another image's.

    Parameters
    ----------
    port
        With ``write(bytes)``, ``read(count)`` (which gives what is there after at most a moment),
        ``in_waiting``, ``baudrate`` and ``close()``, as `serial.Serial` has them.
    latency_ms : float or None
        The latency timer of its USB converter; None where it is not known.
    """

    def __init__(self, *, port, latency_ms=None):
        self._port = port
        self._latency_ms = latency_ms
        self._sequence = 0
        self._reader = frames.Reader()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        with suppress(*_port_errors()):  # of a board that is gone
            self._port.close()

    def bounds(self, identity):
        """The most images per second that the line carries to a board, in words."""
        size = {
            "pixels": identity.pixels,
            "outputs": identity.outputs,
            "signs": identity.signs,
            "baud": self._port.baudrate,
        }
        known = self._latency_ms is not None
        latencies = (self._latency_ms,) if known else (usb.LOW_LATENCY_MS, usb.LATENCY_MS)
        rates = ", or ".join(
            f"{frames.images_per_second(**size, latency_ms=latency):,.0f} with a USB latency timer of"
            f" {latency:g} ms"
            for latency in latencies
        )
        return (
            f"the link allows {frames.images_per_second(**size):,.0f} images/s at {self._port.baudrate:,}"
            f" baud, {rates}" + ("" if known else " (that of this port is not known)")
        )

    def identify(self):
        """What the board runs, as a `frames.Identity`."""
        response = self._ask(frames.identify, answer_bytes=21)
        return frames.parse_identity(response)

    def classify(self, images):
        """Classify images one after the other.

        Parameters
        ----------
        images : array of uint8, shape (N, ...)
            Raw pixels, as many an image as the board's network takes.

        Yields
        ------
        frames.Result

        Raises
        ------
        LinkError
            When the board gives no undamaged response after several tries, or cannot take such images.
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
                f"the board must have loaded its weights, but: {identity.weights}; write its flash anew with"
                " sbgen flash"
            )
        images = images.reshape(len(images), math.prod(images.shape[1:]))
        if images.shape[1] != identity.pixels:
            raise LinkError(
                f"an image must have the {identity.pixels} pixels that the board's network takes, "
                f"not {images.shape[1]}"
            )
        for n, image in enumerate(images):
            response = self._ask(
                lambda sequence, image=image: frames.classify(sequence=sequence, image=image),
                answer_bytes=frames.result_bytes(outputs=identity.outputs, signs=identity.signs),
            )
            result = frames.parse_result(response, outputs=identity.outputs, signs=identity.signs)
            if np.any(result.label != identity.decide(result.scores)):
                must = (
                    "a bit must be 1 where its score is not negative"
                    if identity.signs
                    else "the class must be the first greatest score"
                )
                raise LinkError(
                    f"image {n}: {must}, but the board says {'bits' if identity.multi_label else 'class'} "
                    f"{result.label} for the scores {result.scores.tolist()}; its bitstream is not sound"
                )
            yield result

    def _ask(self, make, *, answer_bytes):
        trouble = []
        for _ in range(_TRIES):
            self._sequence = (self._sequence + 1) % 256
            request = make(sequence=self._sequence)
            line = request.encode()
            try:
                self._port.write(line)
                # Escaped, a byte takes up to two, and each is ten bits on the line.
                deadline = (
                    time.monotonic()
                    + _PATIENCE
                    + (len(line) + 2 * (answer_bytes + 8)) * 10 / self._port.baudrate
                )
                response = self._wait(request, deadline)
            except _port_errors() as error:
                raise LinkError(
                    f"the board must stay plugged in, but its port ended: {error}; plug it in again, load its"
                    " bitstream (sbgen flash) and begin anew"
                ) from error
            if response is None:
                trouble.append("nothing")
            elif response.is_failure:
                trouble.append(frames.REASONS.get(response.payload[0] if response.payload else 0, "failure"))
            else:
                return response
        raise LinkError(
            f"the board must answer, but {_TRIES} requests brought: {', '.join(trouble)}; check the port and "
            "the baud rate, that the bitstream is loaded (sbgen flash), and press its reset"
        )

    def _wait(self, request, deadline):
        """The response to `request`, or the failure of it, or None."""
        while time.monotonic() < deadline:
            for frame in self._reader.feed(self._port.read(max(1, self._port.in_waiting))):
                # A failure of another number was about noise or an earlier try.
                if frame.answers(request) or (frame.is_failure and frame.sequence == request.sequence):
                    return frame
        return None


def add_port_arguments(parser):
    """Add the options that say where the board is."""
    parser.add_argument("--board", metavar="NAME", help="a board of `sbgen boards`, found by its USB ids")
    parser.add_argument("--port", metavar="PORT", help="its serial port, where that is not enough")
    parser.add_argument(
        "--baud", type=at_least(1), metavar="N", help="the baud rate that its bitstream was built with"
    )


def open_link(arguments):
    """The `Link` that the options of `add_port_arguments` mean."""
    from . import get

    if arguments.board is None and arguments.port is None:
        raise LinkError("the board must be named: give --board NAME or --port PORT")
    try:
        import serial
    except ImportError:
        raise LinkError(
            "a board's link needs pyserial, which is not installed; try: pip install 'sbgen[link]'"
        ) from None
    board = None if arguments.board is None else get(arguments.board)
    port = arguments.port or _find_port(board)
    baud = arguments.baud or (board.baud if board else 1_000_000)
    try:
        opened = serial.Serial(port, baudrate=baud, timeout=0.05)
        return Link(port=opened, latency_ms=usb.ask_low_latency(opened))
    except (*_port_errors(), ValueError, OverflowError) as error:
        raise LinkError(
            f"{port} must open at {baud} baud, but: {error}; check the name, and that this user may open it "
            "(on Linux: group dialout)"
        ) from error


def _find_port(board):
    from serial.tools.list_ports import comports

    ports = sorted(
        (port for port in comports() if (port.vid, port.pid) in board.usb), key=lambda port: port.device
    )
    # The location ends with the number of the USB interface, such as 1-4:1.1.
    right = [port for port in ports if (port.location or "").endswith(f".{board.serial_interface}")] or ports
    if not right:
        ids = (
            " or ".join(f"{vendor:04x}:{product:04x}" for vendor, product in board.usb)
            or "(its USB ids are unknown)"
        )
        raise LinkError(
            f"{board.name} must be plugged in, but no serial port of a USB device {ids} is there; "
            "plug it in, or give --port"
        )
    return right[0].device
