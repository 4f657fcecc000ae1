"""Images of a user's own, with their true classes: the one reader that every command shares.

::

    .npz  .npy  .csv  folder of images by class ──▶ Samples: uint8 images, class numbers, SHA-256

Nothing is scaled, reordered or guessed: a value that is not a pixel of 0 ... 255 is refused, with what to do
about it. ``docs/cli.md`` describes the formats.
"""

import csv
import hashlib
import json
import math
import stat
import unicodedata
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np

from . import image_folder, numpy_file
from .errors import DataError

__all__ = ["IMAGES", "LABELS", "Samples", "digest", "read"]

#: Names of the arrays of images and labels in a .npz.
IMAGES = ("images", "X")
LABELS = ("labels", "y")

#: Names of the column of labels in a .csv, in any case.
_LABEL_COLUMNS = ("label", "labels", "y", "class", "target")

#: Characters of one .csv value, with what separates it; a longer line is refused unread.
_VALUE_CHARACTERS = 64


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """Images, and their true classes where the file has them. The arrays cannot be written to.

    Parameters
    ----------
    images : uint8 array, shape (N, *image_shape)
        N is at least 1.
    labels : int64 array, shape (N,), or None
        Of 0 ... classes - 1; of a multi-label network (N, outputs) of 0 and 1.
    source : str
        Name of the file or folder, without where it is.
    note : str
        What was converted on the way, exactly; often empty.
    """

    images: np.ndarray
    labels: np.ndarray | None
    source: str
    note: str = ""
    sha256: str = field(init=False)

    def __post_init__(self):
        for array in self.images, self.labels:
            if array is not None:
                array.flags.writeable = False
        object.__setattr__(self, "sha256", digest(self.images, self.labels))


def digest(images, labels):
    """SHA-256, in hexadecimal, of what is in images and labels, whatever the file that held them.

    Parameters
    ----------
    images : uint8 array
    labels : integer array or None

    Returns
    -------
    str
        Of a line of JSON, ``{"images": shape, "labels": shape or null}``, then the pixels, then the labels as
        8 bytes each, little-endian.
    """
    shapes = {"images": list(images.shape), "labels": None if labels is None else list(labels.shape)}
    found = hashlib.sha256(json.dumps(shapes).encode() + b"\n")
    found.update(np.ascontiguousarray(images))
    if labels is not None:
        found.update(np.ascontiguousarray(labels, "<i8"))
    return found.hexdigest()


