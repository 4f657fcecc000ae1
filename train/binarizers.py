"""Functions from real values to -1 ... +1 that end in sign, each beside its gradient.

    method            forward                 backward
    self-binarizing   tanh(nu x)              nu sech^2(nu x), or c sech^2(c x) with c = min(nu, slope_cap)
    straight-through  sign(x)                 1 where |x| <= 1, else 0
    ede               sign(x)                 nu sech^2(nu x)

sign(0) = +1 everywhere. The self-binarizing function is that of Lahoud et al. (arXiv 1902.00730); the slope
cap is our extension of it: the forward pass and the single copy of the weights stay, the backward pass does
not vanish as nu grows. Straight-through is BinaryNet's (arXiv 1602.02830), EDE is IR-Net's (arXiv
1909.10788).
"""

import torch
from torch import nn

__all__ = ["METHODS", "Binarizer", "ErrorDecay", "SelfBinarizing", "StraightThrough", "make", "sign"]


def sign(x):
    """+1 where ``x >= 0``, else -1, in the dtype of `x`."""
    return (x >= 0).to(x.dtype).mul_(2).sub_(1)


def _slope(x, nu):
    """Derivative of ``tanh(nu * x)``."""
    return (x * nu).tanh_().square_().mul_(-nu).add_(nu)


class _SoftForward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, nu, slope):
        ctx.save_for_backward(x)
        ctx.slope = slope
        return (x * nu).tanh_()

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * _slope(x, ctx.slope), None, None


class _HardForward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, slope):
        ctx.save_for_backward(x)
        ctx.slope = slope
        return sign(x)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * _slope(x, ctx.slope), None


class _PassedStraight(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return sign(x)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * (x.abs() <= 1)


class Binarizer(nn.Module):
    """Base of the methods.

    Attributes
    ----------
    nu : float
        Sharpness, set by the schedule before each epoch; greater than 0.
    hard : bool
        Whether the forward pass is sign, as in the tail of a schedule and in every straight-through method.
    slope_cap : float or None
    """

    slope_cap = None

    def __init__(self):
        super().__init__()
        self.nu = 1.0
        self.hard = True

    def soft(self, x):
        """What approaches sign as nu grows: sign itself for a method that always computes it."""
        return sign(x)

    def extra_repr(self):
        return f"nu={self.nu:g}" + (", hard" if self.hard else "")


class SelfBinarizing(Binarizer):
    """``tanh(nu x)``, sharpened until it equals sign.

    Parameters
    ----------
    slope_cap : float or None
        Greatest `nu` of the backward pass; None is the paper's method.
    """

    def __init__(self, *, slope_cap=None):
        super().__init__()
        self.hard = False
        self.slope_cap = slope_cap

    def soft(self, x):
        return torch.tanh(x * self.nu)

    def forward(self, x):
        slope = self.nu if self.slope_cap is None else min(self.nu, self.slope_cap)
        return _HardForward.apply(x, slope) if self.hard else _SoftForward.apply(x, self.nu, slope)


class StraightThrough(Binarizer):
    """sign forward, the gradient passed unchanged within -1 ... +1."""

    def forward(self, x):
        return _PassedStraight.apply(x)


class ErrorDecay(Binarizer):
    """sign forward, the derivative of ``tanh(nu x)`` backward (error decay estimator, EDE)."""

    def forward(self, x):
        return _HardForward.apply(x, self.nu)


METHODS = {"self-binarizing": SelfBinarizing, "straight-through": StraightThrough, "ede": ErrorDecay}


def make(method, *, slope_cap=None):
    """The binarizer of a method's name; only the self-binarizing one has a slope cap."""
    if method not in METHODS:
        raise ValueError(f"the method must be one of {', '.join(METHODS)}, not {method!r}")
    return SelfBinarizing(slope_cap=slope_cap) if method == "self-binarizing" else METHODS[method]()
