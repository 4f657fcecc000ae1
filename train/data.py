"""Data sets as raw uint8 images, without torch.

`digits` is part of scikit-learn and needs no download. The others are read from a folder (`folder`, or the
environment variable ``SBGEN_DATA``) with ``mnist/``, ``fashion-mnist/``, ``cifar10/``, or else from a cache
that is filled from the public mirrors: MNIST and Fashion-MNIST from their official IDX files, CIFAR-10 as
described in `cifar`. ``cifar10-jpeg/``, its lossy form, has no mirror.
"""

import gzip
import hashlib
import importlib.util
import os
import struct
import sys
import urllib.error
import urllib.request
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from .. import cache
from ..errors import DataError
from . import cifar

__all__ = ["DATASETS", "Dataset", "at_hand", "cache", "load", "read_idx", "split"]

#: Files in the order train images, train labels, test images, test labels.
_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A data set.

    Parameters
    ----------
    image_shape : tuple of int
        Height and width, or height, width and channels.
    max_pixel : int
        Maximum pixel.
    labels : tuple of str
        Names of the classes.
    mirrors, files, md5 : tuple of str
        URLs to download from, the files there, and their MD5 digests in the same order.
    """

    image_shape: tuple[int, ...]
    max_pixel: int
    labels: tuple[str, ...]
    mirrors: tuple[str, ...] = ()
    files: tuple[str, ...] = tuple(f"{file}.gz" for file in _FILES)
    md5: tuple[str, ...] = ()


_DIGITS = tuple("0123456789")

DATASETS = {
    "digits": Dataset(image_shape=(8, 8), max_pixel=16, labels=_DIGITS),
    "mnist": Dataset(
        image_shape=(28, 28),
        max_pixel=255,
        labels=_DIGITS,
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        md5=(
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "d53e105ee54ea40749a09fcbcd1e9432",
            "9fb629c4189551a2d022fa330f9573f3",
            "ec29112dd5afa0611ce80d1b7f02629c",
        ),
    ),
    "fashion-mnist": Dataset(
        image_shape=(28, 28),
        max_pixel=255,
        labels=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        mirrors=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
        md5=(
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
    ),
    "cifar10": Dataset(
        image_shape=cifar.SHAPE,
        max_pixel=255,
        labels=cifar.LABELS,
        mirrors=("https://www.cs.toronto.edu/~kriz/",),
        files=(cifar.ARCHIVE,),
        md5=("c32a1d4ab5d03f1284b67883e8d87530",),
    ),
    "cifar10-jpeg": Dataset(image_shape=cifar.SHAPE, max_pixel=255, labels=cifar.LABELS),
}


def load(dataset: str, folder: str | PathLike[str] | None = None) -> cifar.Arrays:
    """Read the training and test part of a data set.

    Parameters
    ----------
    dataset : str
        One of `DATASETS`.
    folder : path or None
        Folder that contains a folder with the name of the data set; None is ``SBGEN_DATA`` or the cache.

    Returns
    -------
    train_images, train_labels, test_images, test_labels
        Images are uint8 of shape (N, height, width) or (N, height, width, channels), labels int64 of shape
        (N,).

    Raises
    ------
    DataError
        The data set is unknown; a file is missing, truncated or of another format; or no mirror answers.
    """
    if dataset not in DATASETS:
        raise DataError(f"the data set must be one of {', '.join(DATASETS)}, not {dataset!r}")
    if dataset == "digits":
        return _digits()
    about = DATASETS[dataset]
    folder = folder or os.environ.get("SBGEN_DATA")
    if dataset == "cifar10-jpeg":
        if not folder:
            raise DataError(
                f"{dataset} must be given as a folder that holds {dataset}/, with --data or SBGEN_DATA; "
                "cifar10 can be downloaded"
            )
        return cifar.read_jpeg(Path(folder) / dataset, cache=cache.folder("data"))
    if folder and dataset == "cifar10":
        return cifar.read_binary(Path(folder) / dataset)
    if folder:
        paths = [_find(Path(folder) / dataset, file) for file in _FILES]
    else:
        paths = [
            _fetch(cache.folder("data") / dataset, file, mirrors=about.mirrors, md5=md5)
            for file, md5 in zip(about.files, about.md5, strict=True)
        ]
    if dataset == "cifar10":
        return cifar.read_binary(paths[0].parent)
    parts = []
    for images_path, labels_path in (paths[:2], paths[2:]):
        images = read_idx(images_path, shape=(None, *about.image_shape))
        labels = read_idx(labels_path, shape=(len(images),)).astype(np.int64)
        if labels.size and labels.max() >= len(about.labels):
            raise DataError(
                f"{labels_path}: labels must be less than {len(about.labels)}, not {labels.max()}; "
                "download the file again"
            )
        parts += [images, labels]
    return tuple(parts)


def at_hand(dataset: str, folder: str | PathLike[str] | None = None) -> bool:
    """Whether `load` needs no download: the data set is installed, in a given folder, or was downloaded
    before.
    """
    if dataset == "digits":
        return importlib.util.find_spec("sklearn") is not None
    return bool(folder or os.environ.get("SBGEN_DATA") or (cache.folder("data") / dataset).is_dir())


def split(labels: np.ndarray, *, part: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of a stratified split: (rest, held out), each in increasing order.

    The same share `part` (0 ... 1) of every class is held out, rounded to whole images and chosen by `seed`
    alone.
    """
    random = np.random.default_rng(seed)
    held = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        held[random.permutation(members)[: round(part * len(members))]] = True
    return np.flatnonzero(~held), np.flatnonzero(held)


