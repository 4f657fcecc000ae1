"""Layers with weights, from weights in floating point and tensors of functions: `Dense`, `Conv2d`."""

from dataclasses import replace

import numpy as np

from ...errors import ModelError
from .. import ir
from .tabulate import Counts, Pixels, Tensor, check_size, elementwise, padded, straight

__all__ = ["channels_as_rows", "convolve", "dense", "image_of", "part_of", "spread_groups", "uncut"]


def _inputs(chain, where, value):
    """The tensor as inputs of neurons: (tensor, lowest value, step), an element being ``lowest + step * k``."""
    value = chain.elements(where, value)
    lines = straight(value.rows[:, : value.source.count], value.source.count - 1)
    used = np.unique(value.row[value.index >= 0])
    if lines is None:  # rows of nothing but padding are constant
        lowest, steps = value.rows[:, 0].astype(np.float64), np.zeros(len(value.rows))
        lines = straight(value.rows[used], value.source.count - 1)
        if lines is None:
            raise ModelError(
                f"{where}: must take values in even steps, but what comes from {value.origin} has the values "
                f"{', '.join(f'{each:g}' for each in np.unique(value.rows[used])[:6])}; quantise it uniformly"
            )
        lowest[used], steps[used] = lines
        lines = lowest, steps
    return value, *lines


def _signs(where, weights, lowest, step, source, origin):
    """Weights with the inputs' steps as bits, their mask or None, and a neuron's base and scale.

    The value of a neuron is ``base + scale * (2 * count - reach)``. `weights`, `lowest`, `step` are of the
    shape (outputs, ...).
    """
    whole = weights.astype(np.float64) * step
    flat = np.abs(whole.reshape(len(whole), -1))
    most = flat.max(1, keepdims=True)
    bad = ~np.isfinite(flat).all(1) | ((flat > 1e-6 * most) & (flat < most * (1 - 1e-6))).any(1)
    if bad.any():
        at = int(np.argmax(bad))
        values = np.unique(np.abs(weights[at]))
        shown = ", ".join(f"{each:g}" for each in values[:4]) + (", ..." if len(values) > 4 else "")
        if not np.isfinite(values).all() or len(values[values != 0]) != 1:
            raise ModelError(
                f"{where}: its weights must be -1, 0 and +1 times one scale for each output, but output {at}"
                f" has magnitudes {shown}; quantise them to 1 bit (BipolarQuant) or to -1, 0, +1 (a narrow"
                " 2-bit Quant)"
            )
        raise ModelError(
            f"{where}: all inputs of output {at} must have the same scale, but {origin} gives its channels "
            "different ones; train with one scale for all channels"
        )
    mask = (flat > 1e-6 * most).reshape(weights.shape)
    top = source.copies * ((1 << source.greatest.bit_length()) - 1)
    middle = np.broadcast_to(lowest + step * top / 2, weights.shape)
    base = np.where(mask, weights.astype(np.float64) * middle, 0).reshape(len(weights), -1).sum(1)
    # Outside the mask a weight is 1, whatever its sign of zero was: equal networks have equal files.
    return (whole >= 0) | ~mask, None if mask.all() else mask, base, most[:, 0] / 2


def _counts(chain, where, kind, value, bits, mask, base, scale, shape, layer, **settings):
    """The tensor of neurons: its shape is (1, outputs, ...), its order in the source channels last."""
    planes = value.source.greatest.bit_length()
    top = (1 << planes) - 1
    bits = np.repeat(bits, value.source.copies, axis=-1).astype(np.uint8)
    if mask is None:
        reach = np.full(len(bits), bits[0].size * top)
    else:
        mask = np.repeat(mask, value.source.copies, axis=-1).astype(np.uint8)
        reach = mask.reshape(len(mask), -1).sum(axis=1, dtype=np.int64) * top
    count = bits[0].size * top + 1
    check_size((len(bits), count))
    rows = base[:, None] + scale[:, None] * (
        2.0 * np.minimum(np.arange(count), reach[:, None]) - reach[:, None]
    )
    number = value.rows.dtype if np.issubdtype(value.rows.dtype, np.floating) else np.float32
    size = int(np.prod(shape))
    channels, *positions = shape
    index = np.moveaxis(np.arange(size).reshape(*positions, channels), -1, 0)
    row = np.broadcast_to(np.arange(channels).reshape(-1, *[1] * len(positions)), index.shape)
    name = chain.name(where, kind)
    if planes > 1:
        settings["planes"] = planes

    def make(**arrays):
        return layer(name=name, **arrays, **settings)

    return Tensor(
        source=Counts(
            size=size,
            count=count,
            behind=chain.end,
            channels=channels,
            name=name,
            weights=bits,
            mask=mask,
            reach=reach,
            lowest=base - scale * reach,
            step=2 * scale,
            make=make,
        ),
        index=index[None],
        row=row[None],
        rows=rows.astype(number),
        origin=str(where),
    )


