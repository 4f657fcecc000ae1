"""How deep the queue of a shortcut must be.

A shortcut's queue must never stop its `Fork` while the layers that it bypasses would take more: they might
wait for an input, and their `Add` for them. So the queue holds all that they can hold at once; whatever they
can take then fits into the queue too. That bound holds whatever stalls at either end, costs no cycle, and is
some rows of an image where a bound by whole images would be all of them.

It is found by walking from the `Add` backwards. Let the `Add` have taken n vectors (pixels, or whole vectors)
and begun one more. Each part before it can have begun to take a maximum of vectors, which follows from how
many of its own the part after it has begun to take; at the `Fork`, less n, that is what is between the two.
The maximum over all n of an image counts.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from ..hw import (
    add,
    argmax,
    best,
    binarize,
    deep_queue,
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
from .stage import Stage, Unit, converters

__all__ = ["BEGUN", "depth"]

#: Beats that a `Threshold` holds.
_THRESHOLD_BEATS = 2


def depth(between: Sequence[Stage]) -> int:
    """Beats of the queue of a shortcut.

    Parameters
    ----------
    between : sequence of Stage
        From the `Fork` to its `Add`, both included.

    Returns
    -------
    int
        In beats of the `Fork`, at least 2.
    """
    start, *_, end = between
    taken = np.arange(start.vectors)  # by the `Add`, of one image; the others are like it
    begun = taken + 1
    for before, stage in reversed(list(pairwise(between))):
        way = converters(
            before.o_element,
            i_length=before.o_length,
            i_lanes=before.o_lanes,
            o_length=stage.i_length,
            o_lanes=stage.i_lanes,
        )
        parts = (*way, *(() if stage is end else stage.parts))
        for part in reversed(parts):
            begun = BEGUN[type(part)](part, begun, stage)
    return max(2, int((begun - taken).max()) * -(-start.i_length // start.i_lanes))


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
    deep_queue.Parameters: _holds_nothing,
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
