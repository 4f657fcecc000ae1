"""`sbgen data`: the files that it writes are read again as the same samples."""

import importlib.util

import numpy as np
import pytest

from sbgen import example_data, samples
from sbgen.cli import main
from sbgen.commands import data as command
from sbgen.errors import DataError
from sbgen.samples import Options, Reading, prepare

sklearn = pytest.mark.skipif(not importlib.util.find_spec("sklearn"), reason="scikit-learn is not installed")
aeon = pytest.mark.skipif(not importlib.util.find_spec("aeon"), reason="aeon is not installed")
pillow = pytest.mark.skipif(not importlib.util.find_spec("PIL"), reason="Pillow is not installed")


def written(name, out, *options):
    assert main(["data", name, "--out", str(out), *map(str, options)]) == 0
    return samples.raw(out, Reading())


@sklearn
@pytest.mark.parametrize("name, shape, classes", [("breast-cancer", (569, 30), 2), ("wine", (178, 13), 3)])
def test_tables(name, shape, classes, tmp_path):
    source = example_data.load(name)
    for ending in ("csv", "npz"):
        found = written(name, tmp_path / f"x.{ending}")
        assert found.kind == "table" and (found.values == source.values).all() and found.values.shape == shape
        assert found.labels == tuple(source.classes.tolist())
        assert len(prepare(found, Options()).classes) == classes
    assert "mean radius" in example_data.load("breast-cancer").columns


@pytest.fixture
def semeion(tmp_path):
    """A few lines as the file has them: ink of 1, ten bits of the class."""
    rng = np.random.default_rng(4)
    rows = [[*rng.integers(0, 2, 256), *np.eye(10, dtype=int)[n % 10]] for n in range(40)]
    (tmp_path / "sets" / "semeion").mkdir(parents=True)
    np.savetxt(tmp_path / "sets" / "semeion" / "semeion.data", rows, fmt="%.4f")
    return tmp_path / "sets", np.array(rows)


@pillow
def test_a_folder_of_images(semeion, tmp_path):
    sets, rows = semeion
    found = written("semeion", tmp_path / "folder", "--data", sets)
    place = [int(name.split("/")[1][:5]) for name in found.where]
    assert (np.array(found.values) == 255 * (1 - rows[place, :256].reshape(-1, 16, 16))).all()
    assert [int(label) for label in found.labels] == [n % 10 for n in place]
    with pytest.raises(DataError, match="must be a new folder, but exists"):
        example_data.write(example_data.load("semeion", folder=sets), tmp_path / "folder")
    again = written("semeion", tmp_path / "x.npz", "--data", sets)
    assert again.kind == "image" and len(again) == 40


@aeon
@pytest.mark.parametrize(
    "name, train, test, shape", [("basic-motions", 40, 40, (100, 6)), ("japanese-vowels", 270, 370, (29, 12))]
)
def test_sequences_and_their_own_split(name, train, test, shape, tmp_path):
    parts = [written(name, tmp_path / f"{part}.npz", "--part", part) for part in ("train", "test")]
    assert [len(part) for part in parts] == [train, test] and parts[0].kind == "sequence"
    assert all(part.values.shape[1:] == shape for part in parts)
    whole = written(name, tmp_path / "all.npz")
    assert (whole.values == np.concatenate([part.values for part in parts])).all()
    first = parts[0].values[0, 0]
    assert first[0] == {"basic-motions": 0.079106, "japanese-vowels": 1.860936}[name]
    rows = samples.raw(tmp_path / "all.npz", Reading(kind="sequence", shape=shape))
    assert main(["data", name, "--out", str(tmp_path / "x.csv")]) == 0
    flat = samples.raw(tmp_path / "x.csv", Reading(kind="sequence", shape=shape))
    assert (flat.values == rows.values).all() and flat.labels == rows.labels


@pytest.mark.parametrize(
    "options, message",
    [
        (("semeion", "--out", "x.txt"), "must end in .csv, .npz or, without an ending, a folder"),
        (("semeion", "--out", "x.csv", "--part", "test"), "no split of its own"),
        (("semeion", "--out", "x.csv", "--data", "nowhere"), "must be the file of the UCI archive"),
    ],
)
def test_what_cannot_be_written(options, message, semeion, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SBGEN_DATA", str(semeion[0]))
    assert main(["data", *options]) == 1
    printed = capsys.readouterr().err
    assert message in printed and printed.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"sets"}


def test_every_set_has_its_help():
    assert list(command.SETS) == list(example_data.SETS)


def test_a_package_that_is_missing(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match="sbgen.examples."):
        example_data.load("basic-motions")
