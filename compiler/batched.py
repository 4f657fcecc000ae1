"""How many images the dense layers compute together, where a number of images per second is requested.

A batch costs latency and, where block RAMs suffice, LUTs. So there is one only where the network without is
too slow: the smallest that makes the rate, or the fastest of those that fit.
"""

from collections.abc import Mapping
from typing import Any

from ..errors import FitError
from .bound import bound
from .cycles import predict
from .design import Design
from .device import Device
from .fold import fold
from .ir import Network

__all__ = ["fold_batches"]

#: The numbers of images that are tried, the fewest first.
_BATCHES = (2, 3, 4, 6, 8)


def fold_batches(
    network: Network,
    device: Device,
    *,
    cycles: int | None,
    fill: Mapping[str, float] | None,
    patchable: bool = False,
    label_only: bool = False,
) -> Design:
    """The fastest design of any batch, or with `cycles` that of the smallest batch that takes at most so many
    per image; arguments as for `fold`.

    Raises
    ------
    FitError
        When no folding of any batch fits: that of a design without batches.
    """
    options: dict[str, Any] = {"fill": fill, "patchable": patchable, "label_only": label_only}
    if cycles is None:
        return _fastest(network, device, **options)
    try:
        return fold(network, device, cycles=cycles, **options)
    except FitError:
        for batch in _BATCHES:
            if bound(network, device, label_only=label_only, batch=batch).cycles > cycles:
                continue
            try:
                return fold(network, device, cycles=cycles, batch=batch, **options)
            except FitError:
                continue
        raise


def _fastest(network: Network, device: Device, *, label_only: bool, **options: Any) -> Design:
    """The fastest design: of larger and larger batches, until none that is larger could be faster, or two in
    turn are not.
    """
    found = fold(network, device, label_only=label_only, **options)
    least, slower = predict(found).interval, 0
    for batch in _BATCHES:
        if slower == 2 or bound(network, device, label_only=label_only, batch=batch).cycles >= least:
            break
        try:
            design = fold(network, device, label_only=label_only, batch=batch, **options)
        except FitError:
            break
        interval = predict(design).interval
        slower += 1
        if interval < least:
            found, least, slower = design, interval, 0
    return found
