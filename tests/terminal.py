"""A board in software behind a pseudo-terminal."""

import os
import pty
import threading
import tty
from contextlib import contextmanager

__all__ = ["served"]


@contextmanager
def served(answer, *, reads=4096, writes=None):
    """The path of a pseudo-terminal at which a thread answers.

    The thread has ended before its file descriptor is closed: the system gives the number of a closed one to
    the next file or pipe, whose data a thread that is late would take.

    Parameters
    ----------
    answer : callable
        The bytes to send for the bytes that have come.
    reads, writes : int, optional
        The most bytes of one read, and of one write.
    """
    ours, theirs = pty.openpty()
    tty.setraw(theirs)

    def serve():
        while True:
            try:
                data = os.read(ours, reads)
            except OSError:  # as Linux says that the other side was closed
                return
            if not data:
                return
            rest = answer(data)
            while rest:
                rest = rest[os.write(ours, rest[:writes]) :]

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield os.ttyname(theirs)
    finally:
        os.close(theirs)
        thread.join(60)
        os.close(ours)
