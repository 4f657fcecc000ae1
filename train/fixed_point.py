"""Training on a fixed-point grid: parameters, gradients and tanh as a device without floats would have them.

After Lammie, Xiang and Azghadi, "Training Progressively Binarizing Deep Networks Using FPGAs" (arXiv
2001.02390). Qm.n has m bits before the point, the sign among them, and n after it: multiples of 2^-n from
-2^(m-1) to 2^(m-1) - 2^-n. Values outside are set to the nearest end.

    tanh          forward pass: the nearest value of the grid
    gradients     of every weight, activation and parameter, of the loss summed over a step's samples
    parameters    after each step of the optimiser

Gradients and parameters are rounded at random, to the value above or below, so that their mean is exact
(Gupta et al., arXiv 1502.02551): an update of less than half a step of the grid is not lost, but happens
now and then. What is not on the grid are the sums and the statistics of batch norms, and the moments of
AdamW: a device needs more bits for these, or another optimiser.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from .binarizers import Binarizer
from .number_format import Format

__all__ = ["FixedPoint", "at_random", "nearest"]


def nearest(x: torch.Tensor, grid: Format) -> torch.Tensor:
    """The nearest value of a grid; of two, the even multiple."""
    return _clamped(torch.round(x * 2.0**grid.after), grid)


def at_random(x: torch.Tensor, grid: Format) -> torch.Tensor:
    """The value above or below, at random by the distance, so that the mean is x; by torch's seed."""
    return _clamped(torch.floor(x * 2.0**grid.after + torch.rand_like(x)), grid)


def _clamped(multiples: torch.Tensor, grid: Format) -> torch.Tensor:
    end = 2.0 ** (grid.before - 1 + grid.after)
    return multiples.clamp_(-end, end - 1).mul_(2.0**-grid.after)


class _OnGrid(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, grid: Format) -> torch.Tensor:
        ctx.grid = grid
        return nearest(x, grid)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        return at_random(gradient, ctx.grid), None


class FixedPoint:
    """What a training does on a grid, at the places where the loop calls it; nothing without a format.

    Parameters
    ----------
    model : nn.Module
    text : str or None
        A format of `Format.parse`.
    """

    def __init__(self, model: nn.Module, text: str | None) -> None:
        self._grid = None if text is None else Format.parse(text)
        self._model = model

    @contextmanager
    def forward(self) -> Iterator[None]:
        """Round tanh and its gradient inside a `with` block, and the parameters as it begins."""
        with ExitStack() as stack:
            if (grid := self._grid) is not None:
                for layer in self._model.modules():
                    if isinstance(layer, Binarizer):
                        hook = layer.register_forward_hook(lambda _, inputs, x: _OnGrid.apply(x, grid))
                        stack.callback(hook.remove)
                self.settle()
            yield

    def backward(self, loss: torch.Tensor, samples: int) -> None:
        """The gradients of a mean loss over a step's samples. On a grid they are of its sum, which is the
        same to AdamW and leaves fewer of them below the grid's first step.
        """
        if self._grid is None:
            loss.backward()
            return
        (loss * samples).backward()
        for parameter in self._model.parameters():
            if parameter.grad is not None:
                parameter.grad.copy_(at_random(parameter.grad, self._grid))

    def step(self) -> None:
        """Round the parameters after a step. Call it without gradients."""
        if self._grid is not None:
            for parameter in self._model.parameters():
                parameter.copy_(at_random(parameter, self._grid))

    @torch.no_grad()
    def settle(self) -> None:
        """Set the parameters to the nearest values, as after an average."""
        if self._grid is not None:
            for parameter in self._model.parameters():
                parameter.copy_(nearest(parameter, self._grid))
