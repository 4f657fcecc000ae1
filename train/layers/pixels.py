"""First layers: raw pixels to signs, or to numbers."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

__all__ = ["WHITE", "Binarize", "Pixels"]

#: What `Pixels` outputs for the maximum pixel; for the minimum it outputs the negative.
WHITE = 255 / 256


class Binarize(nn.Module):
    """Pixels to signs: output ``i * levels + l`` is +1 if ``pixel[i] >= thresholds[i, l]``, else -1.

    Takes uint8 images of shape (N, ...) with `pixels` values each and outputs float32 of shape (N, pixels *
    levels). With `image`, for convolutions, it takes rows of pixels, channels last, and outputs (N, channels
    * levels, height, width). With `sequence` it takes elements of a sequence, channels last, and outputs (N,
    channels * levels, length).

    Parameters
    ----------
    pixels : int
    thresholds : sequence of int, or integer array of shape (pixels, levels); values 0 ... 256
        A flat sequence applies to every pixel. Several levels make a thermometer code.
    image : (int, int, int) or None
        Height, width and channels, if the output is an image.
    sequence : (int, int), (int,) or None
        Length and channels (default 1), if the output is a sequence.

    Raises
    ------
    ValueError
        The thresholds have another shape, type or range, or the image or sequence another number of pixels.
    """

    thresholds: torch.Tensor

    def __init__(
        self,
        pixels: int,
        thresholds: Sequence[int] | np.ndarray | torch.Tensor,
        *,
        image: Sequence[int] | None = None,
        sequence: Sequence[int] | None = None,
    ):
        super().__init__()
        self.sequence = _sequence(sequence, image)
        if self.sequence is not None:
            image = _as_image(self.sequence)
        if image is not None and int(np.prod(image)) != pixels:
            raise ValueError(
                f"an image of {' x '.join(map(str, image))} must have {pixels} pixels, "
                f"not {int(np.prod(image))}"
            )
        table = np.asarray(thresholds)
        if table.ndim == 1:
            table = np.tile(table, (pixels, 1))
        if table.ndim != 2 or len(table) != pixels or not table.size:
            raise ValueError(f"thresholds must have the shape ({pixels}, levels), not {table.shape}")
        if not np.issubdtype(table.dtype, np.integer) or table.min() < 0 or table.max() > 256:
            raise ValueError(
                f"thresholds must be integers in 0 ... 256, not {table.dtype} {table.min()} ... {table.max()}"
            )
        self.pixels, self.image = pixels, None if image is None else tuple(image)
        self.register_buffer("thresholds", torch.from_numpy(table.astype(np.int16)))

    @property
    def outputs(self) -> int:
        return self.thresholds.numel()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if images.dtype != torch.uint8:
            raise TypeError(f"images must be raw uint8 pixels, not {images.dtype}")
        # A pixel minus its threshold plus a half is never 0: its sign is the output, several times faster
        # than a comparison.
        pixels = images.reshape(len(images), self.pixels, 1).to(torch.float32)
        signs = (pixels - (self.thresholds - 0.5)).sign_()
        if self.image is None:
            return signs.reshape(len(images), -1)
        signs = signs.reshape(len(images), *self.image[:2], -1).permute(0, 3, 1, 2)
        return signs if self.sequence is None else signs.squeeze(-1)

    def extra_repr(self) -> str:
        return f"{self.pixels}, levels={self.thresholds.shape[1]}" + (
            ""
            if self.image is None
            else f", image={self.image}"
            if self.sequence is None
            else f", sequence={self.sequence}"
        )


class Pixels(nn.Module):
    """Pixels as numbers, for a first layer that sums them: pixel x becomes ``(2x - 255) / 256``.

    The outputs are odd multiples of 1/256 from -`WHITE` to `WHITE`. Sums of up to 65,793 of them, each with
    either sign, are therefore exact in float32, in any order. If an integer network counts the agreement p, 0
    ... 255 n, the sum is ``(2p - 255 n) / 256``.

    Takes uint8 images of shape (N, ...) with the values of `image` each, in the order row, column, channel.
    Outputs float32 of shape (N, channels, height, width), or (N, pixels), or (N, channels, length).

    Parameters
    ----------
    image : (int, int, int), (int, int), (int,) or None
        Height, width and channels (default 1), or the number of pixels of a flat input.
    sequence : (int, int), (int,) or None
        In its place, length and channels (default 1) of a sequence.

    Raises
    ------
    ValueError
        `image` has more than three numbers, or none; or `sequence` more than two, or none; or there are both
        or neither.
    """

    def __init__(self, image: Sequence[int] | None = None, *, sequence: Sequence[int] | None = None):
        super().__init__()
        self.sequence = _sequence(sequence, image)
        if self.sequence is not None:
            image = _as_image(self.sequence)
        if image is None:
            raise ValueError("Pixels must have an image or a sequence, but has neither")
        if not 1 <= len(image) <= 3:
            raise ValueError(f"an image must have the shape (height, width, channels), not {tuple(image)}")
        self.image = tuple(image) if len(image) != 2 else (*image, 1)

    @property
    def pixels(self) -> int:
        return int(np.prod(self.image))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if images.dtype != torch.uint8:
            raise TypeError(f"images must be raw uint8 pixels, not {images.dtype}")
        images = images.reshape(len(images), *self.image)
        if len(self.image) == 3:
            # Channels stay innermost in memory, which makes the convolutions a third faster.
            images = images.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.channels_last)
        if self.sequence is not None:
            images = images.squeeze(-1)
        return images.to(torch.float32).mul(2 / 256).sub_(WHITE)

    def extra_repr(self) -> str:
        return str(self.image) if self.sequence is None else f"sequence={self.sequence}"


def _sequence(sequence: Sequence[int] | None, image: Sequence[int] | None) -> tuple[int, int] | None:
    """Length and channels of a sequence, checked."""
    if sequence is None:
        return None
    if image is not None:
        raise ValueError(f"the pixels must be an image or a sequence, not {image} and {sequence}")
    if not 1 <= len(sequence) <= 2:
        raise ValueError(f"a sequence must have the shape (length, channels), not {tuple(sequence)}")
    length, channels = (*sequence, 1)[:2]
    return length, channels


def _as_image(sequence: tuple[int, int]) -> tuple[int, int, int]:
    """The image that a sequence is in hardware: one pixel wide."""
    length, channels = sequence
    return length, 1, channels
