"""Pictures in sub-folders named by class, of any size."""

from pathlib import Path

import numpy as np

from ..errors import DataError
from . import image_folder, numpy_file
from .raw import Raw

__all__ = ["decode", "read"]


def read(path: Path) -> Raw:
    """The pictures of a folder: the first of every class, then the second of every class, and so on."""
    folders = image_folder.folders(path)
    files = sorted(
        (rank, folder.name, file)
        for folder in folders
        for rank, file in enumerate(image_folder.files(folder))
    )
    if not files:
        raise DataError(
            f"{path} must have a PNG or JPEG file in a sub-folder named by its class, but has none"
        )
    images, size = [], 0
    for _, _, file in files:
        images.append(decode(file))
        size += images[-1].nbytes
        if size > numpy_file.MAX_BYTES:
            raise DataError(
                f"{path} must have at most {numpy_file.MAX_BYTES:,} pixels, but has more; save smaller images"
            )
    return Raw(
        kind="image",
        values=images,
        labels=tuple(name for _, name, _ in files),
        where=[f"{name}/{file.name}" for _, name, file in files],
        source=str(path),
    )


def decode(path: Path) -> np.ndarray:
    """The pixels of a PNG or JPEG: uint8, (rows, columns) of a grey one, (rows, columns, 3) of a colour one.

    Raises
    ------
    DataError
        Pillow is not installed; the file is damaged, or has transparent pixels, 16 bits or several frames.
    """
    image_folder.require_pillow()
    image = image_folder.opened(path)
    pixels = image_folder.rgba(path, image)
    if (pixels[..., 3] != 255).any():
        raise DataError(f"{path} must have no transparent pixels; save it on a background")
    colours = pixels[..., :3]
    is_grey = image.mode in ("1", "L", "LA") or (colours == colours[..., :1]).all()
    return np.ascontiguousarray(colours[..., 0] if is_grey else colours)
