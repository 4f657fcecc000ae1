"""Functions from real values to -1 ... +1 that converge to sign, each with its gradient.

    method            forward                 backward
    self-binarizing   tanh(nu x)              nu sech^2(nu x), or c sech^2(c x) with c = min(nu, slope_cap)
    straight-through  sign(x)                 1 where |x| <= 1, else 0
    ede               sign(x)                 nu sech^2(nu x)

sign(0) = +1 everywhere. The self-binarizing function is that of Lahoud et al. (arXiv 1902.00730). The slope
cap is our extension: forward pass and weights stay the same, but the gradient does not vanish as nu grows.
Straight-through is BinaryNet's (arXiv 1602.02830), EDE is IR-Net's (arXiv
1909.10788).
"""

from typing import Any

import torch
from torch import nn

__all__ = ["METHODS", "Binarizer", "ErrorDecay", "SelfBinarizing", "StraightThrough", "make", "sign"]


def sign(x: torch.Tensor) -> torch.Tensor:
    """+1 if ``x >= 0``, else -1, in the dtype of `x`."""
    return (x >= 0).to(x.dtype).mul_(2).sub_(1)


def _slope(x: torch.Tensor, nu: float) -> torch.Tensor:
    """Derivative of ``tanh(nu * x)``."""
    return (x * nu).tanh_().square_().mul_(-nu).add_(nu)


class _SoftForward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, nu: float, slope: float) -> torch.Tensor:
        ctx.save_for_backward(x)
        ctx.slope = slope
        return (x * nu).tanh_()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return gradient * _slope(x, ctx.slope), None, None


class _HardForward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, slope: float) -> torch.Tensor:
        ctx.save_for_backward(x)
        ctx.slope = slope
        return sign(x)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return gradient * _slope(x, ctx.slope), None


class _PassedStraight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return sign(x)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return gradient * (x.abs() <= 1)


class Binarizer(nn.Module):
    """Base of the binarization functions.

    Attributes
    ----------
    nu : float
        Sharpness, greater than 0; set by the schedule before each epoch.
    hard : bool
        Whether the forward pass is sign, as in the hard tail of a schedule and in every straight-through
        method.
    slope_cap : float or None
        Maximum `nu` of the backward pass; None is no cap.
    """

    slope_cap: float | None = None

    def __init__(self) -> None:
        super().__init__()
        self.nu = 1.0
        self.hard = True

    def soft(self, x: torch.Tensor) -> torch.Tensor:
        """The function that converges to sign as nu grows; sign itself if the method always computes sign."""
        return sign(x)

    def extra_repr(self) -> str:
        return f"nu={self.nu:g}" + (", hard" if self.hard else "")


class SelfBinarizing(Binarizer):
    """``tanh(nu x)``, sharpened until it equals sign (Lahoud et al., arXiv 1902.00730).

    Parameters
    ----------
    slope_cap : float or None
        Maximum `nu` of the backward pass; None is the method of the paper.
    """

    def __init__(self, *, slope_cap: float | None = None):
        super().__init__()
        self.hard = False
        self.slope_cap = slope_cap

    def soft(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(x * self.nu)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        slope = self.nu if self.slope_cap is None else min(self.nu, self.slope_cap)
        return _HardForward.apply(x, slope) if self.hard else _SoftForward.apply(x, self.nu, slope)


class StraightThrough(Binarizer):
    """sign forward; the gradient passes unchanged within -1 ... +1 (BinaryNet, arXiv 1602.02830)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _PassedStraight.apply(x)


class ErrorDecay(Binarizer):
    """sign forward, the derivative of ``tanh(nu x)`` backward (error decay estimator of IR-Net, arXiv
    1909.10788).
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _HardForward.apply(x, self.nu)


#: The functions by the name of their method.
METHODS: dict[str, type[Binarizer]] = {
    "self-binarizing": SelfBinarizing,
    "straight-through": StraightThrough,
    "ede": ErrorDecay,
}


def make(method: str, *, slope_cap: float | None = None) -> Binarizer:
    """The binarizer of a method; only the self-binarizing one has a slope cap.

    Raises
    ------
    ValueError
        There is no such method.
    """
    if method not in METHODS:
        raise ValueError(f"the method must be one of {', '.join(METHODS)}, not {method!r}")
    return SelfBinarizing(slope_cap=slope_cap) if method == "self-binarizing" else METHODS[method]()
