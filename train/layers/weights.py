"""Layers with binary or ternary weights."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from .. import binarizers
from ..binarizers import sign
from ..methods import DEFAULT
from .hardening import Hardenable

__all__ = ["BinaryLinear", "BinaryWeights"]


class BinaryWeights(Hardenable, nn.Module):
    """Base of the layers with weights of -1 and +1, or of -1, 0 and +1.

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

    Raises
    ------
    ValueError
        `ternary` is out of range, or the method unknown.
    """

    sharpens = "weights"

    def __init__(
        self, shape: tuple[int, ...], *, method: str, slope_cap: float | None, ternary: float | None
    ):
        super().__init__()
        if ternary is not None and not 0 < ternary < 1:
            raise ValueError(f"ternary must be between 0 and 1, or None, not {ternary!r}")
        self.ternary = ternary
        self.method, self.slope_cap = method, slope_cap
        self.weight = nn.Parameter(torch.empty(shape))
        self.binarizer = binarizers.make(method, self.sharpens, slope_cap=slope_cap)
        nn.init.xavier_uniform_(self.weight)  # uniform +-0.5 freezes before it moves

    def binarized(self, binarizer: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """`binarizer` of the weights. Ternary weights have both of their halves, stacked in a first dimension
        of 2.
        """
        if self.ternary is None:
            return binarizer(self.weight)
        return torch.stack((binarizer(self.weight + self.ternary), binarizer(self.weight - self.ternary)))

    def hard(self) -> torch.Tensor:
        """The final weights: -1 and +1, and 0 if they are ternary."""
        return self._values(sign)

    def binary(self) -> torch.Tensor:
        """The weights of the forward pass: the final ones if hardened, else those of the binarizer."""
        return self._values(sign if self.hardened else self.binarizer)

    def harden(self) -> None:
        self.weight.copy_(self.hard())
        super().harden()

    def _ternary_repr(self) -> str:
        return "" if self.ternary is None else f", ternary={self.ternary}"

    def _values(self, binarizer: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        values = self.binarized(binarizer)
        return values if self.ternary is None else values.mean(0)


class BinaryLinear(BinaryWeights):
    """Sums of inputs weighted by -1 and +1, without bias or scale: (N, ...) to (N, outputs).

    An image or a sequence is flattened first, as by `nn.Flatten`.

    Parameters
    ----------
    inputs, outputs : int
    method, slope_cap, ternary
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
    ):
        super().__init__((outputs, inputs), method=method, slope_cap=slope_cap, ternary=ternary)
        self.inputs, self.outputs = inputs, outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x.flatten(1), self.binary())

    def extra_repr(self) -> str:
        return (
            f"{self.inputs}, {self.outputs}, method={self.method!r}, slope_cap={self.slope_cap}"
            + self._ternary_repr()
        )
