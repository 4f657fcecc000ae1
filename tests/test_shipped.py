"""`sbgen.compiler.shipped`: the models that ship are networks that an installed sbgen has, without torch."""

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from sbgen import cli, network_cache
from sbgen.compiler import exchange, reference, shipped
from sbgen.compiler.frontends import model, ship
from sbgen.errors import ModelError

MODELS = Path(__file__).parents[1] / "models"

#: Runs `sbgen` where torch and scikit-learn are not installed.
WITHOUT_TORCH = textwrap.dedent("""
    import sys
    for name in ("torch", "sklearn"):
        sys.modules[name] = None
    from sbgen.__main__ import main
    sys.exit(main())
    """)


def test_files_are_those_of_the_models():
    """Byte for byte what `python -m sbgen.compiler.frontends.ship models` writes."""
    pytest.importorskip("torch")
    written = ship.texts(MODELS)
    assert {path.name for path in shipped.FOLDER.iterdir()} == set(written)
    for name, text in written.items():
        assert (shipped.FOLDER / name).read_text(encoding="ascii") == text, name
    assert set(shipped.NAMES) == {path.stem for path in MODELS.glob("*.pt")}


@pytest.mark.parametrize("name", shipped.NAMES)
def test_name_is_the_model_and_what_it_says_of_itself(name):
    pytest.importorskip("torch")
    read, trained = model.load(name), model.load(MODELS / f"{name}.pt")
    assert read.network == trained.network and read.info == trained.info
    assert exchange.digest(network_cache.load(name)) == exchange.digest(
        network_cache.load(MODELS / f"{name}.pt")
    )
    assert read.file.name == f"{name}.json"
    images = np.random.default_rng(0).integers(0, 256, (2, *read.network.image_shape)).astype(np.uint8)
    assert (
        reference.evaluate(read.network, images)[0] == reference.evaluate(trained.network, images)[0]
    ).all()


def test_file_of_the_name_wins(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exchange.save(model.load("tfc-mnist").network, tmp_path / "digits")
    for name in ("digits", Path("digits")):
        assert model.load(name).network.name == network_cache.load(name).name == "tfc-mnist"
        assert model.load(name).info == {}
    (tmp_path / "digits").write_text("damaged")
    with pytest.raises(ModelError, match="digits: must be"):
        model.load("digits")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "digit",
            "digit: cannot be read: No such file or directory; shipped models are cnn-mnist, .*tfc-mnist$",
        ),
        ("models/digits", "cannot be read: No such file or directory$"),
        ("digits.pt", "cannot be read: No such file or directory$"),
        ("about", "cannot be read"),
        (".", "must be a file, but is a folder or device"),
        ("/dev/zero", "must be a file, but is a folder or device"),
    ],
)
def test_other_names_are_files(tmp_path, monkeypatch, name, message):
    monkeypatch.chdir(tmp_path)
    for load in (model.load, network_cache.load):
        with pytest.raises(ModelError, match=message):
            load(name)


def test_estimate_needs_neither_checkout_nor_torch(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, "estimate", "--model", "digits", "--board", "icebreaker"],
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(MODELS.parent), "XDG_CACHE_HOME": str(tmp_path / "cache")},
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"cycles +\d+ per image", done.stdout)


def test_help_names_a_model_that_is_there(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "sbgen build --model digits --board" in shown and "digits" in shipped.NAMES
