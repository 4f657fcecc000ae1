"""Pools, from tensors of functions: `MaxPool`, `SumPool`."""

from dataclasses import replace

import numpy as np

from ...errors import ModelError
from .. import ir
from .neurons import channels_as_rows, image_of, part_of, spread_groups, uncut
from .tabulate import Counts, Elements, Pixels, check_size, straight

__all__ = ["average_pool", "max_pool"]


def _alike(chain, where, value):
    """The image without its padding, alike at all positions; its pads, the padding value or None, and the
    order of its channels.
    """
    value, pads, padding, order = image_of(chain, where, value)
    if (value.row != value.row[:, :, :1, :1]).any():
        raise ModelError(
            f"{where}: must treat a channel alike at all positions, but what comes from {value.origin} "
            "does not"
        )
    return value, pads, padding, order


def _whole(chain, where, value):
    """The image, which has no padding, and the order of its channels."""
    value, pads, _, order = _alike(chain, where, value)
    if any(map(any, pads)):
        raise ModelError(
            f"{where}: must take means without padding, but its input is padded by {pads}; crop or enlarge"
            " the image instead"
        )
    return value, order


def _below(where, value, padding):
    """Checks that a padding value is never above what is under the kernel with it."""
    least = value.rows[np.unique(value.row[value.index >= 0])].min(axis=1).min()
    if padding is not None and padding > least:
        raise ModelError(
            f"{where}: its input is padded with {padding:g}, which must be no value above the lowest of"
            f" {value.origin}, {least:g}; pad with that, or let the MaxPool pad by itself"
        )


def _result(where, value, order, source, pool):
    """The tensor behind a pool of `value`, whose source is `source` but for its size."""
    channels = value.shape[1]
    height, width, _ = pool.output_shape((*value.shape[2:], channels))
    size = height * width * channels
    index = np.arange(size).reshape(height, width, channels).transpose(2, 0, 1)[None]
    return replace(
        value,
        source=replace(source, size=size, channels=channels),
        index=index[:, order],
        row=np.broadcast_to(value.row[:, order, :1, :1], index.shape),
        origin=str(where),
    )


def _wherever(pool):
    """`pool`, also of sequences whose source has each channel whole, and of parts of an image."""

    def pooled(chain, where, value, *, kernel, stride, pads=((0, 0), (0, 0))):
        if len(value.shape) != 4:
            raise ModelError(
                f"{where}: must take an image (batch, channels, rows, columns), but {value.origin} gives the"
                f" shape {value.shape}"
            )
        rows = channels_as_rows(chain, value)
        value = value if rows is None else rows
        padded = {"pads": pads} if any(map(any, pads)) else {}
        whole, part = (value, (0, 0)) if padded else uncut(chain, value, stride)
        result = pool(chain, where, whole, kernel=kernel, stride=stride, **padded)
        result = part_of(
            result,
            part,
            [
                (length + sum(pad) - each) // move + 1
                for length, pad, each, move in zip(value.shape[2:], pads, kernel, stride, strict=True)
            ],
        )
        return (
            result
            if rows is None
            else replace(result, index=result.index.swapaxes(1, 2), row=result.row.swapaxes(1, 2))
        )

    pooled.__doc__ = pool.__doc__
    return pooled


@_wherever
def max_pool(chain, where, value, *, kernel, stride, pads=((0, 0), (0, 0))):
    """The maximum under a kernel; `pads` are of minus infinity, as in ONNX and TensorFlow."""
    # A pool of pixels would need one of eight-bit numbers; one of their bits is the same.
    if isinstance(value.source, Pixels):
        value = chain.pixel_bits(where, value)
    elif isinstance(value.source, Elements) or chain.turns(value):
        value = chain.elements(where, value)
        if value.source.greatest > 1:
            raise ModelError(
                f"{where}: must take bits, but what comes from {value.origin} are sums; quantise them to 1"
                " bit before"
            )
    value, own, padding, order = _alike(chain, where, value)
    _below(where, value, padding)
    # The greatest value has the greatest count if functions rise: the pool may move behind the thresholds.
    value = chain.rising(where, value)
    pool = ir.MaxPool(
        name=chain.name(where, "maxpool"),
        kernel=tuple(kernel),
        stride=tuple(stride),
        padding=tuple(tuple(map(sum, zip(*both, strict=True))) for both in zip(own, pads, strict=True)),
    )
    source = value.source
    if isinstance(source, Counts):
        return _result(where, value, order, replace(source, pools=(*source.pools, pool)), pool)
    chain.check_end(where, source)
    return _result(where, value, order, replace(source, behind=chain.append(pool)), pool)


