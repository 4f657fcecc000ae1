"""Tables, sequences and images in NumPy's files, .npz and .npy, as numbers of any type."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import DataError
from . import numpy_file
from .arrays import IMAGES, LABELS
from .numpy_file import StoredArray
from .raw import Raw, Reading
from .raw_table import labels_of

__all__ = ["as_kind", "read"]

#: Names of the array of groups in a .npz.
GROUPS = ("groups", "group")

#: If the last axis is longer, a second axis of at most this length is taken for the channels.
_CHANNELS = 4


def read(path: Path, reading: Reading) -> Raw:
    """The samples of a .npz or .npy."""
    labels = groups = None
    with open(path, "rb") as file:
        if file.read(2) == numpy_file.ZIP_MAGIC:
            file.seek(0)
            arrays = numpy_file.archive(file, where=str(path))
            found = {
                kind: [name for name in names if name in arrays]
                for kind, names in (("images", IMAGES), ("labels", LABELS), ("groups", GROUPS))
            }
            for names in found.values():
                if len(names) > 1:
                    raise DataError(
                        f"{path} must hold one of {' and '.join(names)}, but holds both; save one"
                    )
            if not found["images"]:
                raise DataError(
                    f"{path} must hold `X` or `images`, but holds"
                    f" {', '.join(list(arrays)[:10]) or 'nothing'}; save it with numpy.savez(file, X=...,"
                    " y=...)"
                )
            stored = arrays[found["images"][0]]()
            values = _values(stored)
            labels = _texts(arrays[found["labels"][0]](), len(values)) if found["labels"] else None
            groups = _texts(arrays[found["groups"][0]](), len(values)) if found["groups"] else None
        else:
            file.seek(0)
            values = _values(numpy_file.stored(file, path.stat().st_size, where=str(path)))
    raw = Raw(
        kind="table",
        values=values,
        labels=labels,
        groups=groups,
        where=[f"row {n}" for n in range(len(values))],
        source=str(path),
    )
    return as_kind(raw, reading)


def _values(array: StoredArray) -> np.ndarray:
    if array.dtype.kind not in "iuf":
        hint = "; save X.astype(numpy.uint8)" if array.dtype.kind == "b" else ""
        raise DataError(f"{array.where} must be numbers, found {array.dtype}{hint}")
    if not 2 <= len(array.shape) <= 4 or 0 in array.shape:
        raise DataError(
            f"{array.where} must have the shape (N, columns), (N, length, channels), (N, height, width) or"
            f" (N, height, width, channels), each at least 1, found {array.shape}"
        )
    return array.read()


def _texts(array: StoredArray, count: int) -> tuple[str, ...]:
    if array.shape != (count,):
        one_hot = len(array.shape) == 2 and array.shape[0] == count
        hint = "; save y.argmax(axis=1) of one-hot rows" if one_hot else ""
        raise DataError(
            f"{array.where} must have the shape ({count},), one for each sample, found {array.shape}{hint}"
        )
    if array.dtype.kind not in "iufUSb":
        raise DataError(f"{array.where} must be names or numbers of classes, found {array.dtype}")
    values = array.read().tolist()
    try:
        values = [value.decode() if isinstance(value, bytes) else value for value in values]
    except ValueError as error:
        raise DataError(f"{array.where} must be text in UTF-8: {error}; save y.astype(str)") from error
    labels = labels_of(values)
    missing = [n for n, label in enumerate(labels) if label.lower() in ("", "nan", "none")]
    if missing:
        raise DataError(
            f"{array.where} must have a class for every sample, but row {missing[0]} has none"
            f" ({len(missing)} in all)"
        )
    return labels


def as_kind(raw: Raw, reading: Reading) -> Raw:
    """Samples whose `values` are one array, as images, a table or sequences: as the reading says, or by their
    shape and type.
    """
    values, where = raw.values, raw.source
    kind = reading.kind or _kind(values)
    if kind == "table":
        return _table(raw, reading)
    shape = reading.shape
    if values.ndim == 2 and shape is None:
        if kind == "sequence":
            shape = (values.shape[1], 1)
        else:
            raise DataError(
                f"{where}: images must have rows and columns, found {values.shape}; say which size"
            )
    if shape is None or values.shape[1:] == shape:
        shape = values.shape[1:]
        if kind == "sequence":
            shape = _sequence_shape(values, where)
            _refuse_channels_first(values, where, reading)
        else:
            _refuse_images_channels_first(values, where)
    elif (
        math.prod(values.shape[1:]) != math.prod(shape)
        or values.ndim > 2
        and _bare(values.shape[1:]) != _bare(shape)
    ):
        raise DataError(
            f"{where}: samples must have the shape {shape}, or {math.prod(shape):,} values in a row, found"
            f" {values.shape[1:]}"
        )
    values = values.reshape(len(values), *shape)
    if kind == "image":
        return replace(raw, kind=kind, values=list(_pixels(values, where)), names=(), places=(), width=0)
    shape = (*shape, 1)[:2]
    names = tuple(f"channel{n}" for n in range(shape[1]))
    values = values.reshape(len(values), *shape).astype(np.float64)
    return replace(raw, kind=kind, values=values, names=names, places=(), width=0)


def _bare(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size > 1)


def _kind(values: np.ndarray) -> str:
    """What an array is by its shape and type."""
    if values.ndim == 2:
        return "table"
    return "sequence" if values.ndim == 3 and values.dtype.kind == "f" else "image"


def _table(raw: Raw, reading: Reading) -> Raw:
    if raw.names:  # a table that has its columns already
        return raw
    values = raw.values.reshape(len(raw), -1).astype(np.float64)
    width = values.shape[1]
    if reading.width and width != reading.width:
        raise DataError(
            f"{raw.source} must have the {reading.width} columns that the network was trained on, found"
            f" {width}"
        )
    names = tuple(f"x{n}" for n in range(width))
    table = replace(raw, kind="table", values=values, names=names, places=tuple(range(width)), width=width)
    wanted = tuple(names[place] for place in reading.places) or reading.columns or names
    unknown = [name for name in (*wanted, *reading.drop) if name not in names]
    if unknown:
        raise DataError(
            f"{raw.source} has no names of columns, which are x0 ... x{width - 1}, not {unknown[0]!r:.40}"
        )
    return table.without([name for name in names if name not in wanted or name in reading.drop])


def _sequence_shape(values: np.ndarray, where: str) -> tuple[int, ...]:
    if values.ndim > 3:
        raise DataError(f"{where}: sequences must have the shape (N, length, channels), found {values.shape}")
    return values.shape[1:]


def _refuse_channels_first(values: np.ndarray, where: str, reading: Reading) -> None:
    if values.ndim == 3 and values.shape[1] < values.shape[2] and reading.shape is None:
        channels, length = values.shape[1:]
        raise DataError(
            f"{where} must have the shape (N, length, channels), but {values.shape} seems to have the"
            f" channels first; save numpy.moveaxis(X, 1, -1), or say --sequence {channels}x{length} if it"
            " is right"
        )


def _refuse_images_channels_first(values: np.ndarray, where: str) -> None:
    shape = values.shape
    if len(shape) == 4 and shape[1] <= _CHANNELS < shape[3]:
        raise DataError(
            f"{where} must have its channels last, (N, height, width, channels), found {shape}; save"
            " numpy.moveaxis(X, 1, -1)"
        )


def _pixels(values: np.ndarray, where: str) -> np.ndarray:
    """uint8 pixels of numbers that are all whole and in 0 ... 255."""
    if values.dtype == np.uint8:
        return values
    low, high = values.min(), values.max()
    if not (0 <= low and high <= 255 and (values == np.rint(values)).all()):  # NaN fails, too
        hint = ""
        if values.dtype.kind == "f" and 0 <= low and high <= 1:
            hint = "; save (X * 255).round().astype(numpy.uint8) where 1.0 is a pixel of 255"
        raise DataError(
            f"{where} must be pixels that are whole numbers of 0 ... 255, found {low:.6g} ... {high:.6g}"
            f" of type {values.dtype}{hint}"
        )
    return values.astype(np.uint8)
