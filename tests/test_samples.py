"""`sbgen.samples`: the same images in every format are the same samples, and everything else is an error with
a name.
"""

import io
import json
import random
import re
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from sbgen import samples
from sbgen.errors import DataError
from sbgen.samples import numpy_file

try:
    from PIL import Image
except ImportError:
    Image = None

needs_pillow = pytest.mark.skipif(Image is None, reason="Pillow is not installed")

SHAPE, CLASSES = (4, 5), ("cat", "dog", "owl")
RNG = np.random.default_rng(7)
PIXELS = RNG.integers(0, 256, (6, *SHAPE)).astype(np.uint8)
LABELS = np.array([0, 1, 2, 0, 2, 1])


def read(path, shape=SHAPE, classes=CLASSES):
    return samples.read(path, image_shape=shape, classes=classes)


def refused(path, *, shape=SHAPE, classes=CLASSES):
    """The message of what is refused: one line, that begins with the file."""
    with pytest.raises(DataError) as error:
        read(path, shape, classes)
    assert (
        str(error.value).startswith(str(path))
        and "\n" not in str(error.value)
        and len(str(error.value)) < 400
    )
    return str(error.value)


def npz(folder, name="x.npz", **arrays):
    np.savez(folder / name, **arrays)
    return folder / name


def table(folder, text, name="x.csv"):
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder / name


def rows(pixels=PIXELS, labels=LABELS, last=True):
    for image, label in zip(
        pixels.reshape(len(pixels), -1).tolist(),
        labels.tolist() if labels is not None else [None] * len(pixels),
        strict=True,
    ):
        own = [] if label is None else [label]
        yield ",".join(map(str, image + own if last else own + image))


def header(count=20):
    return ",".join(f"pixel{n}" for n in range(count))


def by_class(folder, pixels=PIXELS, labels=LABELS, names=CLASSES, ending=".png"):
    for n, (image, label) in enumerate(zip(pixels, labels.tolist(), strict=True)):
        (folder / names[label]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / names[label] / f"{n:05}{ending}")
    return folder


# ------------------------------------------------------------------------------------------------ what is
# read


def test_arrays_of_either_name(tmp_path):
    for names in ("images", "labels"), ("X", "y"):
        got = read(npz(tmp_path, **dict(zip(names, (PIXELS, LABELS), strict=True)), outputs=np.zeros(3)))
        assert (
            np.array_equal(got.images, PIXELS)
            and np.array_equal(got.labels, LABELS)
            and got.source == "x.npz"
        )
        assert got.images.dtype == np.uint8 and got.labels.dtype == np.int64
    assert read(npz(tmp_path, images=PIXELS)).labels is None


