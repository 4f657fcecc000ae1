"""The average of the parameters over the last steps of a training."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

__all__ = ["Average"]

#: Weight of a step in the average once it covers more than 1/_PART steps.
_PART = 0.002


class Average:
    """The mean of a model's parameters over the steps so far, the older ones fading after some 500 steps.

    Attributes
    ----------
    steps : int
        Steps averaged.
    values : list of tensor
        The average of each parameter.
    """

    def __init__(self, model: nn.Module) -> None:
        self._parameters = [parameter.detach() for parameter in model.parameters()]
        self.steps = 0
        self.values = [torch.zeros_like(parameter) for parameter in self._parameters]

    def add(self) -> None:
        """Include the parameters as they are now."""
        self.steps += 1
        torch._foreach_lerp_(self.values, self._parameters, max(_PART, 1 / self.steps))

    def restart(self) -> None:
        """Forget the steps so far."""
        self.steps = 0

    def restore(self, *, steps: int, values: list[torch.Tensor]) -> None:
        """Continue an average of the same model that was saved."""
        for value, saved in zip(self.values, values, strict=True):
            value.copy_(saved)
        self.steps = int(steps)

    def take(self) -> None:
        """Set the parameters to their average."""
        for parameter, value in zip(self._parameters, self.values, strict=True):
            parameter.copy_(value)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Set the parameters to their average inside a `with` block, if there is one."""
        kept = [parameter.clone() for parameter in self._parameters]
        if self.steps:
            self.take()
        try:
            yield
        finally:
            for parameter, value in zip(self._parameters, kept, strict=True):
                parameter.copy_(value)
