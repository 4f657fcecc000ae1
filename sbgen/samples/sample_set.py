"""Images with their true classes, and the digest that identifies them."""

import hashlib
import json
from dataclasses import dataclass, field

import numpy as np

from ..errors import DataError

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
    seen : bool array, shape (N,), or None
        Which of them the network was trained on; None if that is unknown.
    """

    images: np.ndarray
    labels: np.ndarray | None
    source: str
    note: str = ""
    seen: np.ndarray | None = None
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        for array in self.images, self.labels:
            if array is not None:
                array.flags.writeable = False
        object.__setattr__(self, "sha256", digest(self.images, self.labels))

    def test(self) -> "Samples":
        """Those that the network was not trained on; a `DataError` if there is none."""
        if self.seen is None or not self.seen.any():
            return self
        if self.seen.all():
            raise DataError(
                f"{self.source} must have samples that the network was not trained on, but all"
                f" {len(self.seen):,} are of its training; give others, or leave"
                " out their classes to predict them"
            )
        count = int(self.seen.sum())
        left_out = f"{count:,} sample{'s' * (count != 1)} of the training left out"
        return Samples(
            images=self.images[~self.seen],
            labels=None if self.labels is None else self.labels[~self.seen],
            source=self.source,
            note="; ".join(filter(None, (self.note, left_out))),
        )


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
