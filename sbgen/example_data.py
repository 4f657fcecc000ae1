"""Real data sets that other packages ship, as the files that a person has of her own."""

import importlib.util
import io
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import atomic
from .errors import DataError

__all__ = ["SETS", "Example", "load", "write"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Example:
    """Samples of a data set.

    Parameters
    ----------
    values : array, shape (N, columns), (N, length, channels), or uint8 (N, height, width)
        A table, sequences or images.
    classes : array of str, shape (N,)
    columns : tuple of str
        Names of the columns of a table.
    """

    values: np.ndarray
    classes: np.ndarray
    columns: tuple[str, ...] = ()

    @property
    def is_images(self) -> bool:
        """Whether the samples are images."""
        return self.values.dtype == np.uint8 and self.values.ndim == 3


def _sklearn(name: str, part: str) -> Example:
    try:
        from sklearn import datasets
    except ImportError as error:
        raise DataError(
            "this data set needs scikit-learn, which is not installed; try `pip install 'sbgen[train]'`"
        ) from error
    if part != "all":
        raise DataError("this data set has no split of its own; leave out --part, sbgen train splits it")
    found = getattr(datasets, f"load_{name}")()
    values = found.data
    if name == "digits":
        values = found.images.astype(np.uint8)
    columns = tuple(str(column) for column in found.feature_names) if values.ndim == 2 else ()
    return Example(
        values=values, classes=np.array([str(found.target_names[n]) for n in found.target]), columns=columns
    )


def _semeion(part: str, folder: Path | None) -> Example:
    root = folder or Path(os.environ.get("SBGEN_DATA") or ".")
    path = root / "semeion" / "semeion.data"
    if part != "all":
        raise DataError("this data set has no split of its own; leave out --part, sbgen train splits it")
    try:
        rows = np.loadtxt(path)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} must be the file of the UCI archive, but {' '.join(str(error).split()):.120}; get it"
            " there, and give the folder that holds semeion/ with --data or SBGEN_DATA"
        ) from error
    if rows.ndim != 2 or rows.shape[1] < 266:
        raise DataError(f"{path} must have 256 pixels and 10 bits a line, found {rows.shape}")
    # Ink is 1: as on paper, ink is dark.
    images = (255 * (1 - rows[:, :256])).astype(np.uint8).reshape(-1, 16, 16)
    return Example(values=images, classes=rows[:, 256:266].argmax(1).astype(str))


def _series(name: str, part: str) -> Example:
    """A set of sequences in the package aeon, whose code is not run: its files are read. Shorter sequences
    end in zeros.
    """
    found = importlib.util.find_spec("aeon")
    if found is None or found.origin is None:
        raise DataError(
            "this data set is in the package aeon, which is not installed; try `pip install"
            " 'sbgen[examples]'`"
        )
    folder = Path(found.origin).parent / "datasets" / "data" / name
    parts = {"all": ("TRAIN", "TEST"), "train": ("TRAIN",), "test": ("TEST",)}[part]
    series, classes = [], []
    for one in parts:
        try:
            text = (folder / f"{name}_{one}.ts").read_text(encoding="utf-8")
        except OSError as error:
            raise DataError(
                f"{error.filename} must be in the package aeon, but cannot be read: {error.strerror}; install"
                " aeon 1.6"
            ) from error
        for line in text.splitlines():
            if line and line[0] not in "#@":
                *channels, label = line.split(":")
                series.append([[float(value) for value in channel.split(",")] for channel in channels])
                classes.append(label.strip())
    length = max(len(channel) for channels in series for channel in channels)
    values = np.zeros((len(series), length, len(series[0])))
    for n, channels in enumerate(series):
        for place, channel in enumerate(channels):
            values[n, : len(channel), place] = channel
    if name == "JapaneseVowels":  # of both parts, so that train and test have one length
        values = np.pad(values, ((0, 0), (0, 29 - length), (0, 0)))
    return Example(values=values, classes=np.array(classes))


def _archive(name: str, part: str, folder: Path | None) -> Example:
    """A data set of `sbgen train` with a test part of its own: grey images."""
    from .train import data

    images, labels, test, test_labels = data.load(name, folder)
    values = {"train": [images], "test": [test], "all": [images, test]}[part]
    numbers = {"train": [labels], "test": [test_labels], "all": [labels, test_labels]}[part]
    names = np.array(data.DATASETS[name].labels)
    return Example(values=np.concatenate(values), classes=names[np.concatenate(numbers)])


#: From the part and the folder of data sets to the samples.
SETS: dict[str, Callable[[str, Path | None], Example]] = {
    "breast-cancer": lambda part, folder: _sklearn("breast_cancer", part),
    "wine": lambda part, folder: _sklearn("wine", part),
    "digits": lambda part, folder: _sklearn("digits", part),
    "semeion": _semeion,
    "mnist": lambda part, folder: _archive("mnist", part, folder),
    "fashion-mnist": lambda part, folder: _archive("fashion-mnist", part, folder),
    "basic-motions": lambda part, folder: _series("BasicMotions", part),
    "japanese-vowels": lambda part, folder: _series("JapaneseVowels", part),
}


def load(name: str, *, part: str = "all", folder: Path | None = None) -> Example:
    """The samples of a set, one of `SETS`; a `DataError` if its package or file is not there."""
    return SETS[name](part, folder)


def write(example: Example, out: Path) -> None:
    """Write samples as .csv, .npz or, of images, a folder of PNG files by class; a new one as a whole or not
    at all.
    """
    writers = {".csv": _csv, ".npz": _npz}
    if out.suffix in writers:
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            atomic.write(out, writers[out.suffix](example))
        except OSError as error:
            raise DataError(f"{out}: cannot be written: {error.strerror or error}") from error
    elif out.suffix or not example.is_images:
        kinds = ".csv, .npz or, without an ending, a folder" if example.is_images else ".csv or .npz"
        raise DataError(f"--out must end in {kinds}, not {out.name!r}")
    else:
        _folder(example, out)


def _csv(example: Example) -> bytes:
    columns: Sequence[str] = example.columns
    shape = example.values.shape[1:]
    if example.is_images:
        columns = [f"pixel{n}" for n in range(math.prod(shape))]
    elif not columns:
        columns = [f"step{step}_channel{channel}" for step in range(shape[0]) for channel in range(shape[1])]
    rows = [",".join([*columns, "class"])]
    for values, label in zip(example.values.reshape(len(example.values), -1), example.classes, strict=True):
        rows.append(",".join([*map(repr, values.tolist()), str(label)]))
    return ("\n".join(rows) + "\n").encode()


def _npz(example: Example) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, X=example.values, y=example.classes)
    return buffer.getvalue()


def _folder(example: Example, out: Path) -> None:
    try:
        from PIL import Image
    except ImportError as error:
        raise DataError(
            "a folder of images needs Pillow, which is not installed; try `pip install pillow`, or save a"
            " .npz"
        ) from error
    if out.exists():
        raise DataError(f"{out} must be a new folder, but exists; choose another --out")
    out.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        for n, (image, label) in enumerate(zip(example.values, example.classes, strict=True)):
            (staging / str(label)).mkdir(exist_ok=True)
            Image.fromarray(image).save(staging / str(label) / f"{n:05}.png")
        staging.chmod(0o755)
        staging.rename(out)
    except OSError as error:
        raise DataError(f"{out}: cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
