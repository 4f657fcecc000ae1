import errno
import itertools
import os
import random
import termios
import zlib
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import serial

from sbgen.boards import frames, host, messages, usb
from sbgen.commands import classify
from sbgen.compiler import exchange
from sbgen.compiler.ir import Binarize, Network, Scores
from sbgen.errors import DataError, LinkError
from sbgen.hw.protocol import CLASSIFY, FAILURE, IDENTIFY, RESPONSE, WANT_ALL
from sbgen.hw.slip import END, ESC

CLASSES, PIXELS = 3, 8
DIGEST = bytes(range(8))


def truth(image):
    scores = [zlib.crc32(bytes([c]) + bytes(image)) % 2001 - 1000 for c in range(CLASSES)]
    return scores, scores.index(max(scores))


def identity(**changes):
    """That of the board."""
    known = {"lanes": 2, "outputs": CLASSES, "pixels": PIXELS, "digest": DIGEST, "score_bytes": 4}
    return messages.Identity(**known | changes)


class Board:
    """A board in software on a serial port that may damage what passes.

    Parameters
    ----------
    damage : callable
        Gets bytes of one transfer and gives what arrives.
    """

    baudrate = 10_000_000

    def __init__(self, damage=lambda line: line, label=None, weights=None):
        self.damage, self.label = damage, label
        self.identity = identity(weights=weights)
        self.reader = frames.Reader()
        self.out = bytearray()
        self.requests = 0

    @property
    def in_waiting(self):
        return len(self.out)

    def read(self, count):
        taken, self.out = bytes(self.out[:count]), self.out[count:]
        return taken

    def close(self):
        self.out.clear()

    def write(self, line):
        self.requests += 1
        for request in self.reader.feed(self.damage(line)):
            command, payload = request.command | RESPONSE, b""
            if request.command == IDENTIFY:
                payload = self.identity.encode()
            elif len(request.payload) == 1 + PIXELS and request.payload[0] == WANT_ALL:
                scores, label = truth(request.payload[1:])
                payload = np.array(scores, "<i4").tobytes() + bytes(
                    [label if self.label is None else self.label]
                )
            else:
                command, payload = FAILURE, b"\x02"
            self.out += self.damage(
                frames.Frame(command=command, sequence=request.sequence, payload=payload).encode()
            )


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """A clock that goes on by a millisecond whenever it is read, however fast the machine is."""
    monkeypatch.setattr(host, "_PATIENCE", 0.01)
    monkeypatch.setattr(host, "time", SimpleNamespace(monotonic=partial(next, itertools.count(0, 0.001))))


