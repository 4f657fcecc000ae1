import hashlib

import pytest

from sbgen.compiler import exchange, model
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
    with pytest.raises(ModelError, match="must be a net.pt, a QONNX file, a larq model .* or a JSON exchange file, but begins with"):
        model.load(tmp_path / "x")


def test_missing(tmp_path):
    with pytest.raises(ModelError, match="cannot be read: No such file"):
        model.load(tmp_path / "x")
