"""Images with their true classes, and the digest that identifies them."""

import hashlib
import json
from dataclasses import dataclass, field

import numpy as np

__all__ = ["Samples", "digest"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """Images, with their true classes where the file has them. The arrays are read-only.

    Parameters
    ----------
    images : uint8 array, shape (N, *image_shape)
        N is at least 1.
    labels : int64 array, shape (N,), or None
        Of 0 ... classes - 1; of a multi-label network (N, outputs) of 0 and 1.
    source : str
        Name of the file or folder, without its path.
    note : str
        Which exact conversions were done; often empty.
    """

    images: np.ndarray
    labels: np.ndarray | None
    source: str
    note: str = ""
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        for array in self.images, self.labels:
            if array is not None:
                array.flags.writeable = False
        object.__setattr__(self, "sha256", digest(self.images, self.labels))


def digest(images: np.ndarray, labels: np.ndarray | None) -> str:
    """SHA-256, in hexadecimal, of images and labels, independent of the file that held them.

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
    digest = hashlib.sha256(json.dumps(shapes).encode() + b"\n")
    digest.update(np.ascontiguousarray(images).data)
    if labels is not None:
        digest.update(np.ascontiguousarray(labels, "<i8").data)
    return digest.hexdigest()
