"""The chain of layers that a frontend finds one after the other, and how functions of integers become bits of
it.

::

    Pixels ─ functions ─ step ─▶ Binarize ─▶ Elements ─▶ weights ─▶ Counts ─ functions ─ step ─▶ Dense, Conv2d
    ─▶ Elements ─▶ ...
"""

import re
from dataclasses import replace

import numpy as np

from ...errors import ModelError
from .. import ir
from ..pixel_type import UINT8
from .tabulate import ROUNDING, Counts, Elements, Pixels, straight

__all__ = ["Chain"]

#: An activation of more steps has its bits as so many inputs that no one would want to build it.
_MOST_LEVELS = 15

#: Pixels of more steps are cheaper as numbers of a few bits than as so many bits of their own.
_MOST_PIXEL_LEVELS = 3


class Chain:
    """Layers so far.

    Methods take `where`, whatever is being read: its ``str`` begins messages, its ``name`` names the layer.
    """

    def __init__(self):
        self.layers, self.image_shape, self._names = [], None, set()
        self.pixel_type = UINT8
        self.thresholded = set()  # names of layers whose counts became bits, one each
        self._became = {}  # by its source's identity: a tensor, and what it is as bits of the layer it became

    def network(self, *, name, scores, decision, labels=None):
        """The network of the layers so far and its scores; labels that are left out are numbers."""
        if not labels:
            labels = range(2 if scores.outputs == 1 else scores.outputs)
        return ir.Network(
            name=name,
            image_shape=self._pixels_shape(),
            layers=(*self.layers, scores),
            labels=tuple(map(str, labels)),
            pixel_type=self.pixel_type,
            decision=decision,
        )

    def _pixels_shape(self):
        shape = self.image_shape
        if (
            len(shape) == 2 and self.layers and isinstance(self.layers[0], ir.Conv2d)
        ):  # pixels that go in as they are have a channel
            shape = (*shape, 1)
        return shape

    def shape(self, layers=None):
        """Of what the last layer outputs, or the last of so many."""
        shape = self._pixels_shape()
        for layer in self.layers[:layers]:
            shape = layer.output_shape(shape)
        return shape

    def positions(self, source):
        """Rows and columns of a source that the last layer gives, or whose layer comes behind it; None where
        it is a vector.
        """
        shape = self.shape()
        if isinstance(source, Counts) and len(shape) > 1:
            shape = shape if len(shape) == 3 else (*shape, 1)
            for layer in (source.layer(None), *source.pools):
                shape = layer.output_shape(shape)
        return None if len(shape) == 1 else tuple(shape[:2])

    def greatest(self):
        """The maximum element of what the last layer outputs."""
        greatest, kept = ir.PIXEL_LEVELS - 1, {}
        for layer in self.layers:
            greatest = (
                greatest + layer.scale * kept[layer.fork]
                if isinstance(layer, ir.Add)
                else layer.output_maximum(greatest)
            )
            kept[layer.name] = greatest
        return greatest

    @property
    def end(self):
        """Name of the last layer."""
        return self.layers[-1].name if self.layers else None

    def append(self, layer):
        self.layers.append(layer)
        return layer.name

    def position(self, name):
        """Where the layer of a name stands."""
        return [layer.name for layer in self.layers].index(name)

    def name(self, where, kind):
        """A name that no layer has: that of `where` as an identifier, else a numbered one."""
        name = re.sub(r"\W+", "_", where.name, flags=re.ASCII).strip("_")[:40] if where else kind
        if not name or name[0].isdigit():
            name = kind
        number, tried = 0, name
        while tried in self._names:
            number += 1
            tried = f"{name}_{number}"
        self._names.add(tried)
        return tried

    def check_end(self, where, source):
        """Whether what takes `source` can be the next layer."""
        if source.behind != self.end:
            raise ModelError(
                f"{where}: takes what an earlier layer gives once more; a network must be one chain of"
                " layers, whose only branches are shortcuts that are added again behind other layers,"
                " without layers of their own (for a projection use an identity)"
            )

    # ------------------------------------------------------------------------------------------ one row a
    # channel

    def by_channel(self, where, value):
        """Which row each channel of the source has; it must be the same at all positions."""
        inside = value.index >= 0
        channel, row = value.index[inside] % value.source.channels, value.row[inside]
        rows = np.full(value.source.channels, -1)
        rows[channel] = row
        if (rows < 0).any() or (rows[channel] != row).any():
            raise ModelError(
                f"{where}: must treat a channel alike at all positions and take them all, but what comes from"
                f" {value.origin} does not"
            )
        return rows

    def complemented(self, where, value, falls):
        """The same tensor of `Counts`, with the neurons that `falls` tells counting what does not agree
        instead.
        """
        source = value.source
        rows = value.rows[self.by_channel(where, value)]
        weights = source.weights ^ falls.astype(np.uint8).reshape(-1, *(1,) * (source.weights.ndim - 1))
        back = np.maximum(source.reach[:, None] - np.arange(source.count), 0)
        rows = np.where(falls[:, None], np.take_along_axis(rows, back, axis=1), rows)
        inside = value.index >= 0
        row = np.where(inside, value.index % source.outputs, value.row + source.outputs)
        lowest = np.where(falls, source.lowest + source.step * source.reach, source.lowest)
        source = replace(
            source, weights=weights, lowest=lowest, step=np.where(falls, -source.step, source.step)
        )
        return replace(value, source=source, row=row, rows=np.vstack([rows, value.rows]))

    def rising(self, where, value):
        """The same tensor with functions that do not fall: a neuron that does counts its complement instead."""
        if isinstance(value.source, Counts) and not value.source.pools:
            rows = value.rows[self.by_channel(where, value)]
            value = self.complemented(where, value, rows[:, 0] > rows[:, -1])
        used = value.rows[np.unique(value.row)]
        if (used[:, 1:] < used[:, :-1]).any():
            raise ModelError(
                f"{where}: needs functions that rise or fall all the way, but what comes from {value.origin} "
                "turns (or falls where a complement cannot help), so it has no threshold; remove what folds "
                "it (Abs, a MaxPool before a negative scale)"
            )
        return value

    # ----------------------------------------------------------------------------------------- what a layer
    # takes

    def elements(self, where, value):
        """The tensor as one of elements that a layer gives; adds that layer."""
        value = self.again(value)
        given = self._elements(where, value)
        if given is not value:
            self._became[id(value.source)] = value, given
        return given

    def again(self, value):
        """A tensor whose source has become bits, as a function of these; itself where it is none."""
        before, bits = self._became.get(id(value.source), (None, None))
        if bits is None or not isinstance(bits.source, Elements) or (value.index < 0).any():
            return value
        inside = before.index >= 0  # what the layer took may have been padded or moved
        at = np.zeros((3, value.source.size), np.int64)
        at[:, before.index[inside]] = before.row[inside], bits.row[inside], bits.index[inside]
        # A function of one neuron's bits has one value wherever so many of them are on.
        pairs, row = np.unique(
            np.stack([at[0, value.index].reshape(-1), at[1, value.index].reshape(-1), value.row.reshape(-1)]),
            axis=1,
            return_inverse=True,
        )
        old, new, rows = before.rows[pairs[0]], bits.rows[pairs[1]], value.rows[pairs[2]]
        result = np.full((len(rows), bits.source.count), np.nan)
        for number in range(bits.source.count):
            held = old == new[:, number : number + 1]
            most, least = np.where(held, rows, -np.inf).max(1), np.where(held, rows, np.inf).min(1)
            if (most > least).any():
                return value
            result[:, number] = np.where(held.any(1), most, np.nan)
        _fill(result)
        return replace(
            bits,
            index=at[2, value.index],
            row=row.reshape(value.shape),
            rows=result.astype(value.rows.dtype),
            origin=value.origin,
        )

    def _elements(self, where, value):
        source = value.source
        self.check_end(where, source)
        if isinstance(source, Pixels):
            used = value.rows[np.unique(value.row[value.index >= 0])]
            numbers = self._numbers(used)
            few = (
                self._values(used) <= _MOST_LEVELS + 1
                if numbers is None
                else numbers[2].max() <= _MOST_PIXEL_LEVELS
            )
            if numbers is None and not (few and not _turn(used)) and straight(used, source.count - 1) is None:
                ranked = self._ranked(value)
                if ranked is not value:
                    return self._elements(where, ranked)
            if few and (numbers is None or not _turn(used)):
                return self.pixel_bits(where, value)
            return self._pixels_as_numbers(where, value, used, numbers)
        used = value.rows[np.unique(value.row[value.index >= 0])]
        if isinstance(source, Elements):
            if source.count == 2 or straight(used, source.count - 1):
                return value
            return self._threshold(where, value)
        if (
            not source.pools
            and self._values(used) > _MOST_LEVELS + 1
            and straight(value.rows[self.by_channel(where, value)], source.reach)
        ):
            return self.counts(where, self.rising(where, value))
        return self._neurons(where, value)

    def summands(self, where, value):
        """The tensor as one of elements that can be added, adding their layer: lines of counts stay counts."""
        value = self.again(value)
        source = value.source
        if isinstance(source, Counts) and not source.pools and source.count > 2:
            self.check_end(where, source)
            if straight(value.rows[self.by_channel(where, value)], source.reach) is not None:
                return self.counts(where, value)
        return self.elements(where, value)

    def counts(self, where, value):
        """The tensor of `Counts` as one of integers that their layer, without thresholds, gives."""
        source = value.source
        rows, numbers = value.rows[self.by_channel(where, value)], np.arange(source.count)
        lowest, steps = straight(rows, source.reach)
        # Beyond what a neuron of fewer inputs reaches, the line goes on.
        lines = (lowest[:, None] + steps[:, None] * numbers).astype(rows.dtype)
        rows = np.where(numbers <= source.reach[:, None], rows, lines)
        row = np.where(value.index >= 0, value.index % source.outputs, value.row + source.outputs)
        name = self.append(source.layer(None))
        return replace(
            value,
            row=row,
            rows=np.vstack([rows, value.rows]),
            source=Elements(
                size=source.size,
                count=source.count,
                behind=name,
                channels=source.outputs,
                sums=(source.lowest, source.step),
            ),
        )

    def turns(self, value):
        """Whether some function neither rises nor falls all the way."""
        return _turn(value.rows[np.unique(value.row)])

    @staticmethod
    def _values(rows):
        return max(len(np.unique(row)) for row in rows)

    def _steps(self, where, value, used, padding):
        """Where functions step: levels (rows, values) and thresholds (rows, values - 1)."""
        if (used[:, 1:] < used[:, :-1]).any():
            raise ModelError(
                f"{where}: needs functions that rise or fall all the way, but what comes from {value.origin}"
                " turns, so it has no threshold; remove what folds it (Abs)"
            )
        steps = self._values_of(where, value, used, padding)
        return steps, (used[:, None, :] < steps[:, 1:, None]).sum(axis=2)

    def _values_of(self, where, value, used, padding):
        """The values that functions take, rising, of the shape (rows, values)."""
        alphabet = _alphabet(used, padding)
        if alphabet is None or alphabet.shape[1] > _MOST_LEVELS + 1:
            count = self._values(used)
            what = (
                f"{count} values" if alphabet is not None or count > _MOST_LEVELS + 1 else "different scales"
            )
            raise ModelError(
                f"{where}: must take bits, but what comes from {value.origin} has {what}; quantise it to 1"
                " bit (BipolarQuant) or a few"
            )
        return np.broadcast_to(alphabet, (len(used), alphabet.shape[1]))

    def each(self, kind, weights, thresholds, *, channels, planes=1, shape=None):
        """A layer of neurons that each see the elements of one channel only, which lie side by side.

        `weights` are of the shape (neurons, elements), those of a channel one after the other; `thresholds`
        (neurons,) or None; `shape` is what the layer takes, by default what the last layer outputs.
        """
        shape, (neurons, inputs) = shape or self.shape(), weights.shape
        common = {"name": self.name(None, kind), "thresholds": thresholds, "planes": planes}
        if len(shape) == 3:
            return ir.Conv2d(weights=weights.reshape(neurons, 1, 1, inputs), groups=channels, **common)
        whole, mask = (
            np.ones((neurons, channels, inputs), np.uint8),
            np.zeros((neurons, channels, inputs), np.uint8),
        )
        own = np.arange(neurons), np.arange(neurons) // (neurons // channels)
        whole[own], mask[own] = weights, 1
        return ir.Dense(
            weights=whole.reshape(neurons, -1),
            mask=mask.reshape(neurons, -1) if channels > 1 else None,
            **common,
        )

    def _folded(self, where, value, functions, row, append):
        """Bits of functions that turn: each step is a bit, and a neuron behind them finds out on which side
        of all steps the count is.

        `append` adds the layer of the first bits from its thresholds, of the shape (channels, bits).
        """
        steps = self._values_of(where, value, functions, np.unique(value.rows[value.row[value.index < 0], 0]))
        above = (functions[:, None, :] >= steps[:, 1:, None]).reshape(
            -1, functions.shape[1]
        )  # of every channel and level
        turns = [np.flatnonzero(np.diff(each.astype(np.int8))) + 1 for each in above]
        most = max(1, max(map(len, turns)))
        thresholds, weights = (
            np.full((len(above), most), functions.shape[1]),
            np.ones((len(above), most), np.uint8),
        )
        for each, places, levels, signs in zip(above, turns, thresholds, weights, strict=True):
            levels[: len(places)] = places
            signs[: len(places)] = each[places]
        append(thresholds.reshape(len(functions), -1))
        # Below all steps only those that fall agree with their weights.
        self.append(
            self.each("side", weights, (weights == 0).sum(axis=1) + 1 - above[:, 0], channels=len(above))
        )
        return self._as_bits(value, value.index, row, steps, value.source.size, len(functions))

    def _neurons(self, where, value):
        """Counts to bits, as many for each as its function has steps."""
        inside = value.index >= 0
        functions = value.rows[self.by_channel(where, value)]
        if _turn(functions):

            def append(thresholds):
                self.append(value.source.layer(thresholds.reshape(-1)))
                self.layers.extend(value.source.pools)

            return self._folded(where, value, functions, value.index % value.source.outputs, append)
        if not value.source.pools:
            value = self.rising(where, value)
        source = value.source
        functions, row = value.rows[self.by_channel(where, value)], value.index % source.outputs
        # The greatest of some counts has no weights to complement: where its function falls, a one stands for
        # the lower value.
        signs = np.where(functions[:, 0] > functions[:, -1], -1.0, 1.0)
        steps, thresholds = self._steps(
            where, value, functions * signs[:, None], np.unique(value.rows[value.row[~inside], 0])
        )
        levels = thresholds.shape[1]
        self.append(source.layer(thresholds.reshape(-1)))
        for pool in source.pools:
            self.append(pool)
        if levels == 1 and not source.pools:
            self.thresholded.add(source.name)
        return self._as_bits(value, value.index, row, steps * signs[:, None], source.size, source.outputs)

    def _threshold(self, where, value):
        """Integers of a sum to bits, as many for each as its function has steps."""
        source, inside = value.source, value.index >= 0
        functions, row = value.rows[self.by_channel(where, value)], value.index % source.channels

        def append(thresholds):
            ones = np.ones((thresholds.size, source.copies), np.uint8)
            self.append(
                self.each(
                    "thresholds",
                    ones,
                    thresholds.reshape(-1),
                    channels=source.channels,
                    planes=source.greatest.bit_length(),
                )
            )

        if _turn(functions):
            return self._folded(where, value, functions, row, append)
        falls = functions[:, 0] > functions[:, -1]
        signs = np.where(falls, -1.0, 1.0)
        steps, thresholds = self._steps(
            where, value, functions * signs[:, None], np.unique(value.rows[value.row[~inside], 0])
        )
        levels = thresholds.shape[1]
        if levels > 1 or source.copies > 1:
            append(thresholds)
            return self._as_bits(
                value, value.index, row, steps * signs[:, None], source.size, source.channels
            )
        self.append(
            ir.Threshold(
                name=self.name(None, "threshold"),
                thresholds=thresholds[:, 0],
                inverted=falls.astype(np.int64),
            )
        )
        values = np.sort(steps * signs[:, None], axis=1)  # inverted bits stand for the higher value, too
        return self._as_bits(value, value.index, row, values, source.size, source.channels)

    def _ranked(self, value):
        """A tensor of pixels as one of the places of their values in order, where the bytes are in another
        order or have fewer values.

        It is the same tensor where the order is that of the bytes. Else a `Lookup` is appended.
        """
        ranks, size = self.pixel_type.ranks, value.source.size
        if np.array_equal(ranks, np.arange(len(ranks))):
            return value
        name = self.append(ir.Lookup(name=self.name(None, "pixels"), table=ranks))
        _, first = np.unique(ranks, return_index=True)  # the first byte of each value
        return replace(
            value,
            rows=value.rows[:, first],
            source=Elements(
                size=size,
                count=len(first),
                behind=name,
                channels=self.layers[-1].output_shape(self.image_shape)[-1],
            ),
        )

    def pixel_bits(self, where, value):
        """Pixels to bits, as many for each as its function has steps."""
        self.check_end(where, value.source)
        source, inside = value.source, value.index >= 0
        functions, row = value.rows, value.row
        used = functions[np.unique(row[inside])]
        numbers = self._numbers(used)
        if numbers is not None and numbers[2].max() == 1 and _turn(used):
            return self._pixels_as_numbers(where, value, used, numbers)
        if _turn(used):
            ranked = self._ranked(value)
            if ranked is not value:
                return self._elements(where, ranked)
        # A pixel has no weights to complement: where its function falls, a one stands for the lower value.
        signs = np.where(functions[:, 0] > functions[:, -1], -1.0, 1.0)
        used = functions * signs[:, None]
        used[np.setdiff1d(np.arange(len(used)), row[inside])] = used[
            row[inside][0]
        ]  # functions of nothing but padding
        steps, thresholds = self._steps(where, value, used, np.unique(value.rows[value.row[~inside], 0]))
        times = np.bincount(value.index[inside], minlength=source.size)
        most = times.max()
        if (times[times > 0] != most).any():
            raise ModelError(
                f"{where}: must take every pixel that it takes equally often, but {value.origin} takes some "
                f"{times[times > 0].min()} and some {most} times"
            )
        order = np.argsort(value.index[inside], kind="stable")
        pixel, turn = value.index[inside][order], np.arange(len(order)) % most
        levels = np.full(
            (source.size, most, thresholds.shape[1]), ir.PIXEL_LEVELS
        )  # a pixel that is not taken has bits of 0
        levels[pixel, turn] = thresholds[row[inside][order]]
        self.append(ir.Binarize(name=self.name(None, "pixels"), thresholds=levels.reshape(source.size, -1)))
        index = value.index.copy()
        position = np.empty(len(order), np.int64)
        position[order] = pixel * most + turn
        index[inside] = position
        return self._as_bits(
            value, index, row, steps * signs[:, None], source.size * int(most), source.channels
        )

    @staticmethod
    def _numbers(used):
        """The one function of all pixels as (lowest value, step, numbers 0 ... 255), or None."""
        function = used[0].astype(np.float64)
        if len(used) > 1 and (used != used[0]).any() or function.min() == function.max():
            return None
        values = np.unique(function)
        step = np.diff(values).min()
        if straight(used, used.shape[1] - 1):
            lowest, step = function[0], (function[-1] - function[0]) / (len(function) - 1)
        else:
            lowest = values[0]
        least = step
        for parts in range(
            1, ir.PIXEL_LEVELS
        ):  # a fine quantiser may leave no two of few values as close as its own step
            numbers = np.rint((function - lowest) / (least / parts))
            top = int(np.argmax(numbers))
            if numbers[top] >= ir.PIXEL_LEVELS:
                return None
            step = (function[top] - lowest) / numbers[top]  # as all values together have it
            off = np.abs(function - lowest - step * numbers).max()
            if off <= ROUNDING / (1 if parts == 1 else 4) * np.abs(values).max():
                return lowest, step, numbers.astype(np.int64)
        return None

    def _pixels_as_numbers(self, where, value, used, numbers):
        source = value.source
        if straight(used, source.count - 1):  # each as it is, in steps of its own
            return replace(
                value,
                source=Elements(size=source.size, count=source.count, behind=None, channels=source.channels),
            )
        if numbers is None:
            several = len(used) > 1 and (used != used[0]).any()
            raise ModelError(
                f"{where}: must take bits or pixels in even steps, but what comes from {value.origin} has "
                f"{len(np.unique(used))} values in uneven steps over the 256 of a pixel"
                + (
                    ", other ones for some pixels than for others; quantise all pixels alike, before what"
                    " differs (a mean and deviation for each channel)"
                    if several
                    else "; quantise it uniformly, to 8 bits or fewer"
                )
            )
        lowest, step, table = numbers
        name = self.append(ir.Lookup(name=self.name(None, "pixels"), table=table))
        rows = np.vstack(
            [
                lowest + step * np.arange(table.max() + 1),
                *(np.full((1, table.max() + 1), each) for each in value.rows[:, 0]),
            ]
        )
        return replace(
            value,
            rows=rows.astype(value.rows.dtype),
            row=np.where(value.index >= 0, 0, value.row + 1),
            source=Elements(size=source.size, count=len(rows[0]), behind=name, channels=source.channels),
        )

    def _as_bits(self, value, index, row, steps, size, channels):
        """The bits' own functions: the value for each number of ones; then the constants of the padding."""
        values = steps.shape[1]
        rows = np.vstack([steps, np.broadcast_to(value.rows[:, :1], (len(value.rows), values))])
        rows = rows.astype(value.rows.dtype if np.issubdtype(value.rows.dtype, np.floating) else np.float32)
        rows, same = np.unique(rows, axis=0, return_inverse=True)
        row = same.reshape(-1)[np.where(value.index >= 0, row, value.row + len(steps))]
        return replace(
            value,
            index=index,
            row=row,
            rows=rows,
            source=Elements(size=size, count=values, copies=values - 1, behind=self.end, channels=channels),
        )


