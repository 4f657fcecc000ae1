"""Which kind of file or folder it is, and so which reader it is for."""

import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import DataError
from . import arrays, class_folder, numpy_file, table
from .expected import Expected
from .sample_set import Samples

__all__ = ["read"]


def read(
    path: Path | str,
    *,
    image_shape: Sequence[int],
    classes: Sequence[str],
    signed: bool = False,
    multi_label: bool = False,
) -> Samples:
    """Images of the shape that a network takes, and their classes.

    Parameters
    ----------
    path : path
        A ``.npz`` with ``images`` (or ``X``) and, if it has them, ``labels`` (or ``y``); a ``.npy`` of
        images; a ``.csv`` of one image a line; or a folder of PNG and JPEG files in sub-folders named by
        class.
    image_shape : tuple of int
        Of one image: (pixels,), (height, width) or (height, width, channels).
    classes : sequence of str
        Name of each class. A label is the name of a class or its number. Where all labels are names, they are
        read as names.
    signed : bool
        Whether the byte of a pixel is a number of -128 ... 127 in two's complement. A file of such images
        holds these numbers; one of uint8 holds the bytes themselves.
    multi_label : bool
        Whether an image has a bit for each of `classes` instead of one class: labels have the shape (N,
        classes), 0 and 1. A .csv then has a column of bits for each, after the pixels or named as they are. A
        folder by class cannot express it.

    Returns
    -------
    Samples

    Raises
    ------
    DataError
        The file is none of these, is damaged, or holds images or labels of another kind.
    """
    path = Path(path)
    expected = Expected(
        image_shape=tuple(map(int, image_shape)),
        classes=tuple(classes),
        signed=signed,
        multi_label=multi_label,
    )
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            images, labels, note = class_folder.read(path, expected)
        elif not stat.S_ISREG(mode):
            raise DataError(f"{path} must be a file or a folder of images by class, found neither")
        else:
            with open(path, "rb") as file:
                begin = file.read(len(numpy_file.MAGIC))
                file.seek(0)
                images, labels, note = _file(path, file, begin, expected)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    return Samples(
        images=images.reshape(-1, *expected.image_shape),
        labels=labels,
        source=path.name or path.absolute().name,
        note=note,
    )


def _file(
    path: Path, file: BinaryIO, begin: bytes, expected: Expected
) -> tuple[np.ndarray, np.ndarray | None, str]:
    if begin[:2] == numpy_file.ZIP_MAGIC:
        return *arrays.npz(path, file, expected), ""
    if begin == numpy_file.MAGIC:
        return arrays.npy(path, file, expected), None, ""
    if path.suffix.lower() == ".csv":
        return *table.read(path, file, expected), ""
    raise DataError(
        f"{path} must be a .npz or .npy of NumPy, a .csv, or a folder of images by class, but begins with"
        f" {begin!r}"
    )
