"""Where the elements of a graph's image lie in its source: padding, order of channels, cuts, sequences."""

from dataclasses import dataclass, replace

import numpy as np

from ...errors import ModelError
from .. import ir
from .chain import Chain
from .tensors import Pads, Tensor, Where

__all__ = ["Image", "channels_as_rows", "crop", "positions_of", "swap_rows", "uncut", "whole_image"]


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image of the source and the padding around it.

    Parameters
    ----------
    value : Tensor
        Shape (1, channels, rows, columns), without padding, in the order of the source.
    pads : ((top, bottom), (left, right))
    padding : float or None
        The value of padding; None if there is none.
    order : integer array, shape (channels,)
        The channel of the source that each channel of the graph's image is.
    """

    value: Tensor
    pads: ir.Padding
    padding: float | None
    order: np.ndarray

    @property
    def is_padded(self) -> bool:
        """Whether there is any padding."""
        return any(map(any, self.pads))


def whole_image(chain: Chain, where: Where, value: Tensor) -> Image:
    """The whole image of the source that a tensor (1, channels, rows, columns) is, apart from padding.

    Raises
    ------
    ModelError
        The tensor is no image, or its elements were moved or cut.
    """
    if len(value.shape) != 4:
        raise ModelError(
            f"{where}: must take an image (batch, channels, rows, columns), but {value.origin} has the shape"
            f" {value.shape}"
        )
    inside = value.inside[0]
    places = [np.flatnonzero(inside.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    box = tuple(slice(along[0], along[-1] + 1) for along in places)
    top, left = (int(along[0]) for along in places[1:])
    bottom, right = (
        int(size - 1 - along[-1]) for along, size in zip(places[1:], value.shape[2:], strict=True)
    )
    padding = None
    if inside.sum() != inside.size:
        constants = value.padding_values
        if len(constants) != 1:
            raise ModelError(f"{where}: must be padded with one value, but found {len(constants)} values")
        padding = float(constants[0])
    index = value.index[0][box]
    channels, height, width = index.shape
    order = index[:, 0, 0] % channels  # a Concat may have put channels in an order of its own
    is_whole = index.size == value.source.size and np.array_equal(np.sort(order), np.arange(channels))
    if (
        not is_whole
        or not np.array_equal(index, _channels_first(height, width, channels)[order])
        or chain.positions(value.source) not in (None, (height, width))
    ):
        raise ModelError(
            f"{where}: must take an image as the previous layer outputs it, but its elements were moved or"
            " cut in between; use Reshape, Transpose and Slice only after the convolutions, and crop images"
            " before they enter the network"
        )
    back = np.argsort(order)
    value = replace(value, index=index[None, back], row=value.row[0][box][None, back])
    return Image(value=value, pads=((top, bottom), (left, right)), padding=padding, order=order)


def _channels_first(height: int, width: int, channels: int) -> np.ndarray:
    """Positions in a source, whose channels are last, of an image (channels, height, width)."""
    return np.arange(height * width * channels).reshape(height, width, channels).transpose(2, 0, 1)


def uncut(chain: Chain, value: Tensor, stride: tuple[int, int]) -> tuple[Tensor, tuple[int, int]]:
    """The whole image that a tensor (1, channels, rows, columns) is a part of, and where that part begins.

    A window over the part has the same results as one over the whole image. The beginning is in steps of
    `stride`. Returns the tensor itself and (0, 0) if it is no such part or does not begin at whole steps.
    """
    positions, index = chain.positions(value.source), value.index
    if positions is None or index.size == value.source.size or index.min() < 0:
        return value, (0, 0)
    whole = np.arange(value.source.size).reshape(*positions, -1).transpose(2, 0, 1)
    row, column = divmod(int(index[0, 0, 0, 0]) // len(whole), positions[1])
    order = index[0, :, 0, 0] % len(whole)
    if not np.array_equal(np.sort(order), np.arange(len(whole))):
        return value, (0, 0)
    whole = whole[order]
    part = whole[:, row : row + index.shape[2], column : column + index.shape[3]]
    if (
        not np.array_equal(part, index[0])
        or row % stride[0]
        or column % stride[1]
        or (value.row != value.row[:, :, :1, :1]).any()
    ):
        return value, (0, 0)
    rows = np.broadcast_to(value.row[:, :, :1, :1], (1, *whole.shape))
    return replace(value, index=whole[None], row=rows), (row // stride[0], column // stride[1])


def crop(value: Tensor, first: tuple[int, int], size: tuple[int, ...]) -> Tensor:
    """The rows and columns of an image from `first` on, `size` of them."""
    rows, columns = (slice(start, start + length) for start, length in zip(first, size, strict=True))
    return replace(value, index=value.index[..., rows, columns], row=value.row[..., rows, columns])


def channels_as_rows(chain: Chain, value: Tensor) -> Tensor | None:
    """A sequence (1, channels, 1, length) as an image (1, 1, channels, length), if its source is that image.

    So an input (channels, length) has its pixels, and a window over the sequence is one over the image. None
    if the source does not have each channel as a whole.
    """
    channels, height, _ = value.shape[1:]
    if channels == 1 or height != 1 or value.source.size % channels:
        return None
    index, length = value.index[0, :, 0], value.source.size // channels
    if (
        length == 1
        or (index // length != np.arange(channels)[:, None])[index >= 0].any()
        or chain.positions(value.source) not in (None, (channels, length))
    ):
        return None
    return swap_rows(value)


def swap_rows(value: Tensor) -> Tensor:
    """The tensor with the axes of channels and rows exchanged."""
    return replace(value, index=value.index.swapaxes(1, 2), row=value.row.swapaxes(1, 2))


def positions_of(
    size: tuple[int, ...], pads: Pads, kernel: tuple[int, ...], stride: tuple[int, ...]
) -> tuple[int, ...]:
    """Number of positions of a kernel along each axis."""
    return tuple(
        (length + sum(both) - window) // step + 1
        for length, both, window, step in zip(size, pads, kernel, stride, strict=True)
    )