def test_what_was_read_cannot_be_written_to(tmp_path):
    got = read(npz(tmp_path, images=PIXELS, labels=LABELS))
    with pytest.raises(ValueError, match="read-only"):
        got.images[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        got.labels[0] = 0


def test_digest_is_that_of_the_content_alone(tmp_path):
    digests = {
        read(npz(tmp_path, images=images, labels=labels)).sha256
        for images in (PIXELS, PIXELS.astype(">i4"), PIXELS.reshape(6, 20), np.asfortranarray(PIXELS))
        for labels in (LABELS, LABELS.astype(np.uint8), np.array(CLASSES)[LABELS])
    }
    assert digests == {samples.digest(PIXELS, LABELS)}
    others = {
        samples.digest(PIXELS, None),
        samples.digest(PIXELS[::-1], LABELS),
        samples.digest(PIXELS, LABELS[::-1]),
        samples.digest(PIXELS.reshape(6, 20), LABELS),
        samples.digest(PIXELS[:5], LABELS[:5]),
    }
    assert len(others - digests) == 5


def test_digest_as_the_docs_describe_it():
    import hashlib

    text = b'{"images": [6, 4, 5], "labels": [6]}\n' + PIXELS.tobytes() + LABELS.astype("<i8").tobytes()
    assert samples.digest(PIXELS, LABELS) == hashlib.sha256(text).hexdigest()


@pytest.mark.parametrize(
    "shape, stored",
    [((4, 5), (4, 5, 1)), ((4, 5), (1, 4, 5)), ((4, 5, 1), (4, 5)), ((20,), (4, 5)), ((4, 5), (20,))],
)
def test_axes_that_do_not_move_a_pixel(tmp_path, shape, stored):
    got = read(npz(tmp_path, images=PIXELS.reshape(6, *stored)), shape)
    assert got.images.shape == (6, *shape) and np.array_equal(got.images.reshape(-1), PIXELS.reshape(-1))


def test_names_of_classes_come_before_numbers(tmp_path):
    path = npz(tmp_path, images=PIXELS[:2], labels=np.array(["1", "0"]))
    assert read(path, classes=("1", "0")).labels.tolist() == [0, 1]
    assert read(path, classes=("a", "b")).labels.tolist() == [1, 0]


def test_names_in_bytes(tmp_path):
    assert read(npz(tmp_path, images=PIXELS[:2], labels=np.array([b"owl", b"cat"]))).labels.tolist() == [2, 0]


def test_a_name_is_the_same_however_its_accents_are_written(tmp_path):
    path = npz(tmp_path, images=PIXELS[:1], labels=np.array(["cafe\u0301"]))
    assert read(path, classes=("caf\u00e9",)).labels.tolist() == [0]


def test_signed_pixels_are_numbers_and_their_bytes_are_read(tmp_path):
    values = PIXELS.view(np.int8)
    text = f"{header()},label\n" + "\n".join(rows(values))
    for path in (
        npz(tmp_path, images=values),
        npz(tmp_path, "y.npz", images=values.astype(int)),
        npz(tmp_path, "z.npz", images=PIXELS),
        table(tmp_path, text),
    ):
        got = samples.read(path, image_shape=SHAPE, classes=CLASSES, signed=True)
        assert np.array_equal(got.images, PIXELS)
    with pytest.raises(
        DataError, match=r"must be pixels of -128 ... 127, found \d+ ... \d\d\d of type int64"
    ):
        samples.read(
            npz(tmp_path, images=PIXELS.astype(int)), image_shape=SHAPE, classes=CLASSES, signed=True
        )
    with pytest.raises(DataError, match="must be a pixel of -128 ... 127, found '2"):
        samples.read(
            table(tmp_path, f"{header()}\n" + "\n".join(rows(np.full((1, 4, 5), 200), labels=None))),
            image_shape=SHAPE,
            classes=CLASSES,
            signed=True,
        )


class TestSeveralLabels:
    BITS = np.array([[0, 0, 1], [1, 1, 1], [0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]])

    def read(self, path):
        return samples.read(path, image_shape=SHAPE, classes=CLASSES, multi_label=True)

    def test_bits(self, tmp_path):
        plain = [
            f"{row},{','.join(map(str, bits))}"
            for row, bits in zip(rows(labels=None), self.BITS.tolist(), strict=True)
        ]
        named = [
            f"{bits[1]},{row},{bits[0]},{bits[2]}"
            for row, bits in zip(rows(labels=None), self.BITS.tolist(), strict=True)
        ]
        for path in (
            npz(tmp_path, images=PIXELS, labels=self.BITS),
            npz(tmp_path, "b.npz", X=PIXELS, y=self.BITS.astype(bool)),
            table(tmp_path, "\n".join(plain)),
            table(tmp_path, "\n".join([f"dog,{header()},cat,owl", *named]), "n.csv"),
        ):
            got = self.read(path)
            assert (
                np.array_equal(got.images, PIXELS)
                and np.array_equal(got.labels, self.BITS)
                and got.sha256 == samples.digest(PIXELS, self.BITS)
            )
        assert self.read(table(tmp_path, "\n".join(rows(labels=None)))).labels is None

    @pytest.mark.parametrize(
        "labels, message",
        [
            (
                LABELS,
                (
                    r"labels must be a bit for each of the network's 3 outputs, \(6, 3\) of 0 and 1, found"
                    r" int64 of shape \(6,\)"
                ),
            ),
            (BITS * 2 - 1, r"found -1 ... 1; save labels > 0"),
            (BITS * 2, "found 0 ... 2"),
            (BITS.astype(float), "save labels.astype"),
        ],
    )
    def test_other_labels(self, tmp_path, labels, message):
        with pytest.raises(DataError, match=message):
            self.read(npz(tmp_path, images=PIXELS, labels=labels))

    @pytest.mark.parametrize(
        "text, message",
        [
            ("\n".join(rows()), "20 columns of pixels, and 3 of bits or none, but its first line has 21"),
            ("\n".join(f"{row},0,1,2" for row in rows(labels=None)), "its bits must be 0 or 1, found '2'"),
            ("\n".join(f"{row},0,1,1" for row in rows(labels=None)) + "\n1,2", "line 7: must have 23 values"),
            (header(), "only column names"),
        ],
    )
    def test_other_tables(self, tmp_path, text, message):
        with pytest.raises(DataError, match=message):
            self.read(table(tmp_path, text))

    def test_a_folder_says_one_class(self, tmp_path):
        with pytest.raises(DataError, match="must be a .npz or .csv, as this network has several labels"):
            self.read(tmp_path)


class TestTable:
    @pytest.mark.parametrize(
        "text",
        [
            "\n".join(rows()),
            "\r\n".join(rows()) + "\r\n\r\n",
            f"{header()},label\n" + "\n".join(rows()),
            f"Label,{header()}\n" + "\n".join(rows(last=False)),
            f"\ufefflabel,{header()}\n" + "\n".join(rows(last=False)),
            "label," + ",".join(map(str, range(20))) + "\n" + "\n".join(rows(last=False)),
            "\n".join(rows()).replace(",", ", "),
            f"{header()},what\n" + "\n".join(rows()),
            "\n".join(f'"{row}"'.replace(",", '","') for row in rows()),
        ],
        ids=[
            "plain",
            "windows",
            "header",
            "label-first",
            "byte-order-mark",
            "counted-columns",
            "spaces",
            "last-of-any-name",
            "quoted",
        ],
    )
    def test_forms(self, tmp_path, text):
        got = read(table(tmp_path, text))
        assert np.array_equal(got.images, PIXELS) and np.array_equal(got.labels, LABELS)

    def test_names_of_classes(self, tmp_path):
        text = "\n".join(
            f"{row},{CLASSES[label]}" for row, label in zip(rows(labels=None), LABELS, strict=True)
        )
        assert np.array_equal(read(table(tmp_path, text)).labels, LABELS)

    def test_classes_named_as_a_column_of_labels(self, tmp_path):
        # The first line is an image, whatever its class is called.
        text = "\n".join(
            f"{row},{'xy'[label % 2]}" for row, label in zip(rows(labels=None), LABELS, strict=True)
        )
        assert len(read(table(tmp_path, text), classes=("x", "y")).images) == 6
        assert len(read(table(tmp_path, text.replace(",x", ",y")), classes=("x", "y")).images) == 6

    def test_without_labels(self, tmp_path):
        for begin in "", header() + "\n":
            got = read(table(tmp_path, begin + "\n".join(rows(labels=None))))
            assert got.labels is None and np.array_equal(got.images, PIXELS)


@needs_pillow
class TestFolder:
    def test_names_or_numbers(self, tmp_path):
        for n, names in enumerate([CLASSES, ("0", "1", "2"), ("00", "01", "02")]):
            got = read(by_class(tmp_path / str(n), names=names))
            assert got.labels.tolist() == [0, 1, 2, 0, 1, 2] and got.note == ""
            assert np.array_equal(got.images, PIXELS[[0, 1, 2, 3, 5, 4]])

    def test_hidden_files_are_left_out(self, tmp_path):
        by_class(tmp_path)
        (tmp_path / ".DS_Store").write_bytes(b"")
        (tmp_path / "cat" / "._00000.png").write_bytes(b"")
        assert len(read(tmp_path).images) == 6

    def test_colours(self, tmp_path):
        pixels = RNG.integers(0, 256, (6, 4, 5, 3)).astype(np.uint8)
        got = read(by_class(tmp_path, pixels), (4, 5, 3))
        assert np.array_equal(got.images, pixels[[0, 1, 2, 3, 5, 4]])
        assert np.array_equal(read(tmp_path, (60,)).images, pixels[[0, 1, 2, 3, 5, 4]].reshape(6, 60))

    def test_exact_conversions_are_said(self, tmp_path):
        by_class(tmp_path / "grey")
        got = read(tmp_path / "grey", (4, 5, 3))
        assert (
            np.array_equal(got.images[0], np.repeat(PIXELS[0][..., None], 3, axis=2))
            and got.note == "6 grey images taken as three equal channels"
        )
        by_class(tmp_path / "rgb", np.repeat(PIXELS[..., None], 3, axis=3))
        got = read(tmp_path / "rgb")
        assert (
            np.array_equal(got.images[0], PIXELS[0])
            and got.note == "6 images of equal channels taken as grey"
        )

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
    def test_every_kind_of_png_is_its_pixels(self, tmp_path, mode):
        pixels = PIXELS[0] if mode != "1" else (PIXELS[0] > 99).astype(np.uint8) * 255
        (tmp_path / "cat").mkdir()
        Image.fromarray(pixels).convert(mode).save(tmp_path / "cat" / "a.png")
        assert np.array_equal(read(tmp_path).images[0], pixels)

    def test_jpeg(self, tmp_path):
        pixels = np.full((6, 4, 5), 128, np.uint8)
        assert np.array_equal(read(by_class(tmp_path, pixels, ending=".JPG")).images, pixels)

    def test_transparency_is_a_channel_of_a_network_of_four(self, tmp_path):
        pixels = RNG.integers(0, 256, (6, 4, 5, 4)).astype(np.uint8)
        assert np.array_equal(read(by_class(tmp_path, pixels), (4, 5, 4)).images[0], pixels[0])
        assert "must have no transparent pixels, as the network has 3 channels" in refused_in(
            tmp_path, (4, 5, 3)
        )

    def test_colour_is_not_turned_into_grey(self, tmp_path):
        by_class(tmp_path, RNG.integers(0, 256, (6, 4, 5, 3)).astype(np.uint8))
        assert "must be grey as the network's images are, but has colours" in refused_in(tmp_path)

    def test_sixteen_bits(self, tmp_path):
        by_class(tmp_path)
        Image.fromarray(PIXELS[0].astype(np.uint16) * 257).save(tmp_path / "cat" / "a.png")
        assert "must have 8 bits for each pixel and channel, found 16" in refused_in(tmp_path)

    def test_another_size(self, tmp_path):
        by_class(tmp_path)
        Image.fromarray(PIXELS[0].T.copy()).save(tmp_path / "dog" / "a.png")
        assert "must have the network's size, 4 x 5 (height x width), found 5 x 4" in refused_in(tmp_path)
        assert "must be 4 x 5 (height x width) as" in refused_in(tmp_path, (20,))
        assert (
            "must have the 21 values that the network takes, as grey or RGB, found 4 x 5 pixels"
            in refused_in(tmp_path, (21,))
        )

    def test_a_huge_image_is_not_unpacked(self, tmp_path):
        (tmp_path / "cat").mkdir()
        (tmp_path / "cat" / "a.png").write_bytes(png(width=30_000, height=30_000))
        assert refused_in(tmp_path)
        (tmp_path / "cat" / "a.png").write_bytes(png(width=9_000, height=9_000))
        assert "found 9000 x 9000" in refused_in(tmp_path)

    @pytest.mark.parametrize(
        "spoil, message",
        [
            (
                lambda folder: (folder / "wolf").mkdir(),
                (
                    "its sub-folders must all be names of the network's classes (cat, dog, owl) or all be"
                    " numbers of 0 ... 2, found 'wolf'"
                ),
            ),
            (lambda folder: (folder / "1").mkdir(), "found '1'"),
            (
                lambda folder: (folder / "a.png").write_bytes(b""),
                "must hold a sub-folder of images for each class, named by the class, but holds 'a.png'",
            ),
            (
                lambda folder: (folder / "cat" / "a.bmp").write_bytes(b""),
                "must hold PNG and JPEG files alone, but holds 'a.bmp'",
            ),
            (
                lambda folder: (folder / "cat" / "a.png").mkdir(),
                "must hold PNG and JPEG files alone, but holds 'a.png'",
            ),
            (
                lambda folder: (folder / "cat" / "a.png").write_bytes(b""),
                "must be a PNG or JPEG image, but cannot identify image file",
            ),
            (
                lambda folder: (folder / "cat" / "a.png").write_bytes(
                    (folder / "cat" / "00000.png").read_bytes()[:50]
                ),
                "must be a PNG or JPEG image, but",
            ),
            (
                lambda folder: (folder / "cat" / "a.png").symlink_to("nowhere"),
                "must hold PNG and JPEG files alone",
            ),
        ],
    )
    def test_what_does_not_belong(self, tmp_path, spoil, message):
        spoil(by_class(tmp_path))
        assert message in refused_in(tmp_path)

    def test_two_folders_of_one_class(self, tmp_path):
        by_class(tmp_path, names=("0", "1", "2"))
        (tmp_path / "02").mkdir()
        assert "must have one sub-folder for each class, but class 2 has '02', '2'" in refused(tmp_path)

    def test_no_images(self, tmp_path):
        assert "but is empty" in refused(tmp_path)
        (tmp_path / "cat").mkdir()
        assert "must have a PNG or JPEG file in a sub-folder" in refused(tmp_path)

    def test_channels_that_no_picture_has(self, tmp_path):
        by_class(tmp_path)
        with pytest.raises(DataError, match="must be for a network of 1, 3 or 4 channels"):
            read(tmp_path, (4, 5, 2))


def refused_in(folder, shape=SHAPE):
    """The message about a file in a folder."""
    with pytest.raises(DataError) as error:
        read(folder, shape)
    assert str(error.value).startswith(str(folder)) and "\n" not in str(error.value)
    return str(error.value)


def png(*, width, height):
    """A small file that says it is a large image."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


# ------------------------------------------------------------------------------------------------ what is
# refused


def promise(shape, descr="|u1", data=b"", version=(1, 0)):
    """A .npy of any header."""
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape!r}, }}\n".encode()
    return (
        b"\x93NUMPY"
        + bytes(version)
        + struct.pack("<H" if version == (1, 0) else "<I", len(text))
        + text
        + data
    )


@pytest.mark.parametrize(
    "content",
    [
        promise((1 << 40, 4, 5)),
        promise((1 << 40, 4, 5), data=bytes(100)),
        promise((6, 4, 5), data=bytes(119)),
        promise((6, 4, 5), data=bytes(121)),
        promise((6, 4, 5), version=(2, 0)),
        promise((6, 4, 5), version=(9, 9), data=bytes(120)),
        promise((-6, 4, 5)),
        promise((True, 4, 5), data=bytes(20)),
        promise((10**600,) * 12),
        promise((6, 4, 5), descr="|O", data=bytes(960)),
        promise((6, 4, 5), descr="|V0"),
        promise((6, 4, 5), descr=[("a", "|u1")]),
        promise((6,), descr=("|u1", (4, 5)), data=bytes(120)),
        promise("a"),
        promise((0, 4, 5)),
        promise(()),
        b"\x93NUMPY\1\0\xff\xff{",
        b"\x93NUMPY\2\0\xff\xff\xff\x7f{",
        b"\x93NUMPY",
        b"\x93NUMPY\1\0\x05\0((((\n",
    ],
    ids=range(20),
)
def test_header_of_npy_and_npz(tmp_path, content):
    (tmp_path / "x.npy").write_bytes(content)
    refused(tmp_path / "x.npy")
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("images.npy", content)
    refused(tmp_path / "x.npz")


def test_a_promise_is_said_and_not_allocated(tmp_path):
    (tmp_path / "x.npy").write_bytes(promise((1 << 40, 4, 5)))
    assert (
        "must have at most 1,073,741,824 bytes of elements, but its header promises 21,990,232,555,520; save"
        " fewer" in refused(tmp_path / "x.npy")
    )
    (tmp_path / "x.npy").write_bytes(promise((1 << 20, 4, 5), data=bytes(20)))
    assert "is damaged: its header promises 20,971,520 bytes of elements, but it has 20" in refused(
        tmp_path / "x.npy"
    )


def test_a_large_archive_of_nothing_is_not_unpacked(tmp_path):
    with (
        zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("images.npy", "w", force_zip64=True) as member,
    ):
        member.write(promise((1 << 31, 4, 5)))
        for _ in range(64):
            member.write(bytes(1 << 20))
    assert (tmp_path / "x.npz").stat().st_size < 100_000
    refused(tmp_path / "x.npz")


def test_only_the_arrays_that_count_are_unpacked(tmp_path):
    with zipfile.ZipFile(npz(tmp_path, images=PIXELS), "a") as archive:
        archive.writestr("notes.npy", b"no array")
    assert np.array_equal(read(tmp_path / "x.npz").images, PIXELS)


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"images": PIXELS, "X": PIXELS}, "must hold one of images and X, but holds both"),
        ({"images": PIXELS, "labels": LABELS, "y": LABELS}, "must hold one of labels and y, but holds both"),
        ({"x_test": PIXELS, "y_test": LABELS}, "must hold `images` or `X`, but holds x_test, y_test"),
        ({}, "must hold `images` or `X`, but holds nothing"),
        ({"images": PIXELS.astype(object)}, "holds pickled Python objects, which are never read"),
        (
            {"images": PIXELS, "labels": np.array(["cat", 1, None, 3, 4, 5], object)},
            "labels must hold numbers or text, but holds pickled",
        ),
        ({"images": PIXELS.astype(str)}, "must be pixels of type uint8, found <U3"),
        ({"images": PIXELS.astype(complex)}, "must be pixels of type uint8, found complex128"),
        (
            {"images": np.array([(1, 2)], "u1,u1")},
            "must hold plain numbers or text, found [('f0', 'u1'), ('f1', 'u1')]",
        ),
        ({"images": PIXELS.astype(np.int16) - 128}, "must be pixels of 0 ... 255, found -1"),
        ({"images": PIXELS.astype(np.uint16) * 257}, "must be pixels of 0 ... 255, found "),
        (
            {"images": PIXELS[0]},
            "must have the shape (N, 4, 5) or (N, 20), found (4, 5); save images[None] of a single image",
        ),
        ({"images": PIXELS[:0]}, "must have the shape (N, 4, 5) or (N, 20) with N from 1, found (0, 4, 5)"),
        ({"images": np.uint8(3)}, "must have the shape (N, 4, 5) or (N, 20) with N from 1, found ()"),
        ({"images": PIXELS.swapaxes(1, 2)}, "found (6, 5, 4), whose axes are in another order"),
        ({"images": PIXELS[:, :3]}, "found (6, 3, 5): 15 values for each image instead of 20"),
        (
            {"images": PIXELS, "labels": LABELS[:5]},
            "labels must have the shape (6,), one label for each image, found (5,)",
        ),
        ({"images": PIXELS, "labels": LABELS[:, None]}, "found (6, 1); save labels.reshape(-1)"),
        (
            {"images": PIXELS, "labels": np.eye(3)[LABELS]},
            "found (6, 3); save labels.argmax(axis=1) of one-hot rows",
        ),
        (
            {"images": PIXELS, "labels": LABELS + 1},
            (
                "labels must be class numbers of 0 ... 2, found 1 ... 3; save labels - 1, where they count"
                " from 1"
            ),
        ),
        ({"images": PIXELS, "labels": LABELS - 1}, "labels must be class numbers of 0 ... 2, found -1 ... 1"),
        (
            {"images": PIXELS, "labels": LABELS.astype(np.uint64) + np.uint64(2**63)},
            "found 9223372036854775808 ...",
        ),
        (
            {"images": PIXELS, "labels": LABELS.astype(float)},
            "labels must be class numbers or names, found float64; save labels.astype(numpy.int64)",
        ),
        (
            {"images": PIXELS, "labels": np.array(["cat"] * 5 + ["cow"])},
            (
                "labels must all be names of the network's classes (cat, dog, owl) or all be "
                "numbers of 0 ... 2, found 'cow'"
            ),
        ),
        ({"images": PIXELS, "labels": np.array(["cat"] * 5 + ["1"])}, "found '1'"),
        ({"images": PIXELS, "labels": np.array([b"\xff"] * 6)}, "labels must be text in UTF-8"),
    ],
)
def test_arrays_of_another_kind(tmp_path, arrays, message):
    assert message in refused(npz(tmp_path, **arrays))


@pytest.mark.parametrize(
    "change",
    [
        lambda images: images > 99,
        lambda images: images / 255,
        lambda images: (images / 255).astype(np.float16),
        lambda images: images.astype(float),
        lambda images: np.moveaxis(images, -1, 1),
    ],
    ids=["bool", "unit", "half", "whole", "channels-first"],
)
def test_what_the_error_says_to_save_is_then_read(tmp_path, change):
    pixels = RNG.integers(0, 256, (6, 4, 5, 3)).astype(np.uint8)
    images = change(pixels)
    message = refused(npz(tmp_path, images=images), shape=(4, 5, 3))
    remedy = re.search(r"; save (.*?)(?: where .*)?$|first; save (.*)$", message)
    saved = eval(remedy[1] or remedy[2], {"images": images, "numpy": np})
    got = read(npz(tmp_path, images=saved), (4, 5, 3))
    assert np.array_equal(got.images, pixels if images.dtype != bool else (pixels > 99) * 255)


def test_floats_that_are_no_numbers(tmp_path):
    images = PIXELS / 255
    images[3, 2, 1] = np.nan
    assert "found float64 with values that are NaN or infinite" in refused(npz(tmp_path, images=images))


def test_an_array_twice(tmp_path):
    with (
        zipfile.ZipFile(npz(tmp_path, images=PIXELS), "a") as archive,
        pytest.warns(UserWarning, match="Duplicate name"),
    ):
        archive.writestr("images.npy", promise((6, 4, 5), data=bytes(120)))
    assert "must hold each array once, but holds 'images' twice" in refused(tmp_path / "x.npz")


@pytest.mark.parametrize("count", [6, 6000])
def test_a_changed_byte_of_an_archive_is_noticed(tmp_path, count):
    pixels = np.resize(PIXELS, (count, *SHAPE))
    path = npz(tmp_path, images=pixels)
    content = bytearray(path.read_bytes())
    content[content.index(pixels.tobytes()) + pixels.size - 1] ^= 1
    path.write_bytes(content)
    assert "Bad CRC-32" in refused(path)


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "must have a line of 20 pixels for each image, but is empty"),
        ("\n\n", "but is empty"),
        (header(), "but has only column names"),
        (header(19) + "\n" + "\n".join(rows(labels=None)), "its first line has 19 columns"),
        (f"label,{header(19)}\n" + "\n".join(rows()), "its first line has 20 columns, label one of them"),
        (f"label,y,{header()}\n", "must have one column of labels, but label, y are names for labels"),
        (
            f",{header()}\n" + "\n".join(rows(last=False)),
            (
                "must have a name for each column or for none, but column 1 has none; from pandas, save with "
                "index=False"
            ),
        ),
        ("\n".join(rows()).replace(",", "|"), "its first line has 1 columns"),
        (
            ",".join(map(str, range(20))) + "\n" + "\n".join(rows(labels=None)),
            "line 1: must be an image or column names, but counts 0 1 2",
        ),
        ("\n".join(rows()) + "\n1,2,3", "line 7: must have 21 values as the first line has, found 3"),
        (
            "\n".join([*rows(), next(rows()).replace(",", ",256,", 1).rsplit(",", 1)[0]]),
            "line 7, column 2: must be a pixel of 0 ... 255, found '256'",
        ),
        (
            "\n".join([*rows(), next(rows()).replace(",", ",7.0,", 1).rsplit(",", 1)[0]]),
            "found '7.0'; save whole numbers, as of images.astype(int)",
        ),
        (
            "\n".join([*rows(), next(rows()).replace(",", ",0.5,", 1).rsplit(",", 1)[0]]),
            "found '0.5'; save (images * 255).round() where 1.0 is a pixel",
        ),
        ("\n".join([*rows(), next(rows()).replace(",", ",nan,", 1).rsplit(",", 1)[0]]), "found 'nan'"),
        ("\n".join([*rows(), next(rows()).replace(",", ",,", 1).rsplit(",", 1)[0]]), "found ''"),
        ("\n".join([*rows(), next(rows()).replace(",", ",x,", 1).rsplit(",", 1)[0]]), "found 'x'"),
        (
            "\n".join(rows(labels=LABELS + 7)),
            (
                "its labels must all be names of the network's classes (cat, dog, owl) or all be numbers of 0"
                " ... 2, found '7'"
            ),
        ),
        ("\n".join(rows()) + '\n"1', "must be values with ',' between them, but"),
        ("\n".join(rows()).replace(",", "\r", 1), "line 1: must be values with ',' between them, but"),
        ("\n".join(rows()).encode("utf-16"), "must be text in UTF-8, found UTF-16"),
        ("\n".join(rows()).encode() + b"\n\xff", "line 7: must be text in UTF-8"),
        ("0," * 3000, "must have lines of at most 1,408 bytes"),
    ],
)
def test_tables_of_another_kind(tmp_path, text, message):
    assert message in refused(table(tmp_path, text))


@pytest.mark.parametrize("mark", [";", "\t", ",", " ; "])
@pytest.mark.parametrize("first", ["", f"{header()},label\n"])
def test_tables_separated_as_a_spreadsheet_does(tmp_path, first, mark):
    got = read(table(tmp_path, (first + "\n".join(rows())).replace(",", mark)))
    assert (got.images == PIXELS).all() and (got.labels == LABELS).all()


def test_labels_first_without_a_header_are_not_read_as_pixels(tmp_path):
    """As the well-known tables of MNIST are: their last column is a corner pixel, 0 in each line."""
    pixels = np.where(np.arange(20).reshape(SHAPE) == 19, 0, PIXELS)
    message = refused(table(tmp_path, "\n".join(rows(pixels, last=False))))
    assert (
        "its last column, taken for the labels, has '0' in every line, and its first could be labels; name"
        " the columns" in message
    )
    got = read(table(tmp_path, f"label,{header()}\n" + "\n".join(rows(pixels, last=False))))
    assert np.array_equal(got.images, pixels) and np.array_equal(got.labels, LABELS)


def test_files_that_are_none(tmp_path):
    import os

    assert "cannot be read: No such file" in refused(tmp_path / "x.npz")
    (tmp_path / "x.npz").write_bytes(b"version https://git-lfs")
    assert (
        "must be a .npz or .npy of NumPy, a .csv, or a folder of images by class, but begins with b'versio'"
        in refused(tmp_path / "x.npz")
    )
    os.mkfifo(tmp_path / "pipe")
    assert "must be a file or a folder of images by class, found neither" in refused(tmp_path / "pipe")


# ------------------------------------------------------------------------------------------------ at random


def random_set(rng):
    """Images, labels, and what a network takes, in the order in which a folder by class has them."""
    channels = rng.choice((None, 1, 3))
    shape = (rng.randint(1, 6), rng.randint(1, 6), *([] if channels is None else [channels]))
    classes = tuple(
        rng.sample(
            ("cat", "dog", "3", "0", "caf\u00e9", "two words", "y", "label", "a,b", '"q"'), rng.randint(1, 5)
        )
    )
    if rng.random() < 0.3:
        classes = tuple(map(str, range(len(classes))))
    count = rng.randint(1, 12)
    images = np.array(
        [rng.choice((0, 255, rng.randrange(256))) for _ in range(count * int(np.prod(shape)))], np.uint8
    ).reshape(count, *shape)
    labels = np.array([rng.randrange(len(classes)) for _ in range(count)])
    rank = np.array([(labels[:n] == label).sum() for n, label in enumerate(labels)])
    order = np.lexsort((labels, rank))
    return images[order], labels[order], shape, classes


def write_npz(folder, images, labels, classes, rng):
    kind = rng.choice((np.uint8, np.int16, np.uint16, ">i4", np.int64))
    stored = images.reshape(len(images), -1) if rng.random() < 0.5 else images
    given = labels if rng.random() < 0.5 else np.array([classes[label] for label in labels])
    if given.dtype.kind == "U" and rng.random() < 0.3:
        given = np.array([text.encode() for text in given.tolist()])
    names = rng.choice((("images", "labels"), ("X", "y")))
    save = rng.choice((np.savez, np.savez_compressed))
    save(folder / "set.npz", **{names[0]: np.asarray(stored, kind, order=rng.choice("CF")), names[1]: given})
    return folder / "set.npz"


def write_csv(folder, images, labels, classes, rng):
    import csv as writer

    pixels = images.reshape(len(images), -1).tolist()
    place = rng.randrange(len(pixels[0]) + 1)
    with open(folder / "set.csv", "w", newline="", encoding=rng.choice(("utf-8", "utf-8-sig"))) as file:
        out = writer.writer(
            file,
            lineterminator=rng.choice(("\n", "\r\n")),
            quoting=rng.choice((writer.QUOTE_MINIMAL, writer.QUOTE_ALL)),
        )
        names = [f"pixel{n}" for n in range(len(pixels[0]))]
        out.writerow([*names[:place], rng.choice(("label", "y", "Class")), *names[place:]])
        named = rng.random() < 0.5 or set(map(str, labels.tolist())) <= set(classes)
        for row, label in zip(pixels, labels.tolist(), strict=True):
            out.writerow([*row[:place], classes[label] if named else label, *row[place:]])
    return folder / "set.csv"


def write_folder(folder, images, labels, classes, rng):
    numbers = rng.random() < 0.3 and not {str(label) for label in labels.tolist()} <= set(classes)
    (folder / "set").mkdir()
    for n, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
        name = folder / "set" / (str(label) if numbers else classes[label])
        name.mkdir(exist_ok=True)
        Image.fromarray(image[..., 0] if image.shape[2:] == (1,) else image).save(
            name / f"{n:04}.{rng.choice(('png', 'PNG'))}"
        )
    return folder / "set"


WRITERS = [write_npz, write_csv, *([write_folder] if Image else [])]


def test_a_random_set_is_the_same_in_every_format(tmp_path):
    start = random.SystemRandom().randrange(1 << 32)
    for seed in range(start, start + 60):
        print("seed", seed)
        rng = random.Random(seed)
        images, labels, shape, classes = random_set(rng)
        for write in WRITERS:
            folder = tmp_path / f"{seed}-{write.__name__}"
            folder.mkdir()
            got = read(write(folder, images, labels, classes, rng), shape, classes)
            assert np.array_equal(got.images, images) and np.array_equal(got.labels, labels), write
            assert got.sha256 == samples.digest(images, labels)
        np.save(folder / "set.npy", images)
        assert read(folder / "set.npy", shape, classes).sha256 == samples.digest(images, None)


def damaged(path, rng):
    """Changes bytes of a file, or of one in a folder."""
    file = path if path.is_file() else rng.choice(sorted(each for each in path.rglob("*") if each.is_file()))
    data = bytearray(file.read_bytes())
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(data) or 1)
        match rng.randrange(4):
            case 0:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del data[at : at + rng.choice((1, 2, 30))]
            case 2:
                data[at:at] = rng.choice((b"0", b"-", b".5", b"\n", b",", b"\0", b"\xff", b'"', bytes(9)))
            case 3:
                del data[rng.randrange(len(data) + 1) :]
    file.write_bytes(data)


def test_a_damaged_set_is_read_or_refused_by_name(tmp_path):
    start, refusals = random.SystemRandom().randrange(1 << 32), 0
    for seed in range(start, start + 150):
        print("seed", seed)
        rng = random.Random(seed)
        images, labels, shape, classes = random_set(rng)
        folder = tmp_path / str(seed)
        folder.mkdir()
        path = rng.choice(WRITERS)(folder, images, labels, classes, rng)
        damaged(path, rng)
        try:
            got = read(path, shape, classes)
            assert got.images.shape[1:] == shape and got.images.dtype == np.uint8 and len(got.images)
            assert (
                got.labels is None
                or 0 <= got.labels.min()
                and got.labels.max() < len(classes)
                and len(got.labels) == len(got.images)
            )
        except DataError as error:
            assert str(folder) in str(error)
            refusals += 1
    assert refusals > 50


def test_headers_at_random_end_in_a_named_error(tmp_path):
    start = random.SystemRandom().randrange(1 << 32)
    sound = (
        json.dumps({"descr": "|u1", "fortran_order": False, "shape": [6, 4, 5]})
        .replace("[", "(")
        .replace("]", ")")
        .replace("false", "False")
    )
    for seed in range(start, start + 400):
        rng = random.Random(seed)
        text = sound
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(text))
            text = (
                text[:at]
                + rng.choice(
                    (
                        "(",
                        ")",
                        "-",
                        "9" * 30,
                        "|O",
                        "<U",
                        "<U9",
                        "<f8",
                        "[",
                        "'",
                        "L",
                        "None",
                        ",",
                        "0",
                        "#",
                        "\\",
                        "1_0",
                        "1.",
                    )
                )
                + text[at + rng.randrange(3) :]
            )
        head = text.encode()
        content = b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head + bytes(rng.choice((120, 0, 121)))
        try:
            numpy_file.stored(io.BytesIO(content), len(content), where="x.npy").read()
        except DataError:
            continue
        except Exception:
            print("seed", seed, text)
            raise


def test_file_name_alone_is_the_source(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    npz(Path("."), images=PIXELS)
    assert read("x.npz").source == "x.npz" == read(tmp_path / "x.npz").source
