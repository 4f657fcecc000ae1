import hashlib

import numpy as np
import pytest

from sbgen.cli import main
from sbgen.compiler import exchange
from sbgen.compiler.frontends import model
from sbgen.errors import ModelError
from sbgen.train import checkpoint
from sbgen.train.network import network


@pytest.fixture
def trained(tmp_path):
    net = network(image_shape=(6,), thresholds=(9,), widths=(4,), classes=3, method="straight-through").eval()
    checkpoint.save(net, tmp_path / "net.pt", image_shape=(2, 3), labels="xyz", dataset="mnist", seed=5)
    return tmp_path / "net.pt"


def test_torch_file_by_content(trained):
    read = model.load(trained)
    assert read.network.labels == ("x", "y", "z") and read.network.image_shape == (2, 3)
    assert read.sha256 == hashlib.sha256(trained.read_bytes()).hexdigest() and read.file == trained
    assert (read.info["dataset"], read.info["seed"]) == ("mnist", 5)
    renamed = trained.rename(trained.with_suffix(".json"))
    assert exchange.digest(model.load(renamed).network) == exchange.digest(read.network)


def test_exchange_file_by_content(trained):
    read = model.load(trained)
    path = trained.with_name("same.pt")
    exchange.save(read.network, path)
    again = model.load(path)
    assert exchange.digest(again.network) == exchange.digest(read.network) and again.info == {}


@pytest.mark.parametrize("content", [b"", b"hello", b"\x7fELF", b"[1]"])
def test_neither(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(
        ModelError,
        match="must be a net.pt, a QONNX file, a larq model .* or a JSON exchange file, but begins with",
    ):
        model.load(tmp_path / "x")


def test_missing(tmp_path):
    with pytest.raises(ModelError, match="cannot be read: No such file"):
        model.load(tmp_path / "x")


def test_arrays_of_numpy_are_not_called_damaged(tmp_path):
    np.savez(tmp_path / "net.npz", images=np.zeros((2, 3), np.uint8), outputs=np.ones(2))
    np.savez_compressed(tmp_path / "many.npz", **{f"a{n}": np.zeros(1) for n in range(6)})
    (tmp_path / "many.npz").rename(tmp_path / "net.pt")
    np.save(tmp_path / "net.npy", np.zeros(3))
    for name, what in (
        ("net.npz", r"arrays \(images, outputs\)"),
        ("net.pt", r"arrays \(a0, a1, a2, a3, \.\.\.\)"),
        ("net.npy", "arrays"),
    ):
        with pytest.raises(
            ModelError,
            match=rf"{name}: must hold a network, but is a NumPy file of {what}; give the model's own file",
        ):
            model.load(tmp_path / name)


def test_pixels_of_a_file_that_says_them_itself(trained):
    path = trained.with_name("same.json")
    exchange.save(model.load(trained).network, path)
    for file, what in ((trained, "a net.pt"), (path, "an exchange file")):
        message = (
            f"{file}: --pixels applies to QONNX files and larq models, but this is {what}, .*; leave out"
        )
        with pytest.raises(ModelError, match=f"^{message} --pixels raw$"):
            model.load(file, pixels="raw")


@pytest.mark.parametrize("command", ["build", "estimate", "export"])
def test_commands_refuse_pixels_of_such_a_file(trained, tmp_path, capsys, command):
    path = trained.with_name("same.json")
    exchange.save(model.load(trained).network, path)
    options = {
        "build": ["--board", "icebreaker", "--out", str(tmp_path / "out")],
        "estimate": ["--board", "icebreaker"],
        "export": ["--out", str(tmp_path / "net.onnx")],
    }[command]
    assert main([command, "--model", str(path), "--pixels", "raw", *options]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {path}: --pixels applies to QONNX files and larq models")
