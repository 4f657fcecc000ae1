"""What a trained layer outputs as whole numbers, and an activation as a function of sums."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import nn

from ...train.layers import BatchNorm, BinaryActivation
from ...train.layers.pools import average_unit

__all__ = ["Activation", "Numbers", "next_activation", "switches", "symmetric"]

#: Sums for which an activation is evaluated at a time.
_BATCH = 4096


@dataclass(frozen=True)
class Numbers:
    """What a trained layer outputs: ``(2 * k + lowest) / unit``, of an integer k in 0 ... `maximum`.

    So do sums of signs, signs, pixels and averages of signs.
    """

    maximum: int
    lowest: int
    unit: int = 1

    @property
    def planes(self) -> int:
        """Bits of k."""
        return self.maximum.bit_length()


def symmetric(maximum: int, unit: int = 1) -> Numbers:
    """Numbers around 0: sums of `maximum` signs."""
    return Numbers(maximum, -maximum, unit)


@dataclass(frozen=True)
class Activation:
    """An optional batch norm and an activation, as a function of sums (sums, channels).

    Parameters
    ----------
    name : str
        Of the activation in the module.
    count : function
        How many of the activation's steps sums reach.
    levels : int
        Steps of the activation.
    """

    name: str
    count: Callable[[torch.Tensor], torch.Tensor]
    levels: int

    @property
    def numbers(self) -> Numbers:
        """What it outputs."""
        return symmetric(self.levels, unit=average_unit(self.levels))


def next_activation(rest: deque[tuple[str, nn.Module]]) -> Activation:
    """The function of an optional BatchNorm and a BinaryActivation, which are removed from the front of
    `rest`.
    """
    norm, (place, active) = None, rest.popleft()
    if isinstance(active, BatchNorm):
        norm, (place, active) = active, rest.popleft()
    levels = cast(BinaryActivation, active).levels - 1

    def count(sums: torch.Tensor) -> torch.Tensor:
        values = active(norm(sums) if norm is not None else sums)
        return (values * average_unit(levels) + levels) / 2

    return Activation(place, count, levels)


def switches(activation: Activation, sums: torch.Tensor, channels: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Which steps of the channels are reached at each of the rising `sums`, and which channels reach fewer
    steps as sums rise.

    Parameters
    ----------
    sums : tensor, shape (sums, channels) or (sums, 1)

    Returns
    -------
    bool tensors, shape (sums, channels, levels) and (channels,)
    """
    sums = sums.to(torch.float32)
    counts = torch.cat([activation.count(part) for part in sums.expand(-1, channels).split(_BATCH)])
    on = counts[:, :, None] > torch.arange(activation.levels)
    falls = (on[0] & ~on[-1]).any(1)
    rising = on ^ falls[:, None]
    assert not (rising[:-1] & ~rising[1:]).any(), "a hardened neuron must be monotone"
    return on, falls