def images(count=5, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 2, 4)).astype(np.uint8)


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

    def test_every_flipped_bit_is_found(self):
        line = frames.Frame(command=0x82, sequence=9, payload=b"scores").encode()
        for bit in range(8 * len(line)):
            damaged = bytearray(line)
            damaged[bit // 8] ^= 1 << bit % 8
            assert all(frame.payload == b"scores" for frame in frames.Reader().feed(damaged))


class TestLink:
    def test_identify(self):
        assert host.Link(port=Board()).identify() == identity()

    @pytest.mark.parametrize("seed", range(10))
    def test_only_the_answer_of_the_request_counts(self, seed):
        """Before it come failures, identities and results of other numbers, and other answers with its
        number; no request is repeated.
        """
        print(f"seed {seed}")
        rng, port = random.Random(seed), Board()
        write = port.write

        def late(line):
            (request,) = frames.Reader().feed(line)
            for _ in range(rng.randint(1, 4)):
                other = (request.sequence + rng.randint(1, 255)) % 256
                payload = bytes([rng.randrange(6)]) + rng.randbytes(rng.choice((0, 13)))
                right = request.command | RESPONSE
                for command, sequence in rng.sample(
                    [(FAILURE, other), (right, other), (right ^ 3, request.sequence)], 2
                ):
                    port.out += frames.Frame(command=command, sequence=sequence, payload=payload).encode()
            write(line)

        port.write = late
        results = list(host.Link(port=port).classify(images()))
        assert [result.scores.tolist() for result in results] == [
            truth(image.reshape(-1))[0] for image in images()
        ]
        assert port.requests == 1 + len(images())

    def test_classify(self):
        port = Board()
        results = list(host.Link(port=port).classify(images()))
        assert [(result.scores.tolist(), result.label) for result in results] == [
            truth(image.reshape(-1)) for image in images()
        ]
        assert port.requests == 1 + len(images())

    def test_no_images(self):
        assert list(host.Link(port=Board()).classify(images(0))) == []

    @pytest.mark.parametrize("kind", ["flip", "drop", "double", "garbage"])
    def test_damage_in_both_directions_costs_tries_but_no_truth(self, kind):
        rng = random.Random(kind)

        def damage(line):
            line = bytearray(line)
            if rng.random() < 0.25:
                at = rng.randrange(len(line))
                match kind:
                    case "flip":
                        line[at] ^= 1 << rng.randrange(8)
                    case "drop":
                        del line[at]
                    case "double":
                        line.insert(at, line[at])
                    case "garbage":
                        line[:0] = rng.randbytes(20)
            return line

        asked = images(60, seed=1)
        link = host.Link(port=Board(damage))
        got = []
        while len(got) < len(asked):
            try:
                got += ((result.scores.tolist(), result.label) for result in link.classify(asked[len(got) :]))
            except LinkError as error:
                print(error)
        assert got == [truth(image.reshape(-1)) for image in asked]

    def test_silence_ends_in_a_timeout(self):
        port = Board(lambda line: b"")
        with pytest.raises(
            LinkError, match="4 requests led to: nothing, nothing, nothing, nothing; check the port"
        ):
            host.Link(port=port).identify()
        assert port.requests == 4

    def test_late_response_is_not_read_as_another_images(self):
        class Late(Board):
            def write(self, line):
                ready, self.held = getattr(self, "held", b""), b""
                super().write(line)
                self.held, self.out = bytes(self.out), bytearray(ready)

        with pytest.raises(LinkError, match="nothing"):
            host.Link(port=Late()).identify()

    def test_board_with_wrong_weights_is_sent_no_image(self):
        board = Board(weights=messages.Weights(state=2, checksum=0x12345678))
        with pytest.raises(
            LinkError, match="loaded its weights, but: CRC-32 12345678, wrong: .* sbgen flash"
        ):
            next(host.Link(port=board).classify(np.zeros((1, PIXELS), np.uint8)))
        assert board.requests == 1

    def test_wrong_size_is_refused_before_it_is_sent(self):
        port = Board()
        with pytest.raises(LinkError, match="must have the 8 pixels .* not 9"):
            list(host.Link(port=port).classify(np.zeros((2, 9), np.uint8)))
        assert port.requests == 1

    @pytest.mark.parametrize("wrong", [np.zeros((2, 8)), np.zeros(8, np.uint8)])
    def test_wrong_kind_is_refused(self, wrong):
        with pytest.raises(LinkError, match="must be an array"):
            list(host.Link(port=Board()).classify(wrong))

    def test_class_without_the_maximum_score(self):
        image = images(1)
        with pytest.raises(LinkError, match="must be the first with the maximum score"):
            list(host.Link(port=Board(label=(truth(image.reshape(-1))[1] + 1) % CLASSES)).classify(image))


class Unplugged(Board):
    """A board that is unplugged before the n-th call of its port, which then raises `error`."""

    def __init__(self, n, error):
        super().__init__()
        self.left, self.error = n, error

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
def test_board_unplugged_at_any_moment_is_one_line(error):
    asked = images(3)
    for n in range(1000):
        got = []
        try:
            with host.Link(port=Unplugged(n, error)) as link:
                got.extend(link.classify(asked))
        except LinkError as told:
            assert "must stay plugged in" in str(told) and "\n" not in str(told)
        assert [result.scores.tolist() for result in got] == [
            truth(image.reshape(-1))[0] for image in asked[: len(got)]
        ]
        if len(got) == len(asked):
            break
    assert 5 < n < 100


def test_board_that_says_anything_is_believed_or_one_line(monkeypatch):
    for seed in range(300):
        rng = random.Random(seed)

        class Liar(Board):
            def write(self, line, rng=rng):
                for request in self.reader.feed(line):
                    size = rng.choice([0, 1, 2, 13, 13, 39, 39, 39, 44, rng.randrange(50)])
                    payload = rng.randbytes(50)
                    if rng.random() < 0.9:  # an identity, near the truth
                        payload = bytearray(identity().encode())
                        for _ in range(rng.choice([0, 0, 1, 3])):
                            payload[rng.randrange(len(payload))] = rng.randrange(4)
                    self.out += frames.Frame(
                        command=rng.choice([request.command | RESPONSE] * 4 + [FAILURE]),
                        sequence=request.sequence,
                        payload=bytes(payload[:size]),
                    ).encode()

        print("seed", seed)
        try:
            list(host.Link(port=Liar()).classify(images(1)))
        except LinkError as told:
            assert "\n" not in str(told)


class Port:
    """A serial port whose driver does what it is asked to, or raises."""

    port = "/dev/ttyUSB7"

    def __init__(self, error=None):
        self.low, self.error = None, error

    def set_low_latency_mode(self, low):
        if self.error:
            raise self.error
        self.low = low


class TestLatency:
    def timer(self, tmp_path, text):
        (tmp_path / "ttyUSB7").write_text(text)
        return str(tmp_path / "{name}")

    def test_low_latency_is_requested(self, tmp_path):
        port = Port()
        assert usb.ask_low_latency(port, timer=self.timer(tmp_path, "1\n")) == 1 and port.low is True

    @pytest.mark.parametrize(
        "error",
        [
            ValueError("Failed to update ASYNC_LOW_LATENCY flag"),
            OSError(25, "not a typewriter"),
            NotImplementedError("not on this system"),
            AttributeError("an old pyserial"),
        ],
    )
    def test_a_port_without_it_is_no_error(self, tmp_path, error):
        assert usb.ask_low_latency(Port(error), timer=self.timer(tmp_path, "16")) == 16
        assert usb.ask_low_latency(Port(error), timer=str(tmp_path / "none" / "{name}")) is None
        assert usb.ask_low_latency(Port(error), timer=self.timer(tmp_path, "fast")) is None

    def test_a_pseudo_terminal_opens(self):
        pty = pytest.importorskip("pty")
        ours, theirs = pty.openpty()
        try:
            with host.open_link(SimpleNamespace(board=None, port=os.ttyname(theirs), baud=115200)) as link:
                said = link.bounds(identity(outputs=10, pixels=784))
        finally:
            os.close(ours)
            os.close(theirs)
        # Frames of 793 and 49 bytes.
        assert (
            said
            == "the link allows 14 images/s at 115,200 baud, 13 with a USB latency timer of 1 ms, or 11 with"
            " a USB latency timer of 16 ms (that of this port is not known)"
        )


class TestCommand:
    def options(self, path, **options):
        return SimpleNamespace(
            **{
                "images": path,
                "board": "icebreaker",
                "port": None,
                "baud": None,
                "top": None,
                "network": None,
            }
            | options
        )

    def ties(self, monkeypatch, tmp_path, **options):
        """What is printed of images whose scores are given by their first pixels, and whose labels are 2."""
        monkeypatch.setitem(
            globals(),
            "truth",
            lambda image: ((scores := [each - 5 for each in image[:CLASSES]]), scores.index(max(scores))),
        )
        pixels = np.zeros((3, PIXELS), np.uint8)
        pixels[:, :CLASSES] = [[9, 9, 9], [0, 7, 7], [8, 0, 4]]
        np.savez(tmp_path / "images.npz", images=pixels, labels=np.full(3, 2))
        monkeypatch.setattr(host, "open_link", lambda arguments: host.Link(port=Board()))
        classify.run(self.options(tmp_path / "images.npz", **options))

    def test_best_few_with_ties_to_the_lower_class(self, monkeypatch, tmp_path, capsys):
        self.ties(monkeypatch, tmp_path, top=2)
        *shown, rate, right = capsys.readouterr().out.splitlines()
        assert "images/s; the link allows" in rate
        assert [*shown, right] == [
            "     0  best 0 4  1 4  label 2",
            "     1  best 1 2  2 2  label 2",
            "     2  best 0 3  2 -1  label 2",
            "0 of 3 right, 2 among the best 2",
        ]

    def test_names_of_the_network(self, monkeypatch, tmp_path, capsys):
        network = Network(
            name="net",
            image_shape=(PIXELS,),
            labels=("cat", "dog", "owl"),
            layers=(
                Binarize(name="pixels", thresholds=np.full((PIXELS, 1), 128)),
                Scores(
                    name="scores", weights=np.zeros((CLASSES, PIXELS), int), offsets=np.zeros(CLASSES, int)
                ),
            ),
        )
        exchange.save(network, tmp_path / "network.json")
        with pytest.raises(
            LinkError, match="must run the network of .*network.json, .* but runs 0001020304050607"
        ):
            self.ties(monkeypatch, tmp_path, network=tmp_path / "network.json")
        monkeypatch.setitem(globals(), "DIGEST", bytes.fromhex(exchange.digest(network))[:8])
        self.ties(monkeypatch, tmp_path, network=tmp_path / "network.json", top=1)
        assert capsys.readouterr().out.splitlines()[:2] == [
            "     0  best cat 4  label owl",
            "     1  best dog 2  label owl",
        ]

    @pytest.mark.parametrize("top", [0, 4])
    def test_no_more_than_the_classes(self, monkeypatch, tmp_path, top):
        with pytest.raises(
            LinkError, match=f"--top must be in 1 ... 3, the classes of the board's network, not {top}"
        ):
            self.ties(monkeypatch, tmp_path, top=top)

    def test_counts_what_is_right(self, monkeypatch, tmp_path, capsys):
        labels = np.array([truth(image.reshape(-1))[1] for image in images()])
        labels[0] = (labels[0] + 1) % CLASSES
        np.savez(tmp_path / "images.npz", images=images(), labels=labels)
        monkeypatch.setattr(host, "open_link", lambda arguments: host.Link(port=Board()))
        classify.run(self.options(tmp_path / "images.npz"))
        assert capsys.readouterr().out.endswith("4 of 5 right\n")

    def signed(self, monkeypatch, tmp_path, outputs, labels, **options):
        """What is printed of images whose scores are their first pixels less 5."""

        class Signed(Board):
            def write(self, line):
                for request in self.reader.feed(line):
                    payload = identity(outputs=outputs, signs=True, top_k=0).encode()
                    if request.command == CLASSIFY:
                        scores = np.frombuffer(request.payload[1 : 1 + outputs], np.uint8).astype(int) - 5
                        payload = (
                            scores.astype("<i4").tobytes()
                            + np.packbits(scores >= self.least, bitorder="little").tobytes()
                        )
                    self.out += frames.Frame(
                        command=request.command | RESPONSE, sequence=request.sequence, payload=payload
                    ).encode()

        Signed.least = options.pop("least", 0)
        pixels = np.zeros((3, PIXELS), np.uint8)
        pixels[:, :3] = [[9, 5, 0], [4, 0, 0], [6, 4, 8]]
        np.savez(tmp_path / "images.npz", images=pixels, labels=np.array(labels))
        monkeypatch.setattr(host, "open_link", lambda arguments: host.Link(port=Signed()))
        classify.run(self.options(tmp_path / "images.npz", **options))

    def test_one_output_has_two_classes(self, monkeypatch, tmp_path, capsys):
        self.signed(monkeypatch, tmp_path, 1, [1, 1, 1])
        assert [line for line in capsys.readouterr().out.splitlines() if "images/s" not in line] == [
            "     0  class 1  scores 4  label 1",
            "     1  class 0  scores -1  label 1",
            "     2  class 1  scores 1  label 1",
            "2 of 3 right",
        ]

    def test_several_labels_for_an_image(self, monkeypatch, tmp_path, capsys):
        self.signed(monkeypatch, tmp_path, 3, [[1, 1, 0], [0, 0, 0], [1, 1, 1]])
        assert [line for line in capsys.readouterr().out.splitlines() if "images/s" not in line] == [
            "     0  labels 0, 1  scores 4 0 -5  label 0, 1",
            "     1  labels none  scores -1 -5 -5  label none",
            "     2  labels 0, 2  scores 1 -1 3  label 0, 1, 2",
            "2 of 3 right in all 3 outputs, 8 of 9 bits right",
        ]

    def test_labels_of_another_shape_are_refused(self, monkeypatch, tmp_path):
        with pytest.raises(
            DataError,
            match=(
                r"labels must be a bit for each of the network's 3 outputs, \(3, 3\) of 0 and 1, found int64"
                r" of shape \(3,\)"
            ),
        ):
            self.signed(monkeypatch, tmp_path, 3, [1, 1, 1])

    def test_signs_rank_nothing(self, monkeypatch, tmp_path):
        with pytest.raises(
            LinkError, match="--top must be left out: the board's network decides by the sign of each score"
        ):
            self.signed(monkeypatch, tmp_path, 3, np.zeros((3, 3), int), top=2)

    def test_a_bit_that_is_not_the_sign(self, monkeypatch, tmp_path):
        with pytest.raises(
            LinkError,
            match="image 0: a bit must be 1 if its score is not negative, but the board reports bits",
        ):
            self.signed(monkeypatch, tmp_path, 3, np.zeros((3, 3), int), least=1)

    def refused(self, monkeypatch, tmp_path, content, message):
        (tmp_path / "images.npy").write_bytes(content)
        monkeypatch.setattr(host, "open_link", lambda arguments: host.Link(port=Board()))
        with pytest.raises(DataError, match=message):
            classify.run(self.options(tmp_path / "images.npy"))

    def test_file_that_is_no_array(self, monkeypatch, tmp_path):
        self.refused(monkeypatch, tmp_path, b"text", r"must be a \.npz or \.npy of NumPy")

    def test_pickles_are_not_read(self, monkeypatch, tmp_path):
        np.save(tmp_path / "images.npy", np.array([{}]), allow_pickle=True)
        self.refused(
            monkeypatch,
            tmp_path,
            (tmp_path / "images.npy").read_bytes(),
            "pickled Python objects, which are never read",
        )

    def test_a_header_that_promises_terabytes(self, monkeypatch, tmp_path):
        header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1099511627776, 9)}\n"
        self.refused(
            monkeypatch,
            tmp_path,
            b"\x93NUMPY\1\0" + bytes([len(header), 0]) + header,
            "but its header promises 9,895,604,649,984",
        )

    def test_labels_in_words(self, monkeypatch, tmp_path, capsys):
        np.savez(tmp_path / "images.npz", images=images(), labels=np.array(["2", "1", "0", "0", "0"]))
        monkeypatch.setattr(host, "open_link", lambda arguments: host.Link(port=Board()))
        classify.run(self.options(tmp_path / "images.npz"))
        assert "label 2" in capsys.readouterr().out
        np.savez(tmp_path / "images.npz", images=images(), labels=np.array(["cat"] * 5))
        with pytest.raises(
            DataError,
            match=(
                r"labels must all be names of the network's classes \(0, 1, 2\) or all be numbers of 0 ... 2,"
                r" found 'cat'"
            ),
        ):
            classify.run(self.options(tmp_path / "images.npz"))

    def test_port_must_be_named(self):
        with pytest.raises(LinkError, match="give --board NAME or --port PORT"):
            host.open_link(SimpleNamespace(board=None, port=None, baud=None))

    @pytest.mark.parametrize(
        "ports,found",
        [
            (
                [("/dev/ttyUSB1", 0x0403, 0x6010, "1-2:1.1"), ("/dev/ttyUSB0", 0x0403, 0x6010, "1-2:1.0")],
                "/dev/ttyUSB1",
            ),
            ([("/dev/ttyUSB3", 0x0403, 0x6010, None), ("/dev/ttyUSB0", 1, 2, None)], "/dev/ttyUSB3"),
        ],
    )
    def test_port_is_found_by_its_usb_interface(self, ports, found, monkeypatch):
        from sbgen import boards

        list_ports = pytest.importorskip("serial.tools.list_ports", reason="pyserial is not installed")
        monkeypatch.setattr(
            list_ports,
            "comports",
            lambda: [
                SimpleNamespace(device=device, vid=vid, pid=pid, location=location)
                for device, vid, pid, location in ports
            ],
        )
        assert host._find_port(boards.get("icebreaker")) == found
        with pytest.raises(LinkError, match="no serial port of a USB device 0403:6015"):
            host._find_port(boards.get("ulx3s_85f"))
