"""A shortcut past some layers."""

import torch
from torch import nn

__all__ = ["Residual"]


class Residual(nn.Module):
    """A shortcut past some layers: ``body(x) + scale * x``, or ``body(x) + scale * shortcut(x)``.

    Both terms are signs or sums of signs, so the result is an integer in float32 as in hardware. It must be
    followed by BatchNorm and BinaryActivation, or by another Residual that begins with them. In the second
    case the shortcut carries the sums themselves, as in Bi-Real Net (Liu et al., arXiv 1808.00278).

    Parameters
    ----------
    body : nn.Module
        A chain of layers that ends in BinaryConv1d, BinaryConv2d or BinaryLinear. Without `shortcut` it
        outputs the shape that it takes.
    shortcut : nn.Module or None
        A chain of layers that ends alike and outputs the shape that `body` does: a projection, as
        ``BinaryConv2d(channels, outputs, 1, stride=2)`` where the body has that stride (He et al., arXiv
        1512.03385). None is the identity.
    scale : int, 1 ... 65,536
        Weight of the shortcut. A sum of n signs is about sqrt(n), a sign next to it is 1.
    """

    def __init__(self, body: nn.Module, *, shortcut: nn.Module | None = None, scale: int = 1):
        super().__init__()
        if not isinstance(scale, int) or not 1 <= scale <= 2**16:
            raise ValueError(f"scale must be an integer in 1 ... {2**16}, not {scale!r}")
        self.body, self.shortcut, self.scale = body, shortcut, scale

    @property
    def sides(self) -> dict[str, nn.Module]:
        """The modules of the sum by the names of their attributes, that of the shortcut first."""
        sides = {"shortcut": self.shortcut, "body": self.body}
        return {name: module for name, module in sides.items() if module is not None}

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x) + self.scale * (x if self.shortcut is None else self.shortcut(x))

    def extra_repr(self) -> str:
        return f"scale={self.scale}"
