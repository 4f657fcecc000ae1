"""The models that ship are what they say."""

import os
from pathlib import Path

import pytest

from sbgen.compiler import model, reference
from sbgen.errors import DataError
from sbgen.train import data
from sbgen.train.presets import PRESETS

MODELS = Path(__file__).parents[1] / "models"
FILES = sorted(path.name for path in MODELS.glob("*.pt"))


def images_of(dataset):
    if dataset == "digits":
        return data.load(dataset)
    try:
        # Never a download from a test: the folder given, or what the cache has.
        return data.load(dataset, os.environ.get("SBGEN_DATA") or data.cache("data"))
    except DataError as error:
        pytest.skip(f"{dataset} is not here: {error}")


def test_all_are_there():
    assert {"digits.pt", "tfc-mnist.pt", "sfc-mnist.pt", "cnn-mnist.pt"} <= set(FILES)


@pytest.mark.parametrize("file", FILES)
def test_integer_accuracy_is_the_one_told(file):
    read = model.load(MODELS / file)
    *_, images, labels = images_of(read.info["dataset"])
    _, classes = reference.evaluate(read.network, images)
    assert (classes == labels).mean() == pytest.approx(read.info["accuracy"]["test"]["hardened"], abs=1e-12)


@pytest.mark.parametrize("file", FILES)
def test_made_by_its_preset_as_it_is(file):
    read = model.load(MODELS / file)
    name = read.info["settings"]["preset"]
    assert read.info["settings"] == {"preset": name, **PRESETS[name].settings.primitives()}
    if PRESETS[name].thresholds:
        assert (read.network.layers[0].thresholds == PRESETS[name].thresholds).all()


@pytest.mark.parametrize("file", FILES)
def test_readme_tells_how_it_was_made_and_what_it_reaches(file):
    text = (MODELS / "README.md").read_text()
    read = model.load(MODELS / file)
    name, dataset = read.info["settings"]["preset"], read.info["dataset"]
    other = "" if dataset == PRESETS[name].dataset else f" --dataset {dataset}"
    assert f"--preset {name}{other} --seed {read.info['seed']} --out models/{file}`" in text
    for part in ("validation", "test"):
        assert f"{100 * read.info['accuracy'][part]['hardened']:.2f} %" in text
