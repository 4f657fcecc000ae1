"""What a host opens to reach an emulated board: a pseudo-terminal, and a TCP socket for one client."""

import errno
import os
import select
import socket
from contextlib import suppress
from typing import Protocol

from ..errors import LinkError

__all__ = ["End", "Listener", "Terminal"]

#: Bytes for a host that reads nothing; further ones are lost, as on a real serial port that nobody has open.
_UNREAD = 1 << 16


class End(Protocol):
    """A way to the board, non-blocking."""

    def fileno(self) -> int | None:
        """What to wait for; None while nobody is connected."""
        ...

    def read(self, size: int) -> bytes:
        """At most `size` bytes from the host; empty if there are none."""
        ...

    def write(self, data: bytes) -> None:
        """Bytes for the host, stored until it takes them."""
        ...

    @property
    def unsent(self) -> bool:
        """Whether bytes for the host are stored."""
        ...

    def flush(self) -> None:
        """Send what the host takes now."""
        ...

    def close(self) -> None: ...


class _Descriptor:
    """Reads and writes of a non-blocking file descriptor."""

    def __init__(self) -> None:
        self._unsent = bytearray()

    def fileno(self) -> int | None:
        raise NotImplementedError

    def lost(self) -> None:
        """The host has gone."""

    def read(self, size: int) -> bytes:
        descriptor = self.fileno()
        if descriptor is None:
            return b""
        try:
            data = os.read(descriptor, size)
        except BlockingIOError:
            return b""
        except OSError as error:
            # EIO: the last host has closed the terminal. The others: the peer of a socket has gone.
            if error.errno not in (errno.EIO, errno.ECONNRESET, errno.EPIPE, errno.ETIMEDOUT):
                raise
            data = b""
        if not data:
            self.lost()
        return data

    def write(self, data: bytes) -> None:
        self._unsent += data[: _UNREAD - len(self._unsent)]
        self.flush()

    @property
    def unsent(self) -> bool:
        return bool(self._unsent)

    def flush(self) -> None:
        descriptor = self.fileno()
        if descriptor is None:
            self._unsent.clear()
            return
        try:
            del self._unsent[: os.write(descriptor, self._unsent)]
        except BlockingIOError:
            return
        except OSError:
            self.lost()


class Terminal(_Descriptor):
    """A pseudo-terminal, which a host opens like a serial port.

    Raises
    ------
    LinkError
        On a system without pseudo-terminals.
    """

    def __init__(self) -> None:
        super().__init__()
        try:
            import pty
            import tty
        except ImportError:
            raise LinkError(
                "a pseudo-terminal needs Linux or macOS; on this system give --tcp HOST:PORT instead"
            ) from None
        self._master, self._slave = pty.openpty()
        # Open here too: without it, each host that closes the terminal would end it.
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.name = os.ttyname(self._slave)

    def fileno(self) -> int | None:
        return self._master

    def close(self) -> None:
        for descriptor in self._master, self._slave:
            with suppress(OSError):
                os.close(descriptor)


class Listener(_Descriptor):
    """A TCP socket. One client at a time is connected; another is refused, as on a port that is in use.

    Parameters
    ----------
    host : str
    port : int
        0 is any that is free.

    Raises
    ------
    LinkError
        When it cannot listen there.
    """

    def __init__(self, host: str, port: int) -> None:
        super().__init__()
        try:
            self.socket = socket.create_server((host, port))
        except OSError as error:
            raise LinkError(
                f"{host}:{port} must be an address of this machine with a free port, but: {error}; give"
                " another --tcp HOST:PORT"
            ) from error
        self.socket.setblocking(False)
        self._client: socket.socket | None = None
        self.url = f"socket://{host}:{self.socket.getsockname()[1]}"

    def accept(self) -> None:
        """Take the client that waits, or refuse it if there is one already."""
        try:
            client, _ = self.socket.accept()
        except OSError:
            return  # it has gone already
        if self._client is not None and _has_left(self._client):
            self.lost()
        if self._client is not None:
            client.close()
            return
        client.setblocking(False)
        with suppress(OSError):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client = client
        self._unsent.clear()

    def fileno(self) -> int | None:
        return None if self._client is None else self._client.fileno()

    def lost(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None
        self._unsent.clear()

    def close(self) -> None:
        self.lost()
        self.socket.close()


def _has_left(client: socket.socket) -> bool:
    """Whether the peer has closed its end, perhaps with bytes before that which nobody has read yet."""
    if not hasattr(select, "poll"):  # Windows
        return False
    poll = select.poll()
    poll.register(client, getattr(select, "POLLRDHUP", select.POLLHUP))
    return bool(poll.poll(0))
