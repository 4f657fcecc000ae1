import pytest

from sbgen import cli
from sbgen.compiler import exchange
from sbgen.compiler.frontends import model
from sbgen.compiler.random_network import random_network


@pytest.fixture
def made(tmp_path):
    exchange.save(random_network(3), tmp_path / "net.json")
    return tmp_path / "net.json"


def export(made, name):
    return cli.main(["export", "--model", str(made), "--out", str(made.parent / name)])


def test_exchange_file(made, capsys):
    assert export(made, "same.json") == 0
    assert exchange.load(made.parent / "same.json") == random_network(3)
    assert exchange.digest(random_network(3))[:16] in capsys.readouterr().out


def test_qonnx(made):
    pytest.importorskip("onnx", reason="QONNX files need onnx; pip install 'sbgen[qonnx]'")
    assert export(made, "net.onnx") == 0
    assert model.load(made.parent / "net.onnx").network.shapes == random_network(3).shapes


@pytest.mark.parametrize(
    "name, message",
    [
        ("net.v", "must end in .onnx (QONNX) or .json (the exchange file), not 'net.v'"),
        ("there/net.json", "cannot be written: No such file or directory"),
    ],
)
def test_refused(made, name, message, capsys):
    assert export(made, name) == 1
    assert message in capsys.readouterr().err and [path.name for path in made.parent.iterdir()] == [
        "net.json"
    ]


def test_refused_model(made, capsys):
    made.write_text("{}")
    assert export(made, "other.json") == 1
    assert "must be a sbgen-network file" in capsys.readouterr().err and len(list(made.parent.iterdir())) == 1
