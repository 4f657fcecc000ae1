"""`sbgen classify`, `sbgen identify` and `sbgen.Board` at a board in software."""

import json
import os
import pty
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from soft_board import DIGEST, Port, SoftBoard, scores_of
from terminal import served

import sbgen
from sbgen.boards import connect, host
from sbgen.cli import main
from sbgen.compiler import exchange
from sbgen.compiler.ir import Binarize, Network, Scores
from sbgen.errors import LinkError
from sbgen.samples.recipe import Recipe
from sbgen.samples.scale import Scale
from sbgen.samples.split import Split

PIXELS, CLASSES = 8, 3


class Fixed(SoftBoard):
    """A board whose scores are the first pixels less 5."""

    def __init__(self, **changes):
        super().__init__(
            **{
                "outputs": CLASSES,
                "pixels": PIXELS,
                "pixel_bits": 8,
                "levels": (),
                "store_bytes": 100,
                **changes,
            }
        )

    def _results(self, want, packed):
        identity = self.identity
        out = b""
        for start in range(0, len(packed), PIXELS):
            scores = [pixel - 5 for pixel in packed[start : start + identity.outputs]]
            best = sorted(range(len(scores)), key=lambda n: (-scores[n], n))
            numbers = [score.to_bytes(2, "little", signed=True) for score in scores]
            decision = bytes([best[0]])
            if identity.signs:
                decision = bytes([sum((score >= 0) << n for n, score in enumerate(scores))])
            if want in (0, 255):
                out += (b"".join(numbers) if want else b"") + decision
            else:
                out += b"".join(bytes([n]) + numbers[n] for n in best[:want])
        return out


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """A function that runs a command at a board; returns its exit code, output and error. `asked` is how the
    board was connected.
    """

    def at(board, *arguments, port=None):
        def connected(**options):
            at.asked = options
            return host.Link(port=port or Port(board), latency_ms=None)

        monkeypatch.setattr(connect, "connect", connected)
        code = main([*map(str, arguments), "--port", "PORT"])
        printed = capsys.readouterr()
        return code, printed.out.splitlines(), printed.err

    return at


def save(path, pixels, labels=None):
    images = np.zeros((len(pixels), PIXELS), np.uint8)
    images[:, :CLASSES] = pixels
    if labels is None:
        np.savez(path, images=images)
    else:
        np.savez(path, images=images, labels=np.array(labels))
    return path


def shown(lines):
    """The lines without blanks, split into words, and without the rate."""
    return [line.split() for line in lines if line and "images/s" not in line]


TIES = [[9, 9, 9], [0, 7, 7], [8, 0, 4]]


