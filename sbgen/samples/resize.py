"""Images of any size and colour as images of one size, by whole numbers alone: the same on every machine."""

import numpy as np

__all__ = ["crop", "grey", "resize"]


def grey(image: np.ndarray) -> np.ndarray:
    """The brightness, (height, width), of an RGB image, (height, width, 3): 0.299, 0.587 and 0.114 of the
    colours (ITU-R BT.601), rounded.
    """
    weights = np.array([299, 587, 114], np.int64)
    return ((image.astype(np.int64) @ weights + 500) // 1000).astype(np.uint8)


def crop(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """The largest part in the middle that has the proportions height : width."""
    rows, columns = image.shape[:2]
    part_rows = max(1, min(rows, columns * height // width))
    part_columns = max(1, min(columns, rows * width // height))
    top, left = (rows - part_rows) // 2, (columns - part_columns) // 2
    return image[top : top + part_rows, left : left + part_columns]


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Each new pixel is the mean of the area that it covers, rounded, a half up.

    Parameters
    ----------
    image : uint8 array, shape (rows, columns) or (rows, columns, channels)
        At most 2^44 pixels.
    height, width : int

    Returns
    -------
    uint8 array, shape (height, width) or (height, width, channels)
    """
    rows, columns = image.shape[:2]
    if (rows, columns) == (height, width):
        return image
    # Sums of whole numbers below 2^53 are exact in float64, in any order.
    down, across = _overlaps(rows, height), _overlaps(columns, width)
    planes = np.moveaxis(np.atleast_3d(image), 2, 0).astype(np.float64)
    sums = (down @ planes @ across.T).astype(np.int64)
    means = (2 * sums + rows * columns) // (2 * rows * columns)
    return np.moveaxis(means, 0, 2).astype(np.uint8).reshape(height, width, *image.shape[2:])


def _overlaps(count: int, wanted: int) -> np.ndarray:
    """How much of each of `count` equal parts lies in each of `wanted`, (wanted, count), in units of which a
    part has `wanted`; each row sums to `count`.
    """
    old, new = np.arange(count) * wanted, np.arange(wanted)[:, None] * count
    return np.clip(np.minimum(old + wanted, new + count) - np.maximum(old, new), 0, None).astype(np.float64)