def _fill(rows):
    """Puts numbers for what is NaN in rows of values: on the line of the others, or as their neighbour."""
    numbers, known = np.arange(rows.shape[1]), ~np.isnan(rows)
    first, last = known.argmax(1), rows.shape[1] - 1 - known[:, ::-1].argmax(1)
    ends = np.take_along_axis(rows, np.stack([first, last], axis=1), axis=1)
    steps = (ends[:, 1] - ends[:, 0]) / np.maximum(last - first, 1)
    steps[first == last] = np.abs(steps).max()  # also of a bit that is always the same
    for row, step, at, have in zip(rows, steps, first, known, strict=True):
        line = row[at] + step * (numbers - at)
        straight = np.abs(line - row)[have].max() <= ROUNDING * np.abs(row[have]).max()
        row[~have] = line[~have] if straight else np.interp(numbers, numbers[have], row[have])[~have]


def _turn(rows):
    """Whether some function neither rises nor falls all the way."""
    steps = np.diff(rows, axis=1)
    return bool(((steps > 0).any(1) & (steps < 0).any(1)).any())


def _alphabet(rows, padding):
    """The values of an activation, rising, of the shape (1 or rows, values); None when there is no common
    number of them.

    Not every neuron reaches every value; what is missing between those that are reached is filled in.
    """
    values = np.unique(rows)
    if len(values) == 1:  # the same for every image: the other value is never taken
        return np.union1d(values, padding if len(padding) and padding[0] != values[0] else -values[0] or 1.0)[
            None
        ]
    step = np.diff(values).min()
    places = np.rint((values - values[0]) / step)
    if (
        places[-1] <= _MOST_LEVELS
        and np.abs(values - values[0] - places * step).max() <= 1e-6 * np.abs(values).max()
    ):
        whole = values[0] + step * np.arange(places[-1] + 1)
        whole[places.astype(np.int64)] = values
        return whole[None]
    counts = (np.diff(rows, axis=1) > 0).sum(axis=1) + 1
    if counts.max() == len(values):
        return values[None]
    return None if counts.min() != counts.max() else np.stack([np.unique(row) for row in rows])
