"""How often a network is right: its classes compared with the true ones.

A multi-label network has bits instead of a class: both are then arrays of shape (N, outputs), of 0 and 1.
"""

from collections.abc import Sequence

import numpy as np

__all__ = ["accuracy", "bits", "confusion", "mistakes"]


def accuracy(classes: np.ndarray, labels: np.ndarray | None) -> float | None:
    """The fraction of images that are right, 0 ... 1; None without labels.

    Parameters
    ----------
    classes : int array, shape (N,), (N, k) or (N, outputs)
        The class of each image; or its k best classes, one of which must be right; or its bits, all of which
        must be right.
    labels : int array, shape (N,) or, of bits, (N, outputs); or None
    """
    if labels is None:
        return None
    if labels.ndim > 1:
        return float((classes == labels).all(axis=1).mean())
    return float((np.reshape(classes, (len(labels), -1)) == labels[:, None]).any(axis=1).mean())


def bits(classes: np.ndarray, labels: np.ndarray | None) -> float | None:
    """The fraction of bits that are right, 0 ... 1, of a multi-label network; else None."""
    return None if labels is None or labels.ndim == 1 else float((classes == labels).mean())


def confusion(classes: np.ndarray, labels: np.ndarray | None, count: int) -> list | None:
    """How many images of each true class were classified as each class; None without labels.

    Parameters
    ----------
    classes, labels : int array, shape (N,) or, of bits, (N, outputs)
        Of 0 ... count - 1; `labels` may be None.
    count : int
        Classes of the network, or its outputs.

    Returns
    -------
    list of list of int, shape (count, count), or of bits (count, 2, 2)
        Element [true][found]; of bits [output][true][found].
    """
    if labels is None:
        return None
    if labels.ndim > 1:
        return [confusion(classes[:, n], labels[:, n], 2) for n in range(count)]
    return (
        np.bincount(np.asarray(labels) * count + classes, minlength=count * count)
        .reshape(count, count)
        .tolist()
    )


def mistakes(confused: list | None, names: Sequence[str], count: int = 3) -> list[str]:
    """The most frequent mistakes, at most `count`, each in words with its number of images.

    Of equally frequent mistakes, that of the lower class is first.

    Parameters
    ----------
    confused : list or None
        As `confusion` returns it.
    names : sequence of str
        Of the classes or outputs.
    """
    if confused and isinstance(confused[0][0], list):
        wrong = [
            (row[true][1 - true], f"{name} {'missed' if true else 'found wrongly'}")
            for name, row in zip(names, confused, strict=True)
            for true in (1, 0)
        ]
    else:
        wrong = [
            (images, f"{names[true]} found as {names[found]}")
            for true, row in enumerate(confused or ())
            for found, images in enumerate(row)
            if true != found
        ]
    return [
        f"{text} ({images:,})"
        for images, text in sorted((entry for entry in wrong if entry[0]), key=lambda entry: -entry[0])[
            :count
        ]
    ]
