"""What follows the sums of a layer: batch normalisation, and the sign or a few steps."""

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from .. import binarizers
from ..binarizers import InPlace, Pair, sign
from ..methods import DEFAULT
from .fused import Fused
from .hardening import Hardenable
from .pools import average_unit

__all__ = ["BatchNorm", "BinaryActivation"]


class BatchNorm(Hardenable, nn.BatchNorm1d):
    """Batch normalisation of vectors (N, features), sequences (N, features, length) or images (N, features,
    height, width).

    Hardened, it is ``gamma * ((x - mean) / sqrt(var + eps)) + beta`` in float64, step by step.

    Attributes
    ----------
    fused : Fused or None
        The operation that computes this layer and the next in training; set by `training_mode`.
    total : callable or None
        The sum over the processes that share the vectors of a step, with its gradient; set by
        `training_mode`.
    """

    fused: Fused | None = None
    total: Callable[[torch.Tensor], torch.Tensor] | None = None

    def _check_input_dim(self, x: torch.Tensor) -> None:
        if x.dim() not in (2, 3, 4):
            raise ValueError(
                "batch norm takes (N, features), (N, features, length) or (N, features, height, width), not"
                f" {tuple(x.shape)}"
            )

    def counted(self) -> float:
        """Count a step; the weight of its statistics in the running ones."""
        count = self.get_buffer("num_batches_tracked").add_(1)
        return 1 / count.item() if self.momentum is None else self.momentum

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.fused is not None and self.fused.takes(x):
            return self.fused(x)
        if self.total is not None and self.training:
            return self._shared(x, self.total)
        if not self.hardened:
            return super().forward(x)
        statistics = self.get_buffer("running_mean"), self.get_buffer("running_var")
        mean, variance, scale, offset = (
            value.double().reshape(-1, *(1,) * (x.dim() - 2))
            for value in (*statistics, self.weight, self.bias)
        )
        return (x.double() - mean) / torch.sqrt(variance + self.eps) * scale + offset

    def _shared(self, x: torch.Tensor, total: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """Normalise by the statistics of all processes' vectors."""
        x = x.to(self.weight.dtype)
        shape = (1, -1, *(1,) * (x.dim() - 2))
        axes = [axis for axis in range(x.dim()) if axis != 1]
        count = total(x.new_tensor(x.numel() / self.num_features))
        mean = total(x.sum(axes)) / count
        centred = x - mean.view(shape)
        variance = total(centred.square().sum(axes)) / count
        with torch.no_grad():
            part = self.counted()
            self.get_buffer("running_mean").lerp_(mean, part)
            self.get_buffer("running_var").lerp_(variance * count / (count - 1), part)
        return centred * (self.weight / torch.sqrt(variance + self.eps)).view(shape) + self.bias.view(shape)


#: The first and the last of several steps, in units of the batch norm's output; others are evenly between.
_OUTERMOST = 0.6

#: Maximum values of an activation.
_MAX_LEVELS = 16


def _overwritten(x: torch.Tensor, *, function: InPlace) -> torch.Tensor:
    return x.copy_(function(x))


class BinaryActivation(Hardenable, nn.Module):
    """Each value to -1 or +1; in training by the function of the method.

    With more `levels`, each value becomes the sum of several signs, of x - s for steps s from -0.6 to 0.6,
    divided by the next power of two: -1, 0 and +1 of 3 levels, -3/4, -1/4, 1/4 and 3/4 of 4. The steps share
    the weights before and after them. In hardware, one sum is compared with several thresholds.

    Parameters
    ----------
    levels : int, 2 ... 16
        Values that it can have: 2 is a sign, 3 is ternary, 4 is 2 bits.
    method : str
    slope_cap : float or None
        Both as in `BinaryWeights`.

    Attributes
    ----------
    noise : float
        Standard deviation of Gaussian noise that is added to the input in training; set by the schedule.
    fused : Fused or None
        The operation that computes this layer together with the batch norm before it.
    """

    sharpens = "activations"
    noise = 0.0
    fused: Fused | None = None

    def __init__(self, *, levels: int = 2, method: str = DEFAULT, slope_cap: float | None = None):
        super().__init__()
        if type(levels) is not int or not 2 <= levels <= _MAX_LEVELS:
            raise ValueError(f"levels must be an integer in 2 ... {_MAX_LEVELS}, not {levels!r}")
        self.levels = levels
        self.method, self.slope_cap = method, slope_cap
        self.binarizer = binarizers.make(method, self.sharpens, slope_cap=slope_cap)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.fused is not None and self.fused.takes(x):
            return x  # the norm has computed it
        if self.hardened:
            return self.stepped(sign, x).to(torch.float32)
        if self.training and self.noise:
            x = x + self.noise * torch.randn_like(x)
        return self.stepped(self.binarizer, x)

    @property
    def steps(self) -> list[float]:
        """Where it steps."""
        count = self.levels - 1
        return [_OUTERMOST * (2 * n / (count - 1) - 1) for n in range(count)] if count > 1 else [0.0]

    def stepped(self, function: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        """The sum of a function of x less each step, divided by the next power of two."""
        if self.levels == 2:
            return function(x)
        first, *rest = (function(x - step) for step in self.steps)
        return sum(rest, start=first) / average_unit(self.levels - 1)

    def pair(self) -> Pair:
        """The function of the activation without noise, and its derivative."""
        value, slope = self.binarizer.pair()
        if self.levels == 2:
            return value, slope
        return self._in_place(value), None if slope is None else self._in_place(slope)

    def _in_place(self, function: InPlace) -> InPlace:
        return partial(_overwritten, function=lambda x: self.stepped(function, x))

    def extra_repr(self) -> str:
        levels = f"levels={self.levels}, " if self.levels > 2 else ""
        return f"{levels}method={self.method!r}, slope_cap={self.slope_cap}"
