"""How a person's samples become the bytes that a network takes. The recipe travels with the network."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DataError, ModelError
from .raw import Reading
from .resize import crop, grey, resize
from .scale import Scale
from .split import Split

__all__ = ["KINDS", "Recipe"]

#: What a sample can be.
KINDS = ("image", "table", "sequence")

#: How an image of another size gets the network's: not at all, as a whole, or its middle part.
RESIZES = ("none", "stretch", "crop")

_VERSION = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Recipe:
    """From samples as they are in a file to the uint8 input of a network; exact on every machine.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    shape : tuple of int
        Of one input: (height, width) or (height, width, channels) of an image; (columns,) of a row of a
        table; (length, channels) of a sequence.
    scales : sequence of `Scale`
        Of each column that the network takes, or of each channel; none for images.
    places : tuple of int
        Where these columns are among all of the file, for files without names; empty for other kinds.
    width : int
        Columns of the file without target and group; 0 for other kinds.
    target, group : str or None
        Names of the columns of a .csv or .parquet that are no input.
    resize : str
        One of `RESIZES`, for images.
    invert : bool
        Whether the pixels of an image are inverted: 255 - pixel.
    split : `Split` or None
        Which samples the network was trained on.
    """

    kind: str
    shape: tuple[int, ...]
    scales: tuple[Scale, ...] = ()
    places: tuple[int, ...] = ()
    width: int = 0
    target: str | None = None
    group: str | None = None
    resize: str = "none"
    invert: bool = False
    split: Split | None = None

    def __post_init__(self) -> None:
        is_table, axes = self.kind == "table", {"image": (2, 3), "table": (1,), "sequence": (2,)}
        if not (
            self.kind in KINDS
            and self.resize in RESIZES
            and len(self.shape) in axes[self.kind]
            and all(type(size) is int and size > 0 for size in self.shape)
            and (self.kind != "image" or (*self.shape, 1)[2] in (1, 3) or self.resize == "none")
            and len(self.scales) == (0 if self.kind == "image" else self.shape[-1])
            and len(self.places) == (len(self.scales) if is_table else 0)
            and all(type(place) is int and 0 <= place < self.width for place in self.places)
        ):
            raise DataError(
                f"a recipe must say how samples of one kind ({', '.join(KINDS)}) become inputs of one"
                f" shape, but {self.kind!r:.20}, {self.shape} and {len(self.scales)} scales contradict"
                " each other"
            )

    def apply(self, raw: np.ndarray | Sequence[np.ndarray]) -> np.ndarray:
        """The inputs of samples.

        Parameters
        ----------
        raw : array or sequence of arrays
            Images: N uint8 arrays (rows, columns), or (rows, columns, 3) in colour, of any sizes if the
            recipe resizes. Tables: numbers, (N, columns), of the network's columns in its order. Sequences:
            numbers, (N, length, channels), or (N, length) of one channel.

        Returns
        -------
        uint8 array, shape (N, *shape)

        Raises
        ------
        DataError
            They have another shape or type, or a value is missing (NaN).
        """
        if self.kind == "image":
            images = [self._image(np.asarray(image)) for image in raw]
            return np.stack(images) if images else np.zeros((0, *self.shape), np.uint8)
        values = np.asarray(raw)
        if values.dtype.kind not in "iuf":
            raise DataError(f"samples must be numbers, not {values.dtype}")
        if self.kind == "sequence" and values.ndim == 2 and self.shape[1] == 1:
            values = values[..., None]
        if values.shape[1:] != self.shape:
            raise DataError(
                f"samples must have the shape (N, {', '.join(map(str, self.shape))}), not {values.shape}"
            )
        values = values.astype(np.float64)
        if np.isnan(values).any():
            raise DataError(
                "samples must have no missing values (NaN); fill them in, or leave their rows out"
            )
        return np.stack(
            [scale.apply(values[..., n]) for n, scale in enumerate(self.scales)], axis=-1
        ).reshape(values.shape)

    def _image(self, image: np.ndarray) -> np.ndarray:
        if image.dtype != np.uint8 or image.ndim not in (2, 3):
            raise DataError(
                f"an image must be uint8, (rows, columns) or (rows, columns, channels), not {image.dtype}"
                f" of shape {image.shape}"
            )
        height, width, channels = (*self.shape, 1)[:3]
        if image.ndim == 3 and image.shape[2] == 1:
            image = image[..., 0]
        if image.ndim == 3 and channels == 1:
            if image.shape[2] != 3:
                raise DataError(f"an image must be grey or RGB, not of {image.shape[2]} channels")
            image = grey(image)
        elif image.ndim == 2 and channels == 3:
            image = np.repeat(image[..., None], 3, axis=2)
        if self.resize == "crop":
            image = crop(image, height, width)
        if self.resize != "none":
            image = resize(image, height, width)
        if image.size != math.prod(self.shape) or image.shape[:2] != (height, width):
            raise DataError(
                f"an image must have the shape {self.shape} (height, width and channels), not {image.shape}"
            )
        image = image.reshape(self.shape)
        return 255 - image if self.invert else image

    def reading(self) -> Reading:
        """How to read a file of samples for the network."""
        is_table = self.kind == "table"
        return Reading(
            kind=self.kind,
            shape=None if is_table or self.resize != "none" else self.shape,
            target=self.target,
            group=self.group,
            columns=tuple(scale.name for scale in self.scales) if is_table else (),
            places=self.places,
            width=self.width or math.prod(self.shape),
            trained=True,
        )

    def primitives(self) -> dict[str, Any]:
        """The recipe as in ``net.pt`` and ``network.json``: a dict of plain values (``docs/training.md``)."""
        content: dict[str, Any] = {"version": _VERSION, "kind": self.kind, "shape": list(self.shape)}
        if self.kind == "image":
            content |= {"resize": self.resize, "invert": self.invert}
        else:
            content["scales"] = [scale.primitives() for scale in self.scales]
        if self.kind == "table":
            content |= {"places": list(self.places), "width": self.width}
        content |= {name: value for name in ("target", "group") if (value := getattr(self, name)) is not None}
        if self.split is not None:
            content["split"] = self.split.primitives()
        return content

    @classmethod
    def parse(cls, content: Mapping[str, Any]) -> "Recipe":
        """The recipe of `primitives`.

        Raises
        ------
        ModelError
            It is of a later version, or damaged.
        """
        try:
            if content["version"] != _VERSION:
                raise ModelError(
                    f"the recipe of the network's samples is of version {content['version']!r:.20}, this"
                    f" sbgen reads {_VERSION}; update sbgen"
                )
            split, text = content.get("split"), _optional_text
            return cls(
                kind=content["kind"],
                shape=tuple(content["shape"]),
                scales=tuple(Scale.parse(scale) for scale in content.get("scales", ())),
                places=tuple(content.get("places", ())),
                width=content.get("width", 0),
                target=text(content.get("target")),
                group=text(content.get("group")),
                resize=content.get("resize", "none"),
                invert=content.get("invert", False) is True,
                split=None if split is None else Split.parse(split),
            )
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError, DataError) as error:
            raise ModelError(
                "the recipe of the network's samples is damaged:"
                f" {' '.join(str(error).split()):.160}; write the network again"
            ) from error

    def checked(self, image_shape: Sequence[int]) -> "Recipe":
        """Itself, if a network of this shape takes its inputs; else a `ModelError`."""
        if math.prod(self.shape) != math.prod(image_shape):
            raise ModelError(
                f"the network must take the inputs of its recipe, {self.shape}, but takes"
                f" {tuple(image_shape)}; write the network again"
            )
        return self


def _optional_text(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ValueError(f"a name must be text, not {value!r:.40}")
    return value
