"""`sbgen check-board` at a board in software that computes a network by the reference."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from soft_board import Port, SoftBoard

from sbgen import built as builds
from sbgen import trial_images
from sbgen.boards import connect, host
from sbgen.cli import main
from sbgen.compiler import exchange, reference
from sbgen.compiler.ir import Binarize, Network, Scores

PIXELS, CLASSES = 12, 3


def network():
    rng = np.random.default_rng(5)
    return Network(
        name="net",
        image_shape=(PIXELS,),
        labels=("a", "b", "c"),
        layers=(
            Binarize(name="pixels", thresholds=np.full((PIXELS, 1), 100)),
            Scores(
                name="scores",
                weights=rng.integers(0, 2, (CLASSES, PIXELS)).astype(np.uint8),
                offsets=np.zeros(CLASSES, int),
            ),
        ),
    )


class Computing(SoftBoard):
    """Computes the network; `wrong` is the number of an image whose result is another one's."""

    def __init__(self, net, wrong=None):
        super().__init__(
            outputs=CLASSES,
            pixels=PIXELS,
            pixel_bits=1,
            levels=(100,),
            digest=bytes.fromhex(exchange.digest(net))[:8],
        )
        self.network, self.wrong, self.done = net, wrong, 0

    def _results(self, want, packed):
        scores, labels = reference.evaluate(self.network, self.identity.unpack(packed))
        out = b""
        for line, label in zip(scores.tolist(), labels.tolist(), strict=True):
            if self.done == self.wrong:
                line[label] += 1
            self.done += 1
            if want:
                out += b"".join(score.to_bytes(2, "little", signed=True) for score in line)
            out += bytes([label])
        return out


@pytest.fixture
def check(monkeypatch, tmp_path, capsys):
    net = network()

    def run(board, *options, port=None):
        images = np.random.default_rng(1).integers(0, 256, (300, PIXELS)).astype(np.uint8)
        tried = trial_images.TrialImages(
            images=images,
            labels=reference.evaluate(net, images)[1],
            source=trial_images.TEST_SET,
            name="made up",
            sha256="0" * 64,
        )
        report = {
            "board": "icebreaker",
            "device": "up5k",
            "files": {"top.bin": "1" * 64},
            "timing": {"clock_mhz": 48.0},
            "link": {"baud": 12_000_000},
        }
        built = SimpleNamespace(folder=tmp_path, network=net, report=report, trained_on={}, baud=12_000_000)
        monkeypatch.setattr(builds, "Built", lambda folder: built)
        monkeypatch.setattr(trial_images, "choose", lambda **settings: tried)
        asked = {}

        def connected(**settings):
            asked.update(settings)
            return host.Link(port=port or Port(board))

        monkeypatch.setattr(connect, "connect", connected)
        code = main(["check-board", str(tmp_path), *options])
        printed = capsys.readouterr()
        return code, printed.out, printed.err, asked

    return run


def test_a_board_that_is_right(check, tmp_path):
    code, out, _, asked = check(Computing(network()))
    assert code == 0 and "PASS     300 of 300 decisions and 900 of 900 scores" in out
    assert asked == {"name": "icebreaker", "port": None, "baud": 12_000_000, "serial": None}
    record = json.loads((tmp_path / "check-board.json").read_text())
    assert record["equal"] and record["accuracy"] == {"board": 1.0, "reference": 1.0}
    assert record["files"] == {"top.bin": "1" * 64} and record["images"]["count"] == 300
    assert record["link"]["errors"] == {"damaged": 0, "refused": 0, "lost": 0, "silent": 0}
    assert str(tmp_path) not in json.dumps(record)


@pytest.mark.parametrize("wrong", [0, 299])
def test_a_board_that_is_wrong_once(check, tmp_path, wrong):
    board = Computing(network(), wrong=300 + wrong)  # in the second run, that of the scores
    code, out, _, _ = check(board)
    record = json.loads((tmp_path / "check-board.json").read_text())
    assert code == 1 and "FAIL     300 of 300 decisions and 899 of 900 scores" in out
    assert not record["equal"] and record["scores"] == {"equal": 899, "of": 900}


def test_errors_on_the_line_are_recorded(check, tmp_path):
    class Noisy(Port):
        count = 0

        def write(self, line):
            self.count += 1
            damaged = bytearray(line)
            if len(line) > 40:
                damaged[-30] ^= 1
            super().write(damaged if self.count == 3 else line)

    board = Computing(network())
    code, _, _, _ = check(board, "--port", "PORT", port=Noisy(board))
    record = json.loads((tmp_path / "check-board.json").read_text())
    errors = record["link"]["errors"]
    assert code == 0 and record["equal"] and errors["lost"] >= 1 and errors["refused"] <= errors["lost"]


def test_a_board_with_another_network(check):
    board = Computing(network())
    board.answer_identity = SoftBoard(outputs=CLASSES, pixels=PIXELS).identity.encode()
    code, _, error, _ = check(board)
    assert code == 1 and "must run the network of" in error and "sbgen flash" in error


def test_some_images_and_another_file(check, tmp_path):
    code, out, _, _ = check(Computing(network()), "--images", "7", "--out", str(tmp_path / "a.json"))
    assert code == 0 and "7 of 7 decisions" in out and (tmp_path / "a.json").is_file()
