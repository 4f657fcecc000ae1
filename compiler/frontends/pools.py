"""Pools of tensors of functions: `MaxPool`, `SumPool`."""

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import numpy as np

from ...errors import ModelError
from .. import ir
from .chain import Chain
from .channels import channel_rows, rising
from .elements import as_elements, as_summands, reuse_bits
from .first_layer import pixels_to_bits
from .functions import bends, find_lines
from .images import Image, channels_as_rows, crop, positions_of, swap_rows, uncut, whole_image
from .tensors import Counts, Elements, Pixels, Place, Source, Tensor, Where, check_size, make_dense
from .weights import spread_groups

__all__ = ["average_pool", "max_pool"]

_NO_PADS = ((0, 0), (0, 0))


def max_pool(
    chain: Chain,
    where: Place,
    value: Tensor,
    *,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    pads: ir.Padding = _NO_PADS,
) -> Tensor:
    """The maximum under a kernel, of an image or a sequence.

    Parameters
    ----------
    pads : ((top, bottom), (left, right))
        Rows and columns of minus infinity, as in ONNX and TensorFlow.
    """

    def pool(value: Tensor) -> Tensor:
        return _max_pool(chain, where, value, kernel, stride, pads)

    return _over_window(chain, where, value, pool, kernel, stride, pads)


def average_pool(
    chain: Chain, where: Place, value: Tensor, *, kernel: tuple[int, int], stride: tuple[int, int]
) -> Tensor:
    """The mean under a kernel, of an image or a sequence."""

    def pool(value: Tensor) -> Tensor:
        return _average_pool(chain, where, value, kernel, stride)

    return _over_window(chain, where, value, pool, kernel, stride, _NO_PADS)


def _over_window(
    chain: Chain,
    where: Place,
    value: Tensor,
    pool: Callable[[Tensor], Tensor],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    pads: ir.Padding,
) -> Tensor:
    """`pool` also of sequences whose source has each channel as a whole, and of parts of an image."""
    if len(value.shape) != 4:
        raise ModelError(
            f"{where}: must take an image (batch, channels, rows, columns), but {value.origin} has the shape"
            f" {value.shape}"
        )
    rows = channels_as_rows(chain, value)
    value = value if rows is None else rows
    whole, first = (value, (0, 0)) if any(map(any, pads)) else uncut(chain, value, stride)
    result = crop(pool(whole), first, positions_of(value.shape[2:], pads, kernel, stride))
    return result if rows is None else swap_rows(result)


def _uniform_image(chain: Chain, where: Where, value: Tensor) -> Image:
    """The image, checked to treat each channel alike at all positions."""
    image = whole_image(chain, where, value)
    if (image.value.row != image.value.row[:, :, :1, :1]).any():
        raise ModelError(
            f"{where}: must treat each channel alike at all positions, but {value.origin} does not"
        )
    return image


def _check_padding(where: Where, image: Image) -> None:
    """Raise a `ModelError` if the padding value could be the maximum of a window."""
    lowest = image.value.used_rows.min(axis=1).min()
    if image.padding is not None and image.padding > lowest:
        raise ModelError(
            f"{where}: its input is padded with {image.padding:g}, which must be no value above the lowest of"
            f" {image.value.origin}, {lowest:g}; pad with that, or let the MaxPool itself pad"
        )


def _pooled(where: Where, image: Image, source: Source, pool: ir.MaxPool | ir.SumPool) -> Tensor:
    """The tensor after a pool, of `source` except for its size."""
    value, channels = image.value, image.value.shape[1]
    height, width, _ = pool.output_shape((*value.shape[2:], channels))
    size = height * width * channels
    index = np.arange(size).reshape(height, width, channels).transpose(2, 0, 1)[None]
    return replace(
        value,
        source=replace(source, size=size, channels=channels),
        index=index[:, image.order],
        row=np.broadcast_to(value.row[:, image.order, :1, :1], index.shape),
        origin=str(where),
    )


def _sum_of_pads(first: ir.Padding, second: ir.Padding) -> ir.Padding:
    (top, bottom), (left, right) = first
    (more_top, more_bottom), (more_left, more_right) = second
    return (top + more_top, bottom + more_bottom), (left + more_left, right + more_right)


def _bits_of_pixels(chain: Chain, where: Where, value: Tensor) -> Tensor:
    bits = pixels_to_bits(chain, where, value)
    chain.as_bits[id(value.source)] = value, bits
    return bits


def _is_layer(chain: Chain, source: Counts) -> bool:
    """Whether the neurons are a layer by now, so that no pool can come before its thresholds."""
    return chain.layer_of(source) is not None


def _bends(value: Tensor) -> bool:
    return bends(value.rows[np.unique(value.row)])


