"""`sbgen.trial_images` and `sbgen.metrics`: which images a network is tried on, and how often it is right."""

import random
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from sbgen import metrics, samples, trial_images
from sbgen.compiler import pixel_type
from sbgen.train import data

NETWORK = SimpleNamespace(
    multi_label=False, image_shape=(8, 8), labels=tuple("0123456789"), classes=10, pixel_type=pixel_type.UINT8
)


def choose(*, dataset=None, pixel_range=(0, 255), **changes):
    return trial_images.choose(
        **{"network": NETWORK, "count": 7} | changes,
        trained_on={"dataset": dataset, "pixel_range": pixel_range},
    )


@pytest.fixture
def no_data(monkeypatch, tmp_path):
    monkeypatch.delenv("SBGEN_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_samples_come_first(tmp_path):
    images, labels = np.full((5, 8, 8), 9, np.uint8), np.arange(5)
    np.savez(tmp_path / "own.npz", X=images, y=labels)
    got = choose(samples_file=tmp_path / "own.npz", dataset="digits", count=2)
    assert (got.source, got.name, got.sha256) == ("samples", "own.npz", samples.digest(images, labels))
    # All of them: the count is that of what is simulated.
    assert len(got.images) == 5 and len(got.first(2).images) == len(got.first(2).labels) == 2
    assert (
        got.first(2).sha256 == got.sha256 and str(got) == f"samples of own.npz, SHA-256 {got.sha256[:16]}..."
    )


def test_test_set_of_the_model(monkeypatch, no_data):
    pixels, labels = np.zeros((9, 8, 8), np.uint8), np.arange(9)
    monkeypatch.setattr(data, "load", lambda dataset, folder: (None, None, pixels, labels))
    got = choose(dataset="digits")
    assert (got.source, got.name, got.sha256) == (
        "test set",
        "digits",
        samples.digest(pixels, labels),
    ) and str(got).startswith("test images of digits, SHA-256")
    assert choose(dataset="mnist").note.endswith("mnist is not on this machine (--data DIR)")
    assert choose(dataset="mnist", data="folder").source == "test set"
    assert choose(dataset="digits", seed=3).source == "random images"


@pytest.mark.parametrize(
    "images, labels",
    [(np.zeros((9, 7, 8), np.uint8), np.arange(9)), (np.zeros((9, 8, 8), np.uint8), np.arange(9) + 5)],
)
def test_a_data_set_of_another_network(monkeypatch, images, labels):
    monkeypatch.setattr(data, "load", lambda dataset, folder: (None, None, images, labels))
    assert choose(dataset="digits").note.endswith("the images or classes of digits are not the network's")


def test_random_images_have_no_labels_and_the_pixels_of_training():
    got = choose(pixel_range=(2, 5), count=50)
    assert got.labels is None and got.sha256 is None and got.accuracy(np.zeros(50)) is None
    assert (got.images.min(), got.images.max()) == (2, 5) and got.images.shape == (50, 8, 8)
    assert str(got) == "random images: seed 0, pixels of 2 ... 5; the model names no known data set"
    assert np.array_equal(got.images, choose(pixel_range=(2, 5), count=50).images)
    assert not np.array_equal(got.images, choose(pixel_range=(2, 5), count=50, seed=1).images)
    assert len(choose(count=None).images) == 300


@pytest.mark.parametrize(
    "name, pixels", [("BIPOLAR", {0, 255}), ("INT2", {254, 255, 0, 1}), ("UINT1", {0, 1})]
)
def test_random_images_hold_the_values_of_the_pixel_type(name, pixels):
    got = choose(network=SimpleNamespace(**vars(NETWORK) | {"pixel_type": pixel_type.parse(name)}))
    assert set(got.images.reshape(-1).tolist()) == pixels and f"pixels of {name}" in got.note


def test_confusion_and_accuracy_agree_at_random():
    seed = random.SystemRandom().randrange(1 << 32)
    print("seed", seed)
    rng = np.random.default_rng(seed)
    for _ in range(50):
        count, images = rng.integers(1, 9), rng.integers(1, 40)
        labels, classes = rng.integers(0, count, (2, images))
        matrix = np.array(metrics.confusion(classes, labels, count))
        assert matrix.shape == (count, count) and matrix.sum() == images
        assert matrix.sum(axis=1).tolist() == [int((labels == n).sum()) for n in range(count)]
        assert matrix.sum(axis=0).tolist() == [int((classes == n).sum()) for n in range(count)]
        assert metrics.accuracy(classes, labels) == pytest.approx(np.trace(matrix) / images)
        mistakes = metrics.mistakes(matrix.tolist(), [f"class{n}" for n in range(count)], count=count * count)
        numbers = [int(text.split("(")[1][:-1]) for text in mistakes]
        assert (
            sum(numbers) == images - np.trace(matrix)
            and numbers == sorted(numbers, reverse=True)
            and 0 not in numbers
        )


def test_bits_of_a_multi_label_network():
    found, labels = np.array([[0, 1, 1], [1, 1, 0], [0, 0, 0]]), np.array([[0, 1, 1], [1, 0, 0], [1, 0, 0]])
    assert metrics.accuracy(found, labels) == pytest.approx(1 / 3) and metrics.bits(
        found, labels
    ) == pytest.approx(7 / 9)
    assert metrics.confusion(found, labels, 3) == [[[1, 0], [1, 1]], [[1, 1], [0, 1]], [[2, 0], [0, 1]]]
    assert metrics.mistakes(metrics.confusion(found, labels, 3), ("sky", "sea", "sun")) == [
        "sky missed (1)",
        "sea found wrongly (1)",
    ]
    assert metrics.bits(found[:, 0], labels[:, 0]) is None


def test_among_the_best_few():
    assert metrics.accuracy(np.array([[1, 2], [0, 1], [2, 0]]), np.array([2, 2, 2])) == pytest.approx(2 / 3)
    assert (
        metrics.accuracy(np.array([1]), None) is None
        and metrics.confusion(np.array([1]), None, 2) is None
        and metrics.mistakes(None, ()) == []
    )


def test_digits_without_scikit_learn_are_random_images(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    got = choose(dataset="digits", pixel_range=(0, 16))
    assert got.labels is None and got.images.shape == (7, 8, 8) and got.images.max() <= 16
    assert got.note.endswith("digits is not on this machine (pip install scikit-learn)")
