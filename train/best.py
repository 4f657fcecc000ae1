"""The best epoch of a training on the validation images."""

from typing import Any

import torch
from torch import nn

__all__ = ["Best"]


class Best:
    """The values of a model at its best epoch: the first of the highest hardened validation accuracy.

    Attributes
    ----------
    epoch : int or None
        Its number, from 0; None before the first.
    hard : float
        Its hardened validation accuracy.
    values : dict of str to tensor
        Parameters and batch-norm statistics of that epoch.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self.epoch: int | None = None
        self.hard = -1.0
        self.values: dict[str, torch.Tensor] = {}

    def offer(self, epoch: int, hard: float) -> None:
        """Keep the model as it is if this epoch is better."""
        if hard > self.hard:
            self.epoch, self.hard = epoch, hard
            self.values = {name: value.clone() for name, value in self._model.state_dict().items()}

    def waited(self, epoch: int) -> int:
        """Epochs up to `epoch` since the best."""
        return 0 if self.epoch is None else epoch - self.epoch

    def take(self) -> None:
        """Set the model to its best epoch."""
        self._model.load_state_dict(self.values)

    def state(self) -> dict[str, Any]:
        """Everything to continue from, as tensors and plain values."""
        return {"epoch": self.epoch, "hard": self.hard, "values": self.values}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a `state` of the same model."""
        values = {**state["values"]}
        if values.keys() != (self._model.state_dict().keys() if values else values.keys()):
            raise KeyError("values")
        self.epoch, self.hard, self.values = state["epoch"], float(state["hard"]), values