def _max_pool(
    chain: Chain,
    where: Place,
    value: Tensor,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    pads: ir.Padding,
) -> Tensor:
    value = reuse_bits(chain, value)
    if isinstance(value.source, Pixels):
        # A pool of pixels would need eight-bit hardware; a pool of their bits is the same.
        value = _bits_of_pixels(chain, where, value)
    elif not isinstance(value.source, Counts) or _is_layer(chain, value.source) or _bends(value):
        value = as_elements(chain, where, value)
    image = _uniform_image(chain, where, value)
    _check_padding(where, image)
    # With rising functions the maximum value has the maximum count: the pool can move after the thresholds.
    image = replace(image, value=rising(where, image.value))
    pool = ir.MaxPool(
        name=chain.new_name(where, "maxpool"),
        kernel=kernel,
        stride=stride,
        padding=_sum_of_pads(image.pads, pads),
    )
    source = image.value.source
    if isinstance(source, Counts):
        return _pooled(where, image, replace(source, pools=(*source.pools, pool)), pool)
    chain.check_end(where, source)
    return _pooled(where, image, replace(source, after=chain.append(pool)), pool)


def _average_pool(
    chain: Chain, where: Place, value: Tensor, kernel: tuple[int, int], stride: tuple[int, int]
) -> Tensor:
    source = value.source
    is_global = tuple(kernel) == tuple(value.shape[2:])
    if isinstance(source, Counts) and source.weights.ndim == 4 and is_global and not source.pools:
        value = reuse_bits(chain, value)
        if isinstance(value.source, Counts):
            mean = _mean_of_counts(chain, where, value)
            if mean is not None:
                return mean
    value = reuse_bits(chain, value)
    if isinstance(value.source, Pixels):
        value = _bits_of_pixels(chain, where, value)
    else:
        value = as_summands(chain, where, value)
    image = _uniform_image(chain, where, value)
    if image.is_padded:
        raise ModelError(
            f"{where}: must take means without padding, but its input is padded by {image.pads}; crop or"
            " enlarge the image instead"
        )
    elements, area = image.value.source, int(np.prod(kernel))
    assert isinstance(elements, Elements)
    pool = ir.SumPool(name=chain.new_name(where, "sumpool"), kernel=kernel, stride=stride)
    # The mean of lines is the sum of their integers, divided by the area.
    rows = image.value.rows.astype(np.float64)
    step = (rows[:, -1] - rows[:, 0]) / (elements.count - 1)
    count = (elements.count - 1) * area + 1
    check_size((len(rows), count))
    rows = rows[:, :1] + step[:, None] * (np.arange(count) / area)
    sums = elements.sums and (elements.sums[0] * area, elements.sums[1])
    pooled = replace(elements, after=chain.append(pool), count=count, sums=sums)
    return replace(_pooled(where, image, pooled, pool), rows=rows.astype(image.value.rows.dtype))


def _mean_of_counts(chain: Chain, where: Place, value: Tensor) -> Tensor | None:
    """The mean over all positions of a convolution, as neurons on sums of its inputs.

    Over all positions, each weight takes a part of the image as large as the map of positions. The sum of
    these inputs is a `SumPool`, and each weight counts once. None if the convolution has padding or a stride
    other than 1, or if its functions are not lines.
    """
    image = whole_image(chain, where, value)
    value = image.value
    source = value.source
    assert isinstance(source, Counts)
    layer = cast(ir.Conv2d, source.layer(None))
    lines = find_lines(value.rows[channel_rows(where, value)], source.reach)
    positions = value.shape[2], value.shape[3]
    area = int(np.prod(positions))
    planes = (area * source.input_maximum).bit_length()
    if (
        image.is_padded
        or lines is None
        or layer.stride != (1, 1)
        or any(map(any, layer.padding))
        or planes > ir.MAX_PLANES
    ):
        return None
    chain.check_end(where, source)
    pool = ir.SumPool(name=chain.new_name(where, "sumpool"), kernel=positions, stride=(1, 1))
    after = chain.append(pool)
    weights, mask = spread_groups(layer)
    outputs, top = len(weights), (1 << planes) - 1
    counted = np.ones(weights.shape, np.uint8) if mask is None else mask
    inputs = counted.reshape(outputs, -1).sum(axis=1, dtype=np.int64)
    negative = (counted * (1 - weights)).reshape(outputs, -1).sum(axis=1, dtype=np.int64)
    # An input with weight -1 counts from the maximum of its bits, which now is larger.
    excess = negative * (top - area * ((1 << layer.planes) - 1))
    reach, count = inputs * top, weights[0].size * top + 1
    check_size((outputs, count))
    numbers = np.minimum(np.arange(count), reach[:, None]) - excess[:, None]
    rows = lines.lowest[:, None] + lines.step[:, None] / area * numbers

    counts = Counts(
        size=outputs,
        count=count,
        after=after,
        channels=outputs,
        name=layer.name,
        weights=weights.reshape(outputs, -1),
        mask=None if mask is None else mask.reshape(outputs, -1),
        reach=reach,
        lowest=source.lowest - source.step / area * excess,
        step=source.step / area,
        make=make_dense(layer.name, planes),
        input_maximum=area * source.input_maximum,
    )
    index = image.order.reshape(1, -1, 1, 1)
    rows = rows.astype(value.rows.dtype)
    return replace(value, source=counts, index=index, row=index, rows=rows, origin=str(where))
