"""The design that makes a requested number of images per second, or as many as a device can do.

Two things cost something and are done where the network is too slow without: a batch, in which dense layers
compute several images together (it costs latency and, where block RAMs suffice, LUTs), and the last LUTs of a
device (they cost clock).
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import product

from ..errors import FitError
from .bound import Bound, bound
from .cycles import predict
from .design import Design
from .device import Device
from .fit import FILL, FULL
from .fold import fold
from .ir import Network

__all__ = ["fold_for_rate"]

#: The numbers of images that are tried, the fewest first.
_BATCHES = (1, 2, 3, 4, 6, 8)

#: `fold` and `bound` of a network on a device.
_Choose = Callable[..., Design]
_Reach = Callable[..., Bound]

#: The share of the cycles that a fuller design must do with: its clock is up to a tenth lower.
_WORTH = 0.9


def fold_for_rate(
    network: Network,
    device: Device,
    *,
    cycles: int | None,
    batch: int | None = None,
    patchable: bool = False,
    label_only: bool = False,
) -> Design:
    """The fastest design, or with `cycles` the smallest that takes at most so many per image.

    Within `FILL` of the device if there is one, else within `FULL`. The fastest is within `FULL` if it then
    takes at least a tenth fewer cycles.

    Parameters
    ----------
    batch : int, optional
        Images in a batch. Left out, of those that make the rate the smallest, or the fastest.
    network, device, cycles, patchable, label_only
        As for `fold`.

    Raises
    ------
    FitError
        When no such folding fits: that of a design without batches, or of that batch.
    """
    batches = _BATCHES if batch is None else (batch,)
    choose = partial(fold, network, device, patchable=patchable, label_only=label_only)
    reach = partial(bound, network, device, label_only=label_only)
    if cycles is not None:
        return _within(choose, reach, batches, cycles)
    full = _fastest(choose, reach, batches, FULL)
    try:
        usual = _fastest(choose, reach, batches, FILL)
    except FitError:
        return full
    return full if predict(full).interval <= _WORTH * predict(usual).interval else usual


def _within(choose: _Choose, reach: _Reach, batches: Sequence[int], cycles: int) -> Design:
    """The smallest design of the smallest batch that takes at most so many cycles per image."""
    first: FitError | None = None
    for fill, batch in product((FILL, FULL), batches):
        if first is not None and reach(batch=batch).cycles > cycles:
            continue
        try:
            return choose(cycles=cycles, fill=fill, batch=batch)
        except FitError as error:
            first = first or error
    assert first is not None
    raise first


def _fastest(choose: _Choose, reach: _Reach, batches: Sequence[int], fill: Mapping[str, float]) -> Design:
    """The fastest design: of larger and larger batches, until none that is larger could be faster, or two in
    turn are not.
    """
    found = choose(fill=fill, batch=batches[0])
    least, slower = predict(found).interval, 0
    for batch in batches[1:]:
        if slower == 2 or reach(batch=batch).cycles >= least:
            break
        try:
            design = choose(fill=fill, batch=batch)
        except FitError:
            break
        interval = predict(design).interval
        slower += 1
        if interval < least:
            found, least, slower = design, interval, 0
    return found
