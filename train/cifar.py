"""CIFAR-10 from its official binary archive, or from a folder of JPEG files of the same images.

The JPEG files are lossy: accuracies measured on them cannot be compared with published ones for CIFAR-10.
"""

import hashlib
import io
import lzma
import re
import tarfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from .. import atomic
from ..errors import DataError

__all__ = ["ARCHIVE", "LABELS", "SHAPE", "read_binary", "read_jpeg"]

#: The official archive of raw bytes. The Python version consists of pickles, which could run code.
ARCHIVE = "cifar-10-binary.tar.gz"

LABELS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")

#: Shape of an image: height, width, channels.
SHAPE = (32, 32, 3)

_BATCHES = (*(f"data_batch_{n}.bin" for n in range(1, 6)), "test_batch.bin")

#: Bytes of a record: the label, then all red, all green and all blue pixels.
_RECORD = 1 + 32 * 32 * 3

_REMEDY = "download the file again"

#: Training images, training labels, test images, test labels.
Arrays = tuple[np.ndarray, ...]


def read_binary(folder: str | PathLike[str]) -> Arrays:
    """Read the official binary version.

    Parameters
    ----------
    folder : path
        Contains `ARCHIVE` or its six files, directly or in a folder ``cifar-10-batches-bin``.

    Returns
    -------
    train_images, train_labels, test_images, test_labels
        Images are uint8 of shape (N, 32, 32, 3), labels int64 of shape (N,).

    Raises
    ------
    DataError
        A file is missing, truncated or of another format.
    """
    folder = Path(folder)
    archive = folder / ARCHIVE
    if archive.is_file():
        found = {Path(name).name: data for name, data in _members(archive, r"\.bin")}
        where = archive
    else:
        where = next(
            (each for each in (folder / "cifar-10-batches-bin", folder) if (each / _BATCHES[-1]).is_file()),
            None,
        )
        if where is None:
            raise DataError(
                f"{folder} must hold {ARCHIVE} or its files, but does not; give another folder with --data or"
                " SBGEN_DATA, or none to download it"
            )
        found = {path.name: _read(path) for path in where.glob("*.bin")}
    for name in _BATCHES:
        if name not in found:
            raise DataError(f"{where}: must hold {', '.join(_BATCHES)}, but {name} is missing; {_REMEDY}")
        if not found[name] or len(found[name]) % _RECORD:
            raise DataError(
                f"{where}: {name} must be images of {_RECORD} bytes each, but has {len(found[name])} bytes;"
                f" {_REMEDY}"
            )
    parts = []
    for names in (_BATCHES[:-1], _BATCHES[-1:]):
        records = np.concatenate(
            [np.frombuffer(found[name], np.uint8).reshape(-1, _RECORD) for name in names]
        )
        labels = records[:, 0].astype(np.int64)
        if labels.max() >= len(LABELS):
            raise DataError(f"{where}: labels must be less than {len(LABELS)}, not {labels.max()}; {_REMEDY}")
        parts += [np.ascontiguousarray(records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)), labels]
    return tuple(parts)


