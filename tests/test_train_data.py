import gzip
import hashlib
import struct
import subprocess
import sys

import numpy as np
import pytest

from sbgen import cache
from sbgen.errors import DataError
from sbgen.train import data


def idx(array, magic=None, sizes=None):
    array = np.asarray(array, np.uint8)
    sizes = array.shape if sizes is None else sizes
    return struct.pack(f">{1 + len(sizes)}I", magic or 0x800 + array.ndim, *sizes) + array.tobytes()


def packed(content):
    """`content` in gzip, the same bytes every time: tests that run side by side are collected twice and must
    have the same names.
    """
    return gzip.compress(content, mtime=0)


def contents(seed=0):
    """The four files of a small MNIST, by name."""
    random = np.random.default_rng(seed)
    arrays = [
        random.integers(256, size=(7, 28, 28)),
        random.integers(10, size=7),
        random.integers(256, size=(3, 28, 28)),
        random.integers(10, size=3),
    ]
    return {f"{file}.gz": packed(idx(array)) for file, array in zip(data._FILES, arrays, strict=True)}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.delenv("SBGEN_DATA", raising=False)
    (tmp_path / "mnist").mkdir()
    for name, content in contents().items():
        (tmp_path / "mnist" / name).write_bytes(content)
    return tmp_path


def test_digits_are_raw_pixels_and_a_held_out_fifth():
    train_images, train_labels, images, labels = data.load("digits")
    assert (len(train_images), len(images)) == (1438, 359)
    assert train_images.dtype == np.uint8 and train_labels.dtype == np.int64
    assert train_images.shape[1:] == (8, 8) and train_images.max() == 16
    # Stratified: each class has its fifth.
    every = np.bincount(train_labels) + np.bincount(labels)
    assert np.abs(np.bincount(labels) - every / 5).max() <= 0.5
    again = data.load("digits")
    assert np.array_equal(again[2], images)


def test_unknown_data_set_names_the_known():
    with pytest.raises(DataError, match="digits, mnist, fashion-mnist, cifar10, cifar10-jpeg, not 'cifar'"):
        data.load("cifar")


def test_folder_by_argument_and_by_environment(folder, monkeypatch):
    images, labels, test_images, test_labels = data.load("mnist", folder)
    assert images.shape == (7, 28, 28) and labels.shape == (7,) and test_images.shape == (3, 28, 28)
    assert test_labels.dtype == np.int64
    monkeypatch.setenv("SBGEN_DATA", str(folder))
    assert np.array_equal(data.load("mnist")[0], images)


def test_files_that_are_not_gzipped(folder):
    before = data.load("mnist", folder)
    for path in list((folder / "mnist").iterdir()):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    assert all(np.array_equal(a, b) for a, b in zip(before, data.load("mnist", folder), strict=True))


def test_missing_file_is_named(folder):
    (folder / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match="must hold t10k-labels-idx1-ubyte.gz .* --data"):
        data.load("mnist", folder)


IMAGES = np.zeros((2, 28, 28))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (packed(idx(IMAGES))[:-20], "whole gzip file"),
        (b"not gzip at all, but long enough for a header", "whole gzip file"),
        (packed(idx(IMAGES))[:30] + b"\xff" * 40, "whole gzip file"),
        (packed(b"\0\0\x08"), "header must have 16 bytes, not 3"),
        (packed(idx(IMAGES, magic=0x0D03)), "begin with 0x00000803, not 0x00000d03"),
        (packed(idx(IMAGES, sizes=(2, 28, 27))), "any x 28 x 28 bytes, not 2 x 28 x 27"),
        (packed(idx(IMAGES, sizes=(3, 28, 28))), "2352 bytes after its header, but holds 1568"),
        (packed(idx(IMAGES, sizes=(1, 28, 28))), "784 bytes after its header, but holds more"),
        (packed(idx(IMAGES, sizes=(2**32 - 1, 28, 28))), "less than 1 GiB"),
        (b"", "header must have 16 bytes, not 0"),
    ],
)
def test_hostile_idx(tmp_path, content, message):
    path = tmp_path / "x.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        data.read_idx(path, shape=(None, 28, 28))


def test_labels_out_of_range(folder):
    (folder / "mnist" / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx([1, 2, 10])))
    with pytest.raises(DataError, match="less than 10, not 10"):
        data.load("mnist", folder)


def test_as_many_labels_as_images(folder):
    (folder / "mnist" / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx([1, 2])))
    with pytest.raises(DataError, match="must hold 3 bytes, not 2"):
        data.load("mnist", folder)


@pytest.fixture
def mirror(folder, tmp_path, monkeypatch):
    """A cache that is empty and a mirror, the folder, that serves small files."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    about = data.DATASETS["mnist"]
    digests = tuple(hashlib.md5(content).hexdigest() for content in contents().values())
    served = data.Dataset(
        image_shape=about.image_shape,
        max_pixel=255,
        labels=about.labels,
        md5=digests,
        mirrors=(f"file://{tmp_path}/nowhere/", f"file://{folder}/mnist/"),
    )
    monkeypatch.setitem(data.DATASETS, "mnist", served)
    return folder / "mnist"


def test_download_fills_the_cache(mirror):
    before = data.load("mnist")
    for path in mirror.iterdir():
        path.unlink()
    assert all(np.array_equal(a, b) for a, b in zip(before, data.load("mnist"), strict=True))


def test_damaged_cache_is_fetched_anew(mirror):
    before = data.load("mnist")
    path = cache.folder("data") / "mnist" / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-1])
    assert np.array_equal(data.load("mnist")[0], before[0])


def test_wrong_digest_is_refused_and_not_kept(mirror):
    name = "train-images-idx3-ubyte.gz"
    (mirror / name).write_bytes(gzip.compress(idx(np.ones((1, 28, 28)))))
    with pytest.raises(DataError, match="sent a file with MD5 .* SBGEN_DATA"):
        data.load("mnist")
    assert not list((cache.folder("data") / "mnist").iterdir())


def test_split_is_stratified_and_decided_by_its_seed():
    labels = np.repeat([0, 1, 2], [50, 30, 20])
    rest, held = data.split(labels, part=0.1, seed=3)
    assert np.bincount(labels[held]).tolist() == [5, 3, 2]
    assert sorted([*rest, *held]) == list(range(100))
    assert np.array_equal(held, data.split(labels, part=0.1, seed=3)[1])
    assert not np.array_equal(held, data.split(labels, part=0.1, seed=4)[1])


def test_needs_no_torch(folder):
    program = (
        f"import sys; from sbgen.train import data; assert len(data.load('mnist', {str(folder)!r})[0]) == 7;"
        " assert len(data.load('digits')[2]) == 359; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