class TestClassify:
    def test_class_alone(self, run, tmp_path):
        code, lines, _ = run(Fixed(), "classify", save(tmp_path / "a.npz", TIES))
        assert code == 0 and shown(lines) == [["image", "class"], ["0", "0"], ["1", "1"], ["2", "0"]]
        assert "images/s at 1,000,000 baud" in lines[-1]

    @pytest.mark.parametrize("top_k", [1, 2])
    def test_best_few_with_ties_to_the_lower_class(self, run, tmp_path, top_k):
        """Whether the board ranks as many, or the host ranks all scores."""
        path = save(tmp_path / "a.npz", TIES, [2, 2, 2])
        _, lines, _ = run(Fixed(top_k=top_k), "classify", path, "--top", 2)
        assert shown(lines)[:5] == [
            ["image", "class", "true", "best"],
            ["0", "0", "2", "0", "4", "1", "4"],
            ["1", "1", "2", "1", "2", "2", "2"],
            ["2", "0", "2", "0", "3", "2", "-1"],
            ["0", "of", "3", "right,", "2", "among", "the", "best", "2"],
        ]

    def test_scores(self, run, tmp_path):
        _, lines, _ = run(Fixed(), "classify", save(tmp_path / "a.npz", TIES), "--scores")
        assert shown(lines)[2] == ["1", "1", "-5", "2", "2"]

    @pytest.mark.parametrize("options", [(), ("--scores",), ("--top", 3)])
    @pytest.mark.parametrize("top_k", [1, 3])
    def test_unsure(self, run, tmp_path, options, top_k):
        path = save(tmp_path / "a.npz", [[9, 8, 0], [9, 6, 0], [0, 9, 7]], [0, 0, 2])
        _, lines, _ = run(Fixed(top_k=top_k), "classify", path, "--unsure", 3, *options)
        assert [("don't know" in line) for line in lines[1:4]] == [True, False, True]
        assert lines[5].startswith("1 of 1 right") and lines[5].endswith(
            "; 2 of 3 with the answer don't know"
        )

    def test_confusion(self, run, tmp_path):
        path = save(tmp_path / "a.npz", [[9, 0, 0], [0, 9, 0], [0, 9, 0], [0, 0, 9]], [0, 1, 0, 2])
        _, lines, _ = run(Fixed(), "classify", path, "--quiet")
        assert shown(lines) == [
            ["3", "of", "4", "right"],
            ["true", "\\", "found", "0", "1", "2"],
            ["------------", "-", "-", "-"],
            ["0", "1", "1", "0"],
            ["1", "0", "1", "0"],
            ["2", "0", "0", "1"],
        ]

    @pytest.mark.parametrize("top_k", [1, 2])
    def test_json(self, run, tmp_path, top_k):
        path = save(tmp_path / "a.npz", TIES, [0, 0, 0])
        _, lines, _ = run(Fixed(top_k=top_k), "classify", path, "--json", "--top", 2, "--unsure", 1)
        assert list(map(json.loads, lines)) == [
            {
                "image": 0,
                "class": "0",
                "unsure": True,
                "best": ["0", "1"],
                "best_scores": [4, 4],
                "true": "0",
            },
            {
                "image": 1,
                "class": "1",
                "unsure": True,
                "best": ["1", "2"],
                "best_scores": [2, 2],
                "true": "0",
            },
            {"image": 2, "class": "0", "best": ["0", "2"], "best_scores": [3, -1], "true": "0"},
            {
                "images": 3,
                "right": 1,
                "unsure": 2,
                "among_best": 2,
                "names": ["0", "1", "2"],
                "confusion": [[1, 0, 0], [0, 0, 0], [0, 0, 0]],
            },
        ]

    def test_names_of_the_network(self, run, tmp_path):
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
        path = save(tmp_path / "a.npz", TIES, ["owl"] * 3)
        arguments = ("classify", path, "--network", tmp_path / "network.json")
        code, _, error = run(Fixed(), *arguments)
        assert code == 1 and "must run the network of" in error and "but runs 0001020304050607" in error
        digest = bytes.fromhex(exchange.digest(network))[:8]
        _, lines, _ = run(Fixed(digest=digest), *arguments)
        assert run.asked["baud"] is None
        assert shown(lines)[1:3] == [["0", "cat", "owl"], ["1", "dog", "owl"]]

        # In the folder of its build, the baud rate is known.
        report = {"board": "icebreaker", "files": {}, "link": {"baud": 4_000_000}}
        (tmp_path / "report.json").write_text(json.dumps(report))
        run(Fixed(digest=digest), *arguments)
        assert run.asked["baud"] == 4_000_000
        run(Fixed(digest=digest), *arguments, "--baud", 9600)
        assert run.asked["baud"] == 9600
        (tmp_path / "report.json").write_text(json.dumps(report | {"link": None, "self_test": {}}))
        run(Fixed(digest=digest), *arguments)
        assert run.asked["baud"] is None

        # With a recipe, numbers as the network was trained on; what it was trained on is no test.
        scales = tuple(Scale.of_range(f"x{n}", 0.0, 25.5) for n in range(PIXELS))
        recipe = Recipe(
            kind="table", shape=(PIXELS,), scales=scales, places=tuple(range(PIXELS)), width=PIXELS
        )
        values = np.zeros((3, PIXELS))
        values[:, :CLASSES] = np.array([[9, 1, 0], [0, 3, 8], [0, 9, 5]]) / 10
        np.savez(path, X=values, y=["cat", "owl", "dog"])
        inputs, labels = recipe.apply(values), np.array([0, 2, 1])
        split = Split.of(inputs, labels, np.array([True, False, True]))
        exchange.save(network, tmp_path / "network.json", recipe=replace(recipe, split=split).primitives())
        _, lines, _ = run(Fixed(digest=digest), *arguments)
        assert "1 sample of the training left out" in lines[0]
        assert [words for words in shown(lines[1:]) if words[:1] in (["0"], ["1"])] == [
            ["0", "cat", "cat"],
            ["1", "dog", "dog"],
        ]

    @pytest.mark.parametrize("top", [0, 4])
    def test_no_more_than_the_classes(self, run, tmp_path, top):
        code, _, error = run(Fixed(), "classify", save(tmp_path / "a.npz", TIES), "--top", top)
        assert (
            code == 1 and f"--top must be in 1 ... 3, the classes of the board's network, not {top}" in error
        )

    def test_one_output_has_two_classes(self, run, tmp_path):
        path = save(tmp_path / "a.npz", [[9, 5, 0], [4, 0, 0], [6, 4, 8]], [1, 1, 1])
        _, lines, _ = run(Fixed(outputs=1, signs=True, top_k=0), "classify", path, "--scores")
        assert shown(lines)[:5] == [
            ["image", "class", "true", "scores"],
            ["0", "1", "1", "4"],
            ["1", "0", "1", "-1"],
            ["2", "1", "1", "1"],
            ["2", "of", "3", "right"],
        ]

    def test_several_labels_for_an_image(self, run, tmp_path):
        path = save(tmp_path / "a.npz", [[9, 5, 0], [4, 0, 0], [6, 4, 8]], [[1, 1, 0], [0, 0, 0], [1, 1, 1]])
        _, lines, _ = run(Fixed(signs=True, top_k=0), "classify", path)
        assert shown(lines)[:5] == [
            ["image", "labels", "true"],
            ["0", "0,", "1", "0,", "1"],
            ["1", "none", "none"],
            ["2", "0,", "2", "0,", "1,", "2"],
            ["2", "of", "3", "right", "in", "all", "3", "outputs,", "8", "of", "9", "bits", "right"],
        ]

    @pytest.mark.parametrize("option", [("--top", 2), ("--unsure", 2)])
    def test_signs_rank_nothing(self, run, tmp_path, option):
        board = Fixed(signs=True, top_k=0)
        code, _, error = run(board, "classify", save(tmp_path / "a.npz", TIES), *option)
        assert code == 1 and f"{option[0]} must be left out: the board's network decides by the sign" in error

    def test_what_was_classified_before_the_board_was_unplugged(self, run, tmp_path):
        class Unplugged(Port):
            def read(self, count):
                if self.board.requests > 300:
                    raise OSError(5, "Input/output error")
                return super().read(count)

        board = Fixed(frame_images=1)
        path = save(tmp_path / "a.npz", [[9, 0, 0]] * 2000, [0] * 2000)
        code, lines, error = run(board, "classify", path, port=Unplugged(board))
        done = len([line for line in lines if line.split()[1:] == ["0", "0"]])
        assert code == 1 and "must stay plugged in" in error and len(error.splitlines()) == 1
        assert 0 < done < 2000 and f"{done} of {done} right" in lines

    def test_files_that_are_no_images(self, run, tmp_path):
        (tmp_path / "a.npy").write_bytes(b"text")
        code, _, error = run(Fixed(), "classify", tmp_path / "a.npy")
        assert code == 1 and "must be a .npz or .npy of NumPy" in error
        assert "give --network, the network.json of its build" in error


