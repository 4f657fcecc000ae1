"""A serial port as a line that carries bytes both ways at the same time."""

import os
import select
from contextlib import suppress
from typing import Protocol

from ..errors import LinkError

__all__ = ["Line", "Port", "port_errors"]

#: Bytes that are read at once, and written at once where a port cannot say how many it takes.
_READ, _WRITE = 1 << 16, 1 << 12


def port_errors() -> tuple[type[Exception], ...]:
    """The errors of a serial port whose device is gone.

    The error of pyserial is an `OSError`, that of the terminal below it is not.
    """
    try:
        from termios import error
    except ImportError:  # Windows
        return (OSError,)
    return OSError, error


class Port(Protocol):
    """What a line needs of a serial port, as `serial.Serial` has it."""

    baudrate: int

    @property
    def in_waiting(self) -> int: ...
    def write(self, data: bytes, /) -> int | None: ...
    def read(self, size: int, /) -> bytes:
        """At most `size` bytes: those received within a short timeout."""
        ...

    def close(self) -> None: ...


class Line:
    """A port that is read and written at the same time.

    Where the port has a file descriptor (a serial port on Linux or macOS, a socket), its bytes go past
    pyserial, which takes one byte at a time from a socket and blocks while a serial port takes bytes.

    Parameters
    ----------
    port : Port
        Such as `serial.Serial` with a short timeout.
    """

    def __init__(self, port: Port) -> None:
        self._port = port
        self._descriptor = _descriptor(port)

    @property
    def baud(self) -> int:
        return self._port.baudrate

    def exchange(self, out: bytearray, seconds: float) -> bytes:
        """Send what the port takes of `out`, and remove it there; return what has come.

        Waits at most `seconds` for the one or the other; without a descriptor the timeout of the port.

        Raises
        ------
        LinkError
            The port is gone.
        """
        try:
            if self._descriptor is None:
                return self._through_port(out)
            return self._through_descriptor(self._descriptor, out, seconds)
        except port_errors() as error:
            raise LinkError(
                f"the board must stay plugged in, but its port ended: {error}; plug it in again, load its"
                " bitstream (sbgen flash) and start again"
            ) from error

    def _through_port(self, out: bytearray) -> bytes:
        if out:
            self._port.write(bytes(out[:_WRITE]))
            del out[:_WRITE]
            if out:  # more to send: only take what is there
                waiting = self._port.in_waiting
                return self._port.read(waiting) if waiting else b""
        return self._port.read(max(1, self._port.in_waiting))

    @staticmethod
    def _through_descriptor(descriptor: int, out: bytearray, seconds: float) -> bytes:
        readable, writable, _ = select.select([descriptor], [descriptor] if out else [], [], seconds)
        if writable:
            with suppress(BlockingIOError):
                del out[: os.write(descriptor, out)]
        if not readable:
            return b""
        try:
            data = os.read(descriptor, _READ)
        except BlockingIOError:
            return b""
        if not data:
            raise OSError("nothing is behind it any more")
        return data

    def close(self) -> None:
        """Close the port; a board that is gone is no error."""
        with suppress(*port_errors()):
            self._port.close()


def _descriptor(port: Port) -> int | None:
    """The non-blocking file descriptor of a port, if there is one."""
    if os.name != "posix":
        return None
    try:
        return port.fileno()  # type: ignore[attr-defined]
    except (AttributeError, OSError, ValueError):  # io.UnsupportedOperation is the last two
        return None
