"""How deep the queue of a shortcut must be.

A shortcut's queue must never stop its `Fork` while the layers that it passes by would take more: they might
wait for what is not given to them, and their `Add` for them. So it holds all that they can hold at once, and
then what they have room for there is room for beside them. That bound holds whatever stalls at either end,
costs no cycle, and is some rows of an image where a bound by whole images would be all of them.

It is found by walking from the `Add` backwards. Let the `Add` have taken n vectors (pixels, or whole vectors)
and begun one more. For each component before it follows how many vectors it can have begun to take, at most,
when it is known how many of its own the one behind it has begun to take; at the `Fork`, less n, that is what
stands between the two. The greatest over all n of an image counts.
"""

import numpy as np

from ..hw.width import conversions
from .ir import Add, Fork, Threshold
from .stage import forks, stages

__all__ = ["depth", "depths"]

#: Beats that a `Threshold` holds.
_THRESHOLD_BEATS = 2


def depth(between):
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
    fork, *body, add = between
    taken = np.arange(fork.vectors)  # by the `Add`, of one image; the others are like it
    begun = _converted(taken + 1, body[-1] if body else fork, add)
    for before, stage in reversed(list(zip([fork, *body], body, strict=False))):
        begun = _converted(_begun(stage, begun), before, stage)
    return max(2, int((begun - taken).max()) * -(-fork.i_length // fork.i_lanes))


def depths(design):
    """For each `Fork`, by its place among the layers, the `depth` of its shortcut's queue."""
    made = stages(design)
    return {fork: depth(made[fork : add + 1]) for add, fork in forks(design.network).items()}


def _converted(begun, before, stage):
    """Vectors begun before the width converters between two stages: each holds a beat, and no beat two
    vectors.
    """
    steps = conversions(
        i_length=before.o_length, i_lanes=before.o_lanes, o_length=stage.i_length, o_lanes=stage.i_lanes
    )
    return begun + sum(1 if max(lanes) % min(lanes) == 0 else 2 for _, *lanes in steps)


def _begun(stage, begun):
    """Vectors that a stage has begun to take, at most, when those that it gives are begun to be taken."""
    match stage.layer:
        case Fork():
            return begun  # holds nothing
        case Add():
            return begun + 1
        case Threshold():
            return begun + -(-_THRESHOLD_BEATS // -(-stage.i_length // stage.i_lanes))
    if stage.unit:
        # The groups in its pipeline and queue, and the one that it has begun.
        begun = begun + -(-(stage.unit.queue_depth + 1) // stage.unit.groups)
    elif stage.sums and not stage.window:
        # Two finished sums, and all up to where the next will be finished.
        finished, frames = begun + 2, stage.sums.out_height * stage.sums.out_width
        return finished // frames * stage.vectors + _finishes(stage.sums)[finished % frames] + 1
    else:
        begun = begun + (3 if stage.sums else 1)  # results of a pool, and one that it has begun
    if stage.repeats > 1:
        begun = begun + 2
    if stage.gathers:
        begun = begun + 1
    if stage.window:
        # The word on its output may be the only one of a position; so many positions are read, and their rows
        # are free.
        window = stage.window
        rows, frames = (begun + 1) // window.out_width, window.out_height
        freed = np.array([window.first(row) for row in range(frames)])
        return (rows // frames * window.height + freed[rows % frames] + window.rows) * window.width
    return begun


def _finishes(window):
    """The pixel that finishes each of the windows, which do not overlap."""
    rows, columns = (
        np.arange(count) * step + size - 1
        for count, step, size in zip(
            (window.out_height, window.out_width), window.stride, window.kernel, strict=True
        )
    )
    return (rows[:, None] * window.width + columns).ravel()
