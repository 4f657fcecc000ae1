"""How often a network is right: of its classes and the true ones, whoever computed them."""

import numpy as np

__all__ = ["accuracy", "confusion", "mistakes"]


def accuracy(classes, labels):
    """Part of the images that are of the true class, 0 ... 1; None without labels.

    Parameters
    ----------
    classes : int array, shape (N,) or (N, k)
        The class of each image; or its k best classes, where one of them must be the true one.
    labels : int array, shape (N,), or None
    """
    if labels is None:
        return None
    return float((np.reshape(classes, (len(labels), -1)) == labels[:, None]).any(axis=1).mean())


def confusion(classes, labels, count):
    """How many images of each class were taken for each: a list of rows, one for each true class; None without labels.

    Parameters
    ----------
    classes, labels : int array, shape (N,)
        Of 0 ... count - 1; `labels` may be None.
    count : int
        Classes of the network.

    Returns
    -------
    list of list of int, shape (count, count)
        Element [true][found].
    """
    if labels is None:
        return None
    return np.bincount(np.asarray(labels) * count + classes, minlength=count * count).reshape(count, count).tolist()


def mistakes(confusion, count=3):
    """The most frequent mistakes, (true class, found class, images), at most `count`; those of lower classes come first among equals.

    Parameters
    ----------
    confusion : list of list of int, or None
        As `confusion` returns it.
    """
    wrong = [(true, found, images) for true, row in enumerate(confusion or []) for found, images in enumerate(row) if images and true != found]
    return sorted(wrong, key=lambda mistake: -mistake[2])[:count]
