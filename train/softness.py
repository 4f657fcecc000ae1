"""How far soft weights and activations are from -1 and +1."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from .layers import BinaryActivation, BinaryWeights, hardened_layers

__all__ = ["NEAR", "UNSATURATED", "LayerSoftness", "softness"]

#: A value counts as unsaturated if its soft form is further than this from -1 and +1.
UNSATURATED = 0.1

#: An activation counts as near its threshold if its batch norm output is within this of 0.
NEAR = 0.01


@dataclass(frozen=True, kw_only=True)
class LayerSoftness:
    """Distance of one layer's soft values from their sign, also if a hard tail no longer computes soft
    values.

    All fields but `near` are 0 for methods whose forward pass is always sign.

    Parameters
    ----------
    layer : str
    kind : str
        "weights" or "activations".
    mean, greatest : float, 0 ... 1
        Mean and maximum of ``1 - |tanh(nu x)|``.
    unsaturated : float, 0 ... 1
        Share of the values whose distance exceeds `UNSATURATED`.
    near : float, 0 ... 1
        Share of the activations within `NEAR` of their threshold; 0 for weights.
    """

    layer: str
    kind: str
    mean: float
    greatest: float
    unsaturated: float
    near: float


def _measured(name: str, kind: str, soft: torch.Tensor, near: float = 0.0) -> LayerSoftness:
    distance = 1 - soft.detach().abs()
    return LayerSoftness(
        layer=name,
        kind=kind,
        mean=distance.mean().item(),
        greatest=distance.max().item(),
        unsaturated=(distance > UNSATURATED).float().mean().item(),
        near=near,
    )


def softness(model: nn.Module, images: torch.Tensor) -> list[LayerSoftness]:
    """How far the weights and activations of `model` are from their sign on `images`, layer by layer."""
    found: dict[str, LayerSoftness | None] = {}

    def observe(name: str) -> Callable[[BinaryActivation, tuple[torch.Tensor], torch.Tensor], None]:
        def hook(layer: BinaryActivation, args: tuple[torch.Tensor], output: torch.Tensor) -> None:
            distances = torch.stack([args[0] - step for step in layer.steps])
            near = (distances.abs() < NEAR).any(0).float().mean().item()
            soft = layer.binarizer.soft(distances)
            found[name] = _measured(name, "activations", soft, near)

        return hook

    hooks = []
    for name, layer in hardened_layers(model):
        if isinstance(layer, BinaryWeights):
            found[name] = _measured(name, "weights", layer.binarized(layer.binarizer.soft))
        elif isinstance(layer, BinaryActivation):
            found[name] = None  # keeps the order of the layers
            hooks.append(layer.register_forward_hook(observe(name)))
    training = model.training
    try:
        with torch.no_grad():
            model.eval()(images)
    finally:
        model.train(training)
        for hook in hooks:
            hook.remove()
    return [layer for layer in found.values() if layer is not None]