def dense(chain, where, value, weights):
    """Neurons on a vector (1, inputs); `weights` are of the shape (outputs, inputs)."""
    weights = np.asarray(weights)
    if (
        weights.ndim != 2
        or value.shape[-1] != int(np.prod(value.shape))
        or weights.shape[1] != value.shape[-1]
    ):
        raise ModelError(
            f"{where}: must multiply one vector by a matrix, but {value.origin} gives the shape {value.shape}"
            f" and the weights have {weights.T.shape}"
        )
    value, lowest, step = _inputs(chain, where, value)
    index, row = value.index.reshape(-1), value.row.reshape(-1)
    if index.min() < 0 or len(np.unique(index)) != len(index):
        raise ModelError(
            f"{where}: must take no output of the layer before twice, nor padding, but {value.origin} has "
            f"{len(index)} elements of its {value.source.size}"
        )
    bits, mask, base, scale = _signs(
        where, weights, lowest[row][None], step[row][None], value.source, value.origin
    )

    if len(index) < value.source.size and mask is None:  # what is cut off has weights of 0
        mask = np.ones_like(bits)

    def ordered(array, rest):
        if array is None:
            return None
        result = np.full((len(array), value.source.size), rest, array.dtype)
        result[:, index] = array
        return result

    made = _counts(
        chain,
        where,
        "dense",
        value,
        ordered(bits, 1),
        ordered(mask, 0),
        base,
        scale,
        (len(weights),),
        ir.Dense,
    )
    return replace(
        made, index=made.index.reshape(*value.shape[:-1], -1), row=made.row.reshape(*value.shape[:-1], -1)
    )


