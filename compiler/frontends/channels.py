"""Tensors that treat each channel alike at all positions, as the neurons of a layer do."""

from dataclasses import replace

import numpy as np

from ...errors import ModelError
from .functions import bends
from .tensors import Counts, Tensor, Where

__all__ = ["channel_rows", "complement", "rising"]


def channel_rows(where: Where, value: Tensor) -> np.ndarray:
    """The row of each channel of the source, shape (channels,).

    Raises
    ------
    ModelError
        A channel differs between positions or does not occur.
    """
    inside = value.inside
    channel, row = value.index[inside] % value.source.channels, value.row[inside]
    rows = np.full(value.source.channels, -1)
    rows[channel] = row
    if (rows < 0).any() or (rows[channel] != row).any():
        raise ModelError(
            f"{where}: must use all channels of {value.origin}, and each channel alike at all positions;"
            " leave out what cuts or changes only some of them"
        )
    return rows


def complement(where: Where, value: Tensor, falls: np.ndarray) -> Tensor:
    """The same tensor of `Counts`, after the neurons in `falls` count disagreements instead.

    Parameters
    ----------
    falls : bool array, shape (outputs,)
    """
    source = value.source
    assert isinstance(source, Counts)
    rows = value.rows[channel_rows(where, value)]
    weights = source.weights ^ falls.astype(np.uint8).reshape(-1, *(1,) * (source.weights.ndim - 1))
    back = np.maximum(source.reach[:, None] - np.arange(source.count), 0)
    rows = np.where(falls[:, None], np.take_along_axis(rows, back, axis=1), rows)
    row = np.where(value.inside, value.index % source.outputs, value.row + source.outputs)
    lowest = np.where(falls, source.lowest + source.step * source.reach, source.lowest)
    source = replace(source, weights=weights, lowest=lowest, step=np.where(falls, -source.step, source.step))
    return replace(value, source=source, row=row, rows=np.vstack([rows, value.rows]))


def rising(where: Where, value: Tensor) -> Tensor:
    """The same tensor with functions that do not fall: a falling neuron counts its complement instead."""
    if isinstance(value.source, Counts) and not value.source.pools:
        rows = value.rows[channel_rows(where, value)]
        value = complement(where, value, rows[:, 0] > rows[:, -1])
    used = value.rows[np.unique(value.row)]
    if (used[:, 1:] < used[:, :-1]).any():
        how = "rises and falls" if bends(used) else "falls"
        raise ModelError(
            f"{where}: must take rising functions, but {value.origin} {how}, so that it has no threshold;"
            " remove what causes it (Abs, a MaxPool before a negative scale)"
        )
    return value
