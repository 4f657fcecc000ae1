"""Samples of a user's own, with their true classes: the one reader that every command shares.

::

    .npz  .npy  .csv  folder of images by class ─────────────▶ Samples: uint8 images, class numbers, SHA-256
    the same with any numbers, .parquet ──▶ Raw ──▶ Recipe ──▶ Samples

Without a recipe nothing is scaled, reordered or guessed: a value that is not a pixel of 0 ... 255 is refused,
with what to do about it. A network that was trained on a person's own data has a recipe, which says how her
numbers become bytes; it is in ``net.pt`` and ``network.json``. ``docs/cli.md`` describes the formats.
"""

from .prepare import Options, Prepared, prepare
from .raw import Raw, Reading
from .reader import raw, read, read_for, read_with
from .recipe import Recipe
from .sample_set import Samples, digest
from .split import Split

__all__ = [
    "Options",
    "Prepared",
    "Raw",
    "Reading",
    "Recipe",
    "Samples",
    "Split",
    "digest",
    "prepare",
    "raw",
    "read",
    "read_for",
    "read_with",
]
