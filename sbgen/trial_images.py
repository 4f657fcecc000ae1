"""The images that a network is run on: the user's samples, the test set of its data set, or random images.

`sbgen build` and `sbgen verify` choose them here, so that both use the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import metrics, samples

if TYPE_CHECKING:
    from .compiler.ir import Network

__all__ = ["PIXELS", "RANDOM", "SAMPLES", "TEST_SET", "TrialImages", "choose", "kind", "words"]

#: Where images come from.
SAMPLES, TEST_SET, RANDOM = "samples", "test set", "random images"

#: Minimum and maximum pixel, if it is unknown what the network was trained on.
PIXELS = (0, 255)

#: Random images if the user asks for all.
_COUNT = 300


def kind(source: str) -> str:
    """What to call several images from a source."""
    return "test images" if source == TEST_SET else source


def words(about: Mapping[str, Any]) -> str:
    """What the images are, from the dictionary of `TrialImages.about`, without their number."""
    if about["source"] == RANDOM:
        return f"{RANDOM}: {about['note']}"
    return f"{kind(about['source'])} of {about['name']}, SHA-256 {about['sha256'][:16]}..." + (
        f"; {about['note']}" if about["note"] else ""
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class TrialImages:
    """Images and what is known of them.

    Parameters
    ----------
    images : uint8 array, shape (N, *image_shape)
    labels : int64 array, shape (N,), or None
        The true classes; of a multi-label network its bits, (N, outputs).
    source : str
        `SAMPLES`, `TEST_SET` or `RANDOM`.
    name : str or None
        Name of the file of samples, or of the data set.
    sha256 : str or None
        `samples.digest` of images and labels; None for random ones.
    note : str
        Why images are random, or what was converted while reading them; often empty.
    """

    images: np.ndarray
    labels: np.ndarray | None
    source: str
    name: str | None
    sha256: str | None
    note: str = ""

    def __str__(self) -> str:
        return words(self.about())

    def first(self, count: int | None) -> "TrialImages":
        """The first `count` images; None is all."""
        return replace(
            self, images=self.images[:count], labels=None if self.labels is None else self.labels[:count]
        )

    def accuracy(self, classes: np.ndarray) -> float | None:
        """The fraction of images, 0 ... 1, whose true class is `classes`, (N,), or among them, (N, k); None
        if the true classes are unknown.
        """
        return metrics.accuracy(classes, self.labels)

    def about(self) -> dict[str, Any]:
        """What a report says of the images: ``source``, ``name``, ``sha256``, ``count`` and ``note``."""
        return {
            "source": self.source,
            "name": self.name,
            "sha256": self.sha256,
            "count": len(self.images),
            "note": self.note,
        }


def choose(
    *,
    network: "Network",
    trained_on: Mapping[str, Any],
    samples_file: Path | None = None,
    data: Path | None = None,
    count: int | None = None,
    seed: int | None = None,
) -> TrialImages:
    """The images to run a network on: all of the samples, else all of the test set, else random ones.

    Parameters
    ----------
    network : Network
    trained_on : dict
        `Model.info`, or what a report has of it. With its ``recipe`` samples are read, without those that the
        network was trained on. Of its ``dataset`` the test set is used, if it is on this
        machine; nothing is downloaded. Random pixels are in its ``pixel_range``.
    samples_file : path or None
        Read by `samples.read`.
    data : path or None
        Folder that holds data sets; None is ``SBGEN_DATA`` or the cache of `sbgen train`.
    count : int or None
        Number of random images.
    seed : int or None
        Use random images of this seed, even if there is a test set.
    """
    if samples_file is not None:
        return _samples(network, samples_file, trained_on.get("recipe"))
    if seed is not None:
        why = "as requested"
    else:
        found = _test_set(network, trained_on.get("dataset"), data)
        if isinstance(found, TrialImages):
            return found
        why = found
    low, high = trained_on.get("pixel_range", PIXELS)
    rng = np.random.default_rng(seed or 0)
    shape = (_COUNT if count is None else count, *network.image_shape)
    if network.pixel_type.name == "UINT8":
        images, pixels = rng.integers(low, high + 1, shape).astype(np.uint8), f"{low} ... {high}"
    else:
        images, pixels = rng.choice(network.pixel_type.bytes, shape), network.pixel_type.name
    return TrialImages(
        images=images,
        labels=None,
        source=RANDOM,
        name=None,
        sha256=None,
        note=f"seed {seed or 0}, pixels of {pixels}; {why}",
    )


def _samples(network: "Network", path: Path, recipe: Mapping[str, Any] | None) -> TrialImages:
    found = samples.read_for(network, path, recipe).test()
    return TrialImages(
        images=found.images,
        labels=found.labels,
        source=SAMPLES,
        name=found.source,
        sha256=found.sha256,
        note=found.note,
    )


def _test_set(network: "Network", dataset: str | None, data: Path | None) -> TrialImages | str:
    """The test set of a data set, or why there is none."""
    from .train import data as data_sets

    if dataset not in data_sets.DATASETS:
        return "the model names no known data set"
    if not data_sets.at_hand(dataset, data):
        remedy = "pip install scikit-learn" if dataset == "digits" else "--data DIR"
        return f"{dataset} is not on this machine ({remedy})"
    _, _, images, labels = data_sets.load(dataset, data)
    if (
        images.shape[1:] != tuple(network.image_shape)
        or network.multi_label
        or (len(labels) and labels.max() >= network.classes)
    ):
        return f"the images or classes of {dataset} are not the network's"
    return TrialImages(
        images=images, labels=labels, source=TEST_SET, name=dataset, sha256=samples.digest(images, labels)
    )
