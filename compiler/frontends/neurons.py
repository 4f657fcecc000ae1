"""Layers with weights: `dense` and `convolve` turn a tensor of functions into the `Counts` of neurons."""

from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from ...errors import ModelError
from .. import ir
from .chain import Chain
from .elements import as_elements
from .functions import Lines, find_lines
from .images import channels_as_rows, crop, positions_of, uncut, whole_image
from .tensors import (
    Counts,
    Elements,
    MakeLayer,
    Pixels,
    Place,
    Tensor,
    check_size,
    elementwise,
    make_dense,
    pad,
)
from .weights import BinaryWeights, binarize_weights, padding_bit, reorder_inputs, ungroup

__all__ = ["convolve", "dense"]


def _inputs(chain: Chain, where: Place, value: Tensor) -> tuple[Tensor, Elements, Lines]:
    """The tensor as inputs of neurons, its source, and the line of each of its rows."""
    value = as_elements(chain, where, value)
    source = value.source
    assert isinstance(source, Elements)
    lines = find_lines(value.rows[:, : source.count], source.count - 1)
    if lines is None:  # because rows of nothing but padding are constant
        lowest, step = value.rows[:, 0].astype(np.float64), np.zeros(len(value.rows))
        lines = find_lines(value.used_rows, source.count - 1)
        if lines is None:
            shown = ", ".join(f"{each:g}" for each in np.unique(value.used_rows)[:6])
            raise ModelError(
                f"{where}: must take values in even steps, but {value.origin} has the values {shown};"
                " quantise it uniformly"
            )
        used = np.unique(value.row[value.inside])
        lowest[used], step[used] = lines.lowest, lines.step
        lines = Lines(lowest=lowest, step=step)
    return value, source, lines


def _counts(
    chain: Chain,
    where: Place,
    value: Tensor,
    weights: BinaryWeights,
    *,
    name: str,
    shape: tuple[int, ...],
    make: MakeLayer,
) -> Tensor:
    """The tensor of neurons on `value`.

    Parameters
    ----------
    weights : BinaryWeights
        Channels of the input last.
    shape : tuple of int
        Of the outputs, channels first; the tensor's shape is (1, *shape).
    """
    source = value.source
    assert isinstance(source, Elements)
    top = (1 << source.planes) - 1
    bits = np.repeat(weights.bits, source.copies, axis=-1).astype(np.uint8)
    mask = weights.mask
    if mask is None:
        reach = np.full(len(bits), bits[0].size * top)
    else:
        mask = np.repeat(mask, source.copies, axis=-1).astype(np.uint8)
        reach = mask.reshape(len(mask), -1).sum(axis=1, dtype=np.int64) * top
    count = bits[0].size * top + 1
    check_size((len(bits), count))
    numbers = np.minimum(np.arange(count), reach[:, None])
    rows = weights.base[:, None] + weights.scale[:, None] * (2.0 * numbers - reach[:, None])
    kind = value.rows.dtype if np.issubdtype(value.rows.dtype, np.floating) else np.float32
    size, (channels, *positions) = int(np.prod(shape)), shape
    index = np.moveaxis(np.arange(size).reshape(*positions, channels), -1, 0)
    row = np.broadcast_to(np.arange(channels).reshape(-1, *[1] * len(positions)), index.shape)
    counts = Counts(
        size=size,
        count=count,
        after=chain.end,
        channels=channels,
        name=name,
        weights=bits,
        mask=mask,
        reach=reach,
        lowest=weights.base - weights.scale * reach,
        step=2 * weights.scale,
        make=make,
        input_maximum=source.maximum,
    )
    return Tensor(source=counts, index=index[None], row=row[None], rows=rows.astype(kind), origin=str(where))


def dense(chain: Chain, where: Place, value: Tensor, weights: ArrayLike) -> Tensor:
    """Neurons on a vector (1, inputs); `weights` have the shape (outputs, inputs)."""
    weights = np.asarray(weights)
    if (
        weights.ndim != 2
        or value.shape[-1] != int(np.prod(value.shape))
        or weights.shape[1] != value.shape[-1]
    ):
        raise ModelError(
            f"{where}: must multiply one vector by a matrix, but {value.origin} has the shape {value.shape}"
            f" and the weights {weights.T.shape}"
        )
    value, source, lines = _inputs(chain, where, value)
    index, row = value.index.reshape(-1), value.row.reshape(-1)
    if index.min() < 0 or len(np.unique(index)) != len(index):
        raise ModelError(
            f"{where}: must use each output of the previous layer at most once, and no padding, but"
            f" {value.origin} has {len(index)} elements for the {source.size} of that layer"
        )
    inputs = Lines(lowest=lines.lowest[row][None], step=lines.step[row][None])
    binary = binarize_weights(where, weights, inputs, source, value.origin)
    if len(index) < source.size and binary.mask is None:  # what was cut off has weights of 0
        binary = replace(binary, mask=np.ones_like(binary.bits))

    def in_order(array: np.ndarray, rest: int) -> np.ndarray:
        result = np.full((len(array), source.size), rest, array.dtype)
        result[:, index] = array
        return result

    mask = None if binary.mask is None else in_order(binary.mask, 0)
    name = chain.new_name(where, "dense")
    result = _counts(
        chain,
        where,
        value,
        replace(binary, bits=in_order(binary.bits, 1), mask=mask),
        name=name,
        shape=(len(weights),),
        make=make_dense(name, source.planes),
    )
    shape = *value.shape[:-1], -1
    return replace(result, index=result.index.reshape(shape), row=result.row.reshape(shape))


