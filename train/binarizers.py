"""Functions from real values to -1 ... +1 that are or converge to sign, each with its gradient.

    function   forward                          backward
    tanh       tanh(nu x)                       nu sech^2(nu x), its derivative
    mirror     tanh(nu x)                       1: the gradient with respect to the value moves x as it is
    capped     tanh(nu x), or sign where hard   c sech^2(c x), c = min(nu, slope_cap)
    straight   sign(x)                          1 where |x| <= 1, else 0
    decaying   sign(x)                          k nu sech^2(nu x), k = max(1, 1 / nu)

sign(0) = +1 everywhere. `methods` says which method uses which of them for weights and for activations, and
where they are published.
"""

from typing import Any

import torch
from torch import nn

from .methods import METHODS

__all__ = ["FUNCTIONS", "Binarizer", "make", "sign"]


def sign(x: torch.Tensor) -> torch.Tensor:
    """+1 if ``x >= 0``, else -1, in the dtype of `x`."""
    return (x >= 0).to(x.dtype).mul_(2).sub_(1)


def _slope(x: torch.Tensor, nu: float) -> torch.Tensor:
    """Derivative of ``tanh(nu * x)``."""
    return (x * nu).tanh_().square_().mul_(-nu).add_(nu)


class _SmoothForward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, nu: float, slope: float) -> torch.Tensor:
        ctx.save_for_backward(x)
        ctx.slope = slope
        return (x * nu).tanh_()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return gradient * _slope(x, ctx.slope), None, None


class _Mirrored(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, nu: float) -> torch.Tensor:
        return (x * nu).tanh_()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        return gradient, None


class _HardForward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, nu: float, factor: float) -> torch.Tensor:
        ctx.save_for_backward(x)
        ctx.nu, ctx.factor = nu, factor
        return sign(x)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return gradient * _slope(x, ctx.nu).mul_(ctx.factor), None, None


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
        Sharpness, greater than 0; set by the schedule before each step.
    hard : bool
        Whether the forward pass is sign.
    slope_cap : float or None
        Maximum `nu` of the backward pass; None is no cap. For "capped" only.
    """

    slope_cap: float | None = None
    hard = True

    def __init__(self) -> None:
        super().__init__()
        self.nu = 1.0

    def soft(self, x: torch.Tensor) -> torch.Tensor:
        """The function that converges to sign as nu grows; sign itself if the function always is sign."""
        return sign(x)

    def extra_repr(self) -> str:
        return f"nu={self.nu:g}" + (", hard" if self.hard else "")


class Smooth(Binarizer):
    """``tanh(nu x)`` with its exact derivative (Lahoud et al., arXiv 1902.00730)."""

    hard = False

    def soft(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(x * self.nu)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _SmoothForward.apply(x, self.nu, self.nu)


class Mirrored(Smooth):
    """``tanh(nu x)``, whose value's gradient moves x without the factor of the derivative: mirror descent
    (Ajanthan et al., arXiv 1910.08237).
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _Mirrored.apply(x, self.nu)


class Capped(Smooth):
    """``tanh(nu x)``, or sign where `hard`; the backward pass has a slope of at most `slope_cap`."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        slope = self.nu if self.slope_cap is None else min(self.nu, self.slope_cap)
        return _HardForward.apply(x, slope, 1.0) if self.hard else _SmoothForward.apply(x, self.nu, slope)


class Straight(Binarizer):
    """sign forward; the gradient passes unchanged within -1 ... +1 (BinaryNet, arXiv 1602.02830)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _PassedStraight.apply(x)


class Decaying(Binarizer):
    """sign forward; backward the derivative of ``k tanh(nu x)``, k = max(1, 1 / nu) (IR-Net, arXiv
    1909.10788).
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _HardForward.apply(x, self.nu, max(1.0, 1 / self.nu))


#: The functions by the name that a method gives them.
FUNCTIONS: dict[str, type[Binarizer]] = {
    "tanh": Smooth,
    "mirror": Mirrored,
    "capped": Capped,
    "straight": Straight,
    "decaying": Decaying,
}


def make(method: str, role: str, *, slope_cap: float | None = None) -> Binarizer:
    """The binarizer of a method.

    Parameters
    ----------
    method : str
        One of `methods.METHODS`.
    role : str
        "weights" or "activations".
    slope_cap : float or None
        For the method "surrogate"; others ignore it.

    Raises
    ------
    ValueError
        There is no such method.
    """
    if method not in METHODS:
        raise ValueError(f"the method must be one of {', '.join(METHODS)}, not {method!r}")
    binarizer = FUNCTIONS[getattr(METHODS[method], role)]()
    if isinstance(binarizer, Capped):
        binarizer.slope_cap = slope_cap
    return binarizer
