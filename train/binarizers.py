"""Functions from real values to -1 ... +1 that are or converge to sign, each with its gradient.

    function   forward                          backward
    tanh       tanh(nu x), or sign where hard   nu sech^2(nu x), its derivative; 0 where hard
    mirror     tanh(nu x)                       1: the gradient with respect to the value moves x as it is
    capped     tanh(nu x), or sign where hard   c sech^2(c x), c = min(nu, slope_cap)
    straight   sign(x)                          1 where |x| <= 1, else 0
    decaying   sign(x)                          k nu sech^2(nu x), k = max(1, 1 / nu)

sign(0) = +1 everywhere. `methods` says which method uses which of them for weights and for activations, and
where they are published.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from .methods import METHODS

__all__ = ["FUNCTIONS", "Binarizer", "InPlace", "Pair", "make", "sign"]

#: A function that overwrites its argument and returns it.
InPlace = Callable[[torch.Tensor], torch.Tensor]

#: A function and the factor of its backward pass at the same x. A factor of None is 1.
Pair = tuple[InPlace, InPlace | None]


def sign(x: torch.Tensor) -> torch.Tensor:
    """+1 if ``x >= 0``, else -1, in the dtype of `x`."""
    return _sign(x.clone())


def _sign(x: torch.Tensor) -> torch.Tensor:
    return x.ge_(0).mul_(2).sub_(1)


def _tanh(x: torch.Tensor, *, nu: float) -> torch.Tensor:
    """``tanh(nu x)`` by torch's sigmoid, whose vector code is ten times faster than that of its tanh."""
    return x.mul_(2 * nu).sigmoid_().mul_(2).sub_(1)


def _slope(x: torch.Tensor, *, nu: float, factor: float = 1.0) -> torch.Tensor:
    """Derivative of ``factor * tanh(nu x)``: 4 factor nu p (1 - p), p = sigmoid(2 nu x)."""
    p = x.mul_(2 * nu).sigmoid_()
    return p.addcmul_(p, p, value=-1).mul_(4 * nu * factor)


def _within_one(x: torch.Tensor) -> torch.Tensor:
    return x.abs_().le_(1)


def _zero(x: torch.Tensor) -> torch.Tensor:
    return x.zero_()


class _Binarized(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, pair: Pair) -> torch.Tensor:
        value, ctx.slope = pair
        if ctx.slope is not None:
            ctx.save_for_backward(x)
        return value(x.clone())

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        if ctx.slope is None:
            return gradient, None
        (x,) = ctx.saved_tensors
        return ctx.slope(x.clone()).mul_(gradient), None


class _Sampled(torch.autograd.Function):
    """``a + share sqrt(1 - a^2) e``, a = tanh(nu x) and e normal: the mean of a sign that is +1 with the
    probability (1 + a) / 2, and `share` of its deviation.
    """

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, nu: float, share: float) -> torch.Tensor:
        mean = _tanh(x.clone(), nu=nu)
        deviation = (1 - mean.square()).clamp_(min=0).sqrt_()
        drawn = torch.randn_like(x).mul_(share)
        ctx.save_for_backward(mean, deviation, drawn)
        ctx.nu = nu
        return torch.addcmul(mean, deviation, drawn)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        mean, deviation, drawn = ctx.saved_tensors
        slope = torch.addcmul(deviation, mean, drawn, value=-1)
        return slope.mul_(deviation).mul_(ctx.nu).mul_(gradient), None, None


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

    def pair(self) -> Pair:
        """The function and the factor of its backward pass, of nu as it is now."""
        raise NotImplementedError

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return _Binarized.apply(x, self.pair())

    def extra_repr(self) -> str:
        return f"nu={self.nu:g}" + (", hard" if self.hard else "")


class Smooth(Binarizer):
    """``tanh(nu x)`` with its exact derivative (Lahoud et al., arXiv 1902.00730); where `hard`, sign with its
    derivative, 0.

    Attributes
    ----------
    sampling : float
        In training, the share of the noise that drawn signs would have (`_Sampled`); set by the schedule.
    """

    hard = False
    sampling = 0.0

    def soft(self, x: torch.Tensor) -> torch.Tensor:
        return _tanh(x.clone(), nu=self.nu)

    def pair(self) -> Pair:
        if self.hard:
            return _sign, _zero
        return partial(_tanh, nu=self.nu), partial(_slope, nu=self.nu)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.samples:
            return _Sampled.apply(x, self.nu, self.sampling)
        return super().forward(x)

    @property
    def samples(self) -> bool:
        """Whether it adds noise now."""
        return self.training and self.sampling > 0 and not self.hard


class Mirrored(Smooth):
    """``tanh(nu x)``, whose value's gradient moves x without the factor of the derivative: mirror descent
    (Ajanthan et al., arXiv 1910.08237).
    """

    def pair(self) -> Pair:
        return partial(_tanh, nu=self.nu), None


class Capped(Smooth):
    """``tanh(nu x)``, or sign where `hard`; the backward pass has a slope of at most `slope_cap`."""

    @property
    def samples(self) -> bool:
        return False

    def pair(self) -> Pair:
        slope = self.nu if self.slope_cap is None else min(self.nu, self.slope_cap)
        return _sign if self.hard else partial(_tanh, nu=self.nu), partial(_slope, nu=slope)


class Straight(Binarizer):
    """sign forward; the gradient passes unchanged within -1 ... +1 (BinaryNet, arXiv 1602.02830)."""

    def pair(self) -> Pair:
        return _sign, _within_one


class Decaying(Binarizer):
    """sign forward; backward the derivative of ``k tanh(nu x)``, k = max(1, 1 / nu) (IR-Net, arXiv
    1909.10788).
    """

    def pair(self) -> Pair:
        return _sign, partial(_slope, nu=self.nu, factor=max(1.0, 1 / self.nu))


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
