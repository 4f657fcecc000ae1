import io
import os
import tarfile

import numpy as np
import pytest
from PIL import Image

from sbgen import cache
from sbgen.errors import DataError
from sbgen.train import cifar, data


def records(count, seed):
    """Raw records of the official format: a label, then the three planes of an image."""
    random = np.random.default_rng(seed)
    found = random.integers(0, 256, (count, cifar._RECORD), dtype=np.uint8)
    found[:, 0] = random.integers(0, 10, count)
    return found


BATCHES = {name: records(n + 1, n) for n, name in enumerate(cifar._BATCHES)}


def pack(path, files, mode="w:gz"):
    with tarfile.open(path, mode) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def archive(path, batches=BATCHES, **more):
    pack(path, {f"cifar-10-batches-bin/{name}": batch.tobytes() for name, batch in batches.items()} | more)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of data sets with a small official archive, and a cache of its own."""
    monkeypatch.delenv("SBGEN_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "cifar10").mkdir()
    archive(tmp_path / "cifar10" / cifar.ARCHIVE)
    return tmp_path


def test_official_archive_has_its_channels_last(folder):
    images, labels, test_images, test_labels = data.load("cifar10", folder)
    every = np.concatenate([BATCHES[name] for name in cifar._BATCHES[:-1]])
    assert (
        images.shape == (15, 32, 32, 3) and images.dtype == np.uint8 and test_images.shape == (6, 32, 32, 3)
    )
    assert np.array_equal(labels, every[:, 0]) and labels.dtype == np.int64
    assert np.array_equal(test_labels, BATCHES["test_batch.bin"][:, 0])
    # The record of an image: 1024 red, 1024 green, 1024 blue pixels, row by row.
    assert (
        images[3, 5, 7].tolist() == every[3, [1 + 5 * 32 + 7, 1025 + 5 * 32 + 7, 2049 + 5 * 32 + 7]].tolist()
    )


@pytest.mark.parametrize("inner", ["", "cifar-10-batches-bin"])
def test_official_files_unpacked(folder, inner):
    before = data.load("cifar10", folder)
    (folder / "cifar10" / cifar.ARCHIVE).unlink()
    (folder / "cifar10" / inner).mkdir(exist_ok=True)
    for name, batch in BATCHES.items():
        (folder / "cifar10" / inner / name).write_bytes(batch.tobytes())
    assert all(np.array_equal(a, b) for a, b in zip(before, data.load("cifar10", folder), strict=True))


def test_official_archive_is_downloaded_with_its_digest(folder, monkeypatch):
    about = data.DATASETS["cifar10"]

    def served(md5):
        return data.Dataset(
            image_shape=about.image_shape,
            max_pixel=255,
            labels=about.labels,
            files=about.files,
            md5=(md5,),
            mirrors=(f"file://{folder}/cifar10/",),
        )

    monkeypatch.setitem(data.DATASETS, "cifar10", served("0" * 32))
    with pytest.raises(DataError, match="sent a file with MD5"):
        data.load("cifar10")
    monkeypatch.setitem(data.DATASETS, "cifar10", served(data._md5(folder / "cifar10" / cifar.ARCHIVE)))
    before = data.load("cifar10")
    (folder / "cifar10" / cifar.ARCHIVE).unlink()
    assert len(before[0]) == 15 and np.array_equal(data.load("cifar10")[0], before[0])


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        ({name: BATCHES[name] for name in cifar._BATCHES[1:]}, "data_batch_1.bin is missing"),
        (
            {**BATCHES, "test_batch.bin": BATCHES["test_batch.bin"].ravel()[:-1]},
            "images of 3073 bytes each, but has 18437 bytes",
        ),
        ({**BATCHES, "test_batch.bin": np.zeros(0, np.uint8)}, "but has 0 bytes"),
        (
            {**BATCHES, "test_batch.bin": np.full((1, 3073), 10, np.uint8)},
            "labels must be less than 10, not 10",
        ),
    ],
)
def test_archive_of_something_else(folder, batches, message):
    archive(folder / "cifar10" / cifar.ARCHIVE, batches)
    with pytest.raises(DataError, match=message):
        data.load("cifar10", folder)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-200],
        lambda content: b"no archive at all",
        lambda content: b"",
        lambda content: content[:5000] + b"\xff" * 99 + content[5099:],
    ],
)
def test_damaged_archive(folder, damage):
    path = folder / "cifar10" / cifar.ARCHIVE
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match="must be a whole tar archive|[.]bin is missing") as caught:
        data.load("cifar10", folder)
    assert "\n" not in str(caught.value)


def test_nothing_there_is_told(tmp_path):
    with pytest.raises(DataError, match="must hold cifar-10-binary.tar.gz or its files, .* --data"):
        data.load("cifar10", tmp_path)
    with pytest.raises(DataError, match="but holds neither; give another folder"):
        data.load("cifar10-jpeg", tmp_path)


def jpeg(colour, size=(32, 32)):
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "JPEG")
    return buffer.getvalue()


#: Files in no order: of each class a grey of its own, twice to train and once to test.
JPEGS = {
    f"{part}/{label}/{n:04}.jpg": jpeg((20 * at + n,) * 3)
    for part, count in (("test", 1), ("train", 2))
    for n in range(count)
    for at, label in reversed(list(enumerate(cifar.LABELS)))
}


@pytest.fixture
def jpegs(folder):
    (folder / "cifar10-jpeg").mkdir()
    return folder / "cifar10-jpeg"


def unpacked(jpegs, files=JPEGS):
    for name, content in files.items():
        (jpegs / name).parent.mkdir(parents=True, exist_ok=True)
        (jpegs / name).write_bytes(content)


def test_jpeg_files_in_the_order_of_classes_and_names(jpegs):
    unpacked(jpegs)
    images, labels, test_images, test_labels = data.load("cifar10-jpeg", jpegs.parent)
    assert images.shape == (20, 32, 32, 3) and images.dtype == np.uint8 and labels.dtype == np.int64
    assert labels.tolist() == np.repeat(range(10), 2).tolist() and test_labels.tolist() == list(range(10))
    assert images[:, 9, 9, 1].tolist() == [20 * at + n for at in range(10) for n in range(2)]
    assert test_images[:, 0, 0, 2].tolist() == [20 * at for at in range(10)]


@pytest.mark.parametrize("mode", ["w:xz", "w:gz", "w"])
def test_archive_is_the_folder(jpegs, mode):
    unpacked(jpegs)
    before = data.load("cifar10-jpeg", jpegs.parent)
    for name in JPEGS:
        (jpegs / name).unlink()
    pack(jpegs / "images.tar.xz", {f"some/where/{name}": content for name, content in JPEGS.items()}, mode)
    assert all(
        np.array_equal(a, b) for a, b in zip(before, data.load("cifar10-jpeg", jpegs.parent), strict=True)
    )


def test_decoded_once_until_the_files_change(jpegs, monkeypatch):
    path = jpegs / "images.tar"
    pack(path, JPEGS, "w")
    before = data.load("cifar10-jpeg", jpegs.parent)
    with monkeypatch.context() as patch:
        patch.setattr(cifar, "_members", None)
        assert all(
            np.array_equal(a, b) for a, b in zip(before, data.load("cifar10-jpeg", jpegs.parent), strict=True)
        )
    pack(path, {**JPEGS, "test/cat/0000.jpg": jpeg("white")}, "w")
    os.utime(path, (1, 1))
    assert (data.load("cifar10-jpeg", jpegs.parent)[2][3] == 255).all()


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:2000]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"[]"),
        lambda path: np.savez(path, train_images=np.zeros(1)),
        lambda path: np.savez(
            path,
            **dict.fromkeys(
                ("train_images", "train_labels", "test_images", "test_labels"), np.zeros(1, np.uint8)
            ),
        ),
    ],
)
def test_damaged_cache_of_jpegs_is_decoded_anew(jpegs, damage):
    unpacked(jpegs)
    before = data.load("cifar10-jpeg", jpegs.parent)
    (path,) = cache.folder("data").glob("*.npz")
    for _ in range(2):
        damage(path)
        assert all(
            np.array_equal(a, b) for a, b in zip(before, data.load("cifar10-jpeg", jpegs.parent), strict=True)
        )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train/cat/0000.jpg", b"no image", "train/cat/0000.jpg must be a JPEG image"),
        ("train/cat/0000.jpg", JPEGS["train/cat/0000.jpg"][:-300], "train/cat/0000.jpg must be a JPEG image"),
        ("train/cat/0000.jpg", jpeg("red", (31, 32)), "must be an image of 32 x 32, not 31 x 32"),
        (
            "train/cow/0000.jpg",
            jpeg("red"),
            "with the classes airplane, .* truck, but there is .*train/cow/0000.jpg",
        ),
    ],
)
def test_files_that_are_no_such_images(jpegs, name, content, message):
    unpacked(jpegs, {**JPEGS, name: content})
    with pytest.raises(DataError, match=message):
        data.load("cifar10-jpeg", jpegs.parent)


def test_part_without_images(jpegs):
    unpacked(jpegs, {name: content for name, content in JPEGS.items() if name.startswith("train")})
    with pytest.raises(
        DataError, match="test/ must hold equally many images of each class, at least one, but holds 0, 0,"
    ):
        data.load("cifar10-jpeg", jpegs.parent)


@pytest.mark.parametrize("size", [10_000, 20_480, 30_000])
def test_archive_that_ends_too_early(jpegs, size):
    pack(jpegs / "images.tar", JPEGS, "w")
    content = (jpegs / "images.tar").read_bytes()
    assert len(content) > 40_000
    (jpegs / "images.tar").write_bytes(content[:size])
    with pytest.raises(DataError, match="must be a whole tar archive|equally many images of each class"):
        data.load("cifar10-jpeg", jpegs.parent)


def test_two_archives(jpegs):
    for name in ("a.tar", "b.tar"):
        pack(jpegs / name, JPEGS, "w")
    with pytest.raises(DataError, match="but holds 2 archives"):
        data.load("cifar10-jpeg", jpegs.parent)


def test_jpeg_form_has_no_mirror(folder):
    with pytest.raises(DataError, match="must be given as a folder .* cifar10 can be downloaded"):
        data.load("cifar10-jpeg")
