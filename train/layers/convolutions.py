"""Convolutions with binary or ternary weights, over images and over sequences."""

from collections.abc import Callable
from typing import ClassVar

import torch
import torch.nn.functional as F

from ..methods import DEFAULT
from .pixels import WHITE
from .pools import average_unit, pair
from .weights import BinaryWeights

__all__ = ["BinaryConv1d", "BinaryConv2d", "Convolution"]

#: Highest values of what a convolution can take: pixels, and sums of signs by the next power of two.
_PADDINGS = {WHITE, *(signs / average_unit(signs) for signs in range(1, 256))}


class Convolution(BinaryWeights):
    """Base of the convolutions: the same neurons at every position of a kernel, channels first.

    Parameters
    ----------
    channels, outputs : int
    kernel, stride : tuple of int
        One entry for each axis.
    padding : tuple of (int, int)
        Before and after, for each axis.
    padding_value, groups, method, slope_cap, ternary
        As in `BinaryConv2d`.

    Raises
    ------
    ValueError
        `padding_value` is another number, or `groups` does not divide.
    """

    convolve: ClassVar[Callable[..., torch.Tensor]]

    def __init__(
        self,
        channels: int,
        outputs: int,
        kernel: tuple[int, ...],
        *,
        stride: tuple[int, ...],
        padding: tuple[tuple[int, int], ...],
        padding_value: float,
        groups: int,
        method: str,
        slope_cap: float | None,
        ternary: float | None,
    ):
        if abs(padding_value) not in _PADDINGS:
            raise ValueError(
                "padding_value must be -1 or +1, -WHITE or WHITE after Pixels, or the lowest or highest value"
                f" of an activation of several levels, not {padding_value!r}: signs have no 0"
            )
        if groups < 1 or channels % groups or outputs % groups:
            raise ValueError(f"groups must divide {channels} channels and {outputs} outputs, not {groups!r}")
        super().__init__(
            (outputs, channels // groups, *kernel), method=method, slope_cap=slope_cap, ternary=ternary
        )
        self.channels, self.outputs, self.kernel, self.stride = channels, outputs, kernel, stride
        self.padding, self.padding_value, self.groups = padding, padding_value, groups

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        sides = [side for axis in reversed(self.padding) for side in axis]  # the last axis first
        if any(sides):
            x = F.pad(x, sides, value=float(self.padding_value))
        return type(self).convolve(x, self.binary(), stride=self.stride, groups=self.groups)

    def extra_repr(self) -> str:
        return (
            f"{self.channels}, {self.outputs}, kernel={self.kernel}, stride={self.stride},"
            f" padding={self.padding}, padding_value={self.padding_value}, groups={self.groups},"
            f" method={self.method!r}, slope_cap={self.slope_cap}" + self._ternary_repr()
        )


class BinaryConv2d(Convolution):
    """`BinaryLinear` at every position of a kernel: (N, channels, height, width) to (N, outputs, rows,
    columns).

    Parameters
    ----------
    channels, outputs : int
    kernel : int or (int, int)
    stride : int or (int, int)
    padding : int, (int, int) or ((int, int), (int, int))
        Rows above and below, columns left and right.
    padding_value : float
        Value of the padding: -1 or +1, since signs have no 0; after `Pixels`, -`WHITE` or `WHITE`; after
        activations of several levels, their lowest value, or of 4, 8 or 16 levels also the highest.
    groups : int
        Must divide the channels and the outputs.
    method, slope_cap, ternary
        As in `BinaryWeights`.

    Raises
    ------
    ValueError
        `padding_value` is another number, or `groups` does not divide.
    """

    convolve = staticmethod(F.conv2d)

    def __init__(
        self,
        channels: int,
        outputs: int,
        kernel: int | tuple[int, int],
        *,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | tuple[tuple[int, int], tuple[int, int]] = 0,
        padding_value: float = -1,
        groups: int = 1,
        method: str = DEFAULT,
        slope_cap: float | None = None,
        ternary: float | None = None,
    ):
        rows, columns = (padding, padding) if isinstance(padding, int) else padding
        super().__init__(
            channels,
            outputs,
            pair(kernel),
            stride=pair(stride),
            padding=(pair(rows), pair(columns)),
            padding_value=padding_value,
            groups=groups,
            method=method,
            slope_cap=slope_cap,
            ternary=ternary,
        )


class BinaryConv1d(Convolution):
    """`BinaryLinear` at every position of a kernel along a sequence: (N, channels, length) to (N, outputs,
    positions).

    In hardware it is a convolution over an image that is one pixel wide.

    Parameters
    ----------
    channels, outputs : int
    kernel : int
    stride : int
    padding : int or (int, int)
        Elements before and after; an integer is both.
    groups : int
        Must divide the channels and the outputs. As many groups as channels are a depthwise convolution.
    padding_value, method, slope_cap, ternary
        As in `BinaryConv2d`.

    Raises
    ------
    ValueError
        `padding_value` is another number, or `groups` does not divide.
    """

    convolve = staticmethod(F.conv1d)

    def __init__(
        self,
        channels: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: int | tuple[int, int] = 0,
        padding_value: float = -1,
        groups: int = 1,
        method: str = DEFAULT,
        slope_cap: float | None = None,
        ternary: float | None = None,
    ):
        super().__init__(
            channels,
            outputs,
            (kernel,),
            stride=(stride,),
            padding=(pair(padding),),
            padding_value=padding_value,
            groups=groups,
            method=method,
            slope_cap=slope_cap,
            ternary=ternary,
        )