def test_identify(run):
    _, lines, _ = run(Fixed(), "identify")
    assert lines == [
        "network  0001020304050607... (first 8 bytes of the SHA-256 in its report)",
        "pixels   8, 2 per beat, 8 bit on the line",
        "classes  3",
        "best     2 classes of an image with their scores",
        "link     at most 5 images in a request",
    ]


class TestBoard:
    @pytest.fixture
    def board(self, monkeypatch):
        soft = SoftBoard()
        monkeypatch.setattr(connect, "connect", lambda **options: host.Link(port=Port(soft)))
        with sbgen.Board(port="PORT") as opened:
            opened.soft = soft
            yield opened

    def images(self, count=50):
        return np.random.default_rng(count).integers(0, 256, (count, 11)).astype(np.uint8)

    def test_answers(self, board):
        images = self.images()
        scores = scores_of(board.soft.identity, images)
        assert board.identify().digest == DIGEST
        assert board.predict(images).tolist() == scores.argmax(axis=1).tolist()
        assert board.scores(images).tolist() == scores.tolist()
        assert board.predict(iter(images)).tolist() == scores.argmax(axis=1).tolist()
        one = list(board.predictions(images, scores=True))
        assert [p.scores.tolist() for p in one] == scores.tolist()
        two = list(board.predictions(iter(images), best=2))
        assert [p.label for p in two] == scores.argmax(axis=1).tolist()

    def test_progress(self, board):
        calls = []
        board.predict(self.images(30), progress=lambda done, total: calls.append((done, total)))
        assert calls[-1] == (30, 30) and calls == sorted(calls)
        calls.clear()
        board.predict(iter(self.images(30)), progress=lambda done, total: calls.append((done, total)))
        assert calls[-1] == (30, None)

    def test_images_are_taken_as_there_is_room(self, board):
        taken = 0

        def endless():
            nonlocal taken
            while True:
                taken += 1
                yield np.zeros(11, np.uint8)

        predictions = board.predictions(endless())
        for _ in range(1000):
            next(predictions)
        assert 1000 <= taken < 3000

    def test_no_images(self, board):
        assert board.predict(self.images(0)).shape == (0,) and board.scores(self.images(0)).shape == (0, 3)

    def test_wrong_wishes(self, board):
        with pytest.raises(ValueError, match="not for both"):
            next(board.predictions(self.images(), best=1, scores=True))
        with pytest.raises(LinkError, match="must be 1 ... 254, not 0"):
            next(board.predictions(self.images(), best=0))


