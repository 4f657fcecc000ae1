"""Counts and sums to bits: a layer's thresholds are the integers at which a tensor's functions step."""

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import numpy as np

from ...errors import ModelError
from .. import ir
from .chain import Chain
from .channels import channel_rows, rising
from .functions import bends, find_lines, most_values, values_in_order
from .tensors import Counts, Elements, Tensor, Where

__all__ = ["MOST_LEVELS", "bits_of", "counts_to_bits", "find_steps", "numbers_to_inputs", "per_channel"]

#: Maximum steps of an activation: 4 bits.
MOST_LEVELS = 15


def find_steps(
    where: Where, value: Tensor, functions: np.ndarray, padding: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where rising functions step: their values (rows, values) and thresholds (rows, values - 1)."""
    if (functions[:, 1:] < functions[:, :-1]).any():
        raise ModelError(
            f"{where}: must take functions that only rise or only fall, but {value.origin} rises and falls,"
            " so that it has no threshold; remove what causes it (Abs)"
        )
    values = _values(where, value, functions, padding)
    return values, (functions[:, None, :] < values[:, 1:, None]).sum(axis=2)


def _values(where: Where, value: Tensor, functions: np.ndarray, padding: np.ndarray) -> np.ndarray:
    """The values of functions in rising order, shape (rows, values)."""
    values = values_in_order(functions, padding, MOST_LEVELS)
    if values is None or values.shape[1] > MOST_LEVELS + 1:
        count = most_values(functions)
        what = f"{count} values" if values is not None or count > MOST_LEVELS + 1 else "different scales"
        raise ModelError(
            f"{where}: must take bits, but {value.origin} has {what}; quantise it to 1 bit (BipolarQuant) or"
            " a few"
        )
    return np.broadcast_to(values, (len(functions), values.shape[1]))


def per_channel(
    chain: Chain,
    kind: str,
    weights: np.ndarray,
    thresholds: np.ndarray | None,
    *,
    channels: int,
    planes: int = 1,
    shape: tuple[int, ...] | None = None,
) -> ir.Dense | ir.Conv2d:
    """A layer of neurons that each take the adjacent elements of one channel only.

    Parameters
    ----------
    kind : str
        Its name, numbered if necessary.
    weights : array, shape (neurons, elements of a channel)
        The neurons of a channel are adjacent.
    thresholds : integer array, shape (neurons,), or None
    shape : tuple of int or None
        Shape of the layer's input. None is the output of the last layer.
    """
    shape, (neurons, inputs) = shape or chain.shape(), weights.shape
    name = chain.new_name(None, kind)
    if len(shape) == 3:
        kernel = weights.reshape(neurons, 1, 1, inputs)
        return ir.Conv2d(name=name, weights=kernel, groups=channels, thresholds=thresholds, planes=planes)
    all_weights = np.ones((neurons, channels, inputs), np.uint8)
    mask = np.zeros((neurons, channels, inputs), np.uint8)
    own = np.arange(neurons), np.arange(neurons) // (neurons // channels)
    all_weights[own], mask[own] = weights, 1
    return ir.Dense(
        name=name,
        weights=all_weights.reshape(neurons, -1),
        mask=mask.reshape(neurons, -1) if channels > 1 else None,
        thresholds=thresholds,
        planes=planes,
    )


def bits_of(
    chain: Chain,
    value: Tensor,
    values: np.ndarray,
    *,
    row: np.ndarray,
    size: int,
    channels: int,
    index: np.ndarray | None = None,
    as_number: bool = False,
) -> Tensor:
    """The tensor as a function of the bits of the last layer: each element has its value for each number of
    ones.

    Parameters
    ----------
    values : array, shape (rows, values)
    row : integer array
        Row in `values` of each element, except padding, which stays as it is.
    size, channels : int
        Of the source in elements, each of values - 1 adjacent bits.
    index : integer array or None
        None is that of `value`.
    as_number : bool
        Whether the last layer outputs that number, instead of the bits.
    """
    count = values.shape[1]
    rows = np.vstack([values, np.broadcast_to(value.rows[:, :1], (len(value.rows), count))])
    rows = rows.astype(value.rows.dtype if np.issubdtype(value.rows.dtype, np.floating) else np.float32)
    rows, same = np.unique(rows, axis=0, return_inverse=True)
    return replace(
        value,
        index=value.index if index is None else index,
        row=same.reshape(-1)[np.where(value.inside, row, value.row + len(values))],
        rows=rows,
        source=Elements(
            size=size, count=count, copies=1 if as_number else count - 1, after=chain.end, channels=channels
        ),
    )


def counts_to_bits(chain: Chain, where: Where, value: Tensor) -> Tensor:
    """Append the layer of `Counts`: a bit for each neuron or, if its function has several steps, its count
    and a layer that compares the count with all of them.
    """
    source = cast(Counts, value.source)
    functions = value.rows[channel_rows(where, value)]
    if bends(functions):

        def append(thresholds: np.ndarray) -> None:
            chain.append(source.layer(thresholds.reshape(-1)))
            chain.layers.extend(source.pools)

        return _bits_of_bends(chain, where, value, functions, append)
    if not source.pools:
        value = rising(where, value)
        source = cast(Counts, value.source)
    functions = value.rows[channel_rows(where, value)]
    # The maximum of several counts has no weights to complement. Where its function falls, a one stands for
    # the lower value.
    signs = np.where(functions[:, 0] > functions[:, -1], -1.0, 1.0)
    values, thresholds = find_steps(where, value, functions * signs[:, None], value.padding_values)
    several = thresholds.shape[1] > 1
    chain.append(source.layer(None if several else thresholds.reshape(-1)))
    if several:
        chain.append(_levels(chain, thresholds, inverted=np.zeros(len(thresholds), np.int64)))
    chain.layers.extend(source.pools)
    return bits_of(
        chain,
        value,
        values * signs[:, None],
        row=value.index % source.outputs,
        size=source.size,
        channels=source.outputs,
        as_number=several,
    )


def _levels(chain: Chain, thresholds: np.ndarray, *, inverted: np.ndarray) -> ir.Threshold:
    """The layer that compares each channel with its thresholds (channels, levels)."""
    return ir.Threshold(
        name=chain.new_name(None, "levels" if thresholds.shape[1] > 1 else "threshold"),
        thresholds=thresholds if thresholds.shape[1] > 1 else thresholds[:, 0],
        inverted=inverted,
    )


def numbers_to_inputs(chain: Chain, where: Where, value: Tensor) -> Tensor:
    """A tensor of `Elements` as inputs of neurons: bits and even steps as they are, or else thresholded."""
    source = value.source
    assert isinstance(source, Elements)
    if source.count == 2 or find_lines(value.used_rows, source.count - 1):
        return value
    return _sums_to_bits(chain, where, value, source)


def _sums_to_bits(chain: Chain, where: Where, value: Tensor, source: Elements) -> Tensor:
    """Append layers that compare integers with the steps of their functions."""
    functions = value.rows[channel_rows(where, value)]

    def append(thresholds: np.ndarray) -> None:
        ones = np.ones((thresholds.size, source.copies), np.uint8)
        layer = per_channel(
            chain, "thresholds", ones, thresholds.reshape(-1), channels=source.channels, planes=source.planes
        )
        chain.append(layer)

    if bends(functions):
        return _bits_of_bends(chain, where, value, functions, append)
    falls = functions[:, 0] > functions[:, -1]
    signs = np.where(falls, -1.0, 1.0)
    values, thresholds = find_steps(where, value, functions * signs[:, None], value.padding_values)
    values = values * signs[:, None]
    as_number = source.copies == 1
    if as_number:
        chain.append(_levels(chain, thresholds, inverted=falls.astype(np.int64)))
        values = np.sort(values, axis=1)  # a higher number stands for the higher value, inverted or not
    else:
        append(thresholds)
    return bits_of(
        chain,
        value,
        values,
        row=value.index % source.channels,
        size=source.size,
        channels=source.channels,
        as_number=as_number,
    )


def _bits_of_bends(
    chain: Chain, where: Where, value: Tensor, functions: np.ndarray, append: Callable[[np.ndarray], None]
) -> Tensor:
    """Bits of functions that both rise and fall, in two layers.

    The first layer has a bit for each integer at which a function crosses a value; `append` adds it from its
    thresholds, shape (channels, bits). Neurons of a second layer combine these bits.
    """
    values = _values(where, value, functions, value.padding_values)
    # Whether each channel has at least each value, at each integer.
    above = (functions[:, None, :] >= values[:, 1:, None]).reshape(-1, functions.shape[1])
    crossings = [np.flatnonzero(np.diff(each.astype(np.int8))) + 1 for each in above]
    most = max(1, max(map(len, crossings)))
    thresholds = np.full((len(above), most), functions.shape[1])
    weights = np.ones((len(above), most), np.uint8)
    for each, places, levels, signs in zip(above, crossings, thresholds, weights, strict=True):
        levels[: len(places)] = places
        signs[: len(places)] = each[places]
    append(thresholds.reshape(len(functions), -1))
    # Below all crossings, only the weights of those that fall agree.
    sides = (weights == 0).sum(axis=1) + 1 - above[:, 0]
    chain.append(per_channel(chain, "side", weights, sides, channels=len(above)))
    return bits_of(
        chain,
        value,
        values,
        row=value.index % len(functions),
        size=value.source.size,
        channels=len(functions),
    )
