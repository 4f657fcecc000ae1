"""Which kind of file or folder it is, and so which reader it is for."""

import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from ..errors import DataError
from . import arrays, class_folder, numpy_file, raw_arrays, raw_images, raw_table, table
from .expected import Expected
from .raw import Raw, Reading
from .recipe import Recipe
from .sample_set import Samples

if TYPE_CHECKING:
    from ..compiler.ir import Network

__all__ = ["raw", "read", "read_for", "read_with"]


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


def raw(path: Path | str, reading: Reading) -> Raw:
    """Samples as a person has them: what `read` takes with any numbers, .parquet, and pictures of any size.

    Raises
    ------
    DataError
        The file is none of these, or is damaged; or it lacks what the reading names.
    """
    path = Path(path)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            found = raw_images.read(path)
        elif not stat.S_ISREG(mode):
            raise DataError(f"{path} must be a file or a folder of images by class, found neither")
        else:
            found = _raw_file(path, reading)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    if reading.kind not in (None, found.kind):
        raise DataError(f"{path} must be samples of kind {reading.kind}, found {found.kind}")
    return found


def _raw_file(path: Path, reading: Reading) -> Raw:
    with open(path, "rb") as file:
        begin = file.read(len(numpy_file.MAGIC))
    if begin[:2] == numpy_file.ZIP_MAGIC or begin == numpy_file.MAGIC:
        return raw_arrays.read(path, reading)
    readers = {".csv": raw_table.csv_file, ".parquet": raw_table.parquet}
    if path.suffix.lower() not in readers:
        raise DataError(
            f"{path} must be a .npz or .npy of NumPy, a .csv, a .parquet, or a folder of images by class, but"
            f" begins with {begin!r}"
        )
    found = readers[path.suffix.lower()](path, reading)
    return raw_arrays.as_kind(found, reading) if reading.kind in ("image", "sequence") else found


def read_with(
    recipe: Recipe, path: Path | str, *, image_shape: Sequence[int], classes: Sequence[str]
) -> Samples:
    """The samples of a file as the recipe of a network makes them its inputs.

    Parameters
    ----------
    recipe : Recipe
    path : path
        As for `raw`.
    image_shape, classes
        As for `read`.

    Returns
    -------
    Samples
        `seen` says which are of the training.

    Raises
    ------
    DataError
        The file is damaged, or not like that which the network was trained on.
    """
    found = raw(path, recipe.reading())
    found.require_values()
    try:
        inputs = recipe.apply(found.values)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    expected = Expected(
        image_shape=tuple(image_shape), classes=tuple(classes), signed=False, multi_label=False
    )
    labels = None if found.labels is None else expected.numbers(found.labels, f"{path}: its labels")
    split = recipe.split
    return Samples(
        images=inputs.reshape(-1, *expected.image_shape),
        labels=labels,
        source=Path(path).name or Path(path).absolute().name,
        seen=None if split is None else ~split.unseen(inputs, labels),
    )


def read_for(network: "Network", path: Path | str, recipe: Mapping[str, Any] | None) -> Samples:
    """The samples of a file as inputs of a network, by its recipe if it has one (`Recipe.primitives`)."""
    if recipe is not None:
        made = Recipe.parse(recipe).checked(network.image_shape)
        return read_with(made, path, image_shape=network.image_shape, classes=network.labels)
    return read(
        path,
        image_shape=network.image_shape,
        classes=network.labels,
        signed=network.pixel_type.signed,
        multi_label=network.multi_label,
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
