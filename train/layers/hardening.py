"""Layers that have a hardened mode, and the switch between the modes."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

__all__ = ["Hardenable", "hardened", "hardened_layers"]


class Hardenable:
    """Base of the layers whose hardened computation differs from the ordinary one.

    Attributes
    ----------
    hardened : bool
        Whether the layer computes hardened now.
    """

    hardened = False

    def harden(self) -> None:
        """Harden the layer for good, in place. Call it without gradients."""
        self.hardened = True


def hardened_layers(model: nn.Module) -> list[tuple[str, Hardenable]]:
    """Name and module of each layer that can be hardened, in order."""
    return [(name, module) for name, module in model.named_modules() if isinstance(module, Hardenable)]


@contextmanager
def hardened(model: nn.Module) -> Iterator[nn.Module]:
    """Evaluate `model` hardened inside a `with` block; its weights are not changed."""
    before = [(layer, layer.hardened) for _, layer in hardened_layers(model)]
    training = model.training
    try:
        for layer, _ in before:
            layer.hardened = True
        yield model.eval()
    finally:
        for layer, value in before:
            layer.hardened = value
        model.train(training)
