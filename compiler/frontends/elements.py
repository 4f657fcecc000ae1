"""Tensors as elements of a layer's output, for the next layer: appends the layers that this needs."""

from dataclasses import replace

import numpy as np

from .branches import at_end
from .chain import Chain
from .channels import channel_rows, rising
from .first_layer import pixels_to_inputs
from .functions import fill_unknown, find_lines, most_values
from .tensors import Counts, Elements, Pixels, Tensor, Where
from .thresholds import MOST_LEVELS, counts_to_bits, numbers_to_inputs

__all__ = ["as_counts", "as_elements", "as_summands", "reuse_bits"]


def as_elements(chain: Chain, where: Where, value: Tensor) -> Tensor:
    """The tensor as elements that neurons can take: bits, or integers in even steps."""
    value = reuse_bits(chain, value)
    result = _as_elements(chain, where, at_end(chain, where, value))
    if result is not value:
        chain.as_bits[id(value.source)] = value, result
    return result


def _as_elements(chain: Chain, where: Where, value: Tensor) -> Tensor:
    source = value.source
    if isinstance(source, Pixels):
        return pixels_to_inputs(chain, where, value)
    if isinstance(source, Elements):
        return numbers_to_inputs(chain, where, value)
    assert isinstance(source, Counts)
    # Counts that nothing quantises stay as they are. Padding may be a value more, if there are few.
    most = 2 if value.inside.all() else MOST_LEVELS + 1
    if (
        not source.pools
        and most_values(value.used_rows) > most
        and find_lines(value.rows[channel_rows(where, value)], source.reach)
    ):
        return as_counts(chain, where, rising(where, value))
    return counts_to_bits(chain, where, value)


def as_summands(chain: Chain, where: Where, value: Tensor) -> Tensor:
    """The tensor as elements that can be added: counts stay integers if their functions are lines."""
    value = reuse_bits(chain, value)
    source = value.source
    if (
        isinstance(source, Counts)
        and not source.pools
        and source.count > 2
        and source.after == chain.end
        and find_lines(value.rows[channel_rows(where, value)], source.reach) is not None
    ):
        return as_counts(chain, where, value)
    return as_elements(chain, where, value)


def as_counts(chain: Chain, where: Where, value: Tensor) -> Tensor:
    """A tensor of `Counts` as the integers that their layer outputs; appends it, without thresholds."""
    source = value.source
    assert isinstance(source, Counts)
    rows, numbers = value.rows[channel_rows(where, value)], np.arange(source.count)
    lines = find_lines(rows, source.reach)
    assert lines is not None
    # Beyond the reach of a neuron with fewer inputs, its line goes on.
    beyond = (lines.lowest[:, None] + lines.step[:, None] * numbers).astype(rows.dtype)
    rows = np.where(numbers <= source.reach[:, None], rows, beyond)
    return replace(
        value,
        row=np.where(value.inside, value.index % source.outputs, value.row + source.outputs),
        rows=np.vstack([rows, value.rows]),
        source=Elements(
            size=source.size,
            count=source.count,
            after=chain.append(source.layer(None)),
            channels=source.outputs,
            sums=(source.lowest, source.step),
        ),
    )


def reuse_bits(chain: Chain, value: Tensor) -> Tensor:
    """A tensor whose source has become bits, as a function of these bits.

    Returns the tensor itself if its source has not, or if it is no function of these bits.
    """
    before, bits = chain.as_bits.get(id(value.source), (None, None))
    if before is None or bits is None or not isinstance(bits.source, Elements):
        return value
    own = value.inside
    inside = before.inside  # padding and order may differ from those of `value`
    if len(np.unique(before.index[inside])) < inside.sum():  # several bits of a pixel
        return _the_same_bits(before, bits, value)
    old_row, new_row, new_index = np.zeros((3, value.source.size), np.int64)
    old_row[before.index[inside]] = before.row[inside]
    new_row[before.index[inside]] = bits.row[inside]
    new_index[before.index[inside]] = bits.index[inside]
    # It is a function of a neuron's bits if it has one value wherever the same number of them is on.
    triples, row = np.unique(
        np.stack([old_row[value.index[own]], new_row[value.index[own]], value.row[own]]),
        axis=1,
        return_inverse=True,
    )
    old, new, rows = before.rows[triples[0]], bits.rows[triples[1]], value.rows[triples[2]]
    result = np.full((len(rows), bits.source.count), np.nan)
    for number in range(bits.source.count):
        same = old == new[:, number : number + 1]
        highest, lowest = np.where(same, rows, -np.inf).max(1), np.where(same, rows, np.inf).min(1)
        if (highest > lowest).any():
            return value
        result[:, number] = np.where(same.any(1), highest, np.nan)
    fill_unknown(result)
    return _of_bits(bits, value, new_index[value.index[own]], row.ravel(), result)


def _the_same_bits(before: Tensor, bits: Tensor, value: Tensor) -> Tensor:
    """A tensor of the elements that became bits, in any order and with any padding, as these bits; the tensor
    itself if it has others.
    """
    own, inside = value.inside, before.inside
    _, function = np.unique(np.vstack([before.rows, value.rows]), axis=0, return_inverse=True)
    function = function.ravel()
    count = function.max() + 1
    known = _numbered(before.index[inside] * count + function[before.row[inside]])
    wanted = _numbered(value.index[own] * count + function[len(before.rows) + value.row[own]])
    order = np.argsort(known)
    found = order[np.minimum(np.searchsorted(known, wanted, sorter=order), len(known) - 1)]
    if (known[found] != wanted).any():
        return value
    return _of_bits(bits, value, bits.index[inside][found], bits.row[inside][found], bits.rows)


def _numbered(keys: np.ndarray) -> np.ndarray:
    """Keys of which equal ones are told apart, in their order."""
    order = np.argsort(keys, kind="stable")
    _, first, group = np.unique(keys[order], return_index=True, return_inverse=True)
    numbered = np.empty_like(keys)
    numbered[order] = keys[order] * len(keys) + np.arange(len(keys)) - first[group.ravel()]
    return numbered


def _of_bits(bits: Tensor, value: Tensor, index: np.ndarray, row: np.ndarray, rows: np.ndarray) -> Tensor:
    """A tensor as functions `rows` of bits; `index` and `row` are of its elements that are no padding."""
    own = value.inside
    paddings, padded = np.unique(value.rows[value.row[~own], 0], return_inverse=True)
    constant = np.repeat(paddings[:, None], rows.shape[1], axis=1)
    all_index, all_row = np.full(value.shape, -1), np.empty(value.shape, np.int64)
    all_index[own] = index
    all_row[own], all_row[~own] = row, len(rows) + padded.ravel()
    return replace(
        bits,
        index=all_index,
        row=all_row,
        rows=np.vstack([rows, constant]).astype(value.rows.dtype),
        origin=value.origin,
    )
