"""Images of a user's own, with their true classes: the one reader that every command shares.

::

    .npz  .npy  .csv  folder of images by class ──▶ Samples: uint8 images, class numbers, SHA-256

Nothing is scaled, reordered or guessed: a value that is not a pixel of 0 ... 255 is refused, with what to do
about it. ``docs/cli.md`` describes the formats.
"""

from .reader import read
from .sample_set import Samples, digest

__all__ = ["Samples", "digest", "read"]