def read(path, *, image_shape, classes, signed=False, multi_label=False):
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
        Name of each class. A label is the name of a class or its number; where all labels are names, they are
        taken as names.
    signed : bool
        Whether the byte of a pixel is a number of -128 ... 127 in two's complement. A file of such images
        holds these numbers; one of uint8 holds the bytes themselves.
    multi_label : bool
        Whether an image has a bit for each of `classes` in place of one class: labels have the shape (N,
        classes), 0 and 1. A .csv then has a column of bits for each, behind the pixels or named as they are;
        a folder by class cannot say it.

    Returns
    -------
    Samples

    Raises
    ------
    DataError
        The file is none of these, is damaged, or holds images or labels of another kind.
    """
    path = Path(path)
    wanted = _Wanted(
        image_shape=tuple(map(int, image_shape)),
        classes=tuple(classes),
        signed=signed,
        multi_label=multi_label,
    )
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            images, labels, note = _folder(path, wanted)
        elif not stat.S_ISREG(mode):
            raise DataError(f"{path} must be a file or a folder of images by class, found neither")
        else:
            with open(path, "rb") as file:
                begin = file.read(len(numpy_file.MAGIC))
                file.seek(0)
                images, labels, note = _file(path, file, begin, wanted)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    return Samples(
        images=images.reshape(-1, *wanted.image_shape),
        labels=labels,
        source=path.name or path.absolute().name,
        note=note,
    )


def _file(path, file, begin, wanted):
    if begin[:2] == numpy_file.ZIP_MAGIC:
        return *_npz(path, file, wanted), ""
    if begin == numpy_file.MAGIC:
        size = path.stat().st_size
        return _images(numpy_file.stored(file, size, where=str(path)), wanted), None, ""
    if path.suffix.lower() == ".csv":
        return *_csv(path, file, wanted), ""
    raise DataError(
        f"{path} must be a .npz or .npy of NumPy, a .csv, or a folder of images by class, but begins with"
        f" {begin!r}"
    )


def _number(text):
    """The number of 0 ... 999,999,999 that a text is, or -1."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else -1


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """What a network takes."""

    image_shape: tuple
    classes: tuple
    signed: bool
    multi_label: bool

    @property
    def pixels(self):
        return math.prod(self.image_shape)

    @property
    def range(self):
        """Least and greatest number of a pixel."""
        return (-128, 127) if self.signed else (0, 255)

    @property
    def words(self):
        return "{} ... {}".format(*self.range)

    @cached_property
    def bytes(self):
        """The byte of a pixel by its usual text."""
        low, high = self.range
        return {str(pixel): pixel % 256 for pixel in range(low, high + 1)}

    def numbers(self, texts, where):
        """The class number of each text: all are names of classes, or all are numbers."""
        names = {unicodedata.normalize("NFC", name): n for n, name in enumerate(self.classes)}
        if len(names) < len(self.classes):  # two classes of one name
            names = {}
        normal = [unicodedata.normalize("NFC", text) for text in texts]
        if all(text in names for text in normal):
            return np.array([names[text] for text in normal], np.int64)
        numbers = [_number(text) for text in normal]
        if all(0 <= number < len(self.classes) for number in numbers):
            return np.array(numbers, np.int64)
        right = [text in names for text in normal]
        if not any(right):
            right = [0 <= number < len(self.classes) for number in numbers]
        raise DataError(
            f"{where} must all be names of the network's classes ({self._names()}) or all be numbers of "
            f"0 ... {len(self.classes) - 1}, found {texts[right.index(False)]!r:.60}"
        )

    def _names(self):
        shown = ", ".join(f"{name:.20}" for name in self.classes[:10])
        return shown if len(self.classes) <= 10 else f"{shown}, ..."


# ------------------------------------------------------------------------------------------------ NumPy's
# files


def _npz(path, file, wanted):
    arrays = numpy_file.archive(file, where=str(path))

    def one(names):
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
    pixels, labels = _images(images, wanted), one(LABELS)
    return pixels, None if labels is None else _labels(labels, len(pixels), wanted)


def _sizes(shape):
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _images(array, wanted):
    """Pixels, (N, pixels), of a stored array."""
    _check_shape(array, wanted)
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
    if values.dtype != np.uint8 and (low < wanted.range[0] or high > wanted.range[1]):
        raise DataError(
            f"{array.where} must be pixels of {wanted.words}, found {low} ... {high} of type {array.dtype};"
            " save the pixels that the network was trained on, before anything is added or scaled"
        )
    return values.astype(np.uint8, copy=False).reshape(len(values), wanted.pixels)


def _range(values):
    """The range of floats, and what turns them into pixels."""
    if not np.isfinite(values).all():
        return "with values that are NaN or infinite; save the pixels as numpy.uint8"
    low, high = float(values.min()), float(values.max())
    found = f"of {low:.6g} ... {high:.6g}"
    if (values == np.rint(values)).all() and 0 <= low and 1 < high <= 255:
        return f"{found}, all whole; save images.astype(numpy.uint8)"
    if 0 <= low and high <= 1:
        return f"{found}; save (images * 255).round().astype(numpy.uint8) where 1.0 is a pixel of 255"
    return f"{found}; save the pixels before they are scaled, as numpy.uint8"


