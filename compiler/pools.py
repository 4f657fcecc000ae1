"""Pools, from tensors of functions: `MaxPool`, `SumPool`."""

from dataclasses import replace

import numpy as np

from ..errors import ModelError
from . import ir
from .neurons import channels_as_rows, image_of, part_of, uncut
from .tabulate import Counts, Elements, Pixels

__all__ = ["average_pool", "max_pool"]


def _whole(chain, where, value):
    """The image without padding, alike at all positions, and the order of its channels."""
    value, pads, _, order = image_of(chain, where, value)
    if any(map(any, pads)):
        raise ModelError(f"{where}: must pool without padding, but its input is padded by {pads}; crop or enlarge the image "
                         "instead")
    if (value.row != value.row[:, :, :1, :1]).any():
        raise ModelError(f"{where}: must treat a channel alike at all positions, but what comes from {value.origin} "
                         "does not")
    return value, order


def _result(where, value, order, source, pool):
    """The tensor behind a pool of `value`, whose source is `source` but for its size."""
    channels = value.shape[1]
    height, width, _ = pool.output_shape((*value.shape[2:], channels))
    size = height * width * channels
    index = np.arange(size).reshape(height, width, channels).transpose(2, 0, 1)[None]
    return replace(value, source=replace(source, size=size, channels=channels), index=index[:, order],
                   row=np.broadcast_to(value.row[:, order, :1, :1], index.shape), origin=str(where))


def _wherever(pool):
    """`pool`, also of sequences whose source has each channel whole, and of parts of an image."""
    def pooled(chain, where, value, *, kernel, stride):
        if len(value.shape) != 4:
            raise ModelError(f"{where}: must take an image (batch, channels, rows, columns), but {value.origin} gives the shape "
                             f"{value.shape}")
        rows = channels_as_rows(chain, value)
        value = value if rows is None else rows
        whole, part = uncut(chain, value, stride)
        result = pool(chain, where, whole, kernel=kernel, stride=stride)
        result = part_of(result, part, [(length - each) // move + 1 for length, each, move in zip(
            value.shape[2:], kernel, stride, strict=True)])
        return result if rows is None else replace(result, index=result.index.swapaxes(1, 2), row=result.row.swapaxes(1, 2))

    pooled.__doc__ = pool.__doc__
    return pooled


@_wherever
def max_pool(chain, where, value, *, kernel, stride):
    """The greatest under a kernel."""
    # A pool of pixels would need one of eight-bit numbers; one of their bits is the same.
    if isinstance(value.source, Pixels):
        value = chain.pixel_bits(where, value)
    elif isinstance(value.source, Elements) or chain.turns(value):
        value = chain.elements(where, value)
        if value.source.greatest > 1:
            raise ModelError(f"{where}: must take bits, but what comes from {value.origin} are sums; quantise them to 1 bit before")
    # The greatest value has the greatest count if functions rise: the pool may move behind the thresholds.
    value, order = _whole(chain, where, value)
    value = chain.rising(where, value)
    pool = ir.MaxPool(name=chain.name(where, "maxpool"), kernel=tuple(kernel), stride=tuple(stride))
    source = value.source
    if isinstance(source, Counts):
        return _result(where, value, order, replace(source, pools=(*source.pools, pool)), pool)
    chain.check_end(where, source)
    return _result(where, value, order, replace(source, behind=chain.append(pool)), pool)


@_wherever
def average_pool(chain, where, value, *, kernel, stride):
    """The mean under a kernel."""
    value, order = _whole(chain, where, chain.pixel_bits(where, value) if isinstance(value.source, Pixels) else chain.elements(
        where, value))
    source = value.source
    if source.greatest > 1:
        raise ModelError(f"{where}: must take the mean of bits, but what comes from {value.origin} has {source.count} values; "
                         "quantise it to 1 bit before, and normalise behind")
    area = int(np.prod(kernel))
    pool = ir.SumPool(name=chain.name(where, "sumpool"), kernel=tuple(kernel), stride=tuple(stride))
    # A mean of few values: the sum of their numbers of ones, divided.
    rows = value.rows.astype(np.float64)
    step = (rows[:, -1] - rows[:, 0]) / (source.count - 1)
    count = (source.count - 1) * area + 1
    rows = rows[:, :1] + step[:, None] * (np.arange(count) / area)
    return replace(_result(where, value, order, replace(source, behind=chain.append(pool), count=count), pool),
                   rows=rows.astype(value.rows.dtype))
