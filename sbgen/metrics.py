"""How often a network is right: of its classes and the true ones, whoever computed them.

A multi-label network has bits in place of a class: both are then arrays of shape (N, outputs), of 0 and 1.
"""

import numpy as np

__all__ = ["accuracy", "bits", "confusion", "mistakes"]


def accuracy(classes, labels):
    """Part of the images that are right, 0 ... 1; None without labels.

    Parameters
    ----------
    classes : int array, shape (N,), (N, k) or (N, outputs)
        The class of each image; or its k best classes, of which one must be the true one; or its bits, which
        must all be right.
    labels : int array, shape (N,) or, of bits, (N, outputs); or None
    """
    if labels is None:
        return None
    if labels.ndim > 1:
        return float((classes == labels).all(axis=1).mean())
    return float((np.reshape(classes, (len(labels), -1)) == labels[:, None]).any(axis=1).mean())


def bits(classes, labels):
    """Part of the bits that are right, 0 ... 1, of a multi-label network; else None."""
    return None if labels is None or labels.ndim == 1 else float((classes == labels).mean())


def confusion(classes, labels, count):
    """How many images of each class were taken for each; None without labels.

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


def mistakes(confused, names, count=3):
    """The most frequent mistakes, at most `count`, each in words with its number of images; among equals that
    of the lower class first.

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
        for images, text in sorted((each for each in wrong if each[0]), key=lambda each: -each[0])[:count]
    ]
