"""What follows the sums of a layer: batch normalisation and the sign."""

import torch
from torch import nn

from .. import binarizers
from ..binarizers import sign
from ..methods import DEFAULT
from .hardening import Hardenable

__all__ = ["BatchNorm", "BinaryActivation"]


class BatchNorm(Hardenable, nn.BatchNorm1d):
    """Batch normalisation of vectors (N, features), sequences (N, features, length) or images (N, features,
    height, width).

    Hardened, it is ``gamma * ((x - mean) / sqrt(var + eps)) + beta`` in float64, step by step.
    """

    def _check_input_dim(self, x: torch.Tensor) -> None:
        if x.dim() not in (2, 3, 4):
            raise ValueError(
                "batch norm takes (N, features), (N, features, length) or (N, features, height, width), not"
                f" {tuple(x.shape)}"
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.hardened:
            return super().forward(x)
        statistics = self.get_buffer("running_mean"), self.get_buffer("running_var")
        mean, variance, scale, offset = (
            value.double().reshape(-1, *(1,) * (x.dim() - 2))
            for value in (*statistics, self.weight, self.bias)
        )
        return (x.double() - mean) / torch.sqrt(variance + self.eps) * scale + offset


class BinaryActivation(Hardenable, nn.Module):
    """Each value to -1 or +1; in training by the function of the method.

    Parameters
    ----------
    method : str
    slope_cap : float or None
        Both as in `BinaryWeights`.

    Attributes
    ----------
    noise : float
        Standard deviation of Gaussian noise that is added to the input in training; set by the schedule.
    """

    sharpens = "activations"
    noise = 0.0

    def __init__(self, *, method: str = DEFAULT, slope_cap: float | None = None):
        super().__init__()
        self.method, self.slope_cap = method, slope_cap
        self.binarizer = binarizers.make(method, self.sharpens, slope_cap=slope_cap)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.hardened:
            return sign(x).to(torch.float32)
        if self.training and self.noise:
            x = x + self.noise * torch.randn_like(x)
        return self.binarizer(x)

    def extra_repr(self) -> str:
        return f"method={self.method!r}, slope_cap={self.slope_cap}"
