"""The images that a network is tried on: the user's samples, the test set of the model's data set, or random
ones.

`sbgen build` and `sbgen verify` choose them here, so that both take the same.
"""

from dataclasses import dataclass, replace

import numpy as np

from . import metrics, samples

__all__ = ["PIXELS", "RANDOM", "SAMPLES", "TEST_SET", "TrialImages", "choose", "kind", "words"]

#: Where images come from.
SAMPLES, TEST_SET, RANDOM = "samples", "test set", "random images"

#: Least and greatest pixel, where nothing is known of what a network was trained on.
PIXELS = (0, 255)

#: Random images where the user asks for all.
_IMAGES = 300


def kind(source):
    """What to call several images of a source."""
    return "test images" if source == TEST_SET else source


def words(about):
    """What images are, as `TrialImages.about` has it, without how many they are."""
    if about["source"] == RANDOM:
        return f"{RANDOM}: {about['note']}"
    return f"{kind(about['source'])} of {about['name']}, SHA-256 {about['sha256'][:16]}..." + (
        f"; {about['note']}" if about["note"] else ""
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class TrialImages:
    """Images, with what is known of them.

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
        `samples.digest` of images and labels; None of random ones.
    note : str
        Why images are random, or what was converted in reading them; often empty.
    """

    images: np.ndarray
    labels: np.ndarray | None
    source: str
    name: str | None
    sha256: str | None
    note: str = ""

    def __str__(self):
        return words(self.about())

    def first(self, count):
        """The first `count` images; None is all."""
        return replace(
            self, images=self.images[:count], labels=None if self.labels is None else self.labels[:count]
        )

    def accuracy(self, classes):
        """Part of the images, 0 ... 1, whose true class is `classes`, (N,), or among them, (N, k); None where
        none is known.
        """
        return metrics.accuracy(classes, self.labels)

    def about(self):
        """What a report says of the images: ``source``, ``name``, ``sha256``, ``count`` and ``note``."""
        return {
            "source": self.source,
            "name": self.name,
            "sha256": self.sha256,
            "count": len(self.images),
            "note": self.note,
        }


def choose(*, network, samples_file, dataset, data, count, pixel_range=PIXELS, seed=None):
    """The images to try a network on.

    Parameters
    ----------
    network : Network
    samples_file : path or None
        Read by `samples.read`; comes before everything else.
    dataset : str or None
        The data set that the model was trained on. Its test set is taken where it is at hand; nothing is
        downloaded.
    data : path or None
        Folder that holds data sets; None is ``SBGEN_DATA`` or the cache of `sbgen train`.
    count : int or None
        How many random images.
    pixel_range : (int, int)
        Least and greatest pixel that the network was trained on.
    seed : int or None
        Random images of this seed, whatever data there is.

    Returns
    -------
    TrialImages
        All of the samples or test set.
    """
    from .train import data as data_sets

    if samples_file is not None:
        found = samples.read(
            samples_file,
            image_shape=network.image_shape,
            classes=network.labels,
            signed=network.pixel_type.signed,
            multi_label=network.multi_label,
        )
        return TrialImages(
            images=found.images,
            labels=found.labels,
            source=SAMPLES,
            name=found.source,
            sha256=found.sha256,
            note=found.note,
        )
    why = "the model names no known data set"
    if seed is not None:
        why = "asked for"
    elif dataset in data_sets.DATASETS:
        if data_sets.at_hand(dataset, data):
            _, _, images, labels = data_sets.load(dataset, data)
            if (
                images.shape[1:] == tuple(network.image_shape)
                and not network.multi_label
                and (not len(labels) or labels.max() < network.classes)
            ):
                return TrialImages(
                    images=images,
                    labels=labels,
                    source=TEST_SET,
                    name=dataset,
                    sha256=samples.digest(images, labels),
                )
            why = f"the images or classes of {dataset} are not the network's"
        else:
            why = (
                f"{dataset} is not at hand"
                f" ({'pip install scikit-learn' if dataset == 'digits' else '--data DIR'})"
            )
    low, high = pixel_range
    rng, shape, held = (
        np.random.default_rng(seed or 0),
        (_IMAGES if count is None else count, *network.image_shape),
        network.pixel_type,
    )
    if held.name == "UINT8":
        images, pixels = rng.integers(low, high + 1, shape).astype(np.uint8), f"{low} ... {high}"
    else:
        images, pixels = rng.choice(held.bytes, shape), held.name
    return TrialImages(
        images=images,
        labels=None,
        source=RANDOM,
        name=None,
        sha256=None,
        note=f"seed {seed or 0}, pixels of {pixels}; {why}",
    )
