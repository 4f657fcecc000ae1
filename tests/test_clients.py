"""The MicroPython client at a board in software; sim/test_c_client.py has the C client."""

import importlib.util
import random
import sys

import pytest
from link_cases import Damage, decisions_of, random_identity, random_images
from soft_board import DIGEST, SoftBoard, scores_of

from sbgen.cli import main
from sbgen.clients import FOLDER


def client():
    spec = importlib.util.spec_from_file_location("sbgen_link", FOLDER / "micropython" / "sbgen_link.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Uart:
    """`machine.UART` with a board at it: `read` returns None after a timeout."""

    def __init__(self, board, damage=lambda line: line):
        self.board, self.damage, self.out = board, damage, b""

    def any(self):
        return len(self.out)

    def write(self, line):
        self.out += self.damage(self.board.feed(self.damage(line)) + self.board.rest())
        return len(line)

    def read(self, count):
        taken, self.out = self.out[:count], self.out[count:]
        return taken or None


def number(decision):
    """Bits as a number, output 0 lowest; a class is one."""
    return sum(int(bit) << n for n, bit in enumerate(decision)) if decision.ndim else int(decision)


@pytest.mark.parametrize("seed", range(30))
def test_any_board(seed):
    print("seed", seed)
    board = SoftBoard(random_identity(random.Random(seed)))
    found = client().Board(Uart(board))
    identity = board.identity
    assert (found.pixels, found.outputs, found.digest) == (identity.pixels, identity.outputs, DIGEST)
    images = random_images(identity, 5, seed)
    for image, scores, decision in zip(
        images, scores_of(identity, images), decisions_of(identity, images), strict=True
    ):
        assert found.pack(image.tobytes()) == identity.pack(image[None]).tobytes()
        assert found.classify(image.tobytes()) == number(decision)
        assert found.scores(image.tobytes()) == (scores.tolist(), number(decision))
    assert board.refusals == []


@pytest.mark.parametrize("seed", range(10))
def test_damage_costs_no_truth(seed):
    print("seed", seed)
    module = client()
    board = SoftBoard(random_identity(random.Random(seed), outputs=(1, 2, 3)))
    uart = Uart(board)
    found = module.Board(uart)
    uart.damage = Damage(seed, 0.005)
    images = random_images(board.identity, 100, seed)
    decisions, right = decisions_of(board.identity, images), 0
    for image, decision in zip(images, decisions, strict=True):
        try:
            assert found.classify(image.tobytes()) == number(decision)
            right += 1
        except module.LinkError as error:
            assert "must answer" in str(error)
    assert right > 50


def test_errors():
    module = client()
    with pytest.raises(module.LinkError, match="must answer, but: nothing came"):
        module.Board(Uart(SoftBoard(), lambda line: b""))
    old = SoftBoard()
    old.answer_identity = bytes([1, 2, 3, 0])
    with pytest.raises(module.LinkError, match="speaks another version"):
        module.Board(Uart(old))
    found = module.Board(Uart(SoftBoard()))
    with pytest.raises(module.LinkError, match="must have 11 pixels, not 9"):
        found.classify(bytes(9))


def test_its_own_crc(monkeypatch):
    import binascii

    monkeypatch.setitem(sys.modules, "binascii", None)
    own = client().crc32
    for size in 0, 1, 9, 100:
        data = random.Random(size).randbytes(size)
        assert own(data) == binascii.crc32(data)


@pytest.mark.parametrize("language, files", [("c", 2), ("micropython", 1)])
def test_files_are_copied(language, files, tmp_path, capsys):
    assert main(["client", language, "--out", str(tmp_path / "new")]) == 0
    names = capsys.readouterr().out.split()
    assert len(names) == files and all(
        (FOLDER / language / name.rpartition("/")[2]).is_file() for name in names
    )
    assert main(["client", language, "--out", str(tmp_path / "new")]) == 0
    (tmp_path / "new" / names[0].rpartition("/")[2]).write_text("mine")
    assert main(["client", language, "--out", str(tmp_path / "new")]) == 1
    assert "must not be there, or be the same file" in capsys.readouterr().err
    assert (tmp_path / "new" / names[0].rpartition("/")[2]).read_text() == "mine"