def _check_shape(array, wanted):
    """The rows of an array are images in the network's order of pixels."""
    shape, image = array.shape, wanted.image_shape
    rows = shape[1:]
    # Axes of length 1 do not change the order of pixels, and a network that takes a vector takes them in
    # order.
    if (
        shape
        and shape[0]
        and math.prod(rows) == wanted.pixels
        and (len(rows) == 1 or len(image) == 1 or _squeezed(rows) == _squeezed(image))
    ):
        return
    must = f"{array.where} must have the shape (N, {', '.join(map(str, image))})"
    if len(image) > 1:
        must += f" or (N, {wanted.pixels})"
    if shape == image:
        raise DataError(f"{must}, found {_sizes(shape)}; save images[None] of a single image")
    if not shape or 0 in shape:
        raise DataError(f"{must} with N from 1, found {_sizes(shape)}")
    found = f"{must}, found {_sizes(shape)}"
    if len(image) == 3 and rows == (image[2], *image[:2]):
        raise DataError(f"{found}, which has the channels first; save numpy.moveaxis(images, 1, -1)")
    if math.prod(rows) == wanted.pixels:
        raise DataError(
            f"{found}, whose axes are in another order; save numpy.transpose(images, ...) in this one"
        )
    raise DataError(f"{found}: {math.prod(rows):,} values for each image instead of {wanted.pixels:,}")


def _squeezed(shape):
    return tuple(length for length in shape if length != 1)


def _labels(array, count, wanted):
    """Class numbers, (N,), of a stored array."""
    where, kind = array.where, array.dtype.kind
    if wanted.multi_label:
        return _bits(array, count, wanted)
    if array.shape != (count,):
        hint = ""
        if array.shape == (count, len(wanted.classes)) and count:
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
        return wanted.numbers(texts, where)
    _check_numbers(values, wanted, where)
    return values.astype(np.int64)


def _bits(array, count, wanted):
    """Bits, (N, outputs), of a stored array."""
    must = (
        f"{array.where} must be a bit for each of the network's {len(wanted.classes)} outputs, ({count},"
        f" {len(wanted.classes)}) of 0 and 1"
    )
    if array.shape != (count, len(wanted.classes)) or array.dtype.kind not in "biu":
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


def _check_numbers(values, wanted, where):
    most = len(wanted.classes) - 1
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > most:
        raise DataError(
            f"{where} must be class numbers of 0 ... {most}, found {low} ... {high}"
            + ("; save labels - 1, where they count from 1" if low == 1 and high == most + 1 else "")
        )


# ------------------------------------------------------------------------------------------------ tables


def _csv(path, file, wanted):
    rows = _rows(path, file, wanted)
    line, first = next(rows, (0, None))
    if first is None:
        raise DataError(f"{path} must have a line of {wanted.pixels} pixels for each image, but is empty")
    header = _is_header(first, wanted)
    if wanted.multi_label:
        return _table_of_bits(path, rows, line, first, header, wanted)
    place, named = _label_column(path, first, header, wanted)
    pixels, labels = bytearray(), []
    if not header:
        if _counts([value for n, value in enumerate(first) if n != place]):
            raise DataError(
                f"{path}, line {line}: must be an image or names of columns, but counts"
                f" {' '.join(first):.20}...; save without a header (of pandas, header=False), or name the"
                " columns pixel0, pixel1, ... and label"
            )
        _take(path, line, first, len(first), place, wanted, pixels, labels)
    columns = wanted.pixels + (place is not None)
    for line, row in rows:
        _take(path, line, row, columns, place, wanted, pixels, labels)
    if not pixels:
        raise DataError(
            f"{path} must have a line of {wanted.pixels} pixels for each image, but has only names of columns"
        )
    images = np.frombuffer(pixels, np.uint8).reshape(-1, wanted.pixels)
    if place is None:
        return images, None
    if not named:
        _check_last(path, images, labels, wanted)
    return images, wanted.numbers(labels, f"{path}: its labels")


