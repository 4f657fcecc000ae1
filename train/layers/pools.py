"""Pooling that is exact in float32."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

__all__ = ["AvgPool1d", "AvgPool2d", "average_unit", "pair"]


def pair(value: int | Sequence[int]) -> tuple[int, int]:
    """An integer twice, or the pair itself."""
    first, second = (value, value) if isinstance(value, int) else value
    return first, second


def average_unit(count: int) -> int:
    """What the sum of `count` signs is divided by: the next power of two."""
    return 1 << (count - 1).bit_length()


class AvgPool2d(nn.AvgPool2d):
    """The average of the signs under a kernel, exactly: their sum divided by the next power of two that is at
    least the size of the kernel.

    A true average over, say, 49 signs is a multiple of 1/49, which float32 cannot represent, and neither can
    it represent sums of such averages. For a kernel whose size is a power of two this is `nn.AvgPool2d`.

    Parameters
    ----------
    kernel : int or (int, int)
        The size of the image makes the pooling global.
    stride : int or (int, int) or None
        None is the kernel.
    """

    def __init__(self, kernel: int | tuple[int, int], *, stride: int | tuple[int, int] | None = None):
        size = pair(kernel)
        super().__init__(
            size, size if stride is None else pair(stride), divisor_override=average_unit(size[0] * size[1])
        )


class AvgPool1d(nn.AvgPool1d):
    """`AvgPool2d` along a sequence.

    Parameters
    ----------
    kernel : int
        The length of the sequence makes the pooling global.
    stride : int or None
        None is the kernel.
    """

    def __init__(self, kernel: int, *, stride: int | None = None):
        super().__init__(kernel, kernel if stride is None else stride)
        self.divisor_override = average_unit(kernel)
        self._window = (kernel, 1), (kernel if stride is None else stride, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # torch's own in one dimension always divides by the size of the kernel.
        return F.avg_pool2d(x[..., None], *self._window, divisor_override=self.divisor_override).squeeze(-1)
