"""How deep the queues of shortcuts must be.

A shortcut's queue must never stop its `Fork` while the layers that it bypasses would take more: they might
wait for an input, and their `Add` for them. So the queue holds all that they can hold at once; whatever they
can take then fits into the queue too. That bound holds whatever stalls at either end, costs no cycle, and is
some rows of an image where a bound by whole images would be all of them.

It is found by walking from the `Add` backwards. Let the `Add` have taken n vectors (pixels, or whole vectors)
and begun one more. Each part before it can have begun to take a maximum of vectors, which follows from how
many of its own the part after it has begun to take; at the `Fork`, less n, that is what is between the two.
The maximum over all n of an image counts.

A shortcut with layers of its own has two queues: that of its `Fork` before the layers that it bypasses, and
that of its `Switch` behind its own. Let the `Add` have taken n vectors again.

* While it waits for the shortcut, the shortcut's layers take what they can have begun for one vector more.
  The bypassed layers have taken what n vectors need at least; the rest waits in the queue of the `Fork`.
* While it waits for the bypassed layers, these and the queue before them take what they can have begun. The
  shortcut's layers take as much and output at most what depends on nothing else; less n, that waits in the
  queue of the `Switch`.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from amaranth.hdl import unsigned

from ..hw import (
    add,
    argmax,
    best,
    binarize,
    collector,
    deep_queue,
    discard,
    fork,
    lookup,
    maximum,
    mvtu,
    patches,
    planes,
    pool,
    replay,
    scale,
    short_queue,
    signs,
    splitter,
    sums,
    threshold,
    unrolled,
    width,
    window,
)
from ..hw.part import Part
from .ir import Network
from .stage import Stage, Unit, converters

__all__ = ["BEGUN", "NEEDED", "batches", "depths"]

#: Beats that a `Threshold` holds.
_THRESHOLD_BEATS = 2


def depths(network: Network, made: Sequence[Stage]) -> dict[int, int]:
    """Beats of the queue of each `Fork` and `Switch`, at least 2, by its place in the network.

    Parameters
    ----------
    network : Network
    made : sequence of Stage
        Of each layer, in order.
    """
    shortcuts, ends = _Shortcuts(network, made), dict(network.shortcuts)
    for start in sorted(network.switches.values(), reverse=True):  # one inside of another first
        shortcuts.held[start] = shortcuts.bypassed(ends[start], ends[ends[start]])
    for start, end in network.shortcuts:
        if start not in shortcuts.held:
            shortcuts.held[start] = shortcuts.bypassing(start, end)
    return {
        start: max(2, held * -(-made[start].i_length // made[start].i_lanes))
        for start, held in shortcuts.held.items()
    }


class _Shortcuts:
    """The shortcuts of a network with these stages; `held` are the vectors of each queue known so far, by the
    place of its `Fork` or `Switch`.
    """

    def __init__(self, network: Network, made: Sequence[Stage]) -> None:
        self._switches, self._made = network.switches, made
        self.held: dict[int, int] = {}

    def bypassed(self, switch: int, end: int) -> int:
        """Vectors of the queue before the layers that a shortcut with layers of its own bypasses."""
        start, taken = self._switches[switch], self._taken(end)
        begun, stage = taken + 1, self._made[end]
        for part in reversed(self._stored(switch, end)):
            begun = BEGUN[type(part)](part, begun, stage)
        begun = self._begun(start, switch, begun)
        left = np.maximum(self._needed(start, end, taken) - 1, 0)  # the last one only in part
        return int((begun - left).max())

    def bypassing(self, start: int, end: int) -> int:
        """Vectors of the queue behind a `Fork`, or behind the layers before a `Switch`."""
        taken = self._taken(end)
        fork = self._switches.get(start, start)
        begun = self._begun(fork, end, taken + 1)
        if start in self._switches:
            begun = self._output(fork, start, begun + 1)  # a side of a `Fork` can be a beat ahead
        return int((begun - taken).max())

    def _taken(self, end: int) -> np.ndarray:
        """Vectors that an `Add` has taken, of one image or of those of a batch; the others are like them."""
        return np.arange(self._made[end].vectors * max(stage.images for stage in self._made))

    def _hops(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Places of layers from `end` back to `start`: one, and the one that it takes from, which for what
        comes after a `Switch` is its `Fork`.
        """
        while end != start:
            before = self._switches.get(end - 1, end - 1)
            yield before, end
            end = before

    def _stored(self, switch: int, end: int) -> tuple[Part, ...]:
        """The width converters between the queue of a `Switch` and its `Add`."""
        length = self._made[end].i_length
        return converters(
            unsigned(1),  # how wide an element is does not matter here
            i_length=length,
            i_lanes=self._made[switch].i_lanes,
            o_length=length,
            o_lanes=self._made[end].i_lanes,
        )

    def _begun(self, start: int, end: int, begun: np.ndarray) -> np.ndarray:
        """Maximum of vectors that the layers after `start` can have begun to take, when `end` has begun so
        many.
        """
        for before, n in self._hops(start, end):
            stage = self._made[n]
            parts = (*_way(self._made[before], stage), *(() if n == end else stage.parts))
            for part in reversed(parts):
                begun = BEGUN[type(part)](part, begun, stage)
            begun = begun * self._gathered(before, n)
            if before != n - 1:  # through the queue of a `Fork`, and the register behind it
                begun = begun + self.held[before] + 1
        return begun

    def _needed(self, start: int, end: int, begun: np.ndarray) -> np.ndarray:
        """Minimum of vectors that the layers after `start` have begun to take, when `end` has begun some."""
        for before, n in self._hops(start, end):
            stage = self._made[n]
            for part in () if n == end else reversed(stage.parts):
                needed = NEEDED.get(type(part), _holds_nothing)(part, np.maximum(begun, 1), stage)
                begun = np.where(begun > 0, needed, 0)
            begun = np.where(begun > 0, (begun - 1) * self._gathered(before, n) + 1, 0)
        return begun

    def _gathered(self, before: int, n: int) -> int:
        """Vectors that a layer takes as one: several, where a dense layer takes an image. A layer in groups
        takes a part of one at a time, but its window counts whole pixels.
        """
        return max(1, self._made[n].i_length // self._made[before].o_length)

    def _output(self, start: int, end: int, begun: np.ndarray) -> np.ndarray:
        """Maximum of vectors that can have come to `end`, when the layers after `start` have begun some."""
        images = int(begun.max()) // self._made[start].vectors + 1
        needed = self._needed(start, end, np.arange(1, images * self._made[end].vectors + 1))
        return np.searchsorted(needed, begun, side="right")


def batches(between: Sequence[Stage]) -> int:
    """Maximum number of batches that adjacent dense layers have begun and not output: from the stage of a
    collector to that of its `Discard`, both included.
    """
    begun = np.arange(1, between[0].images + 1)  # images of the one that is output
    for before, stage in reversed(list(zip((None, *between), between, strict=False))):
        for part in reversed((*(_way(before, stage) if before else ()), *stage.parts)):
            if not isinstance(part, collector.Parameters):
                begun = BEGUN[type(part)](part, begun, stage)
    return int(begun.max()) + 1


def _way(before: Stage, stage: Stage) -> tuple[Part, ...]:
    """The width converters between two stages."""
    return converters(
        before.o_element,
        i_length=before.o_length,
        i_lanes=before.o_lanes,
        o_length=stage.i_length,
        o_lanes=stage.i_lanes,
    )


def _holds_nothing(part: Part, begun: np.ndarray, stage: Stage) -> np.ndarray:
    return begun


def _holds_one(part: Part, begun: np.ndarray, stage: Stage) -> np.ndarray:
    return begun + 1


def _short_queue(part: short_queue.Parameters, begun: np.ndarray, stage: Stage) -> np.ndarray:
    return begun + part.depth  # each beat may be the only one of a vector


def _width(part: width.Parameters, begun: np.ndarray, stage: Stage) -> np.ndarray:
    """A cutter and a gatherer each hold a beat, and no beat two vectors."""
    return begun + 2 - (part.narrow_lanes in (part.i_lanes, part.o_lanes))


def _threshold(part: threshold.Parameters, begun: np.ndarray, stage: Stage) -> np.ndarray:
    return begun - -_THRESHOLD_BEATS // part.beats


def _unit(part: Unit, begun: np.ndarray, stage: Stage) -> np.ndarray:
    """The groups in its pipeline and queue, and the one that it has begun."""
    return begun - -(part.queue_depth + 1) // part.groups


def _together(part: best.Parameters, begun: np.ndarray, stage: Stage) -> np.ndarray:
    """The images in its registers."""
    return begun + part.latency


def _replay(part: replay.Parameters, begun: np.ndarray, stage: Stage) -> np.ndarray:
    return begun + 2  # one in each bank


def _collector(part: collector.Parameters, begun: np.ndarray, stage: Stage) -> np.ndarray:
    """The images of the batches that have begun, and of one in each bank."""
    return (begun + 2) * part.batch


def _sums(part: sums.Parameters, begun: np.ndarray, stage: Stage) -> np.ndarray:
    """Two finished sums, and all up to where the next will be finished."""
    geometry, finished = part.geometry, begun + 2
    if stage.part(window.Parameters):  # each window comes whole, and is one vector
        return finished + 1
    frames = geometry.out_height * geometry.out_width
    return finished // frames * stage.vectors + _finishes(geometry)[finished % frames] + 1


def _finishes(geometry: window.Geometry) -> np.ndarray:
    """The pixel that finishes each of the windows, which do not overlap."""
    rows, columns = (
        np.arange(count) * step + size - 1
        for count, step, size in zip(
            (geometry.out_height, geometry.out_width), geometry.stride, geometry.kernel, strict=True
        )
    )
    return (rows[:, None] * geometry.width + columns).ravel()


def _window(part: window.Parameters, begun: np.ndarray, stage: Stage) -> np.ndarray:
    """The word on its output may be the only one of a position; so many positions are read, and their rows
    are free.
    """
    geometry = part.geometry
    rows, frames = (begun + 1) // geometry.out_steps, geometry.out_height
    freed = np.array([geometry.first(row) for row in range(frames)])
    return (rows // frames * geometry.height + freed[rows % frames] + geometry.rows) * geometry.width


def _patches(part: patches.Parameters, begun: np.ndarray, stage: Stage) -> np.ndarray:
    """The step on its output, and the columns up to there, which are vectors of what is before it."""
    rows, steps = np.divmod(begun, part.steps)
    columns = steps * part.moves + part.columns - part.padding[0]
    return rows * part.width + np.clip(columns, 0, part.width) + 1


def _splitter(part: splitter.Parameters, begun: np.ndarray, stage: Stage) -> np.ndarray:
    """The steps of the positions that left and are begun, and those in its queues."""
    rows, positions = np.divmod(begun, part.row)
    steps = rows * part.steps - -positions // part.at_once
    held = 2 if part.store == "bram" else -(-max(part.depths) // part.beats)
    return steps + 1 + held


#: For each part: the maximum of vectors that it has begun to take, when those that it outputs are `begun` to
#: be taken.
BEGUN: dict[type[Part], Callable[..., np.ndarray]] = {
    add.Parameters: _holds_one,
    argmax.Parameters: _holds_nothing,
    best.Parameters: _together,
    binarize.Parameters: _holds_nothing,
    collector.Parameters: _collector,
    deep_queue.Parameters: _holds_nothing,
    discard.Parameters: _holds_nothing,
    fork.Parameters: _holds_nothing,
    lookup.Parameters: _holds_nothing,
    mvtu.Parameters: _unit,
    patches.Parameters: _patches,
    planes.Parameters: _holds_nothing,
    maximum.Parameters: _holds_one,
    pool.Parameters: _holds_one,
    replay.Parameters: _replay,
    scale.Parameters: _holds_one,
    short_queue.Parameters: _short_queue,
    signs.Parameters: _holds_nothing,
    splitter.Parameters: _splitter,
    sums.Parameters: _sums,
    threshold.Parameters: _threshold,
    unrolled.Parameters: _unit,
    width.Parameters: _width,
    window.Parameters: _window,
}


def _frames(needed: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Of the last of so many vectors, the image and the place in it, if an image has `count` of them."""
    return np.divmod(needed - 1, count)


def _sums_need(part: sums.Parameters, begun: np.ndarray, stage: Stage) -> np.ndarray:
    """All pixels under the window; a window that comes whole is one vector."""
    if stage.part(window.Parameters):
        return begun
    image, frame = _frames(begun, part.geometry.out_height * part.geometry.out_width)
    return image * stage.vectors + _finishes(part.geometry)[frame] + 1


def _window_needs(part: window.Parameters, begun: np.ndarray, stage: Stage) -> np.ndarray:
    """The rows that must have arrived."""
    geometry = part.geometry
    image, step = _frames(begun, geometry.out_height * geometry.out_steps)
    rows = np.array([geometry.first(row) + geometry.needed(row) for row in range(geometry.out_height)])
    return (image * geometry.height + rows[step // geometry.out_steps]) * geometry.width


def _patches_need(part: patches.Parameters, begun: np.ndarray, stage: Stage) -> np.ndarray:
    """The columns under the step."""
    row, step = _frames(begun, part.steps)
    columns = step * part.moves + part.columns - part.padding[0]
    return row * part.width + np.clip(columns, 0, part.width)


def _splitter_needs(part: splitter.Parameters, begun: np.ndarray, stage: Stage) -> np.ndarray:
    """The step of the position."""
    row, position = _frames(begun, part.row)
    return row * part.steps + position // part.at_once + 1


#: For each part that does not output a vector for each that it takes: the minimum of vectors that it has
#: begun to take, when it has begun to output so many, at least one.
NEEDED: dict[type[Part], Callable[..., np.ndarray]] = {
    patches.Parameters: _patches_need,
    splitter.Parameters: _splitter_needs,
    sums.Parameters: _sums_need,
    window.Parameters: _window_needs,
}
