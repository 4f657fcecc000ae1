"""A running emulator, and the loop that carries bytes between it and a host."""

import os
import selectors
import subprocess
import threading
from contextlib import suppress
from typing import Self

from ..errors import ToolError
from .ends import End, Listener, Terminal
from .program import Program

__all__ = ["EmulatedBoard"]

#: Bytes that may wait for the board. A host that sends more has to wait, as at a serial port.
_WAITING = 1024


class EmulatedBoard:
    """A running emulator of a board.

    Parameters
    ----------
    program : Program
    terminal : bool
        Whether a host may reach it through a pseudo-terminal.
    tcp : (str, int) or None
        Host and port to listen on, for the URL ``socket://HOST:PORT`` of pyserial; port 0 is any free one.

    Raises
    ------
    LinkError
        When there is no pseudo-terminal on this system, or the socket cannot be opened.
    ToolError
        When the program does not start.
    """

    def __init__(
        self, program: Program, *, terminal: bool = True, tcp: tuple[str, int] | None = None
    ) -> None:
        self._stop, self._stopper = os.pipe()
        self._terminal = self._listener = None
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        #: Bytes to and from the board so far.
        self.received = self.sent = 0
        try:
            self._terminal = Terminal() if terminal else None
            self._listener = None if tcp is None else Listener(*tcp)
            self._process = _start(program)
        except BaseException:
            self.close()
            raise
        self._ends: list[End] = [end for end in (self._terminal, self._listener) if end is not None]
        self._talking = self._ends[0]

    @property
    def port(self) -> str | None:
        """Name of the pseudo-terminal, such as ``/dev/pts/3``."""
        return None if self._terminal is None else self._terminal.name

    @property
    def url(self) -> str | None:
        """URL of the socket."""
        return None if self._listener is None else self._listener.url

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._serve_quietly, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        with suppress(OSError):
            os.write(self._stopper, b".")
        assert self._thread is not None
        self._thread.join()
        self.close()
        if self._failure is not None and exception[0] is None:
            raise self._failure

    def _serve_quietly(self) -> None:
        try:
            self.serve()
        except BaseException as error:  # noqa: BLE001 - raised again where the board is closed
            self._failure = error

    def serve(self) -> None:
        """Carry bytes until the program ends, which is an error, or `close` is called from elsewhere.

        Raises
        ------
        ToolError
            When the program has ended by itself.
        """
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        to_board = bytearray()
        for pipe in process.stdin, process.stdout:
            os.set_blocking(pipe.fileno(), False)
        while True:
            ready = self._wait(process, to_board)
            if self._stop in ready:
                return
            if self._listener is not None and self._listener.socket.fileno() in ready:
                self._listener.accept()
            for end in self._ends:
                if end.fileno() in ready:
                    end.flush()
                    if len(to_board) < _WAITING and (data := end.read(_WAITING)):
                        self._talking = end
                        to_board += data
            if process.stdin.fileno() in ready and to_board:
                self._feed(process, to_board)
            if process.stdout.fileno() in ready:
                data = os.read(process.stdout.fileno(), 1 << 16)
                if not data:
                    raise ToolError(
                        f"the emulator must run until it is stopped, but ended ({process.wait()})"
                    )
                self.sent += len(data)
                # Two hosts are not told apart: the answer goes to the one that spoke last.
                self._talking.write(data)

    def _wait(self, process: subprocess.Popen[bytes], to_board: bytearray) -> set[int]:
        """The file descriptors at which something can be done."""
        assert process.stdin is not None and process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._stop, selectors.EVENT_READ)
            selector.register(process.stdout, selectors.EVENT_READ)
            if to_board:
                selector.register(process.stdin, selectors.EVENT_WRITE)
            if self._listener is not None:
                selector.register(self._listener.socket, selectors.EVENT_READ)
            for end in self._ends:
                events = selectors.EVENT_READ if len(to_board) < _WAITING else 0
                events |= selectors.EVENT_WRITE if end.unsent else 0
                if (descriptor := end.fileno()) is not None and events:
                    selector.register(descriptor, events)
            return {key.fd for key, _ in selector.select()}

    def _feed(self, process: subprocess.Popen[bytes], to_board: bytearray) -> None:
        assert process.stdin is not None
        try:
            count = os.write(process.stdin.fileno(), to_board)
        except (BlockingIOError, BrokenPipeError):
            return  # one that has ended is noticed at its output
        del to_board[:count]
        self.received += count

    def close(self) -> None:
        """End the program and close what hosts may open."""
        if self._process is not None:
            _end(self._process)
            self._process = None
        for end in self._terminal, self._listener:
            if end is not None:
                end.close()
        for descriptor in self._stop, self._stopper:
            with suppress(OSError):
                os.close(descriptor)


def _start(program: Program) -> "subprocess.Popen[bytes]":
    """Start the program and wait until its board listens."""
    try:
        process = subprocess.Popen(
            program.argv,
            cwd=program.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
    except OSError as error:
        raise ToolError(f"the emulator must start, but does not: {error}") from error
    try:
        assert process.stderr is not None
        said = process.stderr.readline()
        if said != b"ready\n":
            rest = (said + process.stderr.read()).decode("utf-8", "replace").strip()
            raise ToolError(
                f"the emulator must start, but ended ({process.wait()}): {rest or 'without a word'}"
            )
    except BaseException:
        _end(process)
        raise
    return process


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a program: it ends by itself when its input does."""
    for pipe in process.stdin, process.stdout, process.stderr:
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
