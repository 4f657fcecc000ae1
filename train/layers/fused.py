"""Batch norm and activation as one operation, for training on a CPU.

Tensors are read and written in blocks that stay in the cache. For the backward pass only the sums that enter
the batch norm are saved, and, with noise, what enters the activation; it computes the rest again, which costs
less than reading it. The values are those of the two layers, apart from rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from ..binarizers import Pair

if TYPE_CHECKING:
    from .activations import BatchNorm, BinaryActivation

__all__ = ["Fused"]

#: Elements of a block: a few blocks of float32 fit the second cache of a core.
_BLOCK = 2**16

#: Below this many elements a tensor is in the cache anyway, and the two layers have fewer calls.
_SMALLEST = 2**18


def _blocks(*tensors: torch.Tensor | None) -> Iterator[tuple[Any, ...]]:
    """The same samples of every tensor, a block at a time; None has None each time."""
    first = next(tensor for tensor in tensors if tensor is not None)
    samples = max(1, _BLOCK * len(first) // first.numel())
    count = -(-len(first) // samples)
    parts = [[None] * count if tensor is None else tensor.split(samples) for tensor in tensors]
    return zip(*parts, strict=True)


class _NormBinarized(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor,
        mean: torch.Tensor,
        deviation: torch.Tensor,
        noise: float,
        pair: Pair,
    ) -> torch.Tensor:
        """`mean` and `deviation` are those of x, shape (channels,)."""
        value, ctx.slope = pair
        shape = (1, -1, *(1,) * (x.dim() - 2))
        scale = (weight / deviation).view(shape)
        shift = (bias - mean * weight / deviation).view(shape)
        output = torch.empty_like(x)
        noisy = torch.empty_like(x) if noise else None
        for part, result, kept in _blocks(x, output, noisy):
            torch.addcmul(shift, part, scale, out=result)
            if kept is not None:
                kept.normal_().mul_(noise).add_(result)
                result.copy_(kept)
            value(result)
        ctx.save_for_backward(x, weight, mean, deviation, scale, shift, noisy)
        return output

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        x, weight, mean, deviation, scale, shift, noisy = ctx.saved_tensors
        inner = torch.empty_like(x)  # the gradient of what enters the activation
        for part, above, result, kept in _blocks(x, gradient, inner, noisy):
            if kept is None:
                torch.addcmul(shift, part, scale, out=result)
            else:
                result.copy_(kept)
            ctx.slope(result).mul_(above)
        through_norm = torch.ops.aten.native_batch_norm_backward(
            inner, x, weight, None, None, mean, 1 / deviation, True, 0.0, [True, True, True]
        )
        return (*through_norm, None, None, None, None)


@dataclass(frozen=True, eq=False)
class Fused:
    """A batch norm and the activation after it.

    Where `takes`, the norm computes both, and the activation passes its input on.
    """

    norm: BatchNorm
    activation: BinaryActivation

    def takes(self, x: torch.Tensor) -> bool:
        """Whether both layers train, without the noise of drawn signs, and x, the input of one, is large."""
        layers = (self.norm, self.activation)
        return (
            x.numel() >= _SMALLEST
            and all(layer.training and not layer.hardened for layer in layers)
            and not getattr(self.activation.binarizer, "samples", False)
        )

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """The activations of sums x, whose statistics enter the running ones of the norm."""
        norm, activation = self.norm, self.activation
        x = x.to(norm.weight.dtype)
        with torch.no_grad():
            mean, variance = torch.batch_norm_update_stats(
                x, norm.get_buffer("running_mean"), norm.get_buffer("running_var"), norm.counted()
            )
            deviation = torch.sqrt(variance + norm.eps)
        return _NormBinarized.apply(
            x, norm.weight, norm.bias, mean, deviation, activation.noise, activation.pair()
        )
