"""The models that ship are what they say."""

import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sbgen import cache
from sbgen.compiler import reference
from sbgen.compiler.frontends import model
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
        return data.load(dataset, os.environ.get("SBGEN_DATA") or cache.folder("data"))
    except DataError as error:
        pytest.skip(f"{dataset} is not here: {error}")


def test_all_are_there():
    assert {"digits.pt", "tfc-mnist.pt", "sfc-mnist.pt", "cnn-mnist.pt", "cnv-cifar10.pt"} <= set(FILES)


@pytest.mark.parametrize("file", FILES)
def test_integer_accuracy_is_the_one_told(file):
    read = model.load(MODELS / file)
    *_, images, labels = images_of(read.info["dataset"])
    told = read.info["accuracy"]["test"]["hardened"]
    work = sum(
        layer.weight_bits * math.prod(shape[:-1])
        for layer, shape in zip(read.network.layers, read.network.shapes[1:], strict=True)
    )
    # All images of a small network; of a large one as many as a minute or so allows, in no order of theirs.
    count = min(len(images), 40_000_000_000 // work)
    some = np.random.default_rng(0).permutation(len(images))[:count]
    _, classes = reference.evaluate(read.network, images[some], batch=200)
    part = 1 - count / len(images)
    assert (classes == labels[some]).mean() == pytest.approx(
        told, abs=1e-12 + 3 * math.sqrt(told * (1 - told) / count * part)
    )


@pytest.mark.parametrize("file", FILES)
def test_made_by_its_preset_as_it_is(file):
    read = model.load(MODELS / file)
    settings = read.info["settings"]
    name, method = settings["preset"], settings["method"]
    preset = replace(PRESETS[name].settings, method=method).primitives()
    assert settings == {"preset": name, **{key: preset[key] for key in settings if key != "preset"}}
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
