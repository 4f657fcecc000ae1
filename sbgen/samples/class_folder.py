"""Samples in a folder of images: a sub-folder for each class, named by it."""

from pathlib import Path

import numpy as np

from ..errors import DataError
from . import image_folder, numpy_file
from .expected import Expected

__all__ = ["read"]


def read(path: Path, expected: Expected) -> tuple[np.ndarray, np.ndarray, str]:
    """Pixels, (N, pixels), class numbers and what was converted. The images of the classes alternate: the
    first of every class, then the second of every class, and so on.
    """
    if expected.multi_label:
        raise DataError(
            f"{path} must be a .npz or .csv, as this network has several labels for an image and a folder"
            " says one class; save the bits as labels"
        )
    folders = image_folder.folders(path)
    numbers = expected.numbers([folder.name for folder in folders], f"{path}: its sub-folders")
    for number in np.flatnonzero(np.bincount(numbers) > 1):
        names = ", ".join(repr(folders[n].name) for n in np.flatnonzero(numbers == number))
        raise DataError(f"{path} must have one sub-folder for each class, but class {number} has {names}")
    files = sorted(
        (rank, int(number), file)
        for folder, number in zip(folders, numbers, strict=True)
        for rank, file in enumerate(image_folder.files(folder))
    )
    if not files:
        raise DataError(
            f"{path} must have a PNG or JPEG file in a sub-folder named by its class, but has none"
        )
    if len(files) * expected.pixels > numpy_file.MAX_BYTES:
        raise DataError(
            f"{path} must have at most {numpy_file.MAX_BYTES:,} pixels, but has {len(files):,} images"
        )
    images, note = image_folder.read([file for *_, file in files], expected.image_shape)
    return images, np.array([number for _, number, _ in files], np.int64), note
