"""The ends and the loop of an emulated board, with a program in Python in place of the simulation."""

import os
import random
import socket
import sys
import threading
import time

import pytest
import serial

from sbgen.cli import main
from sbgen.commands import emulate
from sbgen.emulator import EmulatedBoard, Program
from sbgen.emulator.ends import Listener
from sbgen.errors import LinkError, ToolError

#: Answers each byte with its complement.
_INVERT = """
import os, sys
os.write(2, b"ready\\n")
while data := os.read(0, 999):
    os.write(1, bytes(255 - byte for byte in data))
"""


def program(folder, text=_INVERT):
    path = folder / "emulated"
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o700)
    return Program(folder=folder, divisor=4, deaf_cycles=1, busy_cycles=1)


def inverted(data):
    return bytes(255 - byte for byte in data)


def connect(board):
    client = socket.create_connection(("127.0.0.1", int(board.url.rpartition(":")[2])), timeout=20)
    return client


def receive(client, count):
    data = b""
    while len(data) < count and (more := client.recv(count - len(data))):
        data += more
    return data


@pytest.mark.parametrize("seed", range(5))
def test_every_byte_passes_both_ends(seed, tmp_path):
    print("seed", seed)
    rng = random.Random(seed)
    with (
        EmulatedBoard(program(tmp_path), tcp=("127.0.0.1", 0)) as board,
        serial.Serial(board.port, baudrate=3_000_000, timeout=20) as port,
        connect(board) as client,
    ):
        for _ in range(20):
            data = rng.randbytes(rng.choice((1, 7, 300, 3000)))
            if rng.random() < 0.5:
                port.write(data)
                assert port.read(len(data)) == inverted(data)
            else:
                client.sendall(data)
                assert receive(client, len(data)) == inverted(data)
    assert board.received == board.sent > 0


def test_a_host_may_leave_without_its_answer(tmp_path):
    with EmulatedBoard(program(tmp_path), tcp=("127.0.0.1", 0)) as board:
        for end in range(2):
            for _ in range(5):
                with connect(board) if end else open(board.port, "r+b", buffering=0) as host:
                    host.sendall(b"half") if end else host.write(b"half")
            with connect(board) if end else open(board.port, "r+b", buffering=0) as host:
                host.sendall(b"\x00end") if end else host.write(b"\x00end")
                read = host.recv if end else host.read
                while read(1) != b"\xff":  # what was left of hosts that left
                    pass
                assert [read(1) for _ in range(3)] == [bytes([255 - byte]) for byte in b"end"]


def test_a_slow_board_loses_nothing(tmp_path):
    slow = _INVERT.replace("while", "import time; time.sleep(0.5)\nwhile").replace("999", "30")
    data = random.Random(1).randbytes(100_000)
    with EmulatedBoard(program(tmp_path, slow), tcp=("127.0.0.1", 0)) as board, connect(board) as client:
        sender = threading.Thread(target=client.sendall, args=(data,))
        sender.start()
        assert receive(client, len(data)) == inverted(data)
        sender.join()


def test_a_second_client_is_refused(tmp_path):
    with EmulatedBoard(program(tmp_path), tcp=("127.0.0.1", 0)) as board, connect(board) as first:
        first.sendall(b"a")
        assert receive(first, 1) == inverted(b"a")
        with connect(board) as second:
            assert second.recv(1) == b""
        first.sendall(b"b")
        assert receive(first, 1) == inverted(b"b")


def test_a_host_that_reads_nothing_does_not_stop_the_board(tmp_path):
    with EmulatedBoard(program(tmp_path), tcp=("127.0.0.1", 0)) as board:
        silent = os.open(board.port, os.O_RDWR | os.O_NOCTTY)
        for _ in range(100):
            os.write(silent, bytes(4000))  # blocks until the board has taken it
        for _ in range(2000):
            if board.sent == 400_000:
                break
            time.sleep(0.01)
        assert board.received == board.sent == 400_000
        assert len(board._terminal._unsent) <= 1 << 16
        os.close(silent)
        with connect(board) as client:
            client.sendall(b"a")
            # What the board had not sent yet comes to the host that spoke last.
            while (answer := client.recv(1000).lstrip(b"\xff")) == b"":
                pass
            assert answer == inverted(b"a")


@pytest.mark.parametrize(
    "text, told",
    [
        ("raise SystemExit(3)", r"ended \(3\): without a word"),
        ("raise SystemExit('no memory')", r"ended \(1\): no memory"),
    ],
)
def test_a_program_that_does_not_start(text, told, tmp_path):
    with pytest.raises(ToolError, match=told):
        EmulatedBoard(program(tmp_path, text))


def test_a_program_that_ends_is_an_error(tmp_path):
    text = "import os; os.write(2, b'ready\\n'); os.read(0, 1)"
    with (
        pytest.raises(ToolError, match="must run until it is stopped"),
        EmulatedBoard(program(tmp_path, text)) as board,
    ):
        with serial.Serial(board.port) as port:
            port.write(b"a")
        board._thread.join()


def test_nothing_is_left_when_it_is_closed(tmp_path):
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None
    board = EmulatedBoard(program(tmp_path), tcp=("127.0.0.1", 0))
    process = board._process
    board.close()
    assert process.returncode is not None
    if before is not None:
        assert len(os.listdir("/proc/self/fd")) == before


def test_a_program_that_does_not_end_is_killed(tmp_path, monkeypatch):
    text = "import os, time; os.write(2, b'ready\\n'); time.sleep(1000)"
    board = EmulatedBoard(program(tmp_path, text))
    process = board._process
    wait = process.wait
    monkeypatch.setattr(process, "wait", lambda timeout=None: wait(timeout and 0.01))
    board.close()
    assert process.returncode == -9


def test_an_address_that_cannot_be_had():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for address in ("256.1.1.1", 0), taken.getsockname():
            with pytest.raises(LinkError, match="give another --tcp"):
                Listener(*address)


@pytest.mark.parametrize(
    "text, address", [("4000", ("127.0.0.1", 4000)), ("0.0.0.0:5", ("0.0.0.0", 5)), (":7", ("127.0.0.1", 7))]
)
def test_address(text, address):
    assert emulate._address(text) == address


@pytest.mark.parametrize("text", ["", "x", "1:x", "99999", "-1"])
def test_wrong_addresses(text, capsys):
    with pytest.raises(SystemExit):
        main(["emulate", "DIR", "--tcp", text])
    assert "0 ... 65535" in capsys.readouterr().err or not text


def test_interrupt_ends_it_cleanly(tmp_path):
    """In a process of its own, as Ctrl-C comes to all of a terminal's."""
    import signal
    import subprocess

    program(tmp_path)
    text = f"""
import contextlib, signal
from pathlib import Path
from sbgen.emulator import EmulatedBoard, Program
signal.signal(signal.SIGINT, signal.default_int_handler)  # tests that run in the background ignore it
board = EmulatedBoard(Program(folder=Path({str(tmp_path)!r}), divisor=4, deaf_cycles=1, busy_cycles=1))
with contextlib.closing(board), contextlib.suppress(KeyboardInterrupt):
    print(board._process.pid, flush=True)
    board.serve()
print("stopped")
"""
    with subprocess.Popen(
        [sys.executable, "-c", text], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        child = int(process.stdout.readline())
        time.sleep(0.2)
        os.killpg(process.pid, signal.SIGINT)
        assert process.stdout.read() == "stopped\n" and process.wait() == 0
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
