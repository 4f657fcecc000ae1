"""Raw pixels as inputs of the first layer with weights: as bits (`Binarize`), numbers (`Lookup`) or bytes."""

from dataclasses import dataclass, replace

import numpy as np

from ...errors import ModelError
from .. import ir
from .chain import Chain
from .functions import ROUNDING, bends, find_lines, most_values
from .tensors import Elements, Tensor, Where
from .thresholds import MOST_LEVELS, bits_of, find_steps, numbers_to_inputs

__all__ = ["pixels_to_bits", "pixels_to_inputs"]

#: With more steps, numbers of a few bits are cheaper than one bit for each step.
_MOST_PIXEL_LEVELS = 3


@dataclass(frozen=True, kw_only=True)
class _EvenNumbers:
    """One function of all pixels: ``lowest + step * table[p]``; the table's values are 0 ... 255."""

    lowest: float
    step: float
    table: np.ndarray


def pixels_to_inputs(chain: Chain, where: Where, value: Tensor) -> Tensor:
    """A tensor of `Pixels` as inputs of neurons, in the cheapest exact form; may append a layer."""
    used = value.used_rows
    numbers = _even_numbers(used)
    if numbers is None:
        few = most_values(used) <= MOST_LEVELS + 1
    else:
        few = numbers.table.max() <= _MOST_PIXEL_LEVELS
    if numbers is None and not (few and not bends(used)) and find_lines(used, value.source.count - 1) is None:
        ranked = _as_ranks(chain, value)
        if ranked is not value:
            return numbers_to_inputs(chain, where, ranked)
    if few and (numbers is None or not bends(used)):
        return pixels_to_bits(chain, where, value)
    return _pixels_to_numbers(chain, where, value, used, numbers)


def pixels_to_bits(chain: Chain, where: Where, value: Tensor) -> Tensor:
    """A tensor of `Pixels` as bits, as many for each pixel as its function has steps; appends `Binarize`.

    Functions that rise and fall become numbers (`Lookup`) instead.
    """
    chain.check_end(where, value.source)
    inside, row = value.inside, value.row
    used = value.used_rows
    if bends(used):
        numbers = _even_numbers(used)
        if numbers is not None and numbers.table.max() == 1:
            return _pixels_to_numbers(chain, where, value, used, numbers)
        ranked = _as_ranks(chain, value)
        if ranked is not value:
            return numbers_to_inputs(chain, where, ranked)
    # A pixel has no weights to complement. Where its function falls, a one stands for the lower value.
    signs = np.where(value.rows[:, 0] > value.rows[:, -1], -1.0, 1.0)
    functions = value.rows * signs[:, None]
    only_padding = np.setdiff1d(np.arange(len(functions)), row[inside])
    functions[only_padding] = functions[row[inside][0]]
    values, thresholds = find_steps(where, value, functions, value.padding_values)
    size = value.source.size
    times = np.bincount(value.index[inside], minlength=size)
    most = int(times.max())
    if (times[times > 0] != most).any():
        raise ModelError(
            f"{where}: must use each pixel equally often, but {value.origin} uses some"
            f" {times[times > 0].min()} times and some {most} times"
        )
    order = np.argsort(value.index[inside], kind="stable")
    pixel, use = value.index[inside][order], np.arange(len(order)) % most
    # Bits of a pixel that is not used are always 0.
    levels = np.full((size, most, thresholds.shape[1]), ir.PIXEL_LEVELS)
    levels[pixel, use] = thresholds[row[inside][order]]
    name = chain.new_name(None, "pixels")
    chain.append(ir.Binarize(name=name, thresholds=levels.reshape(size, -1)))
    index = value.index.copy()
    position = np.empty(len(order), np.int64)
    position[order] = pixel * most + use
    index[inside] = position
    return bits_of(
        chain,
        value,
        values * signs[:, None],
        row=row,
        index=index,
        size=size * most,
        channels=value.source.channels,
    )


def _as_ranks(chain: Chain, value: Tensor) -> Tensor:
    """Pixels as ranks of their values, the lowest being 0; appends a `Lookup`.

    Returns the same tensor if bytes already are in the order of their values.
    """
    ranks = chain.pixel_type.ranks
    if np.array_equal(ranks, np.arange(len(ranks))):
        return value
    layer = ir.Lookup(name=chain.new_name(None, "pixels"), table=ranks)
    chain.append(layer)
    _, first = np.unique(ranks, return_index=True)  # the first byte of each value
    return replace(
        value,
        rows=value.rows[:, first],
        source=Elements(
            size=value.source.size,
            count=len(first),
            after=layer.name,
            channels=layer.output_shape(chain.image_shape)[-1],
        ),
    )


def _even_numbers(used: np.ndarray) -> _EvenNumbers | None:
    """The one function of all pixels as numbers in even steps, or None."""
    function = used[0].astype(np.float64)
    if len(used) > 1 and (used != used[0]).any() or function.min() == function.max():
        return None
    values = np.unique(function)
    step = np.diff(values).min()
    if find_lines(used, used.shape[1] - 1):
        lowest, step = function[0], (function[-1] - function[0]) / (len(function) - 1)
    else:
        lowest = values[0]
    closest = step
    # No two of a fine quantiser's values that occur need be as close as its step.
    for parts in range(1, ir.PIXEL_LEVELS):
        table = np.rint((function - lowest) / (closest / parts))
        top = int(np.argmax(table))
        if table[top] >= ir.PIXEL_LEVELS:
            return None
        step = (function[top] - lowest) / table[top]  # fits all values, not only the closest two
        error = np.abs(function - lowest - step * table).max()
        if error <= ROUNDING / (1 if parts == 1 else 4) * np.abs(values).max():
            return _EvenNumbers(lowest=lowest, step=step, table=table.astype(np.int64))
    return None


def _pixels_to_numbers(
    chain: Chain, where: Where, value: Tensor, used: np.ndarray, numbers: _EvenNumbers | None
) -> Tensor:
    """Pixels as bytes if their functions are lines, or else as numbers in even steps; appends a `Lookup`."""
    source = value.source
    if find_lines(used, source.count - 1):  # each function may have a step of its own
        bytes_ = Elements(size=source.size, count=source.count, after=None, channels=source.channels)
        return replace(value, source=bytes_)
    if numbers is None:
        differ = len(used) > 1 and (used != used[0]).any()
        raise ModelError(
            f"{where}: must take bits or pixels in even steps, but {value.origin} has {len(np.unique(used))}"
            " values in uneven steps over the 256 of a pixel"
            + (
                ", which differ between pixels; quantise all pixels alike, before anything that differs (a"
                " mean and deviation for each channel)"
                if differ
                else "; quantise it uniformly, to 8 bits or fewer"
            )
        )
    top = numbers.table.max()
    name = chain.append(ir.Lookup(name=chain.new_name(None, "pixels"), table=numbers.table))
    line = numbers.lowest + numbers.step * np.arange(top + 1)
    rows = np.vstack([line, *(np.full((1, top + 1), constant) for constant in value.rows[:, 0])])
    return replace(
        value,
        rows=rows.astype(value.rows.dtype),
        row=np.where(value.inside, 0, value.row + 1),
        source=Elements(size=source.size, count=len(line), after=name, channels=source.channels),
    )