def uncut(chain, value, stride):
    """The whole image that a tensor (1, channels, rows, columns) is a part of, and how many steps of `stride`
    that part lies inside it.

    A window over a part of an image has the results that one over the whole has there. The tensor itself and
    (0, 0) where it is no part, or not one that a window comes to in whole steps.
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
    return replace(
        value, index=whole[None], row=np.broadcast_to(value.row[:, :, :1, :1], (1, *whole.shape))
    ), (row // stride[0], column // stride[1])


def part_of(value, first, size):
    """The rows and columns of an image from `first` on, of that size."""
    inside = (..., *(slice(start, start + length) for start, length in zip(first, size, strict=True)))
    return replace(value, index=value.index[inside], row=value.row[inside])


def image_of(chain, where, value):
    """An image (1, channels, rows, columns) of the source's order without its padding, its pads and padding
    value.

    Returns the tensor, ((top, bottom), (left, right)), the value or None, and the channel of the source that
    each channel of `value` is.
    """
    if len(value.shape) != 4:
        raise ModelError(
            f"{where}: must take an image (batch, channels, rows, columns), but {value.origin} gives the "
            f"shape {value.shape}"
        )
    inside = value.index[0] >= 0
    places = [np.flatnonzero(inside.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    box = tuple(slice(each[0], each[-1] + 1) for each in places)
    pads = tuple(
        (int(each[0]), int(size - 1 - each[-1]))
        for each, size in zip(places[1:], value.shape[2:], strict=True)
    )
    padding = None
    if inside.sum() != inside.size:
        outside = np.unique(value.rows[value.row[0][~inside], 0])
        if len(outside) != 1:
            raise ModelError(f"{where}: its padding must be one value, but {len(outside)} were found")
        padding = float(outside[0])
    index = value.index[0][box]
    channels, height, width = index.shape
    order = (
        index[:, 0, 0] % channels
    )  # of the channels, which a Concat may have put side by side in an order of its own
    whole = index.size == value.source.size and np.array_equal(np.sort(order), np.arange(channels))
    if (
        not whole
        or not np.array_equal(
            index, np.arange(index.size).reshape(height, width, channels).transpose(2, 0, 1)[order]
        )
        or (chain.positions(value.source) not in (None, (height, width)))
    ):
        raise ModelError(
            f"{where}: must take an image as the layer before gives it, but its elements have been moved or"
            " cut on the way; leave Reshape, Transpose and Slice to the end of the convolutions, and crop"
            " images before they enter the network"
        )
    back = np.argsort(order)
    return replace(value, index=index[None, back], row=value.row[0][box][None, back]), pads, padding, order


def channels_as_rows(chain, value):
    """A sequence (1, channels, 1, length) whose source has each channel whole as (1, 1, channels, length);
    None where it is no such.

    So an input of (channels, length) has its pixels, and a window over a sequence is one over the image of
    these rows.
    """
    channels, height, _ = value.shape[1:]
    if channels == 1 or height != 1 or value.source.size % channels:
        return None
    index, whole = value.index[0, :, 0], value.source.size // channels
    inside = index >= 0
    if (
        whole == 1
        or (index // whole != np.arange(channels)[:, None])[inside].any()
        or chain.positions(value.source) not in (None, (channels, whole))
    ):
        return None
    return replace(value, index=value.index.swapaxes(1, 2), row=value.row.swapaxes(1, 2))


def _padding_bit(where, padding, lowest, highest, own):
    """The bit that a padding value is; `own` tells whether the convolution pads by itself."""
    ends = np.unique(lowest), np.unique(highest)
    matching = [
        at for at, end in enumerate(ends) if len(end) == 1 and np.isclose(end[0], padding, rtol=1e-6, atol=0)
    ]
    if matching:
        return matching[0]
    values = np.concatenate(ends)
    if padding in values:
        raise ModelError(
            f"{where}: pads with {padding:g}, which is the lower value of some channels and the higher of "
            "others, as a negative scale stands behind a MaxPool; put the MaxPool behind the sign"
        )
    raise ModelError(
        f"{where}: pads with {padding:g}, which is no value of its inputs "
        f"({', '.join(f'{each:g}' for each in np.unique(values)[:4])}): a bit has no 0 between -1 and +1; "
        + (
            "train and export with padding of -1 or +1 instead (a Pad before the convolution, as of "
            "torch.nn.functional.pad(x, ..., value=-1.0)), or without padding"
            if own
            else "pad with the lowest or the highest of them"
        )
    )


def spread_groups(layer):
    """Weights and mask of a `Conv2d` over all channels, (outputs, rows, columns, channels): those of other
    groups never count.
    """
    if layer.groups == 1:
        return layer.weights, layer.mask
    part, outputs = layer.weights.shape[3], layer.outputs // layer.groups
    shape = *layer.weights.shape[:3], layer.channels
    weights, mask = np.ones(shape, np.uint8), np.zeros(shape, np.uint8)
    for group in range(layer.groups):
        rows, channels = (
            slice(group * outputs, (group + 1) * outputs),
            slice(group * part, (group + 1) * part),
        )
        weights[rows, ..., channels] = layer.weights[rows]
        mask[rows, ..., channels] = 1 if layer.mask is None else layer.mask[rows]
    return weights, mask


def _in_order(where, weights, order, groups):
    """Weights (outputs, channels / groups, ...) whose inputs come in another order; ``order[c]`` is the place
    of channel c.
    """
    part = len(order) // groups
    order = order.reshape(groups, part)
    if (order // part != np.arange(groups)[:, None]).any():
        raise ModelError(
            f"{where}: has {groups} groups of channels, but its input has been put together in an order that"
            " mixes them; use one group"
        )
    result = np.empty_like(weights)
    for rows, kept, places in zip(
        np.split(weights, groups), np.split(result, groups), order % part, strict=True
    ):
        kept[:, places] = rows
    return result


def _ungrouped(weights, groups):
    """Weights over all channels, 0 for those of other groups than an output's own."""
    outputs, own, *kernel = weights.shape
    whole = np.zeros((groups, outputs // groups, groups, own, *kernel), weights.dtype)
    each = np.arange(groups)
    whole[each, :, each] = weights.reshape(groups, outputs // groups, own, *kernel)
    return whole.reshape(outputs, groups * own, *kernel)


def convolve(chain, where, value, weights, *, bias=None, stride=(1, 1), pads=((0, 0), (0, 0)), groups=1):
    """Neurons at every position of a kernel over an image (1, channels, rows, columns).

    Parameters
    ----------
    weights : array, shape (outputs, channels / groups, kernel rows, kernel columns)
    bias : array, shape (outputs,), optional
    pads : ((top, bottom), (left, right))
        Of zeros, as in ONNX.
    """
    weights = np.asarray(weights)
    if weights.ndim != 4 or len(value.shape) != 4:
        raise ModelError(
            f"{where}: must convolve an image in two dimensions, but {value.origin} gives the shape "
            f"{value.shape} and the weights have {weights.shape}"
        )
    kernel = weights.shape[2:]
    if groups < 1 or len(weights) % groups or weights.shape[1] * groups != value.shape[1]:
        raise ModelError(
            f"{where}: {groups} groups of {weights.shape[1]} channels do not make the {value.shape[1]} that "
            f"{value.origin} gives"
        )
    own = any(map(any, pads))
    flat = isinstance(value.source, Pixels)
    value, lowest, step = _inputs(chain, where, padded(value, [(0, 0), (0, 0), *pads], 0.0))
    rows = channels_as_rows(chain, value)
    if rows is not None:  # each channel is a row of the kernel; those of other groups have weights of 0
        value, kernel = rows, (value.shape[1], kernel[1])
        weights, stride, groups = _ungrouped(weights, groups).transpose(0, 2, 1, 3), (1, stride[1]), 1
    channels, size = value.shape[1], value.shape[2:]
    value, first = uncut(chain, value, stride)
    value, pads, padding, order = image_of(chain, where, value)
    if value.shape[1] != channels:
        raise ModelError(
            f"{where}: must take whole channels, but its input is padded with {channels - value.shape[1]}"
            " more"
        )
    if len(chain.image_shape) == 1 and (
        flat or len(chain.layers) <= 1
    ):  # a flat input that the graph makes an image of
        chain.image_shape = (*value.shape[2:], value.shape[1] * chain.image_shape[0] // value.source.size)
    row = value.row[0, :, 0, 0] if rows is None else value.row[0, 0, :, 0]
    if (value.row != row.reshape((1, -1, 1, 1) if rows is None else (1, 1, -1, 1))).any():
        raise ModelError(
            f"{where}: must take an image whose channels have one scale each, but what comes from "
            f"{value.origin} differs between positions"
        )
    weights = _in_order(where, weights, order, groups)
    source, bit = value.source, 0
    if padding is not None:
        top = source.copies * ((1 << source.greatest.bit_length()) - 1)
        bit = _padding_bit(where, padding, lowest[row], lowest[row] + step[row] * top, own)
    part = len(weights) // groups

    def spread(each):  # (channels,) to (outputs, channels of its group, 1, 1), or to the kernel's rows
        if rows is not None:
            return each[row][None, None, :, None]
        return np.repeat(each[row].reshape(groups, -1), part, axis=0)[:, :, None, None]

    bits, mask, base, scale = _signs(where, weights, spread(lowest), spread(step), source, value.origin)
    positions = [
        (length + sum(pad) - each) // move + 1
        for length, pad, each, move in zip(value.shape[2:], pads, kernel, stride, strict=True)
    ]
    taken = [(length - each) // move + 1 for length, each, move in zip(size, kernel, stride, strict=True)]
    if min(taken) < 1:
        raise ModelError(f"{where}: its kernel {tuple(kernel)} must fit the padded image of {tuple(size)}")
    result = _counts(
        chain,
        where,
        "conv",
        value,
        bits.transpose(0, 2, 3, 1),
        None if mask is None else mask.transpose(0, 2, 3, 1),
        base,
        scale,
        (len(weights), *positions),
        ir.Conv2d,
        stride=tuple(stride),
        padding=pads,
        padding_bit=bit,
        groups=groups,
    )
    result = part_of(result, first, taken)
    if bias is not None:
        result = elementwise(where, np.add, (result, np.asarray(bias).reshape(1, -1, 1, 1)))
    return result
