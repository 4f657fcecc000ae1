"""PNG and JPEG files in sub-folders as pixels of 0 ... 255: exactly those of the files, or an error."""

import io
import math
import struct
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DataError

if TYPE_CHECKING:  # Pillow is an extra
    from PIL.Image import Image

__all__ = ["files", "folders", "opened", "read", "require_pillow", "rgba"]

_ENDINGS = (".png", ".jpg", ".jpeg")

#: No image of a size that a network here takes is larger.
_MAX_BYTES = 1 << 26

_PNG = b"\x89PNG\r\n\x1a\n"

#: What Pillow raises on a damaged file.
_DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    MemoryError,
    struct.error,
    zlib.error,
)


def folders(path: Path) -> list[Path]:
    """The sub-folders of a folder, sorted by name; hidden ones (with a dot first) are left out.

    Raises a `DataError` where there is none, or anything that is no folder.
    """
    entries = sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
    other = next((entry for entry in entries if not entry.is_dir()), None)
    if other is not None or not entries:
        found = "is empty" if other is None else f"holds {other.name!r:.60}"
        raise DataError(
            f"{path} must hold a sub-folder of images for each class, named by the class, but {found}"
        )
    return entries


def files(folder: Path) -> list[Path]:
    """The images of one sub-folder, sorted by name, without hidden files; other files are a `DataError`."""
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    for entry in entries:
        if entry.suffix.lower() not in _ENDINGS or not entry.is_file():
            raise DataError(f"{folder} must hold PNG and JPEG files alone, but holds {entry.name!r:.60}")
    return entries


def read(paths: Sequence[Path], image_shape: tuple[int, ...]) -> tuple[np.ndarray, str]:
    """The pixels of files of one size.

    Parameters
    ----------
    paths : sequence of Path
    image_shape : tuple of int
        (height, width) or (height, width, channels) with 1, 3 or 4 channels; (pixels,) is grey or RGB of any
        one size with as many.

    Returns
    -------
    images : uint8 array, shape (N, pixels)
    note : str
        Which exact conversions were done, on how many files.

    Raises
    ------
    DataError
        Pillow is not installed; a file is damaged, of another size or of another kind of colour.
    """
    require_pillow()
    if len(image_shape) > 3 or len(image_shape) == 3 and image_shape[2] not in (1, 3, 4):
        raise DataError(
            "a folder of images must be for a network of 1, 3 or 4 channels, but this one takes"
            f" {image_shape}; save the images as .npz"
        )
    images = np.empty((len(paths), math.prod(image_shape)), np.uint8)
    size, converted = None, Counter[str]()
    for n, path in enumerate(paths):
        image = opened(path)
        height, width = image.height, image.width
        channels = _channels(path, height, width, image_shape)  # before any pixel is unpacked
        size = size or (height, width)
        if (height, width) != size:
            raise DataError(
                f"{path} must be {size[0]} x {size[1]} (height x width) as {paths[0]} is, found {height} x"
                f" {width}"
            )
        images[n], conversion = _pixels(path, image, channels)
        converted[conversion] += 1
    return images, "; ".join(
        f"{count:,} {conversion}" for conversion, count in sorted(converted.items()) if conversion
    )


def require_pillow() -> None:
    """Raise a `DataError` if Pillow is not installed."""
    try:
        import PIL  # noqa: F401
    except ImportError as error:
        raise DataError(
            "a folder of images needs Pillow, which is not installed; try `pip install pillow`, or save the"
            " images as .npz"
        ) from error


def opened(path: Path) -> "Image":
    """A Pillow image of which only the header has been read."""
    from PIL import Image

    size = path.stat().st_size
    if size > _MAX_BYTES:
        raise DataError(f"{path} must have at most {_MAX_BYTES:,} bytes, found {size:,}")
    data = path.read_bytes()
    # Pillow would drop the low bits of colours.
    if data[:8] == _PNG and data[12:16] == b"IHDR" and data[24:25] == b"\x10":
        raise DataError(f"{path} must have 8 bits for each pixel and channel, found 16; save it with 8")
    with _damage_named(path):
        return Image.open(io.BytesIO(data), formats=("PNG", "JPEG"))


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    """Turn whatever Pillow raises into a `DataError`."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    except (*_DAMAGED, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(
            f"{path} must be a PNG or JPEG image, but {' '.join(str(error).split()):.120}; save it again"
        ) from error


def rgba(path: Path, image: "Image") -> np.ndarray:
    """The pixels, (rows, columns, 4), of an open image of 8 bits and one frame."""
    mode = image.mode
    if mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA"):
        raise DataError(
            f"{path} must be grey or RGB with 8 bits, but its pixels are of Pillow's mode {mode}; save it as"
            " PNG in grey or RGB"
        )
    if (frames := getattr(image, "n_frames", 1)) != 1:
        raise DataError(f"{path} must be a single image, but has {frames} frames")
    with _damage_named(path):
        return np.asarray(image.convert("RGBA"))


def _pixels(path: Path, image: "Image", channels: int) -> tuple[np.ndarray, str]:
    """The pixels of an open image, (pixels,), and what was converted."""
    mode, pixels = image.mode, rgba(path, image)
    alpha = mode in ("LA", "PA", "RGBA") or "transparency" in image.info
    if channels == 4:
        if not alpha:
            raise DataError(f"{path} must have four channels as the network has, but has no transparency")
        return pixels.reshape(-1), ""
    if alpha and (pixels[..., 3] != 255).any():
        raise DataError(f"{path} must have no transparent pixels, as the network has {channels} channels")
    pixels = pixels[..., :3]
    if channels == 3:
        return pixels.reshape(-1), (
            "grey images taken as three equal channels" if mode in ("1", "L", "LA") else ""
        )
    if (pixels != pixels[..., :1]).any():
        raise DataError(
            f"{path} must be grey as the network's images are, but has colours; there are several ways to"
            " turn them into grey, so save it as the network was trained"
        )
    return pixels[..., 0].reshape(-1), (
        "" if mode in ("1", "L", "LA") else "images of equal channels taken as grey"
    )


def _channels(path: Path, height: int, width: int, image_shape: tuple[int, ...]) -> int:
    """The number of channels that the network takes of an image of this size."""
    if len(image_shape) == 1:
        channels, rest = divmod(image_shape[0], width * height)
        if rest or channels not in (1, 3):
            raise DataError(
                f"{path} must have the {image_shape[0]:,} values that the network takes, as grey or RGB,"
                f" found {height} x {width} pixels"
            )
        return channels
    if (height, width) != image_shape[:2]:
        raise DataError(
            f"{path} must have the network's size, {image_shape[0]} x {image_shape[1]} (height x width),"
            f" found {height} x {width}"
        )
    return image_shape[2] if len(image_shape) == 3 else 1
