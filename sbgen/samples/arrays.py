"""Samples in NumPy's files, .npz and .npy."""

import math
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import DataError
from . import numpy_file
from .expected import Expected
from .numpy_file import StoredArray

__all__ = ["IMAGES", "LABELS", "npy", "npz"]

#: Names of the arrays of images and labels in a .npz.
IMAGES = ("images", "X")
LABELS = ("labels", "y")


def npy(path: Path, file: BinaryIO, expected: Expected) -> np.ndarray:
    """Pixels, (N, pixels), of a .npy."""
    return _images(numpy_file.stored(file, path.stat().st_size, where=str(path)), expected)


def npz(path: Path, file: BinaryIO, expected: Expected) -> tuple[np.ndarray, np.ndarray | None]:
    """Pixels, (N, pixels), and labels of a .npz."""
    arrays = numpy_file.archive(file, where=str(path))

    def one(names: tuple[str, ...]) -> StoredArray | None:
        found = [name for name in names if name in arrays]
        if len(found) > 1:
            raise DataError(
                f"{path} must hold one of {' and '.join(names)}, but holds both; save one of them"
            )
        return arrays[found[0]]() if found else None

    images = one(IMAGES)
    if images is None:
        held = ", ".join(f"{name:.30}" for name in list(arrays)[:10]) or "nothing"
        raise DataError(
            f"{path} must hold `images` or `X`, but holds {held}; save it with numpy.savez(file, images=...,"
            " labels=...)"
        )
    pixels, labels = _images(images, expected), one(LABELS)
    return pixels, None if labels is None else _labels(labels, len(pixels), expected)


def _sizes(shape: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _images(array: StoredArray, expected: Expected) -> np.ndarray:
    """Pixels, (N, pixels), of a stored array."""
    _check_shape(array, expected)
    if array.dtype.kind not in "iubf":
        raise DataError(f"{array.where} must be pixels of type uint8, found {array.dtype}")
    if array.dtype.kind == "b":
        raise DataError(
            f"{array.where} must be pixels of type uint8, found bool; save images.astype(numpy.uint8) * 255"
            " where True is a pixel of 255"
        )
    if array.dtype.kind == "f":
        raise DataError(
            f"{array.where} must be pixels of type uint8, found {array.dtype} {_range(array.some())}"
        )
    values = array.read()
    low, high = values.min(), values.max()
    if values.dtype != np.uint8 and (low < expected.range[0] or high > expected.range[1]):
        raise DataError(
            f"{array.where} must be pixels of {expected.words}, found {low} ... {high} of type {array.dtype};"
            " save the pixels that the network was trained on, before anything is added or scaled"
        )
    return values.astype(np.uint8, copy=False).reshape(len(values), expected.pixels)


def _range(values: np.ndarray) -> str:
    """The range of floats, and what turns them into pixels, in words."""
    if not np.isfinite(values).all():
        return "with values that are NaN or infinite; save the pixels as numpy.uint8"
    low, high = float(values.min()), float(values.max())
    found = f"of {low:.6g} ... {high:.6g}"
    if (values == np.rint(values)).all() and 0 <= low and 1 < high <= 255:
        return f"{found}, all whole; save images.astype(numpy.uint8)"
    if 0 <= low and high <= 1:
        return f"{found}; save (images * 255).round().astype(numpy.uint8) where 1.0 is a pixel of 255"
    return f"{found}; save the pixels before they are scaled, as numpy.uint8"


def _check_shape(array: StoredArray, expected: Expected) -> None:
    """Raise unless the rows of an array are images in the network's order of pixels."""
    shape, image = array.shape, expected.image_shape
    rows = shape[1:]
    # Axes of length 1 do not change the order of pixels, and a network that takes a vector takes them in
    # order.
    if (
        shape
        and shape[0]
        and math.prod(rows) == expected.pixels
        and (len(rows) == 1 or len(image) == 1 or _squeezed(rows) == _squeezed(image))
    ):
        return
    must = f"{array.where} must have the shape (N, {', '.join(map(str, image))})"
    if len(image) > 1:
        must += f" or (N, {expected.pixels})"
    if shape == image:
        raise DataError(f"{must}, found {_sizes(shape)}; save images[None] of a single image")
    if not shape or 0 in shape:
        raise DataError(f"{must} with N from 1, found {_sizes(shape)}")
    found = f"{must}, found {_sizes(shape)}"
    if len(image) == 3 and rows == (image[2], *image[:2]):
        raise DataError(f"{found}, which has the channels first; save numpy.moveaxis(images, 1, -1)")
    if math.prod(rows) == expected.pixels:
        raise DataError(
            f"{found}, whose axes are in another order; save numpy.transpose(images, ...) in this one"
        )
    raise DataError(f"{found}: {math.prod(rows):,} values for each image instead of {expected.pixels:,}")


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(length for length in shape if length != 1)


def _labels(array: StoredArray, count: int, expected: Expected) -> np.ndarray:
    """Class numbers, (N,), of a stored array."""
    where, kind = array.where, array.dtype.kind
    if expected.multi_label:
        return _bits(array, count, expected)
    if array.shape != (count,):
        hint = ""
        if array.shape == (count, len(expected.classes)) and count:
            hint = "; save labels.argmax(axis=1) of one-hot rows"
        elif math.prod(array.shape) == count:
            hint = "; save labels.reshape(-1)"
        raise DataError(
            f"{where} must have the shape ({count},), one label for each image, found"
            f" {_sizes(array.shape)}{hint}"
        )
    if kind not in "iuUS":
        hint = "; save labels.astype(numpy.int64)" if kind in "bf" else ""
        raise DataError(f"{where} must be class numbers or names, found {array.dtype}{hint}")
    values = array.read()
    if kind in "US":
        try:
            texts = values.tolist() if kind == "U" else [text.decode() for text in values.tolist()]
        except ValueError as error:  # no characters
            raise DataError(f"{where} must be text in UTF-8: {error}; save labels.astype(str)") from error
        return expected.numbers(texts, where)
    _check_numbers(values, expected, where)
    return values.astype(np.int64)


def _bits(array: StoredArray, count: int, expected: Expected) -> np.ndarray:
    """Bits, (N, outputs), of a stored array."""
    must = (
        f"{array.where} must be a bit for each of the network's {len(expected.classes)} outputs, ({count},"
        f" {len(expected.classes)}) of 0 and 1"
    )
    if array.shape != (count, len(expected.classes)) or array.dtype.kind not in "biu":
        raise DataError(
            f"{must}, found {array.dtype} of shape {_sizes(array.shape)}"
            + ("; save labels.astype(numpy.uint8)" if array.dtype.kind == "f" else "")
        )
    values = array.read()
    if values.min() < 0 or values.max() > 1:
        raise DataError(
            f"{must}, found {values.min()} ... {values.max()}"
            + ("; save labels > 0" if values.min() == -1 and values.max() == 1 else "")
        )
    return values.astype(np.int64)


def _check_numbers(values: np.ndarray, expected: Expected, where: str) -> None:
    last = len(expected.classes) - 1
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > last:
        raise DataError(
            f"{where} must be class numbers of 0 ... {last}, found {low} ... {high}"
            + ("; save labels - 1, where they count from 1" if low == 1 and high == last + 1 else "")
        )