def convolve(
    chain: Chain,
    where: Place,
    value: Tensor,
    weights: ArrayLike,
    *,
    bias: ArrayLike | None = None,
    stride: tuple[int, int] = (1, 1),
    pads: ir.Padding = ((0, 0), (0, 0)),
    groups: int = 1,
) -> Tensor:
    """Neurons at every position of a kernel over an image (1, channels, rows, columns).

    Parameters
    ----------
    weights : array, shape (outputs, channels / groups, kernel rows, kernel columns)
    bias : array, shape (outputs,), optional
    pads : ((top, bottom), (left, right))
        Rows and columns of zeros, as in ONNX.
    """
    weights = np.asarray(weights)
    _check_shapes(where, value, weights, groups)
    kernel = weights.shape[2:]
    own_pads = any(map(any, pads))
    takes_pixels = isinstance(value.source, Pixels)
    value, source, lines = _inputs(chain, where, pad(value, [(0, 0), (0, 0), *pads], 0.0))
    as_rows = channels_as_rows(chain, value)
    if as_rows is not None:  # each channel is a row of the kernel; other groups have weights of 0
        value, kernel = as_rows, (value.shape[1], kernel[1])
        weights, stride, groups = ungroup(weights, groups).transpose(0, 2, 1, 3), (1, stride[1]), 1
    channels, size = value.shape[1], value.shape[2:]
    value, first = uncut(chain, value, stride)
    image = whole_image(chain, where, value)
    value = image.value
    if value.shape[1] != channels:
        raise ModelError(
            f"{where}: its input must be padded in rows and columns only, but has {channels - value.shape[1]}"
            " channels of padding"
        )
    _set_image_shape(chain, value, takes_pixels)
    row = _row_of_channels(where, value, as_rows is not None)
    weights = reorder_inputs(where, weights, image.order, groups)
    bit = 0
    if image.padding is not None:
        highest = lines.lowest[row] + lines.step[row] * source.most
        bit = padding_bit(where, image.padding, lines.lowest[row], highest, own_pads)
    binary = _binarize_kernel(where, weights, lines, row, groups, as_rows is not None, value)
    cropped = positions_of(size, ((0, 0), (0, 0)), kernel, stride)
    if min(cropped) < 1:
        raise ModelError(f"{where}: its kernel {tuple(kernel)} must fit the padded image of {tuple(size)}")
    name = chain.new_name(where, "conv")
    mask = None if binary.mask is None else binary.mask.transpose(0, 2, 3, 1)

    make = partial(
        ir.Conv2d,
        name=name,
        stride=stride,
        padding=image.pads,
        padding_bit=bit,
        groups=groups,
        planes=source.planes,
    )
    result = _counts(
        chain,
        where,
        value,
        replace(binary, bits=binary.bits.transpose(0, 2, 3, 1), mask=mask),
        name=name,
        shape=(len(weights), *positions_of(value.shape[2:], image.pads, kernel, stride)),
        make=make,
    )
    result = crop(result, first, cropped)
    if bias is not None:
        result = elementwise(where, np.add, (result, np.asarray(bias).reshape(1, -1, 1, 1)))
    return result


def _row_of_channels(where: Place, value: Tensor, as_rows: bool) -> np.ndarray:
    """The row of each channel, or of each row if channels are rows, checked to be alike at all positions."""
    row, shape = (value.row[0, 0, :, 0], (1, 1, -1, 1)) if as_rows else (value.row[0, :, 0, 0], (1, -1, 1, 1))
    if (value.row != row.reshape(shape)).any():
        raise ModelError(
            f"{where}: each channel of its image must have one scale, but that of {value.origin} differs"
            " between positions"
        )
    return row


def _binarize_kernel(
    where: Place,
    weights: np.ndarray,
    lines: Lines,
    row: np.ndarray,
    groups: int,
    as_rows: bool,
    value: Tensor,
) -> BinaryWeights:
    """Weights (outputs, channels / groups, kernel rows, kernel columns) on inputs with the lines ``row``."""
    part, source = len(weights) // groups, value.source
    assert isinstance(source, Elements)

    def spread(array: np.ndarray) -> np.ndarray:
        """(channels,) to (outputs, channels of its group, 1, 1), or to the rows of the kernel."""
        if as_rows:
            return array[row][None, None, :, None]
        return np.repeat(array[row].reshape(groups, -1), part, axis=0)[:, :, None, None]

    inputs = Lines(lowest=spread(lines.lowest), step=spread(lines.step))
    return binarize_weights(where, weights, inputs, source, value.origin)


def _check_shapes(where: Place, value: Tensor, weights: np.ndarray, groups: int) -> None:
    if weights.ndim != 4 or len(value.shape) != 4:
        raise ModelError(
            f"{where}: must convolve an image in two dimensions, but {value.origin} has the shape"
            f" {value.shape} and the weights {weights.shape}"
        )
    if groups < 1 or len(weights) % groups or weights.shape[1] * groups != value.shape[1]:
        raise ModelError(
            f"{where}: its {groups} groups of {weights.shape[1]} channels must match the {value.shape[1]}"
            f" channels of {value.origin}, and divide its {len(weights)} outputs"
        )


def _set_image_shape(chain: Chain, value: Tensor, takes_pixels: bool) -> None:
    """Give the chain's image the shape that a convolution takes it in."""
    if len(chain.image_shape) == 1 and (takes_pixels or len(chain.layers) <= 1):
        # The graph makes an image of a flat input.
        chain.image_shape = (*value.shape[2:], value.shape[1] * chain.image_shape[0] // value.source.size)
    elif len(chain.image_shape) == 2 and value.source.after is None:
        # Pixels that the convolution takes directly have a channel.
        chain.image_shape = (*chain.image_shape, 1)
