"""Batch-norm statistics of a network as it is now, instead of the running ones of its training."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import torch
from torch import nn

from .layers import BatchNorm, hardened_layers

__all__ = ["estimate", "hard_forward", "norms", "restored"]


def norms(model: nn.Module) -> list[BatchNorm]:
    """The batch norms of a model, in order."""
    return [module for module in model.modules() if isinstance(module, BatchNorm)]


@contextmanager
def hard_forward(model: nn.Module) -> Iterator[None]:
    """Compute with the hard weights and activations inside a `with` block.

    Unlike with `hardened`, the batch norms compute as in training, to gather their statistics.
    """
    changed = [
        layer
        for _, layer in hardened_layers(model)
        if not isinstance(layer, BatchNorm) and not layer.hardened
    ]
    for layer in changed:
        layer.hardened = True
    try:
        yield
    finally:
        for layer in changed:
            layer.hardened = False


@contextmanager
def restored(model: nn.Module) -> Iterator[None]:
    """Restore the statistics of the batch norms of a model after a `with` block."""
    kept: list[dict[str, Any]] = [deepcopy(norm.state_dict()) for norm in norms(model)]
    try:
        yield
    finally:
        for norm, state in zip(norms(model), kept, strict=True):
            norm.load_state_dict(state)


def estimate(model: nn.Module, images: torch.Tensor, *, batch: int = 1000) -> None:
    """Set the batch-norm statistics to their mean over batches of images, without noise or dropout.

    Parameters
    ----------
    model : nn.Module
        Computes as it does now: soft, or hard within `hard_forward`.
    images : uint8 tensor, shape (N, ...)
    batch : int
        Images per step.
    """
    found = norms(model)
    momenta = [norm.momentum for norm in found]
    training = [(module, module.training) for module in model.modules()]
    model.eval()
    for norm in found:
        norm.train()
        norm.reset_running_stats()
        norm.momentum = None
    with torch.no_grad():
        for part in images.split(batch):
            if len(part) > 1:
                model(part)
    for norm, momentum in zip(found, momenta, strict=True):
        norm.momentum = momentum
    for module, mode in training:
        module.training = mode
