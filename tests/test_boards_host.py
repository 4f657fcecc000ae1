import errno
import itertools
import os
import random
import termios
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import serial
from link_cases import Damage, decisions_of, random_identity, random_images
from soft_board import DIGEST, Port, SoftBoard, scores_of

from sbgen.boards import frames, host, messages
from sbgen.boards.messages import Identity, Weights
from sbgen.errors import LinkError
from sbgen.hw.protocol import FAILURE, WANT_ALL, WANT_CLASS
from sbgen.hw.slip import END, ESC


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """A clock that goes on by a millisecond whenever it is read, however fast the machine is."""
    monkeypatch.setattr(host, "_PATIENCE", 0.01)
    monkeypatch.setattr(host, "_DELAY", 0.002)
    monkeypatch.setattr(host, "time", SimpleNamespace(monotonic=partial(next, itertools.count(0, 0.001))))


def images(count=5, seed=0):
    return random_images(SoftBoard().identity, count, seed)


def expected(board, images):
    return scores_of(board.identity, images), decisions_of(board.identity, images)


def classified(link, images, want=WANT_ALL):
    parts = list(link.classify(images, want=want))
    if not parts:
        return None, np.zeros(0, int)
    scores = [part.scores for part in parts]
    return (
        None if scores[0] is None else np.concatenate(scores),
        np.concatenate([part.labels for part in parts]),
    )


def check(link, board, images):
    scores, labels = classified(link, images)
    true_scores, true_labels = expected(board, images)
    assert scores.tolist() == true_scores.tolist() and labels.tolist() == true_labels.tolist()