def _table_of_bits(path, rows, line, first, header, wanted):
    """Pixels and bits of a table with a column of bits for each output, or without."""
    outputs, columns = len(wanted.classes), len(first)
    if columns not in (wanted.pixels, wanted.pixels + outputs):
        raise DataError(
            f"{path} must have {wanted.pixels} columns of pixels, and {outputs} of bits or none, but its"
            f" first line has {columns}"
        )
    places = list(range(wanted.pixels, columns))
    if header and places and all(first.count(name) == 1 for name in wanted.classes):
        places = [first.index(name) for name in wanted.classes]
    pixels, bits = bytearray(), []
    for number, row in chain([] if header else [(line, first)], rows):
        _check_width(path, number, row, columns)
        bits += [row[place] for place in places]
        _take(
            path,
            number,
            [value for n, value in enumerate(row) if n not in places],
            wanted.pixels,
            None,
            wanted,
            pixels,
            None,
        )
    if not pixels:
        raise DataError(
            f"{path} must have a line of {wanted.pixels} pixels for each image, but has only names of columns"
        )
    if set(bits) - {"0", "1"}:
        raise DataError(
            f"{path}: its bits must be 0 or 1, found"
            f" {next(bit for bit in bits if bit not in ('0', '1'))!r:.60}"
        )
    images = np.frombuffer(pixels, np.uint8).reshape(-1, wanted.pixels)
    return images, np.array(bits, np.int64).reshape(-1, outputs) if places else None


def _rows(path, file, wanted):
    """(Number of the line, values) of each line that is not empty; a line longer than any such image is not
    read.
    """
    longest = (wanted.pixels + 2) * _VALUE_CHARACTERS

    def lines():
        total = 0
        while line := file.readline(longest + 1):
            if not total and line.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise DataError(f"{path} must be text in UTF-8, found UTF-16; save it as CSV UTF-8")
            text = line.decode("utf-8" if total else "utf-8-sig")
            total += len(line)
            if len(line) > longest or total > numpy_file.MAX_BYTES:
                raise DataError(
                    f"{path} must have lines of at most {longest:,} bytes and {numpy_file.MAX_BYTES:,} bytes"
                    " in all, found more"
                )
            yield text

    reader = csv.reader(lines(), strict=True)
    try:
        for row in reader:
            if row:
                yield reader.line_num, [value.strip() for value in row]
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}, line {reader.line_num + 1}: must be text in UTF-8: {error.reason}; save it as CSV UTF-8"
        ) from error
    except csv.Error as error:
        raise DataError(
            f"{path}, line {reader.line_num}: must be values with commas between them, but {error}"
        ) from error


def _is_number(text):
    with suppress(ValueError):
        float(text)
        return "_" not in text  # Python's own separator of digits
    return False


def _counts(values):
    """Whether texts count up from 0 or 1 as names of columns do: pandas has no others unless it is given
    some.
    """
    return (
        len(values) > 1
        and values[0] in ("0", "1")
        and values == [str(int(values[0]) + n) for n in range(len(values))]
    )


def _is_header(row, wanted):
    """Whether a first line has names of columns: it has no numbers, or a name of the labels and a count."""
    others = [value for value in row if value.lower() not in _LABEL_COLUMNS or value in wanted.classes]
    return not any(map(_is_number, row)) or len(others) < len(row) and _counts(others)


def _label_column(path, first, header, wanted):
    """Which column has the labels, or None; and whether a header names it."""
    named = [n for n, name in enumerate(first) if header and name.lower() in _LABEL_COLUMNS]
    if len(named) > 1:
        raise DataError(
            f"{path} must have one column of labels, but {', '.join(first[n] for n in named)} are names of"
            " such"
        )
    if header and "" in first:
        raise DataError(
            f"{path} must have a name for each column or for none, but column {first.index('') + 1} has none;"
            " of pandas, save with index=False"
        )
    wrong = len(first) - wanted.pixels
    if wrong not in (0, 1) or (wrong == 0 and named):
        separated = next((other for other in ";\t" if len(first) == 1 and other in first[0]), None)
        hint = f"; separate values with commas, not with {separated!r}" if separated else ""
        raise DataError(
            f"{path} must have {wanted.pixels} columns of pixels, and at most one of labels, but its first"
            f" line has {len(first)} columns{f', {first[named[0]]} one of them' if named else ''}{hint}"
        )
    if not wrong:
        return None, False
    return (named[0], True) if named else (wanted.pixels, False)