class TestConnect:
    def test_something_must_be_named(self):
        with pytest.raises(LinkError, match="give --board NAME or --port PORT"):
            sbgen.Board()

    @pytest.mark.parametrize(
        "ports, found",
        [
            (
                [("/dev/ttyUSB1", 0x0403, 0x6010, "1-2:1.1"), ("/dev/ttyUSB0", 0x0403, 0x6010, "1-2:1.0")],
                "/dev/ttyUSB1",
            ),
            ([("/dev/ttyUSB3", 0x0403, 0x6010, None), ("/dev/ttyUSB0", 1, 2, None)], "/dev/ttyUSB3"),
        ],
    )
    def test_port_is_found_by_its_usb_interface(self, ports, found, monkeypatch):
        self.plug(monkeypatch, [(*port, None) for port in ports])
        from sbgen import boards

        assert connect._find_port(boards.get("icebreaker"), None) == found
        with pytest.raises(LinkError, match="no serial port of a USB device 0403:6015"):
            connect._find_port(boards.get("ulx3s_85f"), None)

    def plug(self, monkeypatch, ports):
        list_ports = pytest.importorskip("serial.tools.list_ports", reason="pyserial is not installed")
        names = ("device", "vid", "pid", "location", "serial_number")
        monkeypatch.setattr(
            list_ports,
            "comports",
            lambda: [SimpleNamespace(**dict(zip(names, port, strict=True))) for port in ports],
        )

    def test_one_of_several_boards(self, monkeypatch):
        from sbgen import boards
        from sbgen.errors import BoardError

        icebreaker = boards.get("icebreaker")
        ports = [
            (f"/dev/ttyUSB{2 * n + interface}", 0x0403, 0x6010, f"1-{n}:1.{interface}", f"IB{n}")
            for n in range(3)
            for interface in range(2)
        ]
        self.plug(monkeypatch, ports)
        assert connect._find_port(icebreaker, "IB2") == "/dev/ttyUSB5"
        with pytest.raises(BoardError, match="--serial IB2 or --serial IB1 or --serial IB0, or --port"):
            connect._find_port(icebreaker, None)
        with pytest.raises(BoardError, match="serial number IB9 must be plugged in, but those that are have"):
            connect._find_port(icebreaker, "IB9")

    def test_a_port_is_for_one_program(self):
        ours, theirs = pty.openpty()
        try:
            with (
                connect.connect(port=os.ttyname(theirs)),
                pytest.raises(LinkError, match="another program uses it: end that"),
            ):
                connect.connect(port=os.ttyname(theirs))
            connect.connect(port=os.ttyname(theirs)).close()
        finally:
            os.close(ours)
            os.close(theirs)

    def test_a_baud_that_the_port_refuses(self):
        ours, theirs = pty.openpty()
        try:
            with pytest.raises(LinkError, match="must open at 99,999,999,999 baud, but: .*--baud"):
                connect.connect(port=os.ttyname(theirs), baud=99999999999)
        finally:
            os.close(ours)
            os.close(theirs)

    @pytest.mark.parametrize("port", ["/dev/no-such-port", "socket://127.0.0.1:1", "nonsense://x"])
    def test_a_port_that_is_not_there(self, port):
        with pytest.raises(LinkError, match="must open at .* baud, but: "):
            connect.connect(port=port)

    def test_ports_that_are_there_are_named(self, monkeypatch):
        ports = [SimpleNamespace(device="/dev/ttyUSB1"), SimpleNamespace(device="/dev/ttyUSB0")]
        monkeypatch.setattr("serial.tools.list_ports.comports", lambda: ports)
        with pytest.raises(LinkError) as error:
            connect.connect(port="/dev/no-such-port")
        assert str(error.value) == (
            "/dev/no-such-port must open at 1,000,000 baud, but: No such file or directory; check the name:"
            " /dev/ttyUSB0 and /dev/ttyUSB1 can be chosen"
        )

    def test_a_board_behind_a_pseudo_terminal(self):
        board = SoftBoard()
        images = np.random.default_rng(0).integers(0, 256, (3000, 11)).astype(np.uint8)
        with (
            served(lambda data: board.feed(data) + board.rest()) as port,
            sbgen.Board(port=port, baud=3_000_000) as opened,
        ):
            assert (
                opened.predict(images).tolist() == scores_of(board.identity, images).argmax(axis=1).tolist()
            )


def test_sbgen_stays_light():
    import subprocess
    import sys

    text = "import sys, sbgen; print(*sorted({'numpy', 'serial', 'amaranth'} & {*sys.modules}))"
    done = subprocess.run([sys.executable, "-c", text], check=True, capture_output=True, text=True)
    assert done.stdout == "\n"
    with pytest.raises(AttributeError, match="has no attribute 'Bord'"):
        sbgen.Bord  # noqa: B018
