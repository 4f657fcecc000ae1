"""Bytes in both directions at the same time, over file descriptors that take a few at a time."""

import random
import socket
import threading

import pytest

from sbgen.boards.line import Line
from sbgen.errors import LinkError


class Port:
    """A port with a descriptor."""

    baudrate = 9600

    def __init__(self, end):
        self.end = end

    def fileno(self):
        return self.end.fileno()

    def close(self):
        self.end.close()


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    for end in ours, theirs:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    ours.setblocking(False)
    yield ours, theirs
    theirs.close()
    ours.close()


@pytest.mark.parametrize("seed", range(5))
def test_every_byte_passes_in_both_directions(seed, ends):
    print("seed", seed)
    rng = random.Random(seed)
    ours, theirs = ends
    there, back = rng.randbytes(300_000), rng.randbytes(200_000)
    heard = bytearray()

    def other():
        sent = 0
        theirs.settimeout(20)
        while len(heard) < len(there) or sent < len(back):
            if len(heard) < len(there):
                heard.extend(theirs.recv(rng.randint(1, 3000)))
            sent += theirs.send(back[sent : sent + rng.randint(1, 2000)])

    thread = threading.Thread(target=other)
    thread.start()
    line, out, got = Line(Port(ours)), bytearray(there), bytearray()
    while thread.is_alive() or len(got) < len(back):
        got += (received := line.exchange(out, 2))
        if not (thread.is_alive() or received):
            break
    thread.join(20)
    assert bytes(got) == back and bytes(heard) == there


def test_nothing_comes():
    ours, theirs = socket.socketpair()
    with theirs:
        line = Line(Port(ours))
        assert line.exchange(bytearray(), 0.01) == b""
        line.close()
        line.close()  # a port that is gone is no error


def test_the_other_end_is_gone(ends):
    ours, theirs = ends
    line = Line(Port(ours))
    theirs.send(b"last")
    theirs.close()
    assert line.exchange(bytearray(), 1) == b"last"
    with pytest.raises(LinkError, match="must stay plugged in, but its port ended: nothing is behind it"):
        line.exchange(bytearray(), 1)
    with pytest.raises(LinkError, match="must stay plugged in"):
        line.exchange(bytearray(b"more"), 1)


def test_a_port_without_a_descriptor_is_asked_in_small_pieces():
    class Plain:
        baudrate, in_waiting = 9600, 0

        def __init__(self):
            self.written, self.reads = [], 0

        def write(self, data):
            self.written.append(len(data))

        def read(self, size):
            self.reads += 1
            return b"x" * size

        def close(self):
            pass

    port = Plain()
    line, out = Line(port), bytearray(10_000)
    assert line.exchange(out, 1) == b"" and port.reads == 0  # it would wait, and there is more to send
    assert line.exchange(out, 1) == b"" and line.exchange(out, 1) == b"x"
    assert port.written == [4096, 4096, 1808] and line.baud == 9600