class TestFrames:
    @pytest.mark.parametrize(
        "payload", [b"", bytes([END, ESC, 0xDC, 0xDD]), bytes([ESC, ESC, END, 0xDC]), bytes(range(256))]
    )
    def test_reader_undoes_encode(self, payload):
        frame = frames.Frame(command=2, sequence=END, payload=payload)
        assert frames.Reader().feed(frame.encode()) == [frame]

    def test_reader_takes_bytes_as_they_come(self):
        frame = frames.Frame(command=2, sequence=1, payload=b"abc")
        reader = frames.Reader()
        found = [found for byte in b"noise" + frame.encode() * 2 for found in reader.feed([byte])]
        assert found == [frame, frame]

    @pytest.mark.parametrize("seed", range(20))
    def test_reader_takes_any_pieces(self, seed):
        print("seed", seed)
        rng = random.Random(seed)
        sent = [
            frames.Frame(
                command=rng.randrange(256), sequence=n, payload=bytes(rng.choices(b"\xc0\xdb\xdc\xdda", k=9))
            )
            for n in range(20)
        ]
        line = b"".join(frame.encode() for frame in sent)
        reader, found = frames.Reader(), []
        while line:
            size = rng.randint(1, 40)
            found += reader.feed(line[:size])
            line = line[size:]
        assert found == sent

    def test_every_flipped_bit_is_found(self):
        line = frames.Frame(command=0x82, sequence=9, payload=b"scores").encode()
        for bit in range(8 * len(line)):
            damaged = bytearray(line)
            damaged[bit // 8] ^= 1 << bit % 8
            assert all(frame.payload == b"scores" for frame in frames.Reader().feed(damaged))

    def test_the_documents_example(self):
        page = (Path(__file__).parents[1] / "docs" / "link.md").read_text(encoding="utf-8")
        assert messages.identify(sequence=3).encode().hex(" ") in page


class TestLink:
    def test_identify(self):
        board = SoftBoard()
        assert host.Link(port=Port(board)).identify() == board.identity

    @pytest.mark.parametrize("seed", range(30))
    def test_any_board_classifies_any_images(self, seed):
        print("seed", seed)
        rng = random.Random(seed)
        board = SoftBoard(random_identity(rng))
        link = host.Link(port=Port(board))
        asked = random_images(board.identity, rng.choice((1, 9, 300)), seed)
        check(link, board, asked)
        scores, labels = expected(board, asked)
        assert classified(link, iter(asked), WANT_CLASS)[1].tolist() == labels.tolist()
        if board.identity.top_k:
            k = rng.randint(1, board.identity.top_k)
            parts = list(link.classify(asked, want=k))
            best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
            assert np.concatenate([part.best for part in parts]).tolist() == best.tolist()
            assert (
                np.concatenate([part.best_scores for part in parts]).tolist()
                == np.take_along_axis(scores, best, axis=1).tolist()
            )
        assert board.refusals == []  # the host keeps the board's pace

    def test_many_requests_are_in_flight(self):
        """On a line whose answers come late, as those of USB do."""

        class Late(Port):
            most = 0

            def write(self, line):
                super().write(line)
                self.most = max(self.most, self.board.requests)

            def read(self, count):
                return super().read(count) if self.board.requests >= 60 or self.board.requests == 1 else b""

        board = SoftBoard()
        port = Late(board)
        check(host.Link(port=port), board, images(500))
        assert port.most >= 60

    def test_no_images(self):
        assert list(host.Link(port=Port(SoftBoard())).classify(images(0))) == []
        assert list(host.Link(port=Port(SoftBoard())).classify(iter(()))) == []

    @pytest.mark.parametrize("seed", range(20))
    def test_damage_in_both_directions_costs_no_truth(self, seed):
        print("seed", seed)
        rng = random.Random(seed)
        board = SoftBoard(random_identity(rng))
        link = host.Link(port=Port(board, Damage(seed, 10 ** -rng.uniform(2, 4))))
        asked = random_images(board.identity, 400, seed)
        try:
            check(link, board, asked)
        except LinkError as error:
            # The longest frames hardly pass the worst lines.
            assert board.identity.image_bytes + messages.result_bytes(board.identity, WANT_ALL) > 30, error

    def test_frames_that_are_lost_become_shorter(self):
        """Frames of 1 KiB do not pass this line, those of an image do."""
        board = SoftBoard(pixels=80, pixel_bits=8, levels=(), frame_images=100, store_bytes=20_000)
        check(host.Link(port=Port(board, Damage(1, 1 / 250))), board, random_images(board.identity, 300, 1))

    def test_only_the_answer_of_the_request_counts(self):
        """Before it come failures and results of other numbers, and other answers with its number; no request
        is repeated.
        """
        rng = random.Random(1)

        class Liar(Port):
            def write(self, line):
                for frame in frames.Reader().feed(line):
                    other = (frame.sequence + rng.randint(126, 130)) % 256  # never in flight then
                    for command, sequence in ((FAILURE, other), (0x82, other), (0x83, frame.sequence)):
                        payload = rng.randbytes(rng.choice((1, 7)))
                        self.out += frames.Frame(command=command, sequence=sequence, payload=payload).encode()
                super().write(line)

        board = SoftBoard(frame_images=1)
        check(host.Link(port=Liar(board)), board, images(100))
        assert board.requests == 101

    def test_silence_ends_in_a_timeout(self):
        board = SoftBoard()
        with pytest.raises(
            LinkError, match="4 requests led to: nothing, nothing, nothing, nothing; check the port"
        ):
            host.Link(port=Port(board, lambda line: b"")).identify()

    def test_a_board_that_falls_silent(self):
        board = SoftBoard(frame_images=1)
        port = Port(board)
        link = host.Link(port=port)
        results = link.classify(iter(images(2000)))
        next(results)
        port.damage = lambda line: b""
        with pytest.raises(LinkError, match="must answer, but was silent 4 times"):
            list(results)

    def test_a_board_that_only_identifies_itself(self):
        board = SoftBoard()
        port = Port(board)
        port.damage = lambda line: b"" if b"\xc0\x02" in line or b"\xc0\x82" in line else line
        with pytest.raises(LinkError, match="was silent 4 times|lost 50 times"):
            list(host.Link(port=port).classify(images(3)))

    def test_what_is_lost_at_the_end_is_sent_again(self):
        """The last answers never come: identify finds that out."""

        class Lossy(Port):
            lost = 0

            def write(self, line):
                super().write(line)
                if self.board.requests > 15 and not self.lost:
                    self.lost, self.out = len(self.out), bytearray()

        board = SoftBoard()
        port = Lossy(board)
        check(host.Link(port=port), board, images(100))
        assert port.lost

    def test_a_run_that_is_given_up_does_not_disturb_the_next(self):
        board = SoftBoard()
        link = host.Link(port=Port(board))
        for seed in range(10):
            next(link.classify(images(1000, seed=seed + 50)))
            check(link, board, images(20, seed=seed))

    def test_a_busy_board_is_asked_more_slowly(self):
        """A board that is slower than it says refuses requests, and loses none of them."""
        board = SoftBoard(image_cycles=3000)
        identity = board.identity
        board.answer_identity = Identity(**{**vars(identity), "image_cycles": 1}).encode()
        check(host.Link(port=Port(board)), board, images(300))
        assert 4 in board.refusals and len(board.refusals) < 130

    def test_board_with_wrong_weights_is_sent_no_image(self):
        board = SoftBoard(weights=Weights(state=2, checksum=0x12345678))
        with pytest.raises(
            LinkError, match="loaded its weights, but: CRC-32 12345678, wrong: .* sbgen flash"
        ):
            next(host.Link(port=Port(board)).classify(images()))
        assert board.requests == 1

    @pytest.mark.parametrize("version", [1, 2])
    def test_a_board_of_sbgen_0_1_is_refused(self, version):
        board = SoftBoard()
        board.answer_identity = bytes([version, 1, 3, 0, 11, 0, 0, 0, *DIGEST])
        with pytest.raises(LinkError, match=rf"speaks {version} \(sbgen 0.1\); build its bitstream again"):
            host.Link(port=Port(board)).identify()

    def test_wrong_size_is_refused_before_it_is_sent(self):
        board = SoftBoard()
        for wrong in np.zeros((2, 9), np.uint8), iter(np.zeros((2, 9), np.uint8)):
            with pytest.raises(LinkError, match="must have 11 pixels .* not 9"):
                list(host.Link(port=Port(board)).classify(wrong))
        assert board.requests == 2

    def test_images_of_several_shapes(self):
        with pytest.raises(LinkError, match=r"must have one shape, not \(9,\) and \(11,\)"):
            list(
                host.Link(port=Port(SoftBoard())).classify(
                    iter([np.zeros(11, np.uint8), np.zeros(9, np.uint8)])
                )
            )

    @pytest.mark.parametrize("wrong", [np.zeros((2, 11)), np.zeros(11, np.uint8), np.zeros((2, 11), np.int8)])
    def test_wrong_kind_is_refused(self, wrong):
        with pytest.raises(LinkError, match="must be an array"):
            list(host.Link(port=Port(SoftBoard())).classify(wrong))

    @pytest.mark.parametrize("signs", [False, True])
    def test_a_decision_that_is_not_that_of_the_scores(self, signs):
        class Wrong(SoftBoard):
            def _results(self, want, packed):
                lines = bytearray(super()._results(want, packed))
                size = messages.result_bytes(self.identity, want)
                lines[2 * size - 1] ^= 1  # of the second image
                return bytes(lines)

        board = Wrong(outputs=2, pixels=1, signs=signs, top_k=0)
        with pytest.raises(
            LinkError,
            match="image 1: a bit must be 1 if" if signs else "image 1: the class must be the first with",
        ):
            list(host.Link(port=Port(board)).classify(np.zeros((5, 1), np.uint8)))

    def test_best_classes_out_of_order(self):
        class Wrong(SoftBoard):
            def _results(self, want, packed):
                half = messages.result_bytes(self.identity, 1)
                line = super()._results(want, packed)
                return line[half : 2 * half] + line[:half] + line[2 * half :]

        with pytest.raises(LinkError, match="image 0: the best classes must be in the order of their scores"):
            list(host.Link(port=Port(Wrong())).classify(images(), want=2))

    def test_an_unknown_want(self):
        with pytest.raises(LinkError, match="refuses an undamaged one: unknown want"):
            list(host.Link(port=Port(SoftBoard())).classify(images(), want=3))


class Unplugged(Port):
    """A board that is unplugged before the n-th call of its port, which then raises `error`."""

    def __init__(self, n, error):
        self.left, self.error = n, error
        super().__init__(SoftBoard(frame_images=1))

    def used(self):
        self.left -= 1
        if self.left < 0:
            raise self.error

    def read(self, count):
        self.used()
        return super().read(count)

    def write(self, line):
        self.used()
        super().write(line)

    def close(self):
        self.used()
        super().close()

    @property
    def in_waiting(self):
        self.used()
        return super().in_waiting


#: What pyserial raises when a device goes: errors of its own, of the system, and of the terminal.
GONE = [
    serial.SerialException("device reports readiness to read but returned no data"),
    serial.PortNotOpenError(),
    OSError(errno.EIO, "Input/output error"),
    BrokenPipeError(errno.EPIPE, "Broken pipe"),
    termios.error(5, "Input/output error"),
]


@pytest.mark.parametrize("error", GONE, ids=lambda error: type(error).__name__)
def test_board_unplugged_at_any_moment_is_one_line(error, monkeypatch):
    monkeypatch.setattr(host, "_LEAST_AHEAD", 30)
    monkeypatch.setattr(host, "_AHEAD", 0)
    asked = images(6)
    for n in range(1000):
        port = Unplugged(n, error)
        got = []
        try:
            with host.Link(port=port) as link:
                for results in link.classify(asked):
                    got += results.scores.tolist()
        except LinkError as told:
            assert "must stay plugged in" in str(told) and "\n" not in str(told)
        assert got == scores_of(port.board.identity, asked)[: len(got)].tolist()
        if len(got) == len(asked):
            break
    assert 5 < n < 100


def test_board_that_says_anything_is_believed_or_one_line():
    for seed in range(200):
        rng = random.Random(seed)

        class Liar(Port):
            def write(self, line, rng=rng):
                for request in frames.Reader().feed(line):
                    identity = bytearray(random_identity(rng).encode())
                    for _ in range(rng.choice((0, 0, 1, 3))):
                        identity[rng.randrange(len(identity))] = rng.choice((0, 1, 255, rng.randrange(256)))
                    payload = bytes(identity) if request.command == 1 else rng.randbytes(rng.randrange(40))
                    self.out += frames.Frame(
                        command=rng.choice([request.command | 0x80] * 4 + [FAILURE]),
                        sequence=request.sequence,
                        payload=payload,
                    ).encode()

        print("seed", seed)
        try:
            list(host.Link(port=Liar(SoftBoard())).classify(images(1)))
        except LinkError as told:
            assert "\n" not in str(told)


class TestPseudoTerminal:
    """The way past pyserial, by the file descriptor."""

    def test_a_slow_reader_and_small_pieces(self, monkeypatch):
        pytest.importorskip("pty")
        from terminal import served

        board = SoftBoard()
        monkeypatch.setattr(host, "time", time)
        monkeypatch.setattr(host, "_PATIENCE", 20)
        with (
            served(lambda data: board.feed(data) + board.rest(), reads=7, writes=3) as path,
            serial.Serial(path, timeout=0.05) as port,
        ):
            check(host.Link(port=port), board, images(300))

    def test_a_terminal_that_ends_is_one_line(self):
        pty = pytest.importorskip("pty")
        ours, theirs = pty.openpty()
        with serial.Serial(os.ttyname(theirs), timeout=0.05) as port:
            link = host.Link(port=port)
            os.close(ours)
            with pytest.raises(LinkError, match="must stay plugged in, but its port ended"):
                link.identify()
        os.close(theirs)