def _digits() -> cifar.Arrays:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError(
            "the digits data set needs scikit-learn, which is not installed; try `pip install scikit-learn`"
        ) from error
    images, labels = load_digits(return_X_y=True)
    images, labels = images.astype(np.uint8).reshape(-1, 8, 8), labels.astype(np.int64)
    rest, held = split(labels, part=0.2, seed=0)  # defines the test part, so never varied
    return images[rest], labels[rest], images[held], labels[held]


def read_idx(path: str | PathLike[str], *, shape: Sequence[int | None]) -> np.ndarray:
    """Read an IDX file of unsigned bytes, gzipped if its name ends in ``.gz``.

    Parameters
    ----------
    path : path
    shape : tuple of int or None
        Required shape; None is any size.

    Raises
    ------
    DataError
        The file is anything else. At most the bytes that its header promises are read.
    """
    remedy = "download the file again"
    try:
        with (gzip.open if Path(path).suffix == ".gz" else open)(path, "rb") as file:
            header = file.read(4 + 4 * len(shape))
            if len(header) < 4 + 4 * len(shape):
                raise DataError(
                    f"{path}: an IDX header must have {4 + 4 * len(shape)} bytes, not {len(header)}; {remedy}"
                )
            magic, *sizes = struct.unpack(f">{1 + len(shape)}I", header)
            if magic != 0x0800 + len(shape):
                raise DataError(
                    f"{path}: an IDX file of bytes in {len(shape)} dimensions must begin with "
                    f"0x{0x0800 + len(shape):08x}, not 0x{magic:08x}; {remedy}"
                )
            if any(want is not None and got != want for got, want in zip(sizes, shape, strict=True)):
                raise DataError(f"{path}: must hold {_shape(shape)} bytes, not {_shape(sizes)}; {remedy}")
            size = int(np.prod([int(n) for n in sizes], dtype=object))
            if size > 2**30:
                raise DataError(
                    f"{path}: must hold less than 1 GiB, its header promises {size} bytes; {remedy}"
                )
            data = file.read(size + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: must be a whole gzip file, but {error}; {remedy}") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(data) != size:
        raise DataError(
            f"{path}: must hold {size} bytes after its header, but holds "
            f"{'more' if len(data) > size else len(data)}; {remedy}"
        )
    return np.frombuffer(data, np.uint8).reshape(sizes)


def _shape(sizes: Sequence[int | None]) -> str:
    return " x ".join("any" if size is None else str(size) for size in sizes)


def _find(folder: Path, file: str) -> Path:
    for path in (folder / f"{file}.gz", folder / file):
        if path.is_file():
            return path
    raise DataError(
        f"{folder} must hold {file}.gz (or {file}), but does not; give another folder with --data or "
        "SBGEN_DATA, or none to download it"
    )


def _md5(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _fetch(folder: Path, file: str, *, mirrors: Sequence[str], md5: str) -> Path:
    """The path of a cached file, which is downloaded unless it exists with the right digest."""
    path = folder / file
    if path.is_file() and _md5(path) == md5:
        return path
    failures = []
    for mirror in mirrors:
        part = path.with_name(f"{file}.{os.getpid()}.part")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _download(mirror + file, part)
            if _md5(part) == md5:
                os.replace(part, path)
                return path
            failures.append(f"{mirror} sent a file with MD5 {_md5(part)} instead of {md5}")
        except (urllib.error.URLError, OSError) as error:
            failures.append(f"{mirror}: {getattr(error, 'reason', None) or error}")
        finally:
            part.unlink(missing_ok=True)
    raise DataError(
        f"{file} must come from a mirror, but {'; '.join(failures)}; try again, or give a folder that has "
        f"{folder.name}/{file} with --data or SBGEN_DATA"
    )


def _download(url: str, path: Path) -> None:
    from ..console import Console

    with (
        Console(file=sys.stderr).step(f"download {url.rsplit('/', 1)[-1]}") as step,
        urllib.request.urlopen(url, timeout=30) as response,
        open(path, "wb") as out,
    ):
        length = int(response.headers.get("Content-Length") or 0)
        while block := response.read(1 << 16):
            out.write(block)
            if length:
                step.progress(out.tell(), length)
        step.note(f"{out.tell() / 1e6:.1f} MB")