def read_jpeg(folder: str | PathLike[str], *, cache: str | PathLike[str]) -> Arrays:
    """Read ``train/<class>/<name>.jpg`` and ``test/...``, ordered by class and name.

    The images are decoded once and cached as plain arrays.

    Parameters
    ----------
    folder : path
        Contains the folders ``train`` and ``test``, or one ``.tar.xz`` (or ``.tar.gz``, ``.tar``) of them.
    cache : path
        Folder for the decoded arrays.

    Returns
    -------
    train_images, train_labels, test_images, test_labels
        As for `read_binary`.

    Raises
    ------
    DataError
        There is no such folder or archive, or a file in it is damaged or not an image of 32 x 32.
    """
    folder = Path(folder)
    files = [path for part in ("train", "test") for path in sorted((folder / part).glob("*/*.jpg"))]
    archives = sorted(path for path in folder.glob("*.tar*") if path.is_file())
    if not files and len(archives) != 1:
        raise DataError(
            f"{folder} must hold train/<class>/*.jpg and test/<class>/*.jpg, or one .tar.xz of them, but"
            f" holds {f'{len(archives)} archives' if archives else 'neither'}; give another folder with"
            " --data or SBGEN_DATA"
        )
    key = hashlib.sha256()
    for path in files or archives:
        about = path.stat()
        key.update(f"{path.absolute()} {about.st_size} {about.st_mtime_ns}\n".encode())
    cached = Path(cache) / f"{folder.name}-{key.hexdigest()[:16]}.npz"
    names = ("train_images", "train_labels", "test_images", "test_labels")
    if (arrays := _cached(cached, names)) is not None:
        return arrays
    members = ((str(path), _read(path)) for path in files) if files else _members(archives[0], r"\.jpg")
    arrays = _decoded(members, files and folder or archives[0])
    with suppress(OSError):  # a full or read-only cache only costs time
        cached.parent.mkdir(parents=True, exist_ok=True)
        with atomic.replaced(cached) as part, open(part, "wb") as file:
            named: dict[str, Any] = dict(zip(names, arrays, strict=True))
            np.savez(file, **named)
    return arrays


def _cached(path: Path, names: Sequence[str]) -> Arrays | None:
    """The arrays of a cached file, or None if it is missing or damaged."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = tuple(stored[name] for name in names)
    except Exception:  # noqa: BLE001 - NumPy and zipfile raise nearly anything on a damaged file
        return None
    for images, labels in (arrays[:2], arrays[2:]):
        if images.dtype != np.uint8 or images.shape != (len(labels), *SHAPE) or labels.dtype != np.int64:
            return None
    return arrays


def _decoded(members: Iterable[tuple[str, bytes]], where: Path) -> Arrays:
    """Images and labels of both parts, from name and content of each file."""
    try:
        from PIL import Image
    except ImportError as error:
        raise DataError(
            "data sets of JPEG files need Pillow, which is not installed; try `pip install pillow`"
        ) from error
    found: dict[str, list[tuple[int, str, np.ndarray]]] = {"train": [], "test": []}
    for name, data in members:
        part, label, file = ("", "", *name.split("/"))[-3:]
        if part not in found or label not in LABELS:
            raise DataError(
                f"{where}: its files must be train/<class>/*.jpg and test/<class>/*.jpg with the classes "
                f"{', '.join(LABELS)}, but there is {name}"
            )
        try:
            with Image.open(io.BytesIO(data)) as image:
                pixels = np.asarray(image.convert("RGB"))
        except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises on a damaged file
            raise DataError(
                f"{where}: {name} must be a JPEG image, but {' '.join(str(error).split())}; {_REMEDY}"
            ) from error
        if pixels.shape != SHAPE:
            raise DataError(
                f"{where}: {name} must be an image of 32 x 32, not {pixels.shape[1]} x {pixels.shape[0]};"
                f" {_REMEDY}"
            )
        found[part].append((LABELS.index(label), file, pixels))
    parts = []
    for part, images in found.items():
        counts = [sum(image[0] == label for image in images) for label in range(len(LABELS))]
        if not counts[0] or len(set(counts)) > 1:  # a truncated tar archive may look complete
            raise DataError(
                f"{where}: {part}/ must hold equally many images of each class, at least one, but holds "
                f"{', '.join(map(str, counts))}; {_REMEDY}"
            )
        images.sort(key=lambda image: image[:2])
        parts += [
            np.stack([pixels for *_, pixels in images]),
            np.array([label for label, *_ in images], np.int64),
        ]
    return tuple(parts)


def _members(archive: Path, ending: str) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file in a tar archive whose name ends in `ending`, in one pass, without
    writing any.
    """
    try:
        with tarfile.open(archive, "r|*") as tar:
            for member in tar:
                if member.isfile() and re.search(f"{ending}$", member.name):
                    yield member.name, cast(IO[bytes], tar.extractfile(member)).read()
    except (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError) as error:
        raise DataError(
            f"{archive}: must be a whole tar archive, but {' '.join(str(error).split())}; {_REMEDY}"
        ) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