def _check_last(path, images, labels, wanted):
    """A last column that nobody named as labels is labels, and the first is not."""

    def possible(values):
        return all(value in wanted.classes or 0 <= _number(value) < len(wanted.classes) for value in values)

    first = [str(pixel) for pixel in images[:, 0].tolist()]
    if possible(set(first)) and len(set(first)) > 1 and (len(set(labels)) == 1 or not possible(set(labels))):
        raise DataError(
            f"{path}: its last column, taken for the labels, has"
            f" {labels[0]!r:.20}{'' if len(set(labels)) > 1 else ' in every line'}, and its first could be"
            " labels; name the columns in a first line, with `label` for the labels"
        )


def _check_width(path, line, row, columns):
    if len(row) != columns:
        raise DataError(
            f"{path}, line {line}: must have {columns} values as the first line has, found {len(row)}"
        )


def _take(path, line, row, columns, place, wanted, pixels, labels):
    """Adds one line to the pixels and labels."""
    _check_width(path, line, row, columns)
    if place is not None:
        labels.append(row.pop(place))
    try:
        pixels += bytes(map(wanted.bytes.__getitem__, row))
    except KeyError:
        pixels += bytes(
            _pixel(path, line, n + (place is not None and n >= place), value, wanted)
            for n, value in enumerate(row)
        )
    if len(pixels) > numpy_file.MAX_BYTES:
        raise DataError(f"{path} must have at most {numpy_file.MAX_BYTES:,} pixels, found more")


def _pixel(path, line, column, text, wanted):
    if text in wanted.bytes or 0 <= _number(text) <= wanted.range[1]:
        return wanted.bytes.get(text, _number(text))
    hint = ""
    if _is_number(text):
        value = float(text)
        hint = (
            "; save whole numbers, as of images.astype(int)"
            if value in range(wanted.range[0], wanted.range[1] + 1)
            else "; save (images * 255).round() where 1.0 is a pixel of 255"
            if 0 < value < 1
            else ""
        )
    raise DataError(
        f"{path}, line {line}, column {column + 1}: must be a pixel of {wanted.words}, found"
        f" {text!r:.60}{hint}"
    )


# ------------------------------------------------------------------------------------------------ folders


def _folder(path, wanted):
    if wanted.multi_label:
        raise DataError(
            f"{path} must be a .npz or .csv, as this network has several labels for an image and a folder"
            " says one class; save the bits as labels"
        )
    folders = image_folder.folders(path)
    numbers = wanted.numbers([folder.name for folder in folders], f"{path}: its sub-folders")
    twice = np.flatnonzero(np.bincount(numbers) > 1)
    if len(twice):
        raise DataError(
            f"{path} must have one sub-folder for each class, but class {twice[0]} has "
            f"{', '.join(repr(folder.name) for folder, number in zip(folders, numbers, strict=True) if number == twice[0])}"
        )
    # The first of every class, then the second of every class, and so on: the first few images are of all
    # classes.
    files = sorted(
        (rank, int(number), file)
        for folder, number in zip(folders, numbers, strict=True)
        for rank, file in enumerate(image_folder.files(folder))
    )
    if not files:
        raise DataError(
            f"{path} must have a PNG or JPEG file in a sub-folder named by its class, but has none"
        )
    if len(files) * wanted.pixels > numpy_file.MAX_BYTES:
        raise DataError(
            f"{path} must have at most {numpy_file.MAX_BYTES:,} pixels, but has {len(files):,} images"
        )
    images, note = image_folder.read([file for *_, file in files], wanted.image_shape)
    return images, np.array([number for _, number, _ in files], np.int64), note