@_wherever
def average_pool(chain, where, value, *, kernel, stride):
    """The mean under a kernel."""
    whole = tuple(kernel) == tuple(value.shape[2:])
    if (
        isinstance(value.source, Counts)
        and value.source.weights.ndim == 4
        and whole
        and not value.source.pools
    ):
        value = chain.again(value)
        if isinstance(value.source, Counts) and (mean := _mean_of_counts(chain, where, value)) is not None:
            return mean
    value = (
        chain.pixel_bits(where, value) if isinstance(value.source, Pixels) else chain.summands(where, value)
    )
    value, order = _whole(chain, where, value)
    source, area = value.source, int(np.prod(kernel))
    pool = ir.SumPool(name=chain.name(where, "sumpool"), kernel=tuple(kernel), stride=tuple(stride))
    # A mean of lines: the sum of their integers, divided.
    rows = value.rows.astype(np.float64)
    step = (rows[:, -1] - rows[:, 0]) / (source.count - 1)
    count = (source.count - 1) * area + 1
    check_size((len(rows), count))
    rows = rows[:, :1] + step[:, None] * (np.arange(count) / area)
    sums = source.sums and (source.sums[0] * area, source.sums[1])
    return replace(
        _result(
            where, value, order, replace(source, behind=chain.append(pool), count=count, sums=sums), pool
        ),
        rows=rows.astype(value.rows.dtype),
    )


def _mean_of_counts(chain, where, value):
    """The mean of all positions of a convolution that moves by 1, without padding: the sums of its inputs,
    weighted once.

    A weight sees, over all positions, a part of the image as large as the map of positions: their sum is a
    `SumPool`. None where the convolution is another, or its functions are no lines.
    """
    value, pads, _, order = image_of(chain, where, value)
    source = value.source
    layer = source.layer(None)
    lines = straight(value.rows[chain.by_channel(where, value)], source.reach)
    positions, area = value.shape[2:], int(np.prod(value.shape[2:]))
    taken = (1 << layer.planes) - 1
    planes = (area * chain.greatest()).bit_length()
    if (
        any(map(any, pads))
        or lines is None
        or layer.stride != (1, 1)
        or any(map(any, layer.padding))
        or planes > ir.MAX_PLANES
    ):
        return None
    chain.check_end(where, source)
    pool = ir.SumPool(name=chain.name(where, "sumpool"), kernel=tuple(positions), stride=(1, 1))
    behind = chain.append(pool)
    weights, mask = spread_groups(layer)
    outputs, most = len(weights), (1 << planes) - 1
    ones = np.ones(weights.shape, np.uint8) if mask is None else mask
    inputs, negative = (
        each.reshape(outputs, -1).sum(axis=1, dtype=np.int64) for each in (ones, ones * (1 - weights))
    )
    # A weight of -1 agrees with what its input lacks to the maximum of its bits, which are more now.
    more, reach, count = negative * (most - area * taken), inputs * most, weights[0].size * most + 1
    check_size((outputs, count))
    numbers = np.minimum(np.arange(count), reach[:, None]) - more[:, None]
    lowest, steps = lines

    def make(**arrays):
        return ir.Dense(name=layer.name, planes=planes, **arrays)

    made = Counts(
        size=outputs,
        count=count,
        behind=behind,
        channels=outputs,
        name=layer.name,
        weights=weights.reshape(outputs, -1),
        mask=None if mask is None else mask.reshape(outputs, -1),
        reach=reach,
        lowest=source.lowest - source.step / area * more,
        step=source.step / area,
        make=make,
    )
    rows = (lowest[:, None] + steps[:, None] / area * numbers).astype(value.rows.dtype)
    index = order.reshape(1, -1, 1, 1)
    return replace(value, source=made, index=index, row=index, rows=rows, origin=str(where))
