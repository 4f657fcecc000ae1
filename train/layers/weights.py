"""Layers with binary or ternary weights, of all their inputs or of a few."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from .. import binarizers
from ..binarizers import sign
from ..methods import DEFAULT
from .hardening import Hardenable

__all__ = ["BinaryLinear", "BinaryWeights"]


def _sums(x: torch.Tensor, weights: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Sums of the inputs (N, inputs) at `places` (outputs, k), times weights of the same shape: (N, outputs).

    For few places it is many times faster than a product with a matrix that is almost everywhere 0.
    """
    taken = x.t().contiguous().index_select(0, places.flatten()).view(*places.shape, len(x))
    return torch.bmm(weights[:, None], taken)[:, 0].t()


class _ChosenSums(torch.autograd.Function):
    """`_sums` of the chosen of all weights. The others have the gradient that they would have as connections,
    so that they can become some.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weights: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        chosen = weights.gather(1, places)
        ctx.save_for_backward(x, chosen, places)
        return _sums(x, chosen, places)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        x, chosen, places = ctx.saved_tensors
        of_outputs = gradient.t().to(chosen.dtype)
        of_weights = of_outputs @ x.to(chosen.dtype)
        if not ctx.needs_input_grad[0]:
            return None, of_weights, None
        shares = (of_outputs[:, None] * chosen[:, :, None]).flatten(0, 1)
        of_x = shares.new_zeros(x.shape[1], len(x)).index_add_(0, places.flatten(), shares)
        return of_x.t().to(x.dtype), of_weights, None


class BinaryWeights(Hardenable, nn.Module):
    """Base of the layers with weights of -1 and +1, or of -1, 0 and +1.

    With `fan_in`, a neuron is connected to that many of its inputs: those whose weights have the greatest
    magnitude (top-k sparsity as in RigL, arXiv 1911.11134, with gradients of all weights). Each step of the
    training chooses them anew until the schedule sets `connected`; from then on the mask is fixed.

    Parameters
    ----------
    shape : tuple of int
        Of the weights, the outputs first.
    method : str
        One of `methods.METHODS`.
    slope_cap : float or None
        Maximum slope of the method "surrogate"; None is none. Other methods ignore it.
    ternary : float or None
        For weights of -1, 0 and +1: half the width of the interval that becomes 0, between 0 and 1. A weight
        is the mean of the binarized ``W + ternary`` and ``W - ternary``.
    fan_in : int or None
        Inputs that a neuron is connected to, 1 ... inputs; None is all. Not together with `ternary`.

    Raises
    ------
    ValueError
        `ternary` or `fan_in` is out of range, or the method unknown.

    Attributes
    ----------
    mask : bool tensor of the shape of the weights, or None
        The connections; None without `fan_in`.
    connected : bool
        Whether the connections are fixed; set by the schedule.
    """

    sharpens = "weights"
    connected = False
    mask: torch.Tensor | None

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        method: str,
        slope_cap: float | None,
        ternary: float | None,
        fan_in: int | None = None,
    ):
        super().__init__()
        if ternary is not None and not 0 < ternary < 1:
            raise ValueError(f"ternary must be between 0 and 1, or None, not {ternary!r}")
        inputs = math.prod(shape[1:])
        if fan_in is not None and not (type(fan_in) is int and 1 <= fan_in <= inputs):
            raise ValueError(
                f"fan_in must be an integer in 1 ... {inputs}, the inputs of a neuron, or None, not"
                f" {fan_in!r}"
            )
        if fan_in is not None and ternary is not None:
            raise ValueError("ternary must be None with fan_in, which has weights of 0 of its own")
        self.ternary, self.fan_in = ternary, fan_in
        self.method, self.slope_cap = method, slope_cap
        self.weight = nn.Parameter(torch.empty(shape))
        self.binarizer = binarizers.make(method, self.sharpens, slope_cap=slope_cap)
        nn.init.xavier_uniform_(self.weight)  # uniform +-0.5 freezes before it moves
        self.register_buffer("mask", None)
        if fan_in is not None:
            self.mask = torch.zeros(shape, dtype=torch.bool)
            self._choose()

    def _choose(self) -> torch.Tensor:
        """Connect each neuron to the `fan_in` inputs with the weights of greatest magnitude. Returns the
        places of the inputs, (outputs, fan_in).
        """
        assert self.fan_in is not None and self.mask is not None
        size = self.weight.detach().abs().flatten(1)
        places = size.topk(self.fan_in, dim=1, sorted=False).indices
        self.mask.copy_(torch.zeros_like(size, dtype=torch.bool).scatter_(1, places, True).view_as(self.mask))
        return places

    @property
    def has_zeros(self) -> bool:
        """Whether a weight can be 0."""
        return self.ternary is not None or self.fan_in is not None

    def binarized(self, binarizer: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """`binarizer` of the weights, of a layer with `fan_in` those of its connections, as one vector.
        Ternary weights have both of their halves, stacked in a first dimension of 2.
        """
        if self.mask is not None:
            return binarizer(self.weight[self.mask])
        if self.ternary is None:
            return binarizer(self.weight)
        return torch.stack((binarizer(self.weight + self.ternary), binarizer(self.weight - self.ternary)))

    def hard(self) -> torch.Tensor:
        """The final weights: -1 and +1, and 0 where they are ternary or no connection."""
        return self._values(sign)

    def binary(self) -> torch.Tensor:
        """The weights of the forward pass: the final ones if hardened, else those of the binarizer."""
        return self._values(sign if self.hardened else self.binarizer)

    def harden(self) -> None:
        self.weight.copy_(self.hard())
        super().harden()

    def _ternary_repr(self) -> str:
        return ("" if self.ternary is None else f", ternary={self.ternary}") + (
            "" if self.fan_in is None else f", fan_in={self.fan_in}"
        )

    def _values(self, binarizer: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        if self.mask is not None:
            return binarizer(self.weight) * self.mask
        values = self.binarized(binarizer)
        return values if self.ternary is None else values.mean(0)


class BinaryLinear(BinaryWeights):
    """Sums of inputs weighted by -1 and +1, without bias or scale: (N, ...) to (N, outputs).

    An image or a sequence is flattened first, as by `nn.Flatten`.

    Parameters
    ----------
    inputs, outputs : int
    method, slope_cap, ternary, fan_in
        As in `BinaryWeights`.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        method: str = DEFAULT,
        slope_cap: float | None = None,
        ternary: float | None = None,
        fan_in: int | None = None,
    ):
        super().__init__(
            (outputs, inputs), method=method, slope_cap=slope_cap, ternary=ternary, fan_in=fan_in
        )
        self.inputs, self.outputs = inputs, outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.flatten(1)
        if self.mask is None or not self.training or self.hardened:
            return F.linear(x, self.binary())
        if not self.connected:
            places = self._choose()
            return _ChosenSums.apply(x, self.binarizer(self.weight), places)
        places = self.mask.nonzero()[:, 1].view(self.outputs, -1)
        return _sums(x, self.binarizer(self.weight.gather(1, places)), places)

    def extra_repr(self) -> str:
        return (
            f"{self.inputs}, {self.outputs}, method={self.method!r}, slope_cap={self.slope_cap}"
            + self._ternary_repr()
        )
